"""Windows of a table: every message is checked, every answer is bounded."""

from __future__ import annotations

import threading
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiser_jupyter.widgets import windows as module
from aiser_jupyter.widgets.windows import COPY_CELLS, MAX_COLUMNS, MAX_WINDOW, Shelf, TableWindows


@pytest.fixture
def windows() -> TableWindows:
    numbers = list(range(5000))
    return TableWindows(
        pa.table(
            {
                "n": numbers,
                "text": [None if n % 3 == 0 else f"row {n}" for n in numbers],
                "list": [[n] for n in numbers],
                "enum": pa.array([("b", "a", None)[n % 3] for n in numbers]).dictionary_encode(),
            }
        )
    )


def window(start: object, count: object, sort: object = None) -> dict[str, object]:
    return {"kind": "window", "start": start, "count": count, "sort": sort}


def copy(top: int, bottom: int, left: int, right: int, sort: object = None) -> dict[str, object]:
    edges = {"first_row": top, "last_row": bottom, "first_column": left, "last_column": right}
    return {"kind": "copy", "sort": sort, **edges}


def ask(windows: TableWindows, message: object) -> dict[str, Any]:
    reply = windows.answer(message)
    assert reply is not None
    return reply


def test_a_window_is_text_by_column_with_null_kept_apart(windows: TableWindows) -> None:
    reply = ask(windows, window(3, 2))
    assert reply == {
        "kind": "window",
        "start": 3,
        "sort": None,
        "cells": [["3", "4"], [None, "row 4"], ["[3]", "[4]"], ["b", "a"]],
    }


def test_columns_say_name_type_and_side(windows: TableWindows) -> None:
    assert windows.columns() == [
        {"name": "n", "type": "int64", "number": True},
        {"name": "text", "type": "string", "number": False},
        {"name": "list", "type": "list<item: int64>", "number": False},
        {"name": "enum", "type": "string dictionary", "number": False},
    ]


@pytest.mark.parametrize(
    ("start", "count", "rows"),
    [(0, 10**9, MAX_WINDOW), (4990, 100, 10), (5000, 1, 0), (2**70, 2**70, 0), (0, 0, 0)],
)
def test_a_window_is_bounded(windows: TableWindows, start: int, count: int, rows: int) -> None:
    reply = ask(windows, window(start, count))
    assert [len(column) for column in reply["cells"]] == [rows] * 4


@pytest.mark.parametrize(
    "message",
    [
        window("0", 10),
        window(0, 1.5),
        window(None, 10),
        window(True, 10),
        window(-1, 10),
        window(0, -5),
        window(0, float("nan")),
        window([0], {}),
        {"kind": "window"},
        window(0, 10, sort="n"),
        window(0, 10, sort=[0]),
        window(0, 10, sort=[0, 1]),
        window(0, 10, sort=[99, False]),
        window(0, 10, sort=[-1, False]),
        copy(5, 4, 0, 0),
        copy(0, 0, 9, 9),
        {"kind": "copy", "first_row": 0},
    ],
    ids=str,
)
def test_a_wrong_message_is_answered_with_an_error(windows: TableWindows, message: dict[str, object]) -> None:
    reply = ask(windows, message)
    assert reply["kind"] == "error"
    assert reply["message"]


@pytest.mark.parametrize(
    "message", [None, 1, "window", [], {}, {"kind": "exec"}, {"kind": ["window"]}], ids=str
)
def test_what_is_not_ours_is_ignored(windows: TableWindows, message: object) -> None:
    assert windows.answer(message) is None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries(
        {"kind": st.sampled_from(["window", "copy"])},
        optional=dict.fromkeys(
            ("start", "count", "sort", "first_row", "last_row", "first_column", "last_column"), json_values
        ),
    )
)
@settings(max_examples=200, deadline=None)
def test_no_message_gets_through_unchecked(message: dict[str, object]) -> None:
    reply = TableWindows(pa.table({"n": [1, 2]})).answer(message)
    assert reply is not None
    assert reply["kind"] in ("window", "copied", "error")


