"""The result cache: bounded in bytes, exact in its keys, and never older than it says."""

from __future__ import annotations

import datetime as dt
import threading
import time
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from aiser_jupyter.execution.cache import ENTRY_BYTES, CacheKey, CacheStats, ResultCache
from aiser_jupyter.models import Notice, Route, Timings
from aiser_jupyter.result import QueryResult

MIB = 1024**2
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def a_key(text: str = "SELECT 1", connection: str = "shop", **changes: Any) -> CacheKey:
    key = CacheKey.of(identity="ann", connection=connection, text=text, **changes)
    assert key is not None
    return key


def a_result(size: int = 0, seconds: float = 0.0, **changes: Any) -> QueryResult:
    table = pa.table({"n": pa.array(bytes(size), pa.uint8())})
    return QueryResult("r", table, Route("duckdb", "here"), Timings(execute=seconds), **changes)


def test_a_kept_result_comes_back_with_what_must_be_said_of_it() -> None:
    cache = ResultCache(MIB, MIB)
    result = a_result(10, truncated="cut", notices=(Notice("lossy", "a type"),))
    assert cache.put(a_key(), result)
    found = cache.get(a_key(), None)
    assert found is not None
    assert found.table is result.table
    assert (found.route, found.truncated, found.notices) == (result.route, "cut", result.notices)
    assert cache.get(a_key("SELECT 2"), None) is None
    assert cache.stats == CacheStats(1, ENTRY_BYTES + 8 + 10, hits=1, misses=1)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([1], [True]),
        ([1], [1.0]),
        ([0.0], [-0.0]),
        ([1], ["1"]),
        (["a"], [b"a"]),
        ([Decimal("1.0")], [Decimal("1.00")]),
        ([NOON], [NOON.astimezone(dt.timezone(dt.timedelta(hours=2)))]),
        ([dt.date(2026, 1, 1)], [dt.datetime(2026, 1, 1)]),
        ([(1, 2)], [(1, True)]),
        ([None], []),
        ({"a": 1, "b": 2}, {"a": 2, "b": 1}),
    ],
)
def test_parameters_that_a_database_tells_apart_are_two_keys(one: Any, other: Any) -> None:
    assert a_key(parameters=one) != a_key(parameters=other)
    assert a_key(parameters=one) == a_key(parameters=one)


def test_the_order_of_names_does_not_matter() -> None:
    assert a_key(parameters={"a": 1, "b": "x"}) == a_key(parameters={"b": "x", "a": 1})


@pytest.mark.parametrize("value", [[1], {1}, {"a": 1}, object(), (1, [2]), pa.scalar(1)])
def test_what_cannot_be_compared_exactly_is_not_cached(value: object) -> None:
    assert CacheKey.of(identity="ann", connection="shop", text="SELECT ?", parameters=[value]) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"files": (("a.csv", 10, 1),)},
        {"limit": 10},
        {"whole": True},
        {"max_bytes": 1000},
        {"connection": "other"},
        {"text": "SELECT 2"},
    ],
)
def test_everything_that_changes_the_answer_is_in_the_key(changes: dict[str, Any]) -> None:
    assert a_key(**changes) != a_key()


def test_a_result_is_as_old_as_the_beginning_of_its_run() -> None:
    cache = ResultCache(MIB, MIB)
    cache.put(a_key(), a_result(seconds=30.0))
    assert cache.get(a_key(), 29.0) is None
    found = cache.get(a_key(), 31.0)
    assert found is not None
    assert time.time() - found.stored_at == pytest.approx(30.0, abs=1.0)


def test_no_age_allowed_means_never() -> None:
    cache = ResultCache(MIB, MIB)
    cache.put(a_key(), a_result())
    assert cache.get(a_key(), 0.0) is None


def test_a_write_forgets_the_connections_results_and_no_others() -> None:
    cache = ResultCache(MIB, MIB)
    cache.put(a_key(), a_result())
    cache.put(a_key(connection="other"), a_result())
    cache.invalidate("shop")
    assert cache.get(a_key(), None) is None
    assert cache.get(a_key(connection="other"), None) is not None


@pytest.mark.parametrize("everything", [True, False])
def test_a_result_that_was_read_during_a_write_is_not_kept(everything: bool) -> None:
    cache = ResultCache(MIB, MIB)
    if everything:
        cache.clear()
    else:
        cache.invalidate("shop")
    assert not cache.put(a_key(), a_result(seconds=1.0))
    time.sleep(0.002)
    assert cache.put(a_key(), a_result(seconds=0.0))


