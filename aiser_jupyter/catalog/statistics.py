"""Sizes of the tables that a statement names, from what is cheap to ask: footers, file sizes, frames.

Unknown is a value: a table of which nothing cheap is known is left out, and the estimate says so.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Lock

from ..connectors import files
from ..connectors.folder import expand
from ..errors import AiserError
from ..frames import frame_statistics
from ..models import LOCAL, ConnectionConfig, Scope, Statistics, TableRef

__all__ = ["StatisticsCache"]

MOST_FOOTERS = 64
"""Beyond this many files only their sizes are added up: a footer is a read, a size is not."""


class StatisticsCache:
    """Remembers what a footer said until the file's stamp changes."""

    def __init__(self, size: int = 1024) -> None:
        self._size = size
        self._seen: OrderedDict[object, Statistics] = OrderedDict()
        self._lock = Lock()

    def of(self, tables: tuple[TableRef, ...], scope: Scope) -> Mapping[str, Statistics]:
        """Return the sizes that are known, keyed by ``str(TableRef)``."""
        found: dict[str, Statistics] = {}
        if scope.connection.id != LOCAL:
            return found
        folded = {name.casefold(): frame for name, frame in scope.frames.items()} if tables else {}
        for table in tables:
            frame = folded.get(table.name.casefold()) if table.schema is None else None
            if frame is not None:
                found[str(table)] = frame_statistics(frame)
            elif table.is_file:
                statistics = self._file(table.name, scope.connection.config)
                if statistics is not None:
                    found[str(table)] = statistics
        return found

    def _file(self, name: str, config: ConnectionConfig) -> Statistics | None:
        try:
            paths = expand(config, name)
            stamps = files.stamps(paths)
        except AiserError:
            return None  # the engine will say what is wrong with the name, with a hint
        return self._remember(stamps, lambda: self._measure(paths, opened=not config.sandbox))

    def _measure(self, paths: list[Path], *, opened: bool) -> Statistics:
        """Add up footers, or only sizes: where DuckDB has a sandbox no file is opened outside of it."""
        if len(paths) > MOST_FOOTERS or not opened:
            return Statistics(None, sum(path.stat().st_size for path in paths), "file size")
        return files.file_statistics(paths)

    def _remember(self, key: object, measure: Callable[[], Statistics]) -> Statistics:
        with self._lock:
            if key in self._seen:
                self._seen.move_to_end(key)
                return self._seen[key]
        statistics = measure()
        with self._lock:
            self._seen[key] = statistics
            while len(self._seen) > self._size:
                self._seen.popitem(last=False)
        return statistics
