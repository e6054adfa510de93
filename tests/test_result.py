"""``QueryResult``: one answer, in every shape a reader asks for."""

from __future__ import annotations

import polars as pl
import pyarrow as pa
import pytest

from aiser_jupyter.frames import is_frame
from aiser_jupyter.models import Route, Timings
from aiser_jupyter.result import QueryResult, TruncatedResultWarning


@pytest.fixture
def result() -> QueryResult:
    return QueryResult(
        "1", pa.table({"n": [1, None], "s": ["a", ""]}), Route("duckdb", "a file"), Timings(execute=0.5)
    )


def test_it_counts_and_names(result: QueryResult) -> None:
    assert (len(result), result.row_count, result.columns, result.engine) == (2, 2, ["n", "s"], "duckdb")


def test_it_gives_pandas_polars_and_arrow(result: QueryResult) -> None:
    assert str(result.df()["n"].dtype) == "Int64"
    assert result.polars().equals(pl.DataFrame({"n": [1, None], "s": ["a", ""]}))
    assert result.arrow() is result.table


def test_it_is_a_frame_that_others_read_as_arrow(result: QueryResult) -> None:
    assert is_frame(result)
    assert pa.table(result).equals(result.table)
    assert pl.DataFrame(result)["n"].to_list() == [1, None]


@pytest.mark.parametrize("form", ["df", "polars"])
def test_a_cut_result_warns_when_it_becomes_a_dataframe(form: str) -> None:
    cut = QueryResult("1", pa.table({"n": [1]}), Route("duckdb", ""), truncated="Only the first row.")
    with pytest.warns(TruncatedResultWarning, match="Only the first row") as caught:
        getattr(cut, form)()
    assert caught[0].filename == __file__


def test_it_shows_itself_unless_it_is_quiet(result: QueryResult) -> None:
    bundle = result._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert repr(result) == bundle["text/plain"]
    quiet = QueryResult("1", result.table, result.route, quiet=True)
    assert quiet._repr_mimebundle_() == {}


def test_other_timings_leave_the_rest(result: QueryResult) -> None:
    other = result.with_timings(Timings(execute=1.0))
    assert other.timings.total == 1.0
    assert other.table is result.table
