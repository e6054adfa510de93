"""A rewritten text leads back to what was written, character by character."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiser_jupyter.connectors.duckdb.errors import translate
from aiser_jupyter.errors import QuerySyntaxError
from aiser_jupyter.models import TableRef
from aiser_jupyter.sql import parse
from aiser_jupyter.sql.federated import splice
from aiser_jupyter.sql.source_map import SourceMap, Written, edited

PIECES = st.lists(
    st.tuples(
        st.text("ab\n é🦆", min_size=1, max_size=5), st.text("XY", max_size=3), st.text("xy.", max_size=4)
    )
)


@given(PIECES, st.text("ab\n", min_size=1, max_size=4))
def test_every_character_leads_back(pieces: list[tuple[str, str, str]], last: str) -> None:
    text, expected, edits = "", "", []
    origins: list[int | None] = []
    for kept, old, new in pieces:
        origins += range(len(text), len(text) + len(kept))
        start = len(text) + len(kept)
        edits.append((start, start + len(old), new))
        origins += [start if old else None] * len(new)
        text, expected = text + kept + old, expected + kept + new
    origins += range(len(text), len(text) + len(last) + 1)
    found, source = edited(text + last, edits)
    assert found == expected + last
    assert [source.origin(offset) for offset in range(len(found) + 1)] == origins


def test_two_edits_of_one_place_keep_their_order() -> None:
    assert edited("ab", [(1, 1, "y"), (1, 1, "x"), (1, 2, "z")])[0] == "ayxz"


def test_every_word_of_a_spliced_statement_leads_back() -> None:
    text = "-- é\nSELECT '🦆', w.t.a,\n  w.t.b FROM w.t JOIN w.u ON true /* w.t */\nWHERE w.u.x"
    made = splice(text, {TableRef("t", "w"), TableRef("u", "w")})
    for word in ("SELECT", "'🦆'", "JOIN", "ON true", "/* w.t */", "WHERE", "x"):
        assert made.source.origin(made.text.rindex(word)) == text.rindex(word)
    for name, place in [('"t".a', 17), ('"t".b', 26), ('"w.t"', 37), ('"t" JOIN', 37), ('"u".x', 75)]:
        origin = made.source.origin(made.text.index(name))
        assert origin is not None
        assert text[origin : origin + 3] in ("w.t", "w.u")
        assert text.startswith(("w.t", "w.u"), origin)
        assert abs(origin - place) < 5


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        ("SELECT 'é', a FROM t WHERE a IN {{ xs }}AND b = :long_name AND c §RLIKE 'x'", {}),
        (
            "SELECT 'é', a FROM t WHERE a IN ({{ xs }})\nAND b = :long_name -- {{ xs }}\n  AND c §RLIKE 'x'",
            {},
        ),
        ("SELECT {{ name | identifier }} §RLIKE 'x'", {}),
        ("SELECT a FROM t WHERE a IN{{ none }} AND §RLIKE", {}),
        ("§RLIKE {{ xs }}", {"xs": 1}),
        ("SELECT 1 FROM t WHERE b = §{{ long_name }}", {}),
    ],
)
@pytest.mark.parametrize("style", ["named", "pyformat", "qmark"])
def test_parameters_lead_back(text: str, variables: Mapping[str, Any], style: str) -> None:
    place, text = text.index("§"), text.replace("§", "")
    given = {"xs": [1, 22, 333], "none": [], "long_name": 7, "name": 'so "named"', **variables}
    made = parse(text, variables=given, paramstyle=style)
    sign = {"named": "$long", "pyformat": "%(long", "qmark": "?"}[style]
    here = made.text.index("RLIKE") if "RLIKE" in made.text else made.text.index(sign)
    assert [source.origin(here) for source in made.sources] == [place]


def test_doubled_percent_signs_lead_back() -> None:
    text = "SELECT '100%', 7 % 2, a %% b FROM t WHERE c = {{ n }} AND d LIKE '%x%' §RLIKE 1"
    place, text = text.index("§"), text.replace("§", "")
    made = parse(text, dialect="mysql", variables={"n": 1}, paramstyle="pyformat")
    (source,) = made.sources
    assert source.origin(made.text.index("RLIKE")) == place
    assert source.origin(made.text.index("x%%")) == text.index("x%")


def test_the_empty_list_of_postgresql_leads_back_too() -> None:
    text = "SELECT a FROM t WHERE a IN{{ none }} AND b NOT IN ({{ none }}) §RLIKE"
    place, text = text.index("§"), text.replace("§", "")
    made = parse(text, dialect="postgres", variables={"none": []}, paramstyle="pyformat")
    assert made.text == "SELECT a FROM t WHERE a = ANY ('{}') AND b <> ALL ('{}') RLIKE"
    assert made.sources[0].origin(made.text.index("RLIKE")) == place
    assert made.sources[0].origin(made.text.index("ANY")) == text.index("IN{{")


def test_a_saved_query_in_front_and_what_stands_around_the_statement() -> None:
    text = "; \n SELECT a FROM big WHERE a = :n AND b §RLIKE 'x'; ;"
    place, text = text.index("§"), text.replace("§", "")
    made = parse(text, variables={"n": 1}, with_={"big": "SELECT *\nFROM t"})
    error = _at(made.text, "RLIKE")
    Written(made.text, made.sources).retell(error)
    assert (error.line, error.column) == (2, place - text.rindex("\n"))
    assert str(error) == f"It stops here (line 2, column {error.column})."
    inside = _at(made.text, "FROM t")  # in the saved query: no place in this text
    Written(made.text, made.sources).retell(inside)
    assert (inside.line, inside.column, str(inside)) == (None, None, "It stops here.")


def _at(text: str, word: str) -> QuerySyntaxError:
    place = text.index(word)
    line, column = text.count("\n", 0, place) + 1, place - text.rfind("\n", 0, place)
    message = f"It stops here (line {line}, column {column})."
    return QuerySyntaxError(message, line=line, column=column)


def test_a_text_that_was_made_anew_has_no_places() -> None:
    error = _at("SELECT 1", "1")
    Written("SELECT 1", None).retell(error)
    assert (error.line, error.column, str(error)) == (None, None, "It stops here.")
    untouched = QuerySyntaxError("At line 3.", line=3)
    Written("SELECT 1", ()).retell(untouched)
    assert (untouched.line, str(untouched)) == (3, "At line 3.")


def test_names_are_the_writers_own() -> None:
    """DuckDB does not tell t from T, so that one of them goes by another name there."""
    made = splice('SELECT id FROM w.t x, w."T" y', {TableRef("t", "w"), TableRef("T", "w")})
    connection = duckdb.connect()
    for name in made.names.values():
        connection.execute(f'CREATE TABLE "{name}" AS SELECT 1 AS id')
    for text, said in [
        (made.text.replace(" x,", ",").replace(" y", ""), """'w.t.id' or 'w."T".id'"""),
        (made.text.replace("id", '"w.T\'".nope'), 'w."T"'),
    ]:
        with pytest.raises(duckdb.Error) as caught:
            connection.execute(text)
        error = translate(caught.value, text, tuple, lambda file: "")
        Written(text, (made.source,), made.said).retell(error)
        assert said in str(error)
        assert "T'" not in str(error)


def test_an_empty_map_is_no_error() -> None:
    assert SourceMap("", ()).origin(0) == 0
