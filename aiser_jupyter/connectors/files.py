"""Data files as tables: which names are files, what they match, how large they are, whether they changed.

A name in FROM is a file, a glob, or a folder of files of one type, relative to the working folder. DuckDB
reads most of them by itself; workbooks and folders are registered under the name as written.
"""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from ..errors import DataError, UnknownTable, nearest
from ..models import Statistics, Table

__all__ = [
    "expand",
    "file_statistics",
    "folder_reader",
    "is_data_file",
    "list_files",
    "nearest_file",
    "quoted",
    "stamps",
]

FORMATS = {
    "parquet": (".parquet", ".pq"),
    "csv": (".csv", ".tsv", ".csv.gz"),
    "json": (".json", ".jsonl", ".ndjson", ".json.gz"),
    "workbook": (".xlsx", ".xls", ".ods"),
}
_READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}
_SKIPPED = {"node_modules", "__pycache__", "site-packages"}
_MOST_SEEN = 50_000
"""Folder entries looked at by one listing: a home folder may hold millions."""

Stamp = tuple[str, int, int, int, int]


def format_of(name: str) -> str:
    """Return ``parquet``, ``csv``, ``json`` or ``workbook``; "" for any other name.

    Examples
    --------
    >>> format_of("2024/orders.csv.gz"), format_of("notes.txt")
    ('csv', '')
    """
    folded = name.casefold()
    if folded.rpartition("#")[0].endswith(FORMATS["workbook"]):  # book.xlsx#Sheet
        return "workbook"
    return next((kind for kind, ends in FORMATS.items() if folded.endswith(ends)), "")


def is_data_file(name: str) -> bool:
    """Whether ``name`` is written as a data file or a glob of them; it need not be there."""
    return bool(format_of(name))


def expand(pattern: str, base: Path) -> list[Path]:
    """Return the local files that a name in FROM stands for, sorted.

    Parameters
    ----------
    pattern : str
        A file, ``book.xlsx#Sheet``, a glob, or a folder.
    base : Path
        What a relative pattern is relative to.

    Returns
    -------
    list of Path
        Empty for an address such as ``s3://…``, of which nothing is known here.

    Raises
    ------
    UnknownTable
        Nothing matches.
    DataError
        A folder with data files of more than one type.
    """
    if "://" in pattern:
        return []
    path = base / Path(pattern).expanduser()
    if not path.exists() and format_of(pattern) == "workbook":
        path = base / Path(pattern.rpartition("#")[0] or pattern).expanduser()
    if path.is_file():
        return [path]
    if path.is_dir():
        return _of_one_type(path, _data_files(path))
    relative = str(Path(pattern).expanduser())
    anchored = relative if os.path.isabs(relative) else os.path.join(glob.escape(str(base)), relative)
    found = sorted(Path(name) for name in glob.glob(anchored, recursive=True))
    if not any(file.is_file() for file in found):
        raise UnknownTable(f"There is no file {pattern!r}.", hint=nearest_file(pattern, base))
    return [file for file in found if file.is_file()]


def folder_reader(name: str) -> str:
    """Return the call that reads what DuckDB does not know by its name alone: a folder, or ``x.pq``; else "".

    Raises
    ------
    UnknownTable, DataError
        The folder holds no data file, or files of more than one type.
    """
    path = Path(name).expanduser()
    if path.is_dir():
        files = expand(name, Path.cwd())
        kind = format_of(files[0].name)
        if kind == "workbook":
            raise DataError(
                f"{name!r} is a folder of workbooks.", hint=f"Name one: '{name}/{files[0].name}'."
            )
        listed = ", ".join(quoted(glob.escape(str(file))) for file in files)
        return f"{_READERS[kind]}([{listed}], union_by_name = true)"  # else columns of later files are lost
    return f"read_parquet({quoted(name)})" if name.casefold().endswith(".pq") else ""


def stamps(paths: Iterable[Path]) -> tuple[Stamp, ...]:
    """Return path, size, mtime, inode and ctime of each file; times in ns, -1 for one that is gone.

    Two equal answers mean that nothing was written in between: ctime cannot be set back.
    """
    found: list[Stamp] = []
    for path in paths:
        try:
            stat = path.stat()
        except OSError:
            found.append((str(path), -1, -1, -1, -1))
        else:
            found.append((str(path), stat.st_size, stat.st_mtime_ns, stat.st_ino, stat.st_ctime_ns))
    return tuple(found)


