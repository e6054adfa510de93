"""Every setting, one ``Configurable`` a part. The help text is the documentation.

Two kinds of setting, and the difference is a matter of security:

- **preferences** (tagged ``preference=True``) belong to the person: they are also read from ``[tool.aiser]``
  of the nearest ``pyproject.toml`` and changed with ``%config``;
- **policy**, everything else, belongs to the administrator: it is read from ``aiser_config.py`` or
  ``aiser_config.json`` in Jupyter's *system* and *environment* config folders only. The person's own folder
  and the folders of ``JUPYTER_CONFIG_PATH`` are not read.

What that holds against: a cloned repository, a notebook's metadata, a request to the server. What it does not
hold against: code that runs in the same process, which can change any object in it, and whoever may write to
the environment the process was started from (``sys.prefix``), which includes the owner of a virtual
environment. Limits that a person must not be able to lift belong to the operating system or the hub.
"""

from __future__ import annotations

import os
import resource
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from traitlets import Bool, Enum, List, TraitError, Unicode
from traitlets.config import Config, Configurable
from traitlets.config.loader import JSONFileConfigLoader, PyFileConfigLoader

from .errors import ConfigError, nearest
from .traits import Count, Number

__all__ = [
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
    "load",
    "policy_folders",
    "sources",
]

GIB = 1024**3
MIB = 1024**2


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
    temp_directory = Unicode("", help="Where DuckDB spills; empty is a private temporary folder.").tag(
        config=True
    )
    temp_limit = Count(0, min=0, help="Bytes DuckDB may spill; 0 is 90 % of the free disk.").tag(config=True)

    def memory_bytes(self) -> int:
        """Bytes DuckDB may hold."""
        return self.memory_limit or machine_memory() // 2


class AiserConnections(Configurable):
    """Databases that are reached over a network. Policy."""

    allowed_hosts = List(
        Unicode(),
        help="Hosts that connections may lead to: names with *, addresses, 10.0.0.0/8; empty is any.",
    ).tag(config=True)
    insecure_hosts = List(
        Unicode(), help="Hosts, besides this machine, that may be reached without TLS."
    ).tag(config=True)
    vendor_hosts = List(
        Unicode(),
        help="Hosts, besides this machine and the vendor's domains, that a warehouse may be at: names with *.",
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


def load(start: Path | None = None) -> Settings:
    """Read the administrator's files and the project's preferences.

    Parameters
    ----------
    start : Path, optional
        Folder where the search for ``pyproject.toml`` begins; the working folder by default.

    Raises
    ------
    ConfigError
        A file is malformed, or names a setting that is not there or is not a preference.
    """
    config = _policy()
    project = _project_file(start)
    if project is not None:
        for name, value in _preferences(project).items():
            config["AiserPreferences"].setdefault(name, value)
    return Settings(config)


def sources(start: Path | None = None) -> list[Path]:
    """Return the files that `load` reads, the first one weakest."""
    project = _project_file(start)
    return [*([project] if project else []), *_policy_files()]


def policy_folders() -> list[Path]:
    """Return the folders that are the administrator's, the weakest first: system, then environment."""
    from jupyter_core.paths import ENV_CONFIG_PATH, SYSTEM_CONFIG_PATH

    return [Path(folder) for folder in (*reversed(SYSTEM_CONFIG_PATH), *reversed(ENV_CONFIG_PATH))]


def _policy_files() -> list[Path]:
    paths = [folder / f"aiser_config.{suffix}" for folder in policy_folders() for suffix in ("json", "py")]
    return [path for path in paths if path.is_file()]


def _policy() -> Config:
    config = Config({"AiserPreferences": {}})
    for path in _policy_files():
        loader = JSONFileConfigLoader if path.suffix == ".json" else PyFileConfigLoader
        try:
            found = loader(path.name, str(path.parent)).load_config()
        except Exception as exc:  # the file may be Python: it may raise anything
            raise ConfigError(f"{path} cannot be read: {exc}") from exc
        _require_known(found, path)
        config.merge(found)
    return config


def _require_known(found: Config, path: Path) -> None:
    """A limit that is misspelt would be no limit at all."""
    parts = {part.__name__: part.class_trait_names(config=True) for part in PARTS}
    for part, values in found.items():
        if part not in parts:
            raise ConfigError(f"{path} sets {part!r}, which is not here.", hint=nearest(part, parts))
        for name in values:
            if name not in parts[part]:
                hint = nearest(name, parts[part], noun="settings")
                raise ConfigError(f"{path} sets {part}.{name}, which is not a setting.", hint=hint)


def _project_file(start: Path | None) -> Path | None:
    here = (start or Path.cwd()).absolute()
    paths = (folder / "pyproject.toml" for folder in (here, *here.parents))
    return next((path for path in paths if path.is_file()), None)


def _preferences(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content: dict[str, Any] = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path} cannot be read: {exc}") from exc
    tool = content.get("tool")
    table = tool.get("aiser", {}) if isinstance(tool, dict) else {}
    if not isinstance(table, dict):
        raise ConfigError(f"tool.aiser in {path} is not a table.", hint="Write [tool.aiser].")
    known = AiserPreferences.class_trait_names(preference=True)
    for name in table:
        if name not in known:
            raise ConfigError(
                f"[tool.aiser] in {path} sets {name!r}, which is not a preference.",
                hint=nearest(name, known, noun="preferences"),
            )
    return table
