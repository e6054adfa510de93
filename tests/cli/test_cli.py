"""What the shell command answers, where it says it, and its exit codes."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from aiser_jupyter.cli import export

ENDLESS = "SELECT count(*) FROM range(3000000) a, range(3000000) b WHERE a.range + b.range = -1"
SCRIPT = Path(sys.executable).with_name("aiser")
Aiser = Callable[..., tuple[int, str, str]]


# -- query --------------------------------------------------------------------------------------------


def test_the_answer_alone_is_on_standard_output(aiser: Aiser) -> None:
    code, out, error = aiser("query", "SELECT 42 AS n")
    assert (code, out.split()) == (0, ["n", "──", "42"])
    assert error.startswith("duckdb · ")
    assert " · 1 row · why: " in error


@pytest.mark.parametrize("words", [("-",), ("local", "-")])
def test_a_statement_from_standard_input(
    aiser: Aiser, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("SELECT 'é' AS s"))
    assert aiser("query", *words, "--as", "csv")[:2] == (0, "s\né\n")


def test_a_statement_from_a_file_with_parameters(aiser: Aiser, project: Path) -> None:
    (project / "q.sql").write_text("SELECT {{ n }} + 1 AS n, :s AS s")
    words = ("-f", "q.sql", "--param", "n=41", "--param", "s=it's = text")
    assert aiser("query", *words, "--as", "csv")[:2] == (0, "n,s\n42,it's = text\n")


def test_limit_cuts_and_says_so(aiser: Aiser) -> None:
    code, out, error = aiser("query", "SELECT * FROM range(100)", "--limit", "3", "--as", "csv")
    assert (code, out) == (0, "range\n0\n1\n2\n")
    assert "truncated" in error


def test_an_export_past_its_cap_is_an_error_and_not_a_part(aiser: Aiser, project: Path) -> None:
    code, out, error = aiser("query", "SELECT * FROM range(100000)", "--max-bytes", "10KB", "-o", "all.csv")
    assert (code, out) == (1, "")
    assert error.startswith("ResultTooLarge: ")
    assert not (project / "all.csv").exists()


def test_json_keeps_every_digit(aiser: Aiser) -> None:
    sql = "SELECT 9007199254740993 AS i, 1.10::DECIMAL(5, 2) AS d, 'NaN'::DOUBLE AS f, NULL AS n, true AS b"
    code, out, _ = aiser("query", sql, "--as", "json")
    assert (code, json.loads(out)) == (
        0,
        [{"i": 9007199254740993, "d": "1.10", "f": "nan", "n": None, "b": True}],
    )


def test_json_refuses_one_name_for_two_columns(aiser: Aiser) -> None:
    code, _, error = aiser("query", "SELECT 1 AS a, 2 AS a", "--as", "json")
    assert code == 1
    assert "two columns called 'a'" in error


@pytest.mark.parametrize("words", [("--as", "arrow", "-o", "out"), ("-o", "out.arrow")])
def test_arrow_goes_to_a_file(aiser: Aiser, project: Path, words: tuple[str, ...]) -> None:
    code, out, error = aiser("query", "SELECT 1::UTINYINT AS a, 2 AS a", *words)
    assert (code, out, "2 rows" in error) == (0, "", False)
    table = pa.ipc.open_stream(project / words[-1]).read_all()
    assert (table.schema.names, table.schema.field(0).type) == (["a", "a"], pa.uint8())


def test_arrow_goes_through_a_pipe() -> None:
    done = subprocess.run(
        [SCRIPT, "query", "SELECT 1 AS a", "--as", "arrow"], capture_output=True, check=True
    )
    assert pa.ipc.open_stream(done.stdout).read_all().to_pylist() == [{"a": 1}]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("query", "SELEC 1"), "QuerySyntaxError"),
        (("query", "SELECT * FROM nowhere"), "UnknownTable"),
        (("query", "nowhere", "SELECT 1"), "UnknownConnection"),
        (("query", "SELECT :x"), "UndefinedParameter"),
        (("query", "SELECT 1", "--engine", "duckbd"), "UnknownEngine"),
        (("query", "SELECT 1", "--engine", "direct_sql"), "EngineUnavailable"),
        (("route", "SELECT 1", "--engine", "duckbd"), "UnknownEngine"),
        (("query", "-f", "no.sql"), "UsageError"),
        (("query", "SELECT 1", "-o", "no/such/folder.csv"), "UsageError"),
    ],
)
def test_errors_exit_with_1_and_a_hint(aiser: Aiser, words: tuple[str, ...], kind: str) -> None:
    code, out, error = aiser(*words)
    assert (code, out) == (1, "")
    assert error.startswith(kind)
    assert "Traceback" not in error


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("query",),
        ("query", "a", "b", "c"),
        ("query", "a", "b", "-f", "c.sql"),
        ("query", "SELECT 1", "--limit", "-1"),
        ("query", "SELECT 1", "--timeout", "nan"),
        ("query", "SELECT 1", "--max-bytes", "big"),
        ("query", "SELECT 1", "--param", "x"),
        ("query", "SELECT 1", "--as", "xlsx"),
        ("query", "SELECT 1", "-o", "out.txt"),
        ("doctor", "--restore-backup", "--new-store"),
        ("nonsense",),
    ],
)
def test_wrong_words_exit_with_2(aiser: Aiser, words: tuple[str, ...]) -> None:
    code, out, error = aiser(*words)
    assert (code, out) == (2, "")
    assert error.startswith("usage: aiser")


@pytest.mark.parametrize(("text", "size"), [("10", 10), ("1.5kb", 1500), ("2GB", 2 * 10**9)])
def test_sizes_are_powers_of_1000(text: str, size: int) -> None:
    from aiser_jupyter import words

    assert words.size(text) == size


def test_a_deadline_stops_the_query(aiser: Aiser) -> None:
    code, _, error = aiser("query", ENDLESS, "--timeout", "0.3")
    assert code == 1
    assert error.startswith("DeadlineExceeded: The query did not finish within 0.3 s")


def test_an_interrupt_cancels_and_exits_with_130(tmp_path: Path) -> None:
    process = subprocess.Popen([SCRIPT, "query", ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    log = tmp_path / "store" / "aiser.db"
    until = time.monotonic() + 20
    while not log.exists() and time.monotonic() < until:  # the run is in the history: it has begun
        time.sleep(0.05)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, b"")
    assert error.decode().strip() == "The query was cancelled."


def test_the_end_of_a_pipe_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    sql = "SELECT repeat('x', 1000) FROM range(10000)"
    done = subprocess.run(
        [SCRIPT, "query", sql, "--as", "csv"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


def test_nothing_is_left_open_at_exit(project: Path) -> None:
    sql = "CREATE TABLE t AS SELECT 1 AS a"
    done = subprocess.run([SCRIPT, "query", sql], capture_output=True, check=True, text=True)
    assert len(done.stderr.splitlines()) == 1  # the status line, and no word of a leak


# -- CSV ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        *("=1+1", "+1", "-1+1", "@SUM(A1)", "|calc", "%x", "\t=1", "\r=1", "\n=1", "  =1", "\u3000=1", "＝1"),
        *("-", "--1", "-1.5%", "-1e", '=HYPERLINK("http://a","b")'),
    ],
)
def test_formulas_are_made_harmless(text: str) -> None:
    assert export.harmless(text) == "'" + text


@pytest.mark.parametrize("text", ["-1", "-1.5", "-.5", "-1e10", "1", "", "a=1", "it's", "é", "1-2"])
def test_what_is_no_formula_is_kept(text: str) -> None:
    assert export.harmless(text) == text


def test_csv_reads_back(aiser: Aiser) -> None:
    table = pa.table(
        {
            "=name": ["a,b", 'say "x"', "two\nlines", " padded ", "", None, "=1+1"],
            "n": pa.array([-1, 2, None, 4, 5, 6, 7]),
            "d": pa.array([Decimal("1.50")] * 7),
            "t": pa.array([datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)] * 7),
            "day": pa.array([date(2026, 1, 2)] * 7),
            "f": pa.array([0.1, -1e300, 1.0, 2.5, 3.5, 4.5, 5.5]),
        }
    )
    sink = io.BytesIO()
    export.write_csv(table, sink)
    text = sink.getvalue().decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    assert header == ["'=name", "n", "d", "t", "day", "f"]
    assert [row[0] for row in rows] == ["a,b", 'say "x"', "two\nlines", " padded ", "", "", "'=1+1"]
    assert rows[0][1:] == ["-1", "1.50", rows[0][3], "2026-01-02", "0.1"]
    assert rows[1][5] == "-1e+300"
    assert datetime.fromisoformat(rows[0][3]) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert text.splitlines()[-3].startswith('"",5,')  # the empty text is quoted
    assert text.splitlines()[-2].startswith(",6,")  # NULL is not


def test_raw_keeps_formulas(aiser: Aiser) -> None:
    assert aiser("query", "SELECT '=1' AS x", "--as", "csv")[1] == "x\n'=1\n"
    assert aiser("query", "SELECT '=1' AS x", "--as", "csv", "--raw")[1] == "x\n=1\n"


# -- route, history ---------------------------------------------------------------------------


def test_route_prints_every_candidate_and_runs_nothing(aiser: Aiser) -> None:
    from aiser_jupyter.config import Settings
    from aiser_jupyter.engines.registry import engines

    code, out, error = aiser("route", "SELECT error('it ran')")
    assert (code, error) == (0, "")
    assert out.startswith("duckdb: ")
    for name in engines(Settings()):
        assert name in out
    assert "local is files and DataFrames" in out
    assert aiser("history")[2] == "No runs are kept.\n"


def test_history_lists_and_searches(aiser: Aiser) -> None:
    aiser("query", "SELECT 1 AS one")
    aiser("query", "SELECT * FROM nowhere")
    code, out, _ = aiser("history")
    assert code == 0
    assert [line.split()[2] for line in out.splitlines()[1:]] == ["failed", "done"]
    assert "nowhere" not in aiser("history", "--search", "one")[1]
    assert len(aiser("history", "-n", "1")[1].splitlines()) == 2


@pytest.mark.parametrize("sql", ["SELECT * FROM nowhere", "SELECT error('it ran')"])
def test_a_failed_query_prints_the_id_that_history_finds(aiser: Aiser, tmp_path: Path, sql: str) -> None:
    aiser("query", "SELECT 1 AS one")
    name, _, id_ = aiser("query", sql)[2].splitlines()[-1].partition(": ")
    assert (name, len(id_)) == ("Run", 12)
    (row,) = aiser("history", "--search", id_)[1].splitlines()[1:]
    assert " failed " in row
    assert (tmp_path / "store" / "failures.jsonl").read_text().count(f'"id": "{id_}') == 1


def test_what_never_ran_has_no_id(aiser: Aiser) -> None:
    for words in (("query", "-f", "no.sql"), ("route", "SELECT 1", "--engine", "duckbd")):
        code, _, error = aiser(*words)
        assert (code, "Run:" in error) == (1, False)


def test_help_names_every_command(aiser: Aiser) -> None:
    code, out, _ = aiser("--help")
    assert code == 0
    for command in ("query", "route", "history", "doctor"):
        assert f"    {command}" in out