def list_files(base: Path, depth: int = 3, limit: int = 2000) -> list[Table]:
    """List the data files below ``base``, and each folder of files of one type as a glob.

    Parameters
    ----------
    depth : int
        Levels of folders, ``base`` itself being the first.
    limit : int
        Files at most. Hidden folders, ``node_modules`` and the like are left out.

    Returns
    -------
    list of Table
        Sorted by name, ``kind`` "file", bytes by ``stat``.
    """
    found: list[Table] = []
    seen = 0
    for folder, children, names in os.walk(base):
        level = len(Path(folder).relative_to(base).parts) + 1
        kept = sorted(child for child in children if child[0] != "." and child not in _SKIPPED)
        children[:] = kept if level < depth else []
        seen += len(names)
        here = [Path(folder, name) for name in sorted(names) if name[0] != "." and is_data_file(name)]
        here = here[: limit - len(found)]
        found += [_listed(str(file.relative_to(base)), [file]) for file in here]
        if folder != str(base):
            found += _globs(here, base)
        if len(found) >= limit or seen > _MOST_SEEN:
            break
    return sorted(found[:limit], key=lambda table: table.name)


def file_statistics(paths: Sequence[Path]) -> Statistics:
    """Add up rows, from Parquet footers, and bytes on disk; unknown for what cannot be read."""
    if not paths:
        return Statistics()
    try:
        size = sum(path.stat().st_size for path in paths)
    except OSError:
        return Statistics()
    if any(format_of(path.name) != "parquet" for path in paths):
        return Statistics(bytes=size, source="file size")
    import pyarrow as pa
    from pyarrow.parquet import read_metadata

    try:
        rows = sum(int(read_metadata(path).num_rows) for path in paths)
    except (pa.ArrowException, OSError):  # damaged: the engine will say so, and where
        return Statistics(bytes=size, source="file size")
    return Statistics(rows, size, "parquet footer")


def nearest_file(name: str, base: Path | None = None) -> str:
    """Return a hint for the name of a file that is not there."""
    base = base or Path.cwd()
    folder = PurePath(name).parent
    here = base / Path(str(folder)).expanduser()
    if not here.is_dir():
        return f"There is no folder {str(folder)!r} in {base}."
    known = [str(folder / path.name) for path in _data_files(here)]
    return nearest(name, known, noun="files there") or f"The folder {str(here)!r} holds no data file."


def _data_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.name[0] != "." and is_data_file(p.name) and p.is_file())


def _of_one_type(folder: Path, files: list[Path]) -> list[Path]:
    ends = sorted({"".join(file.suffixes[-1:]) for file in files})
    if not files:
        raise UnknownTable(
            f"The folder {folder.name!r} holds no data file.",
            hint=f"Name files further down by a glob: '{folder.name}/**/*.parquet'.",
        )
    if len({format_of(file.name) for file in files}) > 1:
        raise DataError(
            f"The folder {folder.name!r} holds files of several types: {', '.join(ends)}.",
            hint=f"Name one type: '{folder.name}/*{ends[0]}'.",
        )
    return files


def _globs(files: list[Path], base: Path) -> list[Table]:
    groups: dict[str, list[Path]] = {}
    for file in files:
        end = next(
            end
            for ends in FORMATS.values()
            for end in sorted(ends, key=len, reverse=True)
            if file.name.casefold().endswith(end)
        )
        groups.setdefault(end, []).append(file)
    return [
        _listed(str(group[0].parent.relative_to(base) / f"*{end}"), group)
        for end, group in groups.items()
        if len(group) > 1 and format_of(end) != "workbook"
    ]


def _listed(name: str, files: list[Path]) -> Table:
    sizes = [stamp[1] for stamp in stamps(files)]
    return Table(
        name, "file", statistics=Statistics(bytes=sum(max(size, 0) for size in sizes), source="file size")
    )


def quoted(text: str) -> str:
    """Write ``text`` as a string of SQL."""
    return "'" + text.replace("'", "''") + "'"
