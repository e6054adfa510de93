"""``aiser``: the same queries, routes and history from a terminal, and ``doctor`` for an installation.

Standard output carries the answer alone, so that ``aiser query --as csv … > file`` is clean; the status line,
remarks and errors go to standard error. Exit codes: 0 done, 1 an error of ours, 2 wrong words on the command
line, 130 interrupted.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from .._version import __version__
from ..errors import AiserError, QueryCancelled, UsageError
from ..words import assignment, literal, size
from . import connections
from .output import print_aligned

if TYPE_CHECKING:
    from ..models import Query
    from ..result import QueryResult
    from ..services import Services

__all__ = ["main"]

FORMATS = ("table", "csv", "json", "arrow")
T = TypeVar("T")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; those of the process by default.

    Returns
    -------
    int
        The exit code.
    """
    parser = _parser()
    given = parser.parse_args(arguments)
    from ..services import build

    services = build()
    try:
        code: int = given.run(services, given)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return _complain("Interrupted.", 130)
    except QueryCancelled as exc:
        return _complain(str(exc), 130)
    except AiserError as exc:
        from ..render import error_text

        return _complain(error_text(exc), 1)
    except BrokenPipeError:  # the reader of a pipe went away: nothing is left to say, and nobody to say it to
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    finally:
        services.close()
    return code


def _complain(text: str, code: int) -> int:
    print(text, file=sys.stderr)
    return code


# -- words --------------------------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="aiser", description="SQL that says which engine ran it, why, and how long each part took."
    )
    parser.add_argument("--version", action="version", version=f"aiser {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    query = commands.add_parser("query", help="run a statement and print its rows")
    _add_statement(query)
    query.add_argument("--limit", type=_count, metavar="N", help="rows at most; 0 is no limit")
    query.add_argument(
        "--timeout", type=_seconds, metavar="S", help="seconds until it is stopped; 0 is never"
    )
    query.add_argument("--max-bytes", type=_worded(size), metavar="N", help="bytes of result at most: 500MB")
    query.add_argument(
        "--as", dest="format", choices=FORMATS, help="by default a table, or as FILE is called"
    )
    query.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write to FILE; all rows, or an error"
    )
    query.add_argument("--raw", action="store_true", help="csv: do not make formulas harmless")
    query.set_defaults(run=_query)

    route = commands.add_parser("route", help="say where a statement would run, and why; run nothing")
    _add_statement(route)
    route.set_defaults(run=_route)

    history = commands.add_parser("history", help="list past runs, newest first")
    history.add_argument("-n", type=_count, default=20, metavar="N", help="runs at most")
    found = "runs whose statement contains TEXT, or the one whose id begins so"
    history.add_argument("--search", default="", metavar="TEXT", help=found)
    history.set_defaults(run=_history)

    connections.add_parsers(commands)
    _add_doctor(commands.add_parser("doctor", help="say what is installed, what works, and what to do"))
    return parser


def _add_doctor(doctor: argparse.ArgumentParser) -> None:
    store = doctor.add_mutually_exclusive_group()
    store.add_argument(
        "--restore-backup", action="store_true", help="take the store's last good backup in place of it"
    )
    store.add_argument(
        "--new-store", action="store_true", help="begin an empty store in place of a broken one"
    )
    doctor.set_defaults(run=_doctor)


def _add_statement(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "words", nargs="*", metavar="[connection] SQL", help="- reads the statement from stdin"
    )
    parser.add_argument("-f", "--file", type=Path, metavar="FILE", help="read the statement from FILE")
    parser.add_argument("--engine", metavar="NAME", help="engine that must run it; else the router chooses")
    parser.add_argument(
        "--param",
        type=_worded(_parameter),
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="value of {{ name }} or :name: a Python literal, or else text; repeatable",
    )
    parser.set_defaults(error=parser.error)


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError
    return value


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError
    return value


def _parameter(text: str) -> tuple[str, Any]:
    name, raw = assignment(text)
    return name, literal(raw)


def _worded(read: Callable[[str], T]) -> Callable[[str], T]:
    """Have argparse show what ``read`` says is wrong."""

    def checked(text: str) -> T:
        try:
            return read(text)
        except ValueError as exc:
            raise argparse.ArgumentTypeError(str(exc)) from exc

    return checked


