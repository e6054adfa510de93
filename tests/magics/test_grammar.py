from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.errors import UnknownOption, UsageError
from aiser_jupyter.magics.grammar import COMMANDS, Call, parse_cell, parse_line
from aiser_jupyter.magics.options import COMMAND_OPTIONS, OPTIONS

CONNECTIONS = {"local", "shop", "test", "my-db"}


def line(text: str) -> Call:
    return parse_line(text, CONNECTIONS.__contains__)


def cell(text: str, body: str = "SELECT 1") -> Call:
    return parse_cell(text, body, CONNECTIONS.__contains__)


@pytest.mark.parametrize(
    ("text", "connection", "sql"),
    [
        ("SELECT 'a  b' -- one", None, "SELECT 'a  b' -- one"),
        ("shop SELECT 1", "shop", "SELECT 1"),
        ("my-db FROM t", "my-db", "FROM t"),
        ("--connection test SELECT 1", "test", "SELECT 1"),
        ("--limit 5 shop --no-cache (SELECT 1)", "shop", "(SELECT 1)"),
        ("shp SELECT 1", "shp", "SELECT 1"),
        ("EXPLAIN SELECT 1", None, "EXPLAIN SELECT 1"),
        ("/* c */ SELECT 1", None, "/* c */ SELECT 1"),
        ("select 1 << 2", None, "select 1 << 2"),
        ("-- SELECT 1", None, "SELECT 1"),
        ("SELECT '--limit 5'", None, "SELECT '--limit 5'"),
        ("SELECT {{ x }}, $y, '{z}'", None, "SELECT {{ x }}, $y, '{z}'"),
    ],
)
def test_a_line_is_a_connection_and_the_statement_as_written(text, connection, sql):
    call = line(text)
    assert (call.command, call.connection, call.text) == ("", connection, sql)


@pytest.mark.parametrize(
    ("text", "command", "words", "options"),
    [
        ("", "help", (), {}),
        ("connections", "connections", (), {}),
        ("connect duckdb:///a.db --alias a", "connect", ("duckdb:///a.db",), {"--alias": "a"}),
        ("connect --alias a 'my file.duckdb'", "connect", ("my file.duckdb",), {"--alias": "a"}),
        ("test shop", "test", ("shop",), {}),
        ("tables", "tables", (), {}),
        ("--connection shop tables", "tables", (), {"--connection": "shop"}),
        ("history 5 --search 'FROM t'", "history", ("5",), {"--search": "FROM t"}),
        ("help --limit", "help", ("--limit",), {}),
    ],
)
def test_a_command_has_words_and_options(text, command, words, options):
    call = line(text)
    assert (call.command, call.words, dict(call.options)) == (command, words, options)


def test_a_connection_named_like_a_command_needs_a_statement_after_it():
    assert line("test SELECT 1") == Call("", (), "SELECT 1", "test")
    assert line("test shop").command == "test"
    with pytest.raises(UsageError, match="takes one word"):
        line("columns SELECT 1")


def test_route_takes_a_statement_on_a_line_and_in_a_cell():
    for call in (line("route shop --engine duckdb SELECT 1"), cell("route shop --engine duckdb")):
        assert (call.command, call.connection, call.text) == ("route", "shop", "SELECT 1")
        assert call.options == {"--engine": "duckdb"}


@pytest.mark.parametrize(
    ("call", "output", "silent", "sql"),
    [
        (line("x << SELECT 1"), "x", True, "SELECT 1"),
        (line("x <<SELECT 1"), "x", True, "SELECT 1"),
        (line("shop --limit 3 x = << SELECT 1"), "x", False, "SELECT 1"),
        (line("-o x SELECT 1 << 2"), "x", False, "SELECT 1 << 2"),
        (cell("shop x <<", "SELECT 1 << 2"), "x", True, "SELECT 1 << 2"),
        (cell("x = <<"), "x", False, "SELECT 1"),
        (cell("x << --limit 3"), "x", True, "SELECT 1"),
        (cell("", "\n x <<\nSELECT 1"), "x", True, "SELECT 1"),
        (cell("", "x = << SELECT 1"), "x", False, "SELECT 1"),
        (cell("--output x"), "x", False, "SELECT 1"),
        (cell("", "select 1 << 2"), "", False, "select 1 << 2"),
    ],
)
def test_assignment_stands_before_the_statement(call, output, silent, sql):
    assert (call.output, call.silent, call.text) == (output, silent, sql)


def test_the_body_of_a_cell_is_left_as_it_is():
    body = "\n  SELECT 1 -- --limit 5\n  -- --engine x\n;\n"
    assert cell("", body).text == body


