"""``aiser doctor``: what is installed, what works, and the next step for what does not.

Everything is looked at in place and nothing is changed. *Broken* is what stops queries that should work here:
settings that cannot be read, a store that cannot be used, a key that does not open what is saved, a failure
log that cannot be written, no working engine, a part that cannot be imported. A driver that is not installed
is not broken; its line says how to get it.
"""

from __future__ import annotations

import platform
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import AiserError
from ..models import LOCAL, ConnectionConfig

if TYPE_CHECKING:
    from ..models import Availability
    from ..services import Services
    from ..store.records import Record
    from ..store.ring import Ring

__all__ = ["Finding", "examine"]

PACKAGES = (
    *("aiser-jupyter", "duckdb", "pyarrow", "pandas", "polars", "sqlglot", "ipython", "ipywidgets"),
    *("anywidget", "jupyter_server", "jupyterlab", "notebook", "sqlalchemy"),
)
OPTIONAL = frozenset({"polars", "jupyterlab", "notebook", "sqlalchemy"})
EXTENSION = "aiser_jupyter"
LAB_EXTENSION = "aiser-jupyter"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. ``ok`` is None for a plain fact."""

    name: str
    text: str
    ok: bool | None = None
    broken: bool = False

    @property
    def mark(self) -> str:
        return "FAIL" if self.broken else {None: "", True: "ok", False: "no"}[self.ok]


def examine(services: Services) -> Iterator[tuple[str, list[Finding]]]:
    """Look at each part of the installation; a part that cannot be looked at is a finding too."""
    parts: tuple[tuple[str, Callable[[Services], list[Finding]]], ...] = (
        ("Versions", _versions),
        ("Settings", _settings),
        ("Store", _store),
        ("Key", _key),
        ("Failures", _failures),
        ("Network", _network),
        ("Engines", _engines),
        ("Connectors", _connectors),
        ("DuckDB", _duckdb),
        ("Jupyter", _jupyter),
    )
    for title, look in parts:
        try:
            yield title, look(services)
        except AiserError as exc:
            yield title, [Finding(title.lower(), f"{exc.message} {exc.hint}".strip(), broken=True)]


def _versions(services: Services) -> list[Finding]:
    found = [Finding("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")]
    for name in PACKAGES:
        try:
            found.append(Finding(name, version(name)))
        except PackageNotFoundError:
            missing = name not in OPTIONAL
            found.append(Finding(name, f"not installed: pip install {name}", ok=False, broken=missing))
    return found


def _settings(services: Services) -> list[Finding]:
    from ..config import sources

    read = [Finding("file", str(path), ok=True) for path in sources()]
    services.settings  # noqa: B018 - reads the files
    return read or [Finding("file", "none: every setting has its default")]


def _store(services: Services) -> list[Finding]:
    folder, state = services.store.folder, services.store.state
    found = [Finding("state", f"{state.message} {state.hint}".strip() or "usable", state.ok, not state.ok)]
    for path in (folder, services.store.path):
        if path.exists():
            mode = stat.S_IMODE(path.stat().st_mode)
            private = not mode & 0o077
            text = f"{path} (mode {mode:04o})" + ("" if private else ": others can read it; chmod go= it")
            found.append(Finding("folder" if path == folder else "file", text, private, not private))
    return found


def _key(services: Services) -> list[Finding]:
    """Where the key is and whether it loads. What names a key file is printed only once a key was read there:
    somebody may have put the key itself in its place."""
    from ..store.keys import KeyFile, keys_of
    from ..store.records import ALL, Record

    keys = keys_of(services.settings.store)
    where = str(keys.path) if isinstance(keys, KeyFile) else "the keyring of the operating system"
    saved = [
        record for record in (Record(*row) for row in services.store.read(ALL)) if record.secrets != "{}"
    ]
    if keys.unmade() and not saved:
        return [Finding("key", f"none yet: it is made in {where} when the first secret is saved")]
    ring = keys.load()
    return [Finding("key", f"loads from {where}", ok=True), *_sealed(saved, ring)]


def _sealed(saved: list[Record], ring: Ring) -> Iterator[Finding]:
    """What the keys of the ring open, and what they do not."""
    from ..render.text import counted
    from ..store.seal import key_id

    lost = [
        each.name
        for each in saved
        if not {key_id(token) for token in each.tokens().values()} <= set(ring.keys)
    ]
    if lost:
        text = f"{', '.join(lost)}: sealed with another key. Put that one back, or give the passwords again"
        yield Finding("secrets", text, broken=True)
    else:
        yield Finding("secrets", f"of {counted(len(saved), 'connection')}, sealed with it", ok=True)
    if ring.pending:
        yield Finding("rotation", "has not ended: aiser rotate-key takes it up again", ok=False)


def _failures(services: Services) -> list[Finding]:
    from ..render.text import counted

    log = services.failures
    if problem := log.check():
        return [Finding("log", f"{problem} Make it a file of your own that can be written", broken=True)]
    return [Finding("log", f"{log.path}, {counted(log.count(), 'failed run')}", ok=True)]


def _network(services: Services) -> list[Finding]:
    from urllib.request import getproxies_environment

    from ..connectors.proxy import proxy_for

    if (proxy := proxy_for("")) is None:
        return [Finding("proxy", "none: HTTPS_PROXY names no proxy, or NO_PROXY every host")]
    besides = getproxies_environment().get("no", "")
    text = f"{proxy} leads to warehouses, as HTTPS_PROXY says" + (f"; not to {besides}" if besides else "")
    return [Finding("proxy", text)]


def _available(name: str, part: Availability) -> Finding:
    text = " ".join(word for word in (part.version, part.reason, part.hint) if word)
    return Finding(name, text, part.ok)


def _engines(services: Services) -> list[Finding]:
    from ..engines.registry import broken

    found = [_available(engine.name, available) for engine, available in services.queries.engines()]
    found += [Finding(name, reason, broken=True) for name, reason in broken().items()]
    return found if any(each.ok for each in found) else [*found, Finding("any", "none works", broken=True)]


def _connectors(services: Services) -> list[Finding]:
    from ..connectors.registry import broken, connectors

    found = [_available(name, connector.available()) for name, connector in connectors().items()]
    return [*found, *(Finding(name, reason, broken=True) for name, reason in broken().items())]


def _duckdb(services: Services) -> list[Finding]:
    """Ask DuckDB itself; that a statement runs at all is shown by the way."""
    from ..connectors.registry import connector
    from ..run import Run

    names = ("memory_limit", "threads", "temp_directory", "max_temp_directory_size")
    wanted = ", ".join(f"current_setting('{name}')::VARCHAR AS {name}" for name in names)
    services.queries.engines()  # applies the settings
    session = connector("duckdb").open(ConnectionConfig("duckdb", LOCAL))
    try:
        rows = session.execute(f"SELECT {wanted}", {}, Run("doctor", timeout=30)).read_all().to_pylist()
    finally:
        session.close()
    return [Finding(name, str(value)) for name, value in rows[0].items()]


def _jupyter(services: Services) -> list[Finding]:
    from jupyter_core.paths import jupyter_path

    found = [_server_extension()]
    folders = [Path(folder) / LAB_EXTENSION for folder in jupyter_path("labextensions")]
    lab = next((folder for folder in folders if (folder / "package.json").is_file()), None)
    text = str(lab) if lab else "not installed: pip install --force-reinstall aiser-jupyter"
    return [*found, Finding("labextension", text, lab is not None)]


def _server_extension() -> Finding:
    """Whether a server that starts now loads the extension, from the files that it would read."""
    import json

    from jupyter_core.paths import jupyter_config_path

    enabled, where = None, ""
    for folder in reversed(jupyter_config_path()):
        paths = (
            Path(folder) / "jupyter_server_config.json",
            *sorted((Path(folder) / "jupyter_server_config.d").glob("*.json")),
        )
        for path in paths:
            try:
                content = json.loads(path.read_text()) if path.is_file() else {}
            except (OSError, ValueError) as exc:
                return Finding("server extension", f"{path} cannot be read: {exc}", broken=True)
            said = content.get("ServerApp", {}).get("jpserver_extensions", {}).get(EXTENSION)
            if said is not None:
                enabled, where = bool(said), str(path)
    if enabled is None:
        return Finding(
            "server extension", f"not enabled: jupyter server extension enable {EXTENSION}", ok=False
        )
    return Finding("server extension", f"{'enabled' if enabled else 'disabled'} in {where}", ok=enabled)
