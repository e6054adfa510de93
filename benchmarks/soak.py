"""Run a server for a while among faults, and show that it holds on to nothing: ``make soak MINUTES=30``.

Two people ask a real Jupyter server over HTTP, several statements at a time, of DuckDB, PostgreSQL and
MariaDB: good ones, wrong ones, some that take too long, are cancelled, are read page by page, or whose client
hangs up. Every ten seconds a network fault befalls one of the databases for some seconds. The server is
counted twice at rest, after a warm-up and at the end: what there is more of then has leaked. Its memory is
measured meanwhile. An answer that no client expects is shown with what was asked, which fault there was, and
the server's log, which is kept in ``.cache/soak.log`` where something was missed.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))  # the servers of the tests

from aiser_jupyter.render import aligned
from tests.servers.jupyter import JupyterServer
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.proxy import Proxy

LOG = Path(__file__).parent.parent / ".cache" / "soak.log"
PEOPLE, EACH = ("ann", "bob"), 6
FAULT_EVERY, FAULT_LASTS = 10.0, 4.0
SPARE = 2  # of threads, descriptors and files, more at the end than before
SLOPE = 1.0  # MB a minute
LONG = 600.0  # seconds that memory has to be measured for before its slope says more than noise
POLICY = {
    "AiserConnections": {"idle_seconds": 3.0},
    "AiserResults": {"seconds": 15.0, "memory_bytes": 4 * 1024**2},
    "AiserPreferences": {"timeout": 20.0},
    "AiserDuckDB": {"memory_limit": 512 * 1024**2},
}
FAULTS: tuple[tuple[str, dict[str, float]], ...] = (
    ("rst", {"after": 2000}),
    ("fin", {"after": 2000}),
    ("blackhole", {"after": 1000}),
    ("mute", {}),
    ("refuse", {}),
    ("drip", {"seconds": 0.2}),
    ("latency", {"seconds": 0.3}),
)
MANY = {
    "pg": "SELECT n, md5(n::text) AS t, n::numeric(12, 2) AS d FROM generate_series(1, {rows}) AS n",
    "my": "SELECT seq AS n, MD5(seq) AS t, CAST(seq AS DECIMAL(12, 2)) AS d FROM seq_1_to_{rows}",
    "local": "SELECT i, 'text ' || i AS t, i::DECIMAL(12, 2) AS d FROM range({rows}) r(i)",
}
SLOW = {
    "pg": "SELECT 1 FROM pg_sleep(30)",
    "my": "SELECT SLEEP(30)",
    "local": "SELECT count(*) FROM range(3000000) a, range(3000000) b WHERE a.range + b.range = -1",
}
WRONG = (
    "SELEC 1",
    "SELECT * FROM nowhere",
    "SELECT 'x' + FROM",
    "SELECT no_such_function(1)",
    "SELECT {{ x }}",
)
EXPECTED = {200, 202, 400, 404, 409, 413, 422, 429, 502, 504, 507}
SEEN = {"read 200", "wrong 400", "late 504", "begin 202", "cancel 200", "page 200", "leave 200"}
"""What has to be among the answers: else the soak did not do what it says."""
SESSIONS = {
    PostgreSQL: "SELECT count(*) FROM pg_stat_activity WHERE usename = 'ann'",
    MariaDB: "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'ann'",
}


@dataclass
class Tally:
    """What was answered; guarded by its lock. ``fault`` is the newest one."""

    answers: Counter[str] = field(default_factory=Counter)
    strange: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    fault: str = "no fault yet"

    def note(self, what: str, status: int, raw: bytes = b"", asked: object = None) -> None:
        with self.lock:
            self.answers[f"{what} {status}"] += 1
            if status not in EXPECTED:
                at, text = time.strftime("%H:%M:%S"), raw[:2000].decode(errors="replace")
                self.strange.append(f"{at} {what}: {status} {text}\n  asked: {asked}\n  {self.fault}")


class Person(threading.Thread):
    """One who asks without a pause, until ``over``."""

    def __init__(
        self, server: JupyterServer, user: str, seed: int, tally: Tally, over: threading.Event
    ) -> None:
        super().__init__(daemon=True)
        self._server, self._user, self._tally, self._over = server, user, tally, over
        self._chance = random.Random(seed)
        self._caller = server.caller(user)

    def run(self) -> None:
        acts = (
            self._read,
            self._read,
            self._read,
            self._wrong,
            self._late,
            self._cancel,
            self._pages,
            self._leave,
        )
        while not self._over.is_set():
            self._chance.choice(acts)()
        self._caller.close()

    def _where(self) -> str:
        return self._chance.choice(("pg", "my", "local"))

    def _ask(self, what: str, method: str, path: str, body: object = None) -> dict[str, object]:
        try:
            answer = self._caller.ask(method, path, body)
        except OSError as exc:
            self._tally.note(f"{what} {type(exc).__name__}", 0, str(exc).encode(), body or path)
            self._caller.close()
            return {}
        self._tally.note(what, answer.status, answer.raw, body or path)
        return dict(answer.json) if answer.headers.get("Content-Type") == "application/json" else {}

    def _execute(self, what: str, sql: str, where: str, **more: object) -> dict[str, object]:
        body = {"query": sql, "connection": where, **more}
        return self._ask(what, "POST", "/aiser/data/query/execute", body)

    def _read(self) -> None:
        where, rows = self._where(), self._chance.choice((1, 100, 5_000, 50_000))
        self._execute(
            "read", MANY[where].format(rows=rows), where, format=self._chance.choice(("json", "arrow"))
        )

    def _wrong(self) -> None:
        self._execute("wrong", self._chance.choice(WRONG), self._where())

    def _late(self) -> None:
        where = self._where()
        self._execute("late", SLOW[where], where, timeout=1)

    def _cancel(self) -> None:
        where = self._where()
        begun = self._execute("begin", SLOW[where], where, **{"async": True})
        time.sleep(self._chance.random() / 2)
        if "id" in begun:
            self._ask("cancel", "POST", f"/aiser/data/query/{begun['id']}/cancel", {})

    def _pages(self) -> None:
        where = self._where()
        begun = self._execute("keep", MANY[where].format(rows=20_000), where, **{"async": True})
        time.sleep(self._chance.random())
        if "id" in begun:
            self._ask("page", "GET", f"/aiser/data/query/{begun['id']}/result?offset=5000&limit=100")

    def _leave(self) -> None:
        where = self._where()
        with self._server.caller(self._user) as caller:
            caller.leave("/aiser/data/query/execute", {"query": SLOW[where], "connection": where})
            time.sleep(self._chance.random() / 2)
        self._tally.note("leave", 200)


@dataclass(frozen=True)
class Count:
    """What the server holds at one moment."""

    sessions: int
    threads: int
    descriptors: int
    files: int


@dataclass
class Soak:
    """The server, what it asks, and what befalls it."""

    server: JupyterServer
    databases: tuple[PostgreSQL | MariaDB, ...]
    proxies: tuple[Proxy, ...]
    tally: Tally = field(default_factory=Tally)
    memory: list[tuple[float, float]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)

    def count(self) -> Count:
        """Count what there is now; the sessions as the databases see them."""
        process = Path(f"/proc/{self.server.pid}")
        return Count(
            sum(int(each.admin(SESSIONS[type(each)])[0][0]) for each in self.databases),
            len(list((process / "task").iterdir())),
            len(list((process / "fd").iterdir())),
            sum(path.is_file() for path in (self.server.folder / "tmp").rglob("*")),
        )

    def at_rest(self, seconds: float = 60.0) -> Count:
        """Wait until no session is open and nothing changes any more, and count."""
        end, last, since = time.monotonic() + seconds, self.count(), time.monotonic()
        while time.monotonic() < end:
            time.sleep(1.0)
            now = self.count()
            if now != last or now.sessions:
                last, since = now, time.monotonic()
            elif time.monotonic() - since > 15.0:
                break
        return last

    def work(self, seconds: float, seed: int) -> None:
        """Let everybody ask for so long, with faults, and take the memory meanwhile."""
        over, chance = threading.Event(), random.Random(seed)
        people = [
            Person(self.server, user, seed + number, self.tally, over)
            for user in PEOPLE
            for number in range(EACH)
        ]
        for person in people:
            person.start()
        began = fault = time.monotonic()
        while (now := time.monotonic()) < began + seconds:
            if now >= fault:
                self._befall(chance)
                fault = now + FAULT_EVERY
            self.memory.append((now, self.resident()))
            over.wait(2.0)
        over.set()
        for person in people:
            person.join(60.0)

    def _befall(self, chance: random.Random) -> None:
        proxy, (mode, options) = chance.choice(self.proxies), chance.choice(FAULTS)
        self.faults[mode] += 1
        database = self.databases[self.proxies.index(proxy)]
        self.tally.fault = f"newest fault: {mode} of {type(database).__name__} at {time.strftime('%H:%M:%S')}"

        def befall() -> None:
            proxy.set(mode, **options)
            time.sleep(FAULT_LASTS)
            proxy.set("pass")
            if chance.random() < 0.5:
                proxy.reset()

        threading.Thread(target=befall, daemon=True).start()

    def resident(self) -> float:
        """MB of memory of the server's process."""
        status = Path(f"/proc/{self.server.pid}/status").read_text()
        (line,) = (line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024 / 1e6

    def save(self) -> None:
        """Give each person both connections, by way of the proxies."""
        kinds = (("postgresql", "pg"), ("mysql", "my"))
        for user in PEOPLE:
            with self.server.caller(user) as caller:
                for (type_, name), database, proxy in zip(kinds, self.databases, self.proxies, strict=True):
                    more = {"max_connections": 40, "timeout": 8}  # they share an account
                    caller.save(database, type_, name=name, port=proxy.port, **more)


def slope(samples: list[tuple[float, float]]) -> float:
    """Return the least squares slope, a minute."""
    middle = sum(at for at, _ in samples) / len(samples)
    mean = sum(value for _, value in samples) / len(samples)
    spread = sum((at - middle) ** 2 for at, _ in samples)
    return 60 * sum((at - middle) * (value - mean) for at, value in samples) / spread


@contextmanager
def prepared() -> Iterator[Soak]:
    """Start the databases, a proxy before each, and the server."""
    with ExitStack() as stack:
        databases: list[PostgreSQL | MariaDB] = []
        for kind in (PostgreSQL, MariaDB):
            databases.append(kind())
            stack.callback(databases[-1].stop)
            databases[-1].prepare()
        proxies = [stack.enter_context(Proxy(("127.0.0.1", each.port))) for each in databases]
        soak = Soak(stack.enter_context(JupyterServer(POLICY)), tuple(databases), tuple(proxies))
        soak.save()
        yield soak


def main(minutes: float, warm: float) -> int:
    """Soak, print the table, and return the exit code."""
    with prepared() as soak:
        print(f"warming up for {warm:g} min …", file=sys.stderr, flush=True)
        soak.work(60 * warm, 1)
        before, resting = soak.at_rest(), soak.resident()
        soak.memory.clear()
        print(f"soaking for {minutes:g} min …", file=sys.stderr, flush=True)
        soak.work(60 * minutes, 1000)
        after, rested = soak.at_rest(), soak.resident()
        log = soak.server.log
    # At first memory comes back that the rest had given away.
    steady = [each for each in soak.memory if each[0] - soak.memory[0][0] >= min(300.0, 24.0 * minutes)]
    span = steady[-1][0] - steady[0][0]
    rows = [
        Row("sessions at the databases", before.sessions, after.sessions, 0),
        Row("threads", before.threads, after.threads, before.threads + SPARE),
        Row("descriptors", before.descriptors, after.descriptors, before.descriptors + SPARE),
        Row("temporary files", before.files, after.files, before.files + SPARE),
        Row("memory at rest, MB", resting, rested),
        Row("memory at work, MB a minute", None, slope(steady), SLOPE if span >= LONG else None),
        Row("answers that no client expects", None, len(soak.tally.strange), 0),
        Row("kinds of answers that did not come", None, len(SEEN - soak.tally.answers.keys()), 0),
        Row("tracebacks in the server's log", None, log.count("Traceback"), 0),
    ]
    print("\n".join(aligned([("", "at first", "at the end", "at most", ""), *(row.cells for row in rows)])))
    answers = ", ".join(f"{count} {what}" for what, count in sorted(soak.tally.answers.items()))
    faults = ", ".join(f"{count} {what}" for what, count in sorted(soak.faults.items()))
    print(f"\n{sum(soak.tally.answers.values())} answers: {answers}\nfaults: {faults}")
    for strange in soak.tally.strange[:10]:
        print(strange)
    print("".join(log.partition("Traceback")[1:])[:6000])
    missed = any(row.missed for row in rows)
    if missed:
        LOG.parent.mkdir(exist_ok=True)
        LOG.write_text(log)
        print(f"The server's log: {LOG}")
    return int(missed)


@dataclass(frozen=True)
class Row:
    """A line of the table: missed where more than ``most`` is there at the end."""

    what: str
    first: float | None
    last: float
    most: float | None = None

    @property
    def missed(self) -> bool:
        return self.most is not None and self.last > self.most

    @property
    def cells(self) -> tuple[str, ...]:
        verdict = "" if self.most is None else "MISSED" if self.missed else "met"
        numbers = ("" if each is None else f"{each:,.4g}" for each in (self.first, self.last, self.most))
        return self.what, *numbers, verdict


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("minutes", type=float, nargs="?", default=30.0)
    parser.add_argument("--warm-up", type=float, default=2.0, metavar="MINUTES")
    given = parser.parse_args()
    sys.exit(main(given.minutes, given.warm_up))