def test_every_option_is_read():
    given = cell(
        "--connection shop --engine duckdb -o x --as polars --limit 0 --timeout 1.5 --param a=1 "
        "--param b=[1, 'x y'] --param c=2024-10-01 --param 'd=it is' --param e= --max-age 60 --no-cache "
        "--max-bytes 1.5MB --save s --with p --with=q --quiet"
    ).options
    assert given == {
        "--connection": "shop",
        "--engine": "duckdb",
        "--output": "x",
        "--as": "polars",
        "--limit": 0,
        "--timeout": 1.5,
        "--param": {"a": 1, "b": [1, "x y"], "c": "2024-10-01", "d": "it is", "e": ""},
        "--max-age": 60.0,
        "--no-cache": True,
        "--max-bytes": 1_500_000,
        "--save": "s",
        "--with": ("p", "q"),
        "--quiet": True,
    }
    assert set(given) | COMMAND_OPTIONS == set(OPTIONS)
    connect = line("connect u --alias a --ca ca.pem --insecure --secret password=p --secret token=t").options
    history = line("history --search x").options
    tables = line("tables shop --schema s --refresh").options
    assert set(connect) | set(history) | set(tables) == COMMAND_OPTIONS
    assert connect["--secret"] == {"password": "p", "token": "t"}


def test_a_secret_that_was_written_in_place_of_a_variable_is_not_repeated():
    with pytest.raises(UsageError) as caught:
        line("connect u --alias a --secret password=hunter-2")
    assert "hunter" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--limt 5", "Did you mean '--limit'?"),
        ("-x 5", "There is no option '-x'"),
        ("--alias a", "A query does not take --alias"),
        ("--limit", "--limit needs a value"),
        ("--limit --quiet", "--limit needs a value"),
        ("--limit=", "--limit needs a value"),
        ("--limit -1", "takes a whole number"),
        ("--limit 1e3", "takes a whole number"),
        ("--limit ٣", "takes a whole number"),
        ("--timeout nan", "takes seconds"),
        ("--max-age -1", "takes seconds"),
        ("--max-bytes 5XB", "takes a size"),
        ("--max-bytes 0", "takes a size"),
        ("--as panda", "Did you mean 'pandas'?"),
        ("--quiet=1", "takes no value"),
        ("--limit 1 --limit 1", "given twice"),
        ("--param a=1 --param a=2", "given twice"),
        ("--param a", "takes name=value"),
        ("--param 1a=2", "takes name=value"),
        ("--param a='x", "is missing"),
        ("--save 'a b'", "needs a name"),
        ("-o class", "cannot name a variable"),
        ("-o x y <<", "assigned twice: y << and --output x"),
        ("shop local", "does not belong on the line"),
        ("shop SELECT 1", "does not belong on the line"),
        ("tables", "with one %"),
        ("--connection shop local", "Two connections"),
    ],
)
def test_what_is_wrong_is_said_with_a_hint(text, words):
    with pytest.raises(UsageError) as caught:
        cell(text)
    assert words in str(caught.value)
    assert caught.value.hint


def test_unknown_options_have_their_own_error():
    for call in (
        lambda: cell("--limt 5"),
        lambda: line("history --engine duckdb"),
        lambda: line("--alias a last"),
    ):
        with pytest.raises(UnknownOption):
            call()


def test_both_assignments_at_once_are_refused():
    with pytest.raises(UsageError, match="twice"):
        cell("x <<", "y << SELECT 1")


def test_an_option_behind_the_statement_of_a_line_is_not_taken_for_a_comment():
    with pytest.raises(UsageError, match="stands after the statement"):
        line("SELECT 1 --limit 5")
    assert line("SELECT 1 --limitless").text == "SELECT 1 --limitless"


def test_a_lone_word_is_not_sent_as_sql():
    with pytest.raises(UsageError, match="Did you mean 'history'"):
        line("hstory")
    assert line("COMMIT").text == "COMMIT"


@pytest.mark.parametrize("text", ["shop", "--limit 5", "-o x", "x <<"])
def test_no_statement_is_an_error(text):
    with pytest.raises(UsageError, match="no statement"):
        line(text)
    with pytest.raises(UsageError, match="no statement"):
        cell(text, " \n")


PIECES = st.sampled_from(
    [
        *COMMANDS,
        *OPTIONS,
        "-o",
        "--",
        "-",
        "=",
        "<<",
        "x",
        "shop",
        "'",
        '"',
        "[",
        "SELECT 1",
        "\\",
        "a=1",
        "5MB",
        "%",
    ]
)
TEXT = st.lists(st.one_of(PIECES, st.text(max_size=8)), max_size=8).map(" ".join)


@settings(max_examples=400, deadline=None)
@given(TEXT, TEXT)
def test_any_text_is_a_call_or_a_typed_error(text, body):
    for parse in (lambda: line(text), lambda: cell(text, body)):
        outcomes = []
        for _ in range(2):
            try:
                outcomes.append(repr(parse()))
            except UsageError as exc:
                outcomes.append(str(exc))
        assert outcomes[0] == outcomes[1]
        assert outcomes[0]
