"""The settings themselves: name, default and help of each, one ``Configurable`` a part."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from traitlets import Bool, Enum, List, TraitError, Unicode
from traitlets.config import Config, Configurable

from ..errors import ConfigError
from ..traits import Count, Number

__all__ = [
    "GIB",
    "MIB",
    "PARTS",
    "AiserCache",
    "AiserConnections",
    "AiserDuckDB",
    "AiserLimits",
    "AiserPreferences",
    "AiserResults",
    "AiserRouter",
    "AiserStore",
    "Setting",
    "Settings",
    "describe",
    "machine_memory",
]

GIB, MIB = 1024**3, 1024**2


@cache
def machine_memory() -> int:
    """Bytes of memory this process may use: the machine's, or its control group's
    or its own limit where that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for limit in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        soft, _ = resource.getrlimit(limit)
        if soft != resource.RLIM_INFINITY:
            total = min(total, soft)
    for name in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            text = Path(name).read_text().strip()
        except OSError:
            continue
        if text.isdigit():
            total = min(total, int(text))
    return total


class AiserPreferences(Configurable):
    """What a person may choose for themselves."""

    connection = Unicode("local", help="Connection used where a cell names none.").tag(
        config=True, preference=True
    )
    row_limit = Count(
        1_000_000, min=0, help="Rows fetched for display; 0 is no limit. Never applies to -o."
    ).tag(config=True, preference=True)
    timeout = Number(300.0, min=0, help="Seconds until a query is stopped; 0 is no limit.").tag(
        config=True, preference=True
    )
    output_type = Enum(
        ("pandas", "polars", "arrow"), "pandas", help="What -o gives: pandas, polars or arrow."
    ).tag(config=True, preference=True)
    display_rows = Count(20, min=1, help="Rows in the static table of a saved notebook.").tag(
        config=True, preference=True
    )
    grid = Bool(True, help="Show results in the interactive grid where the front end has one.").tag(
        config=True, preference=True
    )


class AiserLimits(Configurable):
    """What one process may take. Policy."""

    workers = Count(64, min=1, help="Queries that run at the same time.").tag(config=True)
    queue = Count(200, min=0, help="Queries that may wait for a worker.").tag(config=True)
    user_running = Count(8, min=1, help="Queries of one person that a server runs at the same time.").tag(
        config=True
    )
    user_tests = Count(
        10, min=1, help="Connections that one person tests or saves a minute on a server of several."
    ).tag(config=True)
    display_bytes = Count(
        512 * MIB, min=1, help="Bytes of Arrow fetched for display; the rest is cut and said so."
    ).tag(config=True)
    result_bytes = Count(
        0, min=0, help="Bytes of Arrow that -o may hold before it fails; 0 is a quarter of memory."
    ).tag(config=True)
    statement_bytes = Count(
        64 * 1024, min=1, help="Longer statements run verbatim, without being parsed."
    ).tag(config=True)
    statement_depth = Count(
        50, min=1, help="Statements nested deeper run verbatim, without being parsed."
    ).tag(config=True)

    def result_cap(self) -> int:
        """Bytes that a kept result may hold."""
        return self.result_bytes or machine_memory() // 4


class AiserDuckDB(Configurable):
    """The DuckDB engine. Policy."""

    memory_limit = Count(0, min=0, help="Bytes DuckDB may hold; 0 is half of memory.").tag(config=True)
    threads = Count(0, min=0, help="Threads DuckDB may use; 0 is one a core.").tag(config=True)
    temp_directory = Unicode("", help="Where DuckDB spills; empty is a private folder.").tag(config=True)
    temp_limit = Count(0, min=0, help="Bytes DuckDB may spill; 0 is 90 % of the free disk.").tag(config=True)
    server_bytes = Count(0, min=0, help="Bytes of its process on a server; 0 is a quarter.").tag(config=True)
    server_total_bytes = Count(
        0, min=0, help="Bytes of these processes of all persons together; 0 is three quarters."
    ).tag(config=True)
    server_seconds = Number(600.0, min=0, help="Seconds that process stays without work.").tag(config=True)

    def memory_bytes(self) -> int:
        """Bytes DuckDB may hold."""
        return self.memory_limit or machine_memory() // 2


class AiserConnections(Configurable):
    """Databases that are reached over a network. Policy."""

    allowed_hosts = List(
        Unicode(),
        help="Hosts that connections may lead to: names with *, addresses, 10.0.0.0/8; empty is any, on a "
        "server of several persons any public one.",
    ).tag(config=True)
    insecure_hosts = List(
        Unicode(), help="Hosts, besides this machine, that may be reached without TLS."
    ).tag(config=True)
    vendor_hosts = List(
        Unicode(),
        help="Hosts that a warehouse may be at, besides this machine and the vendor's own: names with *.",
    ).tag(config=True)
    idle_seconds = Number(60.0, min=0, help="Seconds an unused session stays open for the next query.").tag(
        config=True
    )
    catalog_seconds = Number(300.0, min=0, help="Seconds a listing of tables is believed.").tag(config=True)
    transfer_bytes = Count(
        1024 * MIB,
        min=1,
        help="Bytes that a query may fetch from other databases to join them here; --max-bytes lifts it.",
    ).tag(config=True)


