"""The cache of catalogs: one question at a time, believed for a while, and bounded."""

from __future__ import annotations

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from aiser_jupyter.catalog.cache import CatalogCache, stamp_of
from aiser_jupyter.errors import ConnectError, DeadlineExceeded, QueryCancelled
from aiser_jupyter.models import LOCAL, Connection, ConnectionConfig
from aiser_jupyter.secret import Secret

PATIENCE = 30.0
STAMP = ("it",)


class Database:
    """Answers when it is told to, and counts how often it was asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self.error = error
        self.busy = threading.Event()
        self.go = threading.Event()

    def __call__(self) -> tuple[int, ...]:
        self.asked += 1
        self.busy.set()
        assert self.go.wait(PATIENCE)
        if self.error is not None:
            raise self.error
        return (self.asked,)


def answering() -> Database:
    database = Database()
    database.go.set()
    return database


def test_many_askers_share_one_question():
    cache, database = CatalogCache(60.0), Database()
    with ThreadPoolExecutor(20) as pool:
        futures = [pool.submit(cache.get, "a", STAMP, "tables", database) for _ in range(20)]
        assert database.busy.wait(PATIENCE)
        database.go.set()
        assert {future.result(PATIENCE) for future in futures} == {(1,)}
    assert database.asked == 1


def test_different_questions_do_not_wait_for_each_other():
    cache, slow, quick = CatalogCache(60.0), Database(), answering()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(cache.get, "a", STAMP, "tables", slow)
        assert slow.busy.wait(PATIENCE)
        assert cache.get("a", STAMP, "schemas", quick) == (1,)
        slow.go.set()
        future.result(PATIENCE)


def test_an_answer_is_believed_for_its_time_only():
    cache, database = CatalogCache(0.2), answering()
    assert cache.get("a", STAMP, "tables", database) == (1,)
    assert cache.fresh("a", STAMP, "tables") == (1,)
    time.sleep(0.25)
    assert cache.fresh("a", STAMP, "tables") is None
    assert cache.peek("a", STAMP, "tables") == (1,)
    assert cache.get("a", STAMP, "tables", database) == (2,)


def test_an_answer_within_its_time_is_not_asked_again():
    cache, database = CatalogCache(60.0), answering()
    assert [cache.get("a", STAMP, "tables", database) for _ in range(3)] == [(1,)] * 3


def test_an_error_is_not_kept():
    cache, database = CatalogCache(60.0), answering()
    database.error = ConnectError("gone")
    with pytest.raises(ConnectError):
        cache.get("a", STAMP, "tables", database)
    database.error = None
    assert cache.get("a", STAMP, "tables", database) == (2,)


def test_those_who_wait_hear_the_error_too():
    cache, database = CatalogCache(60.0), Database(ConnectError("gone"))
    with ThreadPoolExecutor(5) as pool:
        futures = [pool.submit(cache.get, "a", STAMP, "tables", database) for _ in range(5)]
        assert database.busy.wait(PATIENCE)
        time.sleep(0.2)  # the others are waiting by now; where one is not, it asks once more and hears it too
        database.go.set()
        assert [type(future.exception(PATIENCE)) for future in futures] == [ConnectError] * 5


@pytest.mark.parametrize("stopped", [QueryCancelled("stop"), DeadlineExceeded("late"), KeyboardInterrupt()])
def test_who_waited_for_an_asker_that_was_stopped_asks_itself(stopped):
    cache, database, second = CatalogCache(60.0), Database(stopped), answering()
    heard = []

    def lead() -> None:
        with pytest.raises(type(stopped)):
            cache.get("a", STAMP, "tables", database)

    def follow() -> None:
        heard.append(cache.get("a", STAMP, "tables", second))

    threads = [threading.Thread(target=lead), threading.Thread(target=follow)]
    threads[0].start()
    assert database.busy.wait(PATIENCE)
    threads[1].start()
    time.sleep(0.2)
    database.go.set()
    for thread in threads:
        thread.join(PATIENCE)
    assert heard == [(1,)]


def test_an_asker_that_is_stopped_itself_does_not_wait():
    cache, database = CatalogCache(60.0), Database()

    def check() -> None:
        raise DeadlineExceeded("mine")

    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(cache.get, "a", STAMP, "tables", database)
        assert database.busy.wait(PATIENCE)
        with pytest.raises(DeadlineExceeded, match="mine"):
            cache.get("a", STAMP, "tables", database, check)
        database.go.set()
        assert future.result(PATIENCE) == (1,)


def test_an_answer_that_was_on_its_way_when_something_changed_is_not_kept():
    cache, database = CatalogCache(60.0), Database()
    with ThreadPoolExecutor(1) as pool:
        before = pool.submit(cache.get, "a", STAMP, "tables", database)
        assert database.busy.wait(PATIENCE)
        cache.forget("a")
        after = answering()
        assert cache.get("a", STAMP, "tables", after) == (1,)
        after.asked = 7
        database.go.set()
        assert before.result(PATIENCE) == (1,)
    assert cache.get("a", STAMP, "tables", after) == (1,)  # kept is what was asked after the change


def test_a_connection_that_changed_is_another_one():
    cache, database = CatalogCache(60.0), answering()
    cache.get("a", ("one",), "tables", database)
    assert cache.peek("a", ("two",), "tables") is None
    assert cache.get("a", ("two",), "tables", database) == (2,)


def test_the_least_recently_asked_connection_goes_first():
    cache = CatalogCache(60.0, most=250)
    for id in ("a", "b"):
        cache.get(id, STAMP, "tables", lambda: [None] * 100)
    cache.get("a", STAMP, "tables", list)
    cache.get("c", STAMP, "tables", lambda: [None] * 100)
    assert [id for id in "abc" if cache.peek(id, STAMP, "tables") is not None] == ["a", "c"]
    assert cache.weight == 200


def test_what_does_not_fit_is_answered_and_not_kept():
    cache = CatalogCache(60.0, most=250)
    assert len(cache.get("a", STAMP, "tables", lambda: [None] * 300)) == 300
    assert cache.weight == 0


def test_one_connection_alone_stays_within_the_bound():
    cache = CatalogCache(60.0, most=250)
    cache.get("a", STAMP, "tables", lambda: [None] * 200)
    cache.get("a", STAMP, "described", lambda: [None] * 220)
    assert cache.weight == 220
    assert cache.peek("a", STAMP, "described") is not None


def test_nothing_is_kept_with_0_seconds():
    cache, database = CatalogCache(0.0), answering()
    assert [cache.get("a", STAMP, "tables", database) for _ in range(2)] == [(1,), (2,)]


def _in_a_fork(cache: CatalogCache, answers: multiprocessing.SimpleQueue) -> None:
    answers.put(cache.get("a", STAMP, "tables", lambda: ("child",)))


@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_forked_child_does_not_wait_for_a_thread_of_its_parent():
    cache, database = CatalogCache(60.0), Database()
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(cache.get, "a", STAMP, "tables", database)
        assert database.busy.wait(PATIENCE)
        child = context.Process(target=_in_a_fork, args=(cache, answers))
        child.start()
        child.join(PATIENCE)
        ended = child.exitcode == 0
        child.kill()
        database.go.set()
        future.result(PATIENCE)
    assert ended
    assert answers.get() == ("child",)


def connection(**values) -> Connection:
    return Connection("id", "ann", ConnectionConfig("duckdb", "shop", values))


def test_the_stamp_of_a_file_changes_with_the_file(tmp_path):
    path = tmp_path / "shop.duckdb"
    missing = stamp_of(connection(database=str(path)))
    path.write_bytes(b"1")
    made = stamp_of(connection(database=str(path)))
    path.write_bytes(b"22")
    assert len({missing, made, stamp_of(connection(database=str(path)))}) == 3


def test_the_stamp_has_no_secret_and_needs_no_key():
    def closed() -> str:
        raise AssertionError("a catalog has no need of a secret")

    assert "hunter2" not in repr(stamp_of(connection(password=Secret("hunter2"))))
    assert stamp_of(connection(password=Secret(closed))) is not None


def test_what_is_near_has_no_stamp():
    config = ConnectionConfig("duckdb", LOCAL)
    assert stamp_of(Connection(LOCAL, "ann", config, source="builtin")) is None
    assert stamp_of(Connection("object-1", "ann", ConnectionConfig("object", "x"), source="object")) is None