def test_a_slice_counts_with_the_buffers_it_keeps_alive() -> None:
    cache = ResultCache(10 * MIB, MIB)
    small = pa.table({"n": pa.array(range(1_000_000), pa.int64())}).slice(0, 10)
    assert small.nbytes < 1000
    assert not cache.put(a_key(), QueryResult("r", small, Route("duckdb", "here")))
    assert cache.stats.entries == 0


def test_results_without_rows_fill_the_cache_too() -> None:
    cache = ResultCache(10 * (ENTRY_BYTES + 100), MIB)
    for n in range(1_000):
        cache.put(a_key(f"SELECT {n}"), a_result())
    assert cache.stats.entries <= 10


def test_the_one_not_asked_for_longest_leaves_first() -> None:
    cache = ResultCache(3 * (ENTRY_BYTES + 1_100), MIB)
    for text in "abc":
        cache.put(a_key(text), a_result(1_000))
    assert cache.get(a_key("a"), None)
    cache.put(a_key("d"), a_result(1_000))
    assert [text for text in "abcd" if cache.get(a_key(text), None)] == ["a", "c", "d"]
    assert cache.stats.evictions == 1


def test_a_newer_result_takes_the_place_of_the_older_one() -> None:
    cache = ResultCache(MIB, MIB)
    newer = a_result(10)
    cache.put(a_key(), a_result(1_000))
    cache.put(a_key(), newer)
    found = cache.get(a_key(), None)
    assert found is not None
    assert found.table is newer.table
    assert (cache.stats.entries, cache.stats.bytes) == (1, ENTRY_BYTES + 8 + 10)


def test_a_cache_of_no_bytes_keeps_nothing() -> None:
    cache = ResultCache(0, MIB)
    assert not cache.put(a_key(), a_result())


def test_many_threads_at_once() -> None:
    cache = ResultCache(20 * ENTRY_BYTES, 10 * ENTRY_BYTES)
    errors: list[BaseException] = []

    def use(seed: int) -> None:
        try:
            for n in range(500):
                key = a_key(f"{(n * seed) % 40}", connection=f"c{n % 3}")
                cache.put(key, a_result(n))
                cache.get(key, None)
                if n % 50 == 0:
                    cache.invalidate(f"c{n % 3}")
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=use, args=(seed,)) for seed in (1, 3, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert cache.stats.bytes <= 20 * ENTRY_BYTES
    cache.clear()
    assert (cache.stats.entries, cache.stats.bytes) == (0, 0)


class CacheMachine(RuleBasedStateMachine):
    """Whatever is done, the caps hold, the count is right, and what is found is what was put."""

    @initialize(cap=st.integers(0, 60_000), one=st.integers(0, 60_000))
    def begin(self, cap: int, one: int) -> None:
        self.cap, self.one = cap, min(cap, one)
        self.cache = ResultCache(cap, one)
        self.latest: dict[CacheKey, QueryResult] = {}

    @rule(text=st.sampled_from("abcdef"), connection=st.sampled_from("xy"), size=st.integers(0, 20_000))
    def put(self, text: str, connection: str, size: int) -> None:
        key, result = a_key(text, connection=connection), a_result(size)
        kept = self.cache.put(key, result)
        fits = ENTRY_BYTES + 1 + size <= self.one
        if kept:
            self.latest[key] = result
        assert kept <= fits

    @rule(text=st.sampled_from("abcdef"), connection=st.sampled_from("xy"))
    def get(self, text: str, connection: str) -> None:
        key = a_key(text, connection=connection)
        found = self.cache.get(key, None)
        assert found is None or found.table is self.latest[key].table

    @rule(connection=st.sampled_from("xy"))
    def write(self, connection: str) -> None:
        self.cache.invalidate(connection)
        for key in [key for key in self.latest if key.connection_id == connection]:
            assert self.cache.get(key, None) is None
            del self.latest[key]

    @invariant()
    def caps_hold(self) -> None:
        entries = [e for key in self.latest if (e := self.cache._entries.get(key))]
        stats = self.cache.stats
        assert stats.bytes <= self.cap
        assert stats.entries == len(entries)
        assert stats.bytes == sum(e.bytes for e in entries)
        assert all(e.bytes <= self.one for e in entries)


TestCacheMachine = CacheMachine.TestCase
TestCacheMachine.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
