from __future__ import annotations

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from aiser_jupyter.errors import UndefinedParameter, UnknownConnection, UsageError
from aiser_jupyter.result import QueryResult


@pytest.fixture
def orders(shell) -> pd.DataFrame:
    frame = pd.DataFrame({"id": [1, 2, 3], "region": ["north", "south", "north"]})
    shell.user_ns["orders"] = frame
    return frame


def test_a_line_is_an_expression(run, shell):
    run("answer = %aiser SELECT 42 AS x")
    assert isinstance(shell.user_ns["answer"], QueryResult)
    assert shell.user_ns["answer"].table.to_pylist() == [{"x": 42}]


def test_the_value_of_a_cell_is_its_result(run, shell, orders):
    result = run("%%aiser\nSELECT region, count(*) AS n FROM orders GROUP BY region ORDER BY region;")
    assert result.table.to_pylist() == [{"region": "north", "n": 2}, {"region": "south", "n": 1}]
    assert result.engine == "duckdb"


def test_parameters_are_bound_from_the_line_first_and_then_from_the_notebook(run, shell, orders):
    shell.user_ns["wanted"] = "south' OR true --"
    source = "%aiser {} SELECT id FROM orders WHERE region = {{{{ wanted }}}}"
    assert run(source.format("")).row_count == 0
    assert run(source.format("--param wanted=south")).table.to_pylist() == [{"id": 2}]
    with pytest.raises(UndefinedParameter):
        run("%aiser SELECT {{ nowhere }}")


def test_braces_and_dollars_are_left_to_the_statement(run, shell):
    shell.user_ns["x"] = 7
    assert run("%aiser SELECT '{x} $x' AS text").table.to_pylist() == [{"text": "{x} $x"}]


@pytest.mark.parametrize(
    ("option", "kind"),
    [
        ("", pd.DataFrame),
        ("--as pandas", pd.DataFrame),
        ("--as polars", pl.DataFrame),
        ("--as arrow", pa.Table),
    ],
)
def test_output_is_a_dataframe_and_the_result_is_shown(run, shell, orders, option, kind):
    result = run(f"%%aiser -o out {option}\nSELECT id FROM orders ORDER BY id")
    assert isinstance(shell.user_ns["out"], kind)
    assert len(shell.user_ns["out"]) == 3
    assert not result.quiet
    assert result.timings.convert > 0 or option == "--as arrow"


def test_the_preferred_output_type_is_used(run, shell):
    run("%config AiserPreferences.output_type = 'polars'")
    run("%aiser x << SELECT 1 AS n")
    assert isinstance(shell.user_ns["x"], pl.DataFrame)


def test_output_is_whole_where_the_display_is_cut(run, shell):
    run("%config AiserPreferences.row_limit = 5")
    assert run("%aiser FROM range(10)").row_count == 5
    result = run("%aiser -o out FROM range(10)")
    assert result.row_count == 10
    assert len(shell.user_ns["out"]) == 10


def test_two_arrows_assign_silently_or_shown(run, shell):
    silent = run("%%aiser x <<\nSELECT 1 AS n")
    shown = run("%%aiser\nx = << SELECT 2 AS n")
    assert (silent.quiet, shown.quiet) == (True, False)
    assert shell.user_ns["x"]["n"].tolist() == [2]


def test_quiet_silences_the_display_and_keeps_the_value(run, shell, capsys):
    shell.run_cell("%aiser --quiet SELECT 1 AS n", store_history=True).raise_error()
    assert capsys.readouterr().out.replace("Out[1]:", "").strip() == ""
    assert shell.user_ns["_"].table.to_pylist() == [{"n": 1}]
    shell.run_cell("%aiser SELECT 1 AS n", store_history=True).raise_error()
    assert "duckdb" in capsys.readouterr().out


def test_a_saved_statement_is_a_table_of_later_ones(run):
    assert run("%%aiser --save small\nSELECT * FROM range(3) AS t(n)").row_count == 3
    assert run("%aiser --with small SELECT sum(n) AS s FROM small").table.to_pylist() == [{"s": 3}]


def test_a_pinned_engine_and_a_limit_are_obeyed(run):
    result = run("%aiser --engine duckdb --limit 2 FROM range(9)")
    assert (result.row_count, result.route.pinned) == (2, True)
    assert result.truncated


def test_a_saved_connection_answers_by_name(run, shell):
    import duckdb

    with duckdb.connect("shop.duckdb") as database:
        database.execute("CREATE TABLE orders AS SELECT 7 AS id")
    run("%aiser connect shop.duckdb --alias shop")
    for source in (
        "%aiser shop FROM orders",
        "%aiser --connection shop FROM orders",
        "%%aiser shop\nFROM orders",
        "%config AiserPreferences.connection = 'shop'\n%aiser FROM orders",
    ):
        assert run(source).table.to_pylist() == [{"id": 7}], source


def test_a_variable_that_holds_a_connection_is_one(run, shell):
    run("import duckdb\ncon = duckdb.connect()\n_ = con.execute('CREATE TABLE t AS SELECT 5 AS n')")
    assert run("%aiser con SELECT n FROM t").table.to_pylist() == [{"n": 5}]
    assert run("%%aiser con\nSELECT n FROM t").table.to_pylist() == [{"n": 5}]
    shell.user_ns["con"].close()
    shell.user_ns["con"] = 5
    with pytest.raises(UsageError, match="not a connection"):
        run("%%aiser con\nSELECT 1")


def test_an_unknown_connection_is_not_sent_as_sql(run):
    with pytest.raises(UnknownConnection, match="shp"):
        run("%aiser shp SELECT 1")


def test_as_without_a_variable_is_refused(run):
    with pytest.raises(UsageError, match="needs a variable"):
        run("%aiser --as polars SELECT 1")


def test_the_cell_id_of_the_front_end_is_recorded(run, shell, magics):
    shell.parent_header = {"metadata": {"cellId": "cell-7"}}
    run("%aiser SELECT 1")
    assert magics.services.queries.history(1)[0].cell == "cell-7"
    del shell.parent_header


def test_statements_without_rows_are_one_plain_line(run):
    result = run("%aiser CREATE OR REPLACE TABLE made AS SELECT unnest([1, 2, 3]) AS n")
    assert repr(result).startswith("duckdb · ")
    assert " · 3 rows affected · " in repr(result)
    assert result.affected == 3
    assert run('%aiser SELECT 3 AS "Count"').affected is None
    assert "affected" not in repr(run("%aiser DROP TABLE made"))


def test_a_namespace_of_many_names_costs_little(shell, magics):
    import time

    shell.user_ns.update({f"name_{i}": i for i in range(500)})
    began = time.perf_counter()
    for _ in range(100):
        magics.frames()
    assert (time.perf_counter() - began) / 100 < 0.005
