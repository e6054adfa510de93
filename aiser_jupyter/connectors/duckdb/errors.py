"""DuckDB's exceptions in our words.

While Arrow is read every error is a bare ``OSError``, so the kind is taken from the text ("Binder Error: …"),
never from the class. Connections of ours set ``errors_as_json``, which gives the exact place of a syntax
error; DuckDB's own suggestions are replaced where they are drawn from its internal tables.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from ...errors import (
    AiserError,
    ConnectError,
    DataError,
    DiskFull,
    EngineUnavailable,
    NotPermitted,
    OutOfMemory,
    QueryCancelled,
    QueryFailed,
    QuerySyntaxError,
    StatementError,
    UndefinedParameter,
    UnknownColumn,
    UnknownTable,
    UsageError,
    nearest,
)

__all__ = ["split", "translate"]

Names = Callable[[], Iterable[str]]
_REFUSED = ("configuration has been locked", "Persistent secrets are disabled")
_CONFINED = "On a server DuckDB reads files below the server's folder only, and keeps its settings."
_SKIP = "ignore_errors=true skips such rows, and store_rejects=true lists them."


def translate(exc: BaseException, sql: str, tables: Names, files: Callable[[str], str]) -> AiserError:
    """Return the error to raise ``from exc``.

    Parameters
    ----------
    sql : str
        The statement that was run, to find the line of a syntax error.
    tables : callable
        Names of what could have been in FROM; called only for an unknown table.
    files : callable
        Hint for the name of a file that is not there.
    """
    kind, text, position = split(str(exc))
    if kind == "Parser":
        return _syntax(text, sql, position)
    if kind == "Catalog":
        return _catalog(text, tables)
    if kind == "Binder":
        return _binder(text)
    if kind == "INTERRUPT":
        return QueryCancelled("The query was cancelled.")
    if kind == "Out of Memory" or isinstance(exc, MemoryError) or "bad_alloc" in text:
        return _memory(text or "an allocation failed")
    if kind == "Permission" or any(words in text for words in _REFUSED):
        return NotPermitted(_brief(text), hint=_CONFINED)
    if error := _file(text, files):
        return error
    if kind in ("Conversion", "Out of Range"):
        hint = "TRY_CAST gives NULL where a value does not convert." if kind == "Conversion" else ""
        return DataError(_brief(text), hint=hint)
    if kind == "Constraint":
        return DataError(_brief(text))
    return _parameter(text) or QueryFailed(_brief(text))


def split(text: str) -> tuple[str, str, int | None]:
    """Split what DuckDB says into kind, message and place (in bytes from 0; None where unknown).

    Examples
    --------
    >>> split('IO Error: No space left')
    ('IO', 'No space left', None)
    """
    match = re.match(r"([A-Z][A-Za-z ]+?) Error: ", text)
    kind, rest = (match[1], text[match.end() :]) if match else ("", text)
    try:
        parts: dict[str, Any] = json.loads(rest)
        message = str(parts["exception_message"])
    except (ValueError, KeyError, TypeError):
        return kind, rest.split("\n\nLINE ")[0], None
    return kind, message, int(parts["position"]) if "position" in parts else None


def _brief(text: str, most: int = 300) -> str:
    """First paragraph of ``text``, with a full stop."""
    line = re.split(r"\n\s*\n|\n\tCandidate functions|\nSee also|\nPossible solutions", text.strip())[
        0
    ].strip()
    line = line if len(line) <= most else line[:most] + " …"
    return line if line.endswith((".", "!", "…")) else line + "."


def _syntax(text: str, sql: str, position: int | None) -> QuerySyntaxError:
    if position is None:
        return QuerySyntaxError(_brief(text))
    before = sql.encode()[:position].decode(errors="ignore")
    line = before.count("\n") + 1
    column = len(before) - (before.rfind("\n") + 1) + 1
    message = f"{_brief(text).rstrip('.')} (line {line}, column {column})."
    return QuerySyntaxError(message[0].upper() + message[1:], line=line, column=column)


def _catalog(text: str, tables: Names) -> AiserError:
    if match := re.match(r"(?:Table|View) with name \"?(.+?)\"? does not exist", text):
        return UnknownTable(f"There is no table {match[1]!r}.", hint=_near_table(match[1], list(tables())))
    if match := re.match(r"([\w ]*Function) with name \"?(.+?)\"? does not exist!", text):
        close = nearest(match[2], re.findall(r'Did you mean "(.+?)"', text))
        hint = close if close.startswith("Did you mean") else ""
        return StatementError(f"There is no function {match[2]!r}.", hint=hint)
    return StatementError(_brief(text.split("\nDid you mean")[0]))


def _near_table(name: str, known: list[str]) -> str:
    if name in known:  # a DataFrame or a file, which is there only for a statement that names it as such
        return f"{name} can be read, but only by its own name in FROM: FROM {name}."
    return nearest(name, known, noun="tables")


def _binder(text: str) -> AiserError:
    candidates = re.findall(r'"([^"]+)"', text.partition("Candidate")[2])
    missing = re.match(
        r"Referenced column \"(.+?)\" (?:was )?not found|.*? have a column named \"(.+?)\"", text
    )
    if missing:
        name = missing[1] or missing[2]
        return UnknownColumn(
            f"There is no column {name!r}.", hint=nearest(name, candidates, noun="columns nearby")
        )
    if match := re.match(r"Referenced table \"(.+?)\" not found", text):
        hint = nearest(match[1], candidates, noun="tables in FROM")
        return UnknownTable(f"There is no table or alias {match[1]!r} in FROM.", hint=hint)
    hint = "Cast the arguments to the types the function takes." if "Candidate functions" in text else ""
    return StatementError(_brief(text), hint=hint)


def _memory(text: str) -> AiserError:
    if "max_temp_directory_size" in text or "No space left" in text:
        return DiskFull(
            "There is no room left to spill to disk.",
            hint="Read fewer columns or rows, free disk space, or ask for a higher AiserDuckDB.temp_limit.",
        )
    return OutOfMemory(
        f"DuckDB needs more memory than it may use: {_brief(text.splitlines()[0])}",
        hint="Read fewer columns or rows, or aggregate first; AiserDuckDB.memory_limit sets the limit.",
    )


def _file(text: str, files: Callable[[str], str]) -> AiserError | None:
    if match := re.search(r"No files found that match the pattern \"(.+?)\"", text):
        return UnknownTable(f"There is no file {match[1]!r}.", hint=files(match[1]))
    if "CSV Error on Line" in text:
        return _csv(text)
    if "JSON" in text and " file " in text:
        hint = f"Say how to read it: read_json(…, sample_size=-1) or columns={{…}}; {_SKIP.split(',')[0]}."
        return DataError(_brief(text.splitlines()[0]), hint=hint)
    if "No space left on device" in text:
        return DiskFull("The disk is full.", hint="Free disk space, or write elsewhere.")
    if match := re.search(r"(?:install|download|load)\w*.*?extension '?\"?(\w+)", text):
        return EngineUnavailable(
            f"This needs DuckDB's extension {match[1]!r}, not installed and not to be downloaded.",
            hint=f"Run INSTALL {match[1]} where there is a network.",
        )
    if "Could not set lock on file" in text or "different configuration" in text:
        return locked(text)
    if re.search(
        r"[Pp]arquet|magic bytes|Footer length|Failed to read file|enough bytes|[Dd]ecompress", text
    ):
        return DataError(
            f"A file is damaged: {_brief(text)}", hint="Write the file again, or leave it out of the pattern."
        )
    if "registered as" in text:
        return DataError(_brief(text), hint="Convert the column to a type Arrow has, or to text.")
    return None


def locked(text: str) -> ConnectError:
    """Return the error for a database file that somebody else holds."""
    held = re.search(r"held in (\S+) \(PID (\d+)\)", text)
    who = f"by process {held[2]} ({held[1]})" if held else "in this process, with other settings"
    hint = "Close it there." if held else "Close that connection, or query through it: %%aiser its_variable."
    return ConnectError(f"The database file is held {who}.", hint=hint)


def _csv(text: str) -> DataError:
    name = re.search(r"^\s*file = (.+)$", text, re.MULTILINE)
    lines = text.splitlines()
    line = lines[0].rpartition(": ")[2]
    where = f"{name[1]}, line {line}" if name else f"Line {line}"
    what = next((part for part in lines[1:] if part.startswith(("Expected", "Error"))), "it cannot be read")
    reader = f"read_csv({name[1]!r}, …)" if name else "read_csv(…)"
    if "not utf-8 encoded" in text:
        return DataError(
            f"{where}: it is not UTF-8.",
            hint=f"Say its encoding: read_csv({name[1]!r}, encoding='latin-1')."
            if name
            else "Say its encoding: read_csv(…, encoding='latin-1').",
        )
    if "convert" in what:
        advice = "sample_size=-1 looks at every row before it chooses the types"
    else:
        advice = "null_padding=true fills missing values"
    return DataError(f"{where}: {what.rstrip('.')}.", hint=f"With {reader}: {advice}; {_SKIP}")


def _parameter(text: str) -> AiserError | None:
    if match := re.search(r"Values were not provided for the following parameters: (.+)", text):
        return UndefinedParameter(
            f"No value is given for {match[1].strip()}.", hint="Define it, or use --param."
        )
    refused = ("Parameter argument/count mismatch", "transform python value", "Python integer too large")
    if any(words in text for words in refused):
        return UsageError(_brief(text), hint="Numbers, text, dates, lists and None can be bound.")
    if "read-only mode" in text:
        return StatementError("The connection is open for reading only.", hint="Run a write as its own cell.")
    return None