def _asked(services: Services, given: argparse.Namespace) -> Query:
    """Understand ``[connection] SQL``, ``[connection] -`` and ``[connection] -f FILE``."""
    from ..models import Query

    *names, text = [*given.words, None] if given.file else given.words or [None]
    if len(names) > 1 or (text is None and not given.file):
        given.error("give one statement, or -f FILE; quote the statement: aiser query 'SELECT 1'")
    if given.file:
        try:
            text = given.file.read_text()
        except (OSError, UnicodeDecodeError) as exc:
            raise UsageError(f"{given.file} cannot be read: {exc}") from exc
    elif text == "-":
        text = sys.stdin.read()
    connection = names[0] if names else services.settings.preferences.connection
    return Query(text, connection, given.engine, dict(given.param))


# -- commands -----------------------------------------------------------------------------------------


def _query(services: Services, given: argparse.Namespace) -> int:
    from dataclasses import replace

    suffix = given.output.suffix[1:] if given.output else ""
    format = given.format or (suffix if suffix in FORMATS else "table")
    if format == "table" and given.output:
        given.error("-o takes csv, json or arrow: name it with --as, or call the FILE so")
    if format == "arrow" and not given.output and sys.stdout.isatty():
        given.error("arrow is not text: use -o FILE, or a pipe")
    query = replace(
        _asked(services, given),
        limit=given.limit,
        timeout=given.timeout,
        max_bytes=given.max_bytes,
        whole=format != "table",
    )
    result = services.queries.submit(query).wait()
    if given.output is None:
        _write(result, format, given.raw, sys.stdout.buffer)
        sys.stdout.flush()  # before the status line
    else:
        try:
            with given.output.open("wb") as sink:
                _write(result, format, given.raw, sink)
        except OSError as exc:
            raise UsageError(f"{given.output} cannot be written: {exc.strerror}") from exc
    _remark(result)
    return 0


def _write(result: QueryResult, format: str, raw: bool, sink: IO[bytes]) -> None:
    from . import export

    if format == "csv":
        export.write_csv(result.table, sink, raw=raw)
    elif format == "json":
        export.write_json(result.table, sink)
    elif format == "arrow":
        export.write_arrow(result.table, sink)
    else:
        from ..render.text import table_text

        text = table_text(result.table)
        sink.write(f"{text}\n".encode() if text else b"")


def _remark(result: QueryResult) -> None:
    from ..render import remarks, status_line

    print(status_line(result), file=sys.stderr)
    for remark in remarks(result):
        print(f"{remark.label}: {remark.text}", file=sys.stderr)


def _route(services: Services, given: argparse.Namespace) -> int:
    from ..render import candidates

    statement, route = services.queries.route(_asked(services, given))
    tables = ", ".join(map(str, statement.tables)) or "no table"
    print(f"{route.engine}: {route.reason}")
    print(f"{statement.kind} of {tables}" + (f"; not parsed: {statement.note}" if statement.note else ""))
    print()
    rows = [
        (
            "*" if candidate.chosen else " ",
            candidate.engine,
            "can" if candidate.feasible else "cannot",
            candidate.expected or "unknown",
            candidate.rows or "unknown",
            candidate.bytes or "unknown",
            candidate.reason + (f" (unknown: {candidate.unknown})" if candidate.unknown else ""),
        )
        for candidate in candidates(route)
    ]
    print_aligned([("", "engine", "", "expected", "rows", "bytes", "why"), *rows])
    for line in route.plan:
        print(f"sends {line}")
    return 0


def _history(services: Services, given: argparse.Namespace) -> int:
    from ..render import format_cell, seconds_text
    from ..words import short_id

    rows = [
        (
            f"{entry.started_at.astimezone():%Y-%m-%d %H:%M:%S}",
            entry.state.value,
            entry.connection,
            entry.engine,
            short_id(entry.id),
            "" if entry.seconds is None else seconds_text(entry.seconds),
            "" if entry.rows is None else f"{entry.rows:,}",
            format_cell(" ".join(entry.sql.split()), 60),
        )
        for entry in services.queries.history(limit=given.n, search=given.search)
    ]
    if rows:
        names = ("started", "state", "connection", "engine", "run", "time", "rows", "statement")
        print_aligned([names, *rows])
    else:
        print("No runs are kept.", file=sys.stderr)
    return 0


def _doctor(services: Services, given: argparse.Namespace) -> int:
    from .doctor import examine

    if given.restore_backup:
        services.store.restore_backup()
    if given.new_store:
        services.store.start_fresh()
    broken = False
    for title, findings in examine(services):
        print(title)
        rows = [(finding.mark, finding.name, finding.text) for finding in findings]
        print_aligned(rows, indent="  ")
        print()
        broken |= any(finding.broken for finding in findings)
    print("Something is broken: see the lines marked FAIL." if broken else "Nothing is broken.")
    return 1 if broken else 0