class AiserRouter(Configurable):
    """How an engine is chosen. Policy."""

    margin = Number(
        1.5, min=1.0, help="Another engine must be expected this many times faster to be chosen."
    ).tag(config=True)


class AiserCache(Configurable):
    """The result cache. Policy."""

    max_bytes = Count(256 * MIB, min=0, help="Bytes of results kept; 0 keeps none.").tag(config=True)
    max_result_bytes = Count(64 * MIB, min=0, help="Larger results are not kept.").tag(config=True)


class AiserResults(Configurable):
    """Results that a server keeps to be read page by page. Policy."""

    seconds = Number(900.0, min=0, help="Seconds a result is kept after it was made.").tag(config=True)
    memory_bytes = Count(256 * MIB, min=0, help="Bytes of results kept in memory; more goes to disk.").tag(
        config=True
    )
    disk_bytes = Count(
        4 * GIB, min=0, help="Bytes of results kept on disk; then the oldest are given up."
    ).tag(config=True)
    directory = Unicode("", help="Folder for results on disk; empty is the system's temporary folder.").tag(
        config=True
    )


class AiserStore(Configurable):
    """Where connections and history are kept, and the key that seals their secrets. Policy."""

    directory = Unicode("", help="Folder of the store; empty is aiser in Jupyter's data folder.").tag(
        config=True
    )
    history_rows = Count(10_000, min=0, help="Runs kept in the history; older ones are removed.").tag(
        config=True
    )
    key_source = Enum(
        ("file", "keyring"), "file", help="Where the key is: a file, or the operating system's keyring."
    ).tag(config=True)
    key_file = Unicode(
        "",
        help="Key file; empty is AISER_KEY_FILE, or else aiser/key in Jupyter's config folder.",
    ).tag(config=True)
    key_required = Bool(
        False, help="Refuse to save a secret where the key is missing, instead of making one."
    ).tag(config=True)

    def path(self) -> Path:
        """Folder of the store. ``AISER_STORE`` names another one, for tests and for the Hub."""
        if self.directory:
            return Path(self.directory).expanduser()
        if named := os.environ.get("AISER_STORE"):
            return Path(named)
        from jupyter_core.paths import jupyter_data_dir

        return Path(jupyter_data_dir()) / "aiser"

    def named_key_file(self) -> str:
        """Path of the key file that ``key_file``, or else ``AISER_KEY_FILE``, names; "" where neither does.

        The variable names a file and never holds a key: kernels inherit the environment.
        """
        return self.key_file or os.environ.get("AISER_KEY_FILE", "")

    def key_path(self) -> Path:
        """File of the key.

        The key lies apart from the data, in Jupyter's config folder, so that a copy of one is not a copy of
        both. A store whose folder was named (``directory``, ``AISER_STORE``) has its key in that folder: a
        key belongs to one store, and two of them must not share the one in the config folder.
        """
        if named := self.named_key_file():
            return Path(named).expanduser()
        if self.directory or os.environ.get("AISER_STORE"):
            return self.path() / "key"
        from jupyter_core.paths import jupyter_config_dir

        return Path(jupyter_config_dir()) / "aiser" / "key"


PARTS: tuple[type[Configurable], ...] = (
    AiserPreferences,
    AiserLimits,
    AiserDuckDB,
    AiserConnections,
    AiserRouter,
    AiserCache,
    AiserResults,
    AiserStore,
)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting, as the documentation lists it. ``preference`` is false for policy."""

    part: str
    name: str
    default: Any
    help: str
    preference: bool


class Settings:
    """One instance of each part, built from one ``Config``.

    Raises
    ------
    ConfigError
        A value is not of its setting's type, or out of its range.
    """

    def __init__(self, config: Config | None = None) -> None:
        config = config or Config()
        try:
            self.preferences = AiserPreferences(config=config)
            self.limits = AiserLimits(config=config)
            self.duckdb = AiserDuckDB(config=config)
            self.connections = AiserConnections(config=config)
            self.router = AiserRouter(config=config)
            self.cache = AiserCache(config=config)
            self.results = AiserResults(config=config)
            self.store = AiserStore(config=config)
        except TraitError as exc:
            from .files import sources

            read = [str(path) for path in sources()]
            hint = f"Look in {', '.join(read)}." if read else ""
            raise ConfigError(f"A setting is not valid: {exc}", hint=hint) from exc


def describe() -> list[Setting]:
    """List every setting, in the order of its part.

    Examples
    --------
    >>> [setting.default for setting in describe() if setting.name == "row_limit"]
    [1000000]
    """
    return [
        Setting(part.__name__, name, trait.default(), str(trait.help), bool(trait.metadata.get("preference")))
        for part in PARTS
        for name, trait in part.class_own_traits(config=True).items()
    ]
