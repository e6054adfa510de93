"""The scanner agrees with the databases about where literals and comments end."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiser_jupyter.sql.scan import lexis, scan, survey

DIALECTS = [
    "duckdb",
    "postgres",
    "redshift",
    "mysql",
    "bigquery",
    "snowflake",
    "spark",
    "databricks",
    "sqlite",
]
SQL = st.text(alphabet=st.sampled_from(list("ab1 '\"`$;:(){}[],.-/*\\#%?\nEe")), max_size=60)


def kinds(text: str, dialect: str = "duckdb") -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in scan(text, dialect) if token.kind != "space"]


@given(SQL, st.sampled_from(DIALECTS))
def test_tokens_joined_are_the_text(text: str, dialect: str) -> None:
    tokens = list(scan(text, dialect))
    assert "".join(token.text for token in tokens) == text
    assert [token.start for token in tokens] == [
        sum(len(t.text) for t in tokens[:i]) for i in range(len(tokens))
    ]


@pytest.mark.parametrize(
    ("dialect", "text", "literal"),
    [
        ("duckdb", "'it''s' x", "'it''s'"),
        ("duckdb", r"'a\' x", r"'a\'"),
        ("duckdb", r"E'a\'b' x", r"E'a\'b'"),
        ("mysql", r"'a\'b' x", r"'a\'b'"),
        ("mysql", '"a\'b" x', '"a\'b"'),
        ("bigquery", "'''a'b''' x", "'''a'b'''"),
        ("databricks", r"r'\' x", r"r'\'"),
        ("snowflake", r"'a\'b' x", r"'a\'b'"),
    ],
)
def test_literal(dialect: str, text: str, literal: str) -> None:
    assert kinds(text, dialect) == [("value", literal), ("word", "x")]


@pytest.mark.parametrize(
    ("dialect", "text", "first"),
    [
        ("duckdb", "$$ a;b $$ x", ("dollar", "$$ a;b $$")),
        ("duckdb", "$t$ $$ $u$ $t$ x", ("dollar", "$t$ $$ $u$ $t$")),
        ("duckdb", "/* a /* b */ c */ x", ("comment", "/* a /* b */ c */")),
        ("mysql", "/* a /* b */ x", ("comment", "/* a /* b */")),
        ("mysql", "`a``b` x", ("name", "`a``b`")),
        ("duckdb", '"a""b" x', ("name", '"a""b"')),
        ("snowflake", "// a\nx", ("comment", "// a")),
        ("mysql", "# a\nx", ("comment", "# a")),
        ("duckdb", "{{ a }} x", ("braces", "{{ a }}")),
        ("duckdb", "1, 'b', -3.5e3 x", ("value", "1, 'b', -3.5e3")),
    ],
)
def test_first_token(dialect: str, text: str, first: tuple[str, str]) -> None:
    assert kinds(text, dialect) == [first, ("word", "x")]


def test_mysql_needs_a_space_after_two_dashes() -> None:
    assert len(survey("SELECT 5--1; DROP TABLE t", "mysql").parts) == 2
    assert len(survey("SELECT 5--1; DROP TABLE t", "duckdb").parts) == 1


@pytest.mark.parametrize("dialect", DIALECTS)
def test_agrees_with_the_parser_about_the_dialect(dialect: str) -> None:
    from sqlglot.dialects.dialect import Dialect

    tokenizer, ours = Dialect.get_or_raise(dialect).tokenizer_class, lexis(dialect)
    names = {quote if isinstance(quote, str) else quote[0] for quote in tokenizer.IDENTIFIERS} - {"["}
    assert names <= set(ours.name_quotes)
    assert {quote for quote in tokenizer.QUOTES if len(quote) == 1} == set(ours.string_quotes)
    assert ("\\" in tokenizer.STRING_ESCAPES) == ours.backslash
    assert ours.nested == tokenizer.NESTED_COMMENTS
    assert {mark for mark in tokenizer.COMMENTS if isinstance(mark, str)} == {
        mark.partition("(")[0] for mark in ours.line_comments
    }


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        (" -- nothing\n;; ", 0),
        ("SELECT 1;", 1),
        ("SELECT 1; -- done", 1),
        (";SELECT 1", 1),
        ("SELECT ';'", 1),
        ("SELECT 1; SELECT 2", 2),
        ("SELECT $$;$$; SELECT 2;", 2),
        ("CREATE FUNCTION f() BEGIN SELECT 1; SELECT 2; END", 1),
        ("CREATE TABLE t (a int); INSERT INTO t VALUES (1)", 2),
        ("BEGIN; SELECT 1", 2),
    ],
)
def test_statements(text: str, count: int) -> None:
    assert len(survey(text).parts) == count


@pytest.mark.parametrize(
    "same",
    [
        "select A from T where b = 'x' and c in (1)",
        "SELECT a\n  FROM t -- comment\nWHERE b='other, text' AND c IN (1, 2,3)",
        "SELECT a FROM t WHERE b = 1.5e3 AND c IN ('a','b')",
        "SELECT a FROM t WHERE b = $x AND c IN ($x_1, $x_2, $x_3)",
        "SELECT a FROM t WHERE b = {{ x }} AND c IN (?, ?)",
        "SELECT a /* /* nested */ */ FROM t WHERE b = $$a;b$$ AND c IN (1)",
    ],
)
def test_fingerprint_is_the_same(same: str) -> None:
    reference = survey("SELECT a FROM t WHERE b = 1 AND c IN (1, 2)").fingerprint
    assert survey(same).fingerprint == reference
    assert len(reference) == 16


@pytest.mark.parametrize(
    "other",
    [
        "SELECT a FROM u WHERE b = 1",
        'SELECT "A" FROM t WHERE b = 1',
        "SELECT a FROM t WHERE b > 1",
        "SELECT a, 1 FROM t WHERE b = 1",
        "SELECT a FROM t WHERE b = f(1, 2)",
        "SELECT a FROM t WHERE b = f(1)",
    ],
)
def test_fingerprint_differs(other: str) -> None:
    assert survey(other).fingerprint != survey("SELECT a FROM t WHERE b = 1").fingerprint


def test_identifiers_are_the_words_and_the_quoted_names() -> None:
    found = survey("""SELECT "odd ""name", Sales.x FROM `b t` WHERE c = 'not this' -- nor this""").identifiers
    assert {'odd "name', "Sales", "x", "b t", "c"} <= found
    assert not {"not", "this", "nor"} & found


@pytest.mark.parametrize(
    "piece", ["$a$ ", "{{ ", "/* ", "e'\\", "$$", "((", "'a', ", '"', "`", "1,", "--", "$a$b$c"]
)
@pytest.mark.parametrize("dialect", ["duckdb", "mysql", "bigquery"])
def test_time_is_linear(piece: str, dialect: str) -> None:
    begin = time.process_time()
    survey(piece * 40_000, dialect)
    assert time.process_time() - begin < 2.0
