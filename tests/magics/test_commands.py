from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from aiser_jupyter.errors import ConfigError, UnknownConnection, UnknownTable, UsageError
from aiser_jupyter.magics.grammar import COMMANDS
from aiser_jupyter.magics.options import OPTIONS


@pytest.fixture
def frame(shell):
    shell.user_ns["orders"] = pd.DataFrame({"id": [1, 2], "region": ["n", "s"]})


def test_every_command_is_explained_and_done(run):
    from aiser_jupyter.magics.commands import CALL_COMMANDS

    assert set(CALL_COMMANDS) | {"route", "parallel", "help"} == set(COMMANDS)
    text = repr(run("%aiser"))
    for name in (*COMMANDS, *OPTIONS):
        assert name in text
        assert name in repr(run(f"%aiser help {name}"))
    with pytest.raises(UsageError, match="no help"):
        run("%aiser help nothing")


def test_connections_are_added_tested_and_listed(run):
    import duckdb

    duckdb.connect("shop.duckdb").close()
    ((name, kind, where, source),) = run("%aiser connect shop.duckdb --alias shop").rows
    assert (name, kind, Path(where), source) == ("shop", "duckdb", Path("shop.duckdb").absolute(), "store")
    assert "saved already" in run("%aiser connect shop.duckdb --alias shop").caption
    assert [name for name, *_ in run("%aiser connections")] == ["local", "shop"]
    checks = run("%aiser test shop")
    assert [outcome for _, outcome, *_ in checks] == ["ok"] * len(checks)
    assert len(checks) > 1
    with pytest.raises(UsageError, match="needs a name"):
        run("%aiser connect shop.duckdb")
    with pytest.raises(ConfigError):
        run("%aiser connect nothing://x --alias x")
    with pytest.raises(UnknownConnection):
        run("%aiser test nowhere")
    run("%aiser forget shop")
    assert [name for name, *_ in run("%aiser connections")] == ["local"]
    with pytest.raises(UnknownConnection):
        run("%aiser forget shop")


def test_tables_and_columns_show_what_is_known(run, frame):
    assert [(name, kind, rows) for name, kind, _, rows, _ in run("%aiser tables")] == [("orders", "frame", 2)]
    assert [name for name, *_ in run("%aiser columns orders")] == ["id", "region"]
    with pytest.raises(UnknownTable, match="ordres"):
        run("%aiser columns ordres")


def test_a_profile_is_a_result_with_a_row_a_column(run, frame):
    assert run("%aiser profile orders").row_count == 2


def test_route_says_why_and_runs_nothing(run, frame, magics):
    listing = run("%%aiser route\nSELECT *\nFROM orders")
    assert "nothing was run" in listing.caption
    assert any(engine == "duckdb (chosen)" for engine, *_ in listing)
    assert magics.services.queries.history() == []


def test_last_and_history_tell_what_ran(run, frame):
    assert not run("%aiser last").rows
    run("%aiser SELECT 41 + 1 AS answer")
    last = run("%aiser last")
    assert "duckdb" in last.caption
    assert len(last) >= 1
    with pytest.raises(UnknownTable):
        run("%aiser SELECT * FROM nothing_here")
    entries = run("%aiser history")
    assert [row[1] for row in entries] == ["failed", "done"]
    assert len(run("%aiser history 1")) == 1
    assert len(run("%aiser history --search answer")) == 1
    with pytest.raises(UsageError, match="not a number"):
        run("%aiser history x")


def test_engines_say_whether_they_can(run):
    assert ("duckdb", "yes") in [row[:2] for row in run("%aiser engines")]


def test_cancel_says_what_it_did(run):
    assert run("%aiser cancel").caption == "Nothing of this kernel is running."