def test_sorting_has_nulls_last_both_ways(windows: TableWindows) -> None:
    up = ask(windows, window(0, 3, sort=[1, False]))
    down = ask(windows, window(0, 3, sort=[1, True]))
    last = ask(windows, window(4999, 1, sort=[1, True]))
    assert up["cells"][1] == ["row 1", "row 10", "row 100"]
    assert down["cells"][1] == ["row 998", "row 997", "row 995"]
    assert last["cells"][1] == [None]
    assert up["sort"] == [1, False]
    assert ask(windows, window(0, 2, sort=[3, False]))["cells"][3] == ["a", "a"]
    assert ask(windows, window(0, 2))["cells"][0] == ["0", "1"]


def test_what_cannot_be_sorted_says_so(windows: TableWindows, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = ask(windows, window(0, 1, sort=[2, False]))
    assert reply["kind"] == "error"
    assert "ORDER BY" in reply["message"]
    monkeypatch.setattr(module, "SORT_ROWS", 4999)
    assert "4,999 rows" in ask(windows, window(0, 1, sort=[0, True]))["message"]


def test_copying_gives_whole_values_as_a_spreadsheet_reads_them() -> None:
    texts = ["x" * 300, 'say "hi"', "two\r\nlines\tand", None, "\x1b[31m\u2028"]
    table = pa.table({"a": texts, "n": [1.5, 2, 3, 4, 5]})
    reply = ask(TableWindows(table), copy(0, 99, 0, 9))
    assert reply["text"] == "\n".join(
        [f"{'x' * 300}\t1.5", '"say ""hi"""\t2.0', '"two\nlines\tand"\t3.0', "\t4.0", "␛[31m⟨U+2028⟩\t5.0"]
    )
    assert (reply["rows"], reply["columns"], reply["left_out"]) == (5, 2, 0)


def test_copying_follows_the_order_and_says_what_is_left_out() -> None:
    table = TableWindows(pa.table({"n": range(COPY_CELLS + 7)}))
    reply = ask(table, copy(0, COPY_CELLS + 6, 0, 0, sort=[0, True]))
    assert reply["text"].startswith(f"{COPY_CELLS + 6}\n{COPY_CELLS + 5}\n")
    assert (reply["rows"], reply["left_out"]) == (COPY_CELLS, 7)


def test_a_wide_table_is_cut_and_its_windows_stay_small() -> None:
    wide = TableWindows(pa.table({f"c{i}": [1] * 100 for i in range(MAX_COLUMNS + 30)}))
    assert len(wide.columns()) == MAX_COLUMNS
    assert wide.hidden_columns == 30
    assert wide.block * MAX_COLUMNS <= 20_000
    assert len(wide.head()) == MAX_COLUMNS
    assert len(wide.head()[0]) == 10


def test_a_table_without_rows_or_columns() -> None:
    assert TableWindows(pa.table({})).head() == []
    empty = TableWindows(pa.table({"n": pa.array([], pa.int64())}))
    assert empty.head() == [[]]
    assert ask(empty, window(0, 10, sort=[0, False]))["cells"] == [[]]


def test_many_threads_get_the_order_they_asked_for(windows: TableWindows) -> None:
    wrong: list[object] = []

    def scroll(descending: bool) -> None:
        expected = ["4999", "4998"] if descending else ["0", "1"]
        for _ in range(50):
            cells = ask(windows, window(0, 2, sort=[0, descending]))["cells"][0]
            if cells != expected:
                wrong.append(cells)

    threads = [threading.Thread(target=scroll, args=(i % 2 == 0,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_shelf_keeps_the_latest_and_the_used() -> None:
    shelf = Shelf(size=2)
    tables = [TableWindows(pa.table({"n": [i]})) for i in range(3)]
    first, second = shelf.put(tables[0]), shelf.put(tables[1])
    assert shelf.get(first) is tables[0]
    third = shelf.put(tables[2])
    assert shelf.get(second) is None
    assert shelf.get(first) is tables[0]
    shelf.release(third)
    shelf.release(third)
    assert len(shelf) == 1
