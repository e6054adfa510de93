"""Several statements of one cell at the same time: each has its own end."""

from __future__ import annotations

import threading
import time
from typing import Any

import pandas as pd
import pytest
from IPython.utils.capture import capture_output

from aiser_jupyter.errors import QueryFailed, UsageError
from aiser_jupyter.magics.listing import Listing
from aiser_jupyter.magics.parallel import MOST, parse_sections

SLOW = "SELECT sum(a.range * b.range) FROM range(10000000) a, range(1000000) b"


def refused(body: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        parse_sections(body, lambda word: False)
    return caught.value


def test_each_statement_has_its_own_words_and_may_hold_percent_signs() -> None:
    body = "\n%% --limit 5 -o a\nSELECT 1 %% 2\n\n%%\n-- %% not a head\nSELECT '\n%%b'\n"
    calls = parse_sections(body, lambda word: False)
    assert [call.output for call in calls] == ["a", ""]
    assert calls[0].options == {"--limit": 5, "--output": "a"}
    assert calls[0].text.strip() == "SELECT 1 %% 2"
    assert calls[1].text == "\n-- %% not a head\nSELECT '\n%%b'\n"


@pytest.mark.parametrize("body", ["", "SELECT 1", "SELECT 1\n%%\nSELECT 2", "%%b\nSELECT 1"])
def test_the_first_line_is_a_head(body: str) -> None:
    assert "begins with %%" in refused(body).message


def test_what_is_wrong_says_where() -> None:
    assert refused("%%\nSELECT 1\n%% --limt 3\nSELECT 2").message.startswith("Statement 2: ")
    assert "Statement 1: There is no statement" in refused("%%\n\n%%\nSELECT 2").message
    assert "fill 'a'" in refused("%% -o a\nSELECT 1\n%% -o a\nSELECT 2").message
    assert refused("%%\nSELECT 1\n" * (MOST + 1)).hint == f"{MOST} at most."
    assert "route is no statement" in refused("%% route\nSELECT 1").message


def test_the_words_belong_behind_the_heads(run: Any) -> None:
    for cell in ("%%aiser parallel -o x\n%%\nSELECT 1", "%%aiser parallel shop\n%%\nSELECT 1"):
        with pytest.raises(UsageError, match="nothing else on that line"):
            run(cell)
    with pytest.raises(UsageError, match="%%aiser parallel"):
        run("%aiser parallel")


def test_results_are_assigned_and_shown_and_summed_up(run: Any, shell: Any) -> None:
    shell.user_ns["fruit"] = pd.DataFrame({"kilos": [1, 2, 3]})
    with capture_output() as shown:
        listing = run(
            "%%aiser parallel\n%% -o heavy\nSELECT * FROM fruit WHERE kilos > 1\n"
            "%%\nSELECT 'seen' AS word\n%% -o arrow --as arrow\nSELECT 7 AS n"
        )
    assert isinstance(listing, Listing)
    assert [row[:5] for row in listing] == [
        ("heavy", "local", "duckdb", "done", 2),
        ("statement 2", "local", "duckdb", "done", 1),
        ("arrow", "local", "duckdb", "done", 1),
    ]
    assert shell.user_ns["heavy"]["kilos"].tolist() == [2, 3]
    assert shell.user_ns["arrow"].to_pylist() == [{"n": 7}]
    results = [output.data.get("text/plain", "") for output in shown.outputs]
    assert [text for text in results if "seen" in text]
    assert not [text for text in results if "kilos" in text]


def test_one_that_fails_fails_no_other_and_the_cell_fails_at_the_end(run: Any, shell: Any) -> None:
    with capture_output() as shown, pytest.raises(QueryFailed) as caught:
        run(
            "%%aiser parallel\n%% -o good\nSELECT 1 AS n\n%% -o bad\nSELECT * FROM no_such_table\n"
            "%% nowhere -o lost\nSELECT 1"
        )
    assert shell.user_ns["good"]["n"].tolist() == [1]
    assert "bad" not in shell.user_ns
    assert caught.value.message.startswith("2 of 3 statements failed. bad: ")
    assert "no_such_table" in caught.value.message
    assert "lost: " in caught.value.message
    (summary,) = [o.data["text/plain"] for o in shown.outputs if "why" in o.data.get("text/plain", "")]
    assert [word in summary for word in ("done", "unknown_table", "unknown_connection")] == [True] * 3


def test_they_run_at_the_same_time(run: Any, magics: Any) -> None:
    cell = f"%%aiser parallel\n%% --timeout 60\n{SLOW}\n%% --timeout 60\n{SLOW}"
    seen: list[int] = []

    def watch() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end and max(seen, default=0) < 2:
            seen.append(len(magics.services.executor.running()))
            time.sleep(0.02)
        magics.services.queries.cancel()

    watcher = threading.Thread(target=watch)
    watcher.start()
    with capture_output(), pytest.raises(QueryFailed, match="2 of 2 statements failed"):
        run(cell)
    watcher.join()
    assert max(seen) == 2
