"""What a real Jupyter server adds to a query, and whether its event loop is free meanwhile, asked over HTTP.

The server, the database and who measures are processes of their own, on loopback, with TLS to the database.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import quantiles

from items import Line
from processes import OURS, ask

from tests.servers.jupyter import TOKEN, Caller, JupyterServer
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.server import Server

RUNS = 500
WARM = 50
PROBED = 20.0  # seconds
PEOPLE, EACH = ("ann", "bob", "eve", "joe"), 8  # one person may have 8 running
STREAMER = "sam"
READ = "SELECT n, md5(n::text) AS t, n::numeric(20, 4) AS d FROM generate_series(1, {rows}) AS n"


def rest() -> list[Line]:
    """``select 1`` over REST beside the bare driver on an open connection, in turn."""
    lines = []
    for kind, type_, name in ((PostgreSQL, "postgresql", "PostgreSQL"), (MariaDB, "mysql", "MariaDB")):
        with prepared(kind) as database, JupyterServer() as server, server.caller("ann") as ann:
            ann.save(database, type_)
            samples = _in_turn(lambda: _over_rest(ann), _over_driver(database))
        note = f"{RUNS} runs a side in turn, both connections open; JSON over HTTP beside rows of the driver"
        for words, per_cent, target in (("median", 50, 15.0), ("95th percentile", 95, 50.0)):
            ours, peer = (percentile(samples[side], per_cent) for side in ("rest", "driver"))
            what = f"REST select 1 on {name}: {words}"
            lines.append(Line(what, ours, peer, "ms", target, note, samples, "added"))
    return lines


def event_loop() -> list[Line]:
    """``/api/status`` every 20 ms while 32 queries run and a result of a million rows streams."""
    with prepared(PostgreSQL) as database, JupyterServer() as server:
        for person in (*PEOPLE, STREAMER):
            with server.caller(person) as caller:
                caller.save(database, "postgresql", max_connections=64)  # they share an account
        samples = {"idle": probed(server)}
        done: list[int] = []
        with loaded(server, done):
            samples["loaded"] = probed(server)
    note = (
        f"/api/status every 20 ms for {PROBED:g} s, by a process of its own; meanwhile {len(PEOPLE) * EACH} "
        f"callers read 10,000 rows each and one 1,000,000, over and over ({len(done)} answers as JSON); "
        "beside the idle server"
    )
    figures: tuple[tuple[str, Callable[[list[float]], float], float], ...] = (
        ("99th percentile", lambda found: percentile(found, 99), 50.0),
        ("longest", max, 250.0),
    )
    return [
        Line(
            f"the server's loop under load: {words}",
            figure(samples["loaded"]),
            figure(samples["idle"]),
            "ms",
            target,
            note,
            samples,
            "value",
        )
        for words, figure, target in figures
    ]


def percentile(samples: list[float], per_cent: int) -> float:
    """Return that percentile."""
    return quantiles(samples, n=100, method="inclusive")[per_cent - 1]


@contextmanager
def prepared(kind: type[Server]) -> Iterator[Server]:
    """Start a database server of the tests, and stop it."""
    server = kind()
    try:
        server.prepare()
        yield server
    finally:
        server.stop()


def _in_turn(ours: Callable[[], None], bare: Callable[[], None]) -> dict[str, list[float]]:
    samples: dict[str, list[float]] = {"rest": [], "driver": []}
    for turn in range(WARM + RUNS):
        sides = [("rest", ours), ("driver", bare)]
        for side, call in sides if turn % 2 == 0 else sides[::-1]:
            began = time.monotonic()
            call()
            if turn >= WARM:
                samples[side].append(1000 * (time.monotonic() - began))
    return samples


def _over_rest(caller: Caller) -> None:
    answer = caller.execute("select 1", connection="shop")
    if answer.status != 200 or answer.json["data"] != [[1]] or answer.json["cached"]:
        raise RuntimeError(answer.raw.decode())


def _over_driver(database: Server) -> Callable[[], None]:
    cursor = database.connect().cursor()

    def call() -> None:
        cursor.execute("select 1")
        if [tuple(row) for row in cursor.fetchall()] != [(1,)]:
            raise RuntimeError("the driver does not count to one")

    return call


def probed(server: JupyterServer) -> list[float]:
    """Return how long each answer took, in milliseconds."""
    return list(ask(OURS, "probe", str(server.port), TOKEN, str(PROBED)))


@contextmanager
def loaded(server: JupyterServer, done: list[int]) -> Iterator[None]:
    """Keep the server busy; ``done`` gets the bytes of each answer."""
    over = threading.Event()

    def work(person: str, rows: int) -> None:
        with server.caller(person) as caller:
            while not over.is_set():
                answer = caller.execute(READ.format(rows=rows), connection="shop", timeout=120)
                if answer.status != 200:
                    raise RuntimeError(answer.raw[:1000].decode())
                done.append(len(answer.raw))

    places = [(person, 10_000) for person in PEOPLE for _ in range(EACH)]
    threads = [threading.Thread(target=work, args=each) for each in [*places, (STREAMER, 1_000_000)]]
    for thread in threads:
        thread.start()
    time.sleep(2.0)
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()
