from __future__ import annotations

from aiser_jupyter.magics.listing import Listing

HOSTILE = '<script>alert("x")</script>$a$ \x1b[31m'


def test_data_is_never_markup():
    page = Listing(("name",), ((HOSTILE,),), HOSTILE)._repr_mimebundle_()["text/html"]
    assert "<script" not in page
    assert "\x1b" not in page
    assert page.count("&lt;script&gt;") == 2
    assert "<span>$</span>a<span>$</span>" in page
    assert "mathjax_ignore" in page


def test_text_has_one_line_a_row():
    lines = repr(Listing(("name", "rows"), (("a\nb", 1), ("c", None)), "done")).splitlines()
    assert lines == ["name  rows", "────  ───────", "a↵b   1", "c     unknown", "done"]


def test_rows_are_values():
    listing = Listing(("name", "rows"), (("a", 1), ("c", None)))
    assert [rows for _, rows in listing] == [1, None]
    assert len(listing) == 2


def test_nothing_is_only_the_caption():
    bundle = Listing(("name",), (), "Nothing.")._repr_mimebundle_()
    assert bundle["text/plain"] == "Nothing."
    assert "<table" not in bundle["text/html"]
