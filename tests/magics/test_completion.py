from __future__ import annotations

import time

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from IPython.core.completer import provisionalcompleter

from aiser_jupyter.magics.cursor import place, read_head, region, tables_named


@pytest.fixture
def complete(shell):
    """Texts offered where ``|`` stands in a cell, by the shell's own completer."""
    shell.user_ns["orders"] = pd.DataFrame({"id": [1], "region": ["n"], "Total Sum": [1.0]})
    shell.user_ns["customers"] = pd.DataFrame({"id": [1], "name": ["a"]})

    def offered(cell):
        before, _, after = cell.partition("|")
        with provisionalcompleter():
            found = list(shell.Completer.completions(before + after, len(before)))
        texts = [item.text for item in found]
        assert all((before + after)[item.start : item.end] == before[item.start :] for item in found)
        return texts

    return offered


@pytest.mark.parametrize(
    ("cell", "first"),
    [
        ("%%aiser --lim|", ["--limit"]),
        ("%%aiser --eng|\nSELECT 1", ["--engine"]),
        ("%%aiser --engine du|", ["duckdb"]),
        ("%%aiser --engine=du|", ["duckdb"]),
        ("%%aiser --as p|", ["pandas", "polars"]),
        ("%%aiser lo|", ["local"]),
        ("%%aiser --connection lo|", ["local"]),
        ("%%aiser --param day='2024 01' --lim|", ["--limit"]),
        ("%aiser hist|", ["history"]),
        ("%aiser history --s|", ["--search"]),
        ("x = %aiser --quie|", ["--quiet"]),
        ("%aiser columns ord|", ["orders"]),
        ("%aiser help rou|", ["route"]),
        ("%%aiser rou|", ["route"]),
        ("%aiser --limit 5 FROM ord|", ["orders"]),
        ("%%aiser\nSELECT * FROM ord|", ["orders"]),
        ("%%aiser\nSELECT * FROM customers, ord|", ["orders"]),
        ("%%aiser\nSELECT reg| FROM orders", ["region"]),
        ("%%aiser\nSELECT o.reg|\nFROM orders AS o", ["region"]),
        ("%%aiser\nSELECT o.| FROM orders o", ["id", "region", '"Total Sum"']),
        ('%%aiser\nSELECT "Tot| FROM orders', ['"Total Sum"']),
        ("%%aiser\nSELECT * FROM orders WHERE region = 'n' AND reg|", ["region"]),
        ("%%aiser\nSELECT * FROM orders o WHERE EXISTS (SELECT 1 FROM customers c WHERE c.na|)", ["name"]),
        ("%%aiser\nsel|", ["select"]),
        ("%%aiser\nSEL|", ["SELECT"]),
        ("y = 1\n%aiser SELECT na| FROM customers", ["name"]),
    ],
)
def test_what_fits_is_offered(complete, cell, first):
    assert complete(cell) == first


def test_columns_come_before_tables_and_keywords_come_last(complete):
    offered = complete("%%aiser\nSELECT | FROM orders")
    assert offered[:3] == ["id", "region", '"Total Sum"']
    assert offered.index("customers") < offered.index("SELECT")
    assert complete("%%aiser\nSELECT id FROM |")[:2] == ["customers", "orders"]


def test_an_option_is_offered_once_unless_it_repeats(complete):
    offered = complete("%%aiser --limit 5 --with a --|")
    assert "--limit" not in offered
    assert "--with" in offered


def test_saved_statements_are_offered(complete, run):
    run("%aiser --save small SELECT 1 AS n")
    assert complete("%%aiser --with sm|") == ["small"]
    assert complete("%%aiser\nSELECT * FROM sm|") == ["small"]


def test_files_are_offered_inside_quotes(complete, tmp_path, run):
    pd.DataFrame({"amount": [1]}).to_csv("sales.csv", index=False)
    run("%aiser SELECT 1")
    eventually(lambda: complete("%%aiser\nSELECT * FROM 'sal|"), ["sales.csv"])
    eventually(lambda: complete("%%aiser\nSELECT am| FROM 'sales.csv'"), ["amount"])


def test_nothing_is_offered_in_a_comment(complete):
    assert "region" not in complete("%%aiser\nSELECT 1 FROM orders -- reg|")


def test_python_is_left_alone(complete, shell):
    shell.user_ns["region_of_interest"] = 1
    assert "region_of_interest" in complete("region_of|")
    assert "region_of_interest" not in complete("%%aiser\nSELECT region_of|")
    assert set(complete("%aise|")) == {"%%aiser", "%aiser"}


def test_a_saved_connection_is_learnt_by_a_run_and_never_while_typing(complete, run, magics):
    with duckdb.connect("shop.duckdb") as database:
        database.execute("CREATE TABLE invoices AS SELECT 7 AS number")
    run("%aiser connect shop.duckdb --alias shop")
    assert complete("%%aiser sh|") == ["shop"]
    assert complete("%%aiser shop\nSELECT * FROM inv|") == []
    time.sleep(0.2)
    assert complete("%%aiser shop\nSELECT * FROM inv|") == []
    run("%aiser shop SELECT 1")
    eventually(lambda: complete("%%aiser shop\nSELECT * FROM inv|"), ["invoices"])
    eventually(lambda: complete("%%aiser shop\nSELECT num| FROM invoices"), ["number"])
    assert "orders" not in complete("%%aiser shop\nSELECT * FROM |")  # a DataFrame is not in that database


def test_a_keystroke_is_answered_at_once(complete):
    complete("%%aiser\nSELECT | FROM orders")
    began = time.perf_counter()
    for _ in range(10):
        complete("%%aiser\nSELECT o.reg| FROM orders AS o JOIN customers c ON c.id = o.id")
    assert (time.perf_counter() - began) / 10 < 0.1


def eventually(get, wanted):
    """Learning happens in a thread: wait for what it brings."""
    deadline = time.monotonic() + 10
    while (found := get()) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("sql", "named"),
    [
        ("SELECT 1", {}),
        ("FROM a x, b AS y", {"a": "a", "x": "a", "b": "b", "y": "b"}),
        ("FROM main.a WHERE 1", {"main.a": "main.a", "a": "main.a"}),
        ('FROM "my table" t', {"my table": "my table", "t": "my table"}),
        ("FROM a JOIN b USING (id) LEFT JOIN c ON true", {"a": "a", "b": "b", "c": "c"}),
        ("UPDATE t SET x = 1", {"t": "t"}),
    ],
)
def test_tables_and_aliases_are_found(sql, named):
    assert tables_named(sql) == named


TEXT = st.lists(
    st.sampled_from(
        [*"'\"-=.,()%\n ", "--", "FROM", "a", "o.", "SELECT", "--limit", "x <<", "{{", "%aiser ", "/*"]
    ),
    max_size=14,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(TEXT)
def test_half_a_text_is_never_too_little(text):
    assert place(text).kind in ("table", "name", "file", "nothing")
    assert text.endswith(place(text).fragment)
    assert isinstance(tables_named(text), dict)
    for cell in (True, False):
        assert text.endswith(read_head(text, cell, {"a"}).fragment)
    lines = text.split("\n")
    for source in (text, "%%aiser " + text):
        found = region(source, len(lines) - 1, len(source.split("\n")[-1]))
        assert found is None or source.endswith(found.before)
