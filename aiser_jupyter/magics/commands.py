"""What ``%aiser`` does beside queries: each command asks a service and answers with a `Listing`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import UsageError, nearest
from .connect import CONNECTION_COMMANDS
from .grammar import COMMANDS, Call
from .listing import Listing
from .options import OPTIONS

if TYPE_CHECKING:
    from ..models import Column, Estimate, Route
    from ..services import Services

__all__ = ["CALL_COMMANDS", "Context", "help_listing", "route_listing"]


class Context:
    """What a command may ask: the services, the notebook's DataFrames, and what a connection's name means.

    Parameters
    ----------
    services : Services
    frames : mapping
        DataFrames by name.
    connection : callable
        Returns the name of a connection for what was written, or the default for None.
    variables : mapping
        The notebook's variables by name.
    """

    def __init__(
        self,
        services: Services,
        frames: Mapping[str, object],
        connection: Callable[[str | None], str],
        variables: Mapping[str, Any],
    ) -> None:
        self.services = services
        self.frames = frames
        self.connection = connection
        self.variables = variables


def _schemas(call: Call, context: Context) -> Listing:
    name = _named(call, context)
    catalog = context.services.catalog
    refresh = "--refresh" in call.options
    rows = tuple((schema,) for schema in catalog.schemas(name, refresh=refresh))
    others = catalog.databases(name)
    caption = f"Databases: {', '.join(others)}" if others else ""
    return Listing(("schema",), rows, caption if rows else caption or f"{name} has no schemas.")


def _tables(call: Call, context: Context) -> Listing:
    name = _named(call, context)
    schema, refresh = call.options.get("--schema"), "--refresh" in call.options
    tables = context.services.catalog.tables(name, context.frames, schema=schema, refresh=refresh)
    rows = tuple((t.name, t.kind, t.schema or "", t.statistics.rows, t.statistics.bytes) for t in tables)
    caption = "" if rows else f"{name} has no tables, and there are no DataFrames or data files here."
    return Listing(("name", "kind", "schema", "rows", "bytes"), rows, caption)


def _named(call: Call, context: Context) -> str:
    """Return the connection that a command of the catalog is about, as a word or as an option."""
    if call.words and call.connection:
        raise UsageError("Two connections are named.", hint=f"%aiser {call.command} [connection]")
    return context.connection(call.words[0] if call.words else call.connection)


def _columns(call: Call, context: Context) -> Listing:
    name = context.connection(call.connection)
    refresh = "--refresh" in call.options
    table = context.services.catalog.columns(name, call.words[0], context.frames, refresh=refresh)
    columns = table.columns or ()
    keyed = any(c.primary_key or c.references for c in columns)
    rows = tuple(
        (c.name, c.type, c.nullable, *([_key(c)] if keyed else []), c.comment or "") for c in columns
    )
    return Listing(("name", "type", "nullable", *(["key"] if keyed else []), "comment"), rows)


def _key(column: Column) -> str:
    parts = ["primary" if column.primary_key else "", column.references and f"→ {column.references}"]
    return " ".join(filter(None, parts))


def _search(call: Call, context: Context) -> Listing:
    name = context.connection(call.connection)
    hits = context.services.catalog.search(name, call.words[0], refresh="--refresh" in call.options)
    rows = tuple(
        (
            ".".join(filter(None, (hit.table.schema, hit.table.name))),
            hit.column.name if hit.column else "",
            hit.column.type if hit.column else hit.table.kind,
            (hit.column.comment if hit.column else hit.table.comment) or "",
        )
        for hit in hits
    )
    caption = "" if rows else f"Nothing in {name} is called so, and no comment says it."
    return Listing(("table", "column", "type", "comment"), rows, caption)


def _profile(call: Call, context: Context) -> Any:
    name = context.connection(call.connection)
    return context.services.catalog.profile(name, call.words[0], context.frames)


def _last(call: Call, context: Context) -> Listing:
    from ..render import remarks, status_line

    result = context.services.queries.last()
    if result is None:
        return Listing((), (), "No query has finished in this kernel.")
    lines = [status_line(result), *(f"{r.label}: {r.text}" for r in remarks(result))]
    estimate = result.route.estimate
    if estimate is not None and estimate.seconds is not None:
        lines.append(f"expected {_took(estimate.seconds)}, took {_took(result.timings.total)}")
    return route_listing(result.route, "\n".join(lines))


def _history(call: Call, context: Context) -> Listing:
    limit = 50
    if call.words:
        word = call.words[0]
        limit = int(word) if word.isascii() and word.isdecimal() and len(word) < 9 else 0
        if not limit:
            raise UsageError(f"{word!r} is not a number of runs.", hint="%aiser history 20")
    entries = context.services.queries.history(limit, call.options.get("--search", ""))
    rows = tuple(
        (
            e.started_at.replace(microsecond=0, tzinfo=None),
            e.state.value,
            e.connection,
            e.engine,
            e.rows,
            "" if e.seconds is None else _took(e.seconds),
            e.sql if not e.error else f"{e.sql}\n{e.error}",
            e.id,
        )
        for e in entries
    )
    names = ("started (UTC)", "state", "connection", "engine", "rows", "took", "statement", "id")
    return Listing(names, rows, "" if rows else "No such run.")


def _engines(call: Call, context: Context) -> Listing:
    rows = tuple(
        (engine.name, "yes" if found.ok else "no", found.version, found.reason, found.hint)
        for engine, found in context.services.queries.engines()
    )
    return Listing(("engine", "can", "version", "reason", "hint"), rows)


def _cancel(call: Call, context: Context) -> Listing:
    queries = context.services.queries
    if not call.words:
        count = queries.cancel()
        return Listing((), (), f"{count} asked to stop." if count else "Nothing of this kernel is running.")
    asked = queries.cancel_anywhere(call.words[0])
    return Listing((), (), "1 asked to stop." if asked else f"No run {call.words[0]} is running.")


CALL_COMMANDS: Mapping[str, Callable[[Call, Context], Any]] = {
    **CONNECTION_COMMANDS,
    "schemas": _schemas,
    "tables": _tables,
    "columns": _columns,
    "search": _search,
    "profile": _profile,
    "last": _last,
    "history": _history,
    "engines": _engines,
    "cancel": _cancel,
}
"""``route`` and ``help`` need more, or less, than a `Context`."""


def route_listing(route: Route, caption: str) -> Listing:
    """Return every engine that was looked at: can it, what it was expected to cost, and why; and what the
    chosen one sends to other databases."""
    caption = "\n".join([caption, *(f"sends {line}" for line in route.plan)])
    priced = any(c.estimate and c.estimate.money is not None for c in route.candidates)
    rows = tuple(
        (
            f"{c.engine} (chosen)" if c.engine == route.engine else c.engine,
            "yes" if c.feasible else "no",
            None if c.estimate is None or c.estimate.seconds is None else _took(c.estimate.seconds),
            c.estimate and c.estimate.rows,
            c.estimate and c.estimate.bytes,
            *([_price(c.estimate)] if priced else []),
            c.reason + _guessed(c.estimate),
        )
        for c in route.candidates
    )
    columns = ("engine", "can", "expected", "rows", "bytes", *(["costs"] if priced else []), "reason")
    return Listing(columns, rows, caption)


def help_listing(topic: str = "") -> Listing:
    """Explain everything, one command, or one option.

    Raises
    ------
    UsageError
        There is no such topic.
    """
    names = ("write", "and it will")
    commands = {name: (f"%aiser {c.usage}", c.help) for name, c in COMMANDS.items()}
    options = {name: (f"{name} {o.metavar}".strip(), o.help) for name, o in OPTIONS.items()}
    if not topic:
        first = (
            ("%%aiser [connection] [options]", "Run the statement on the lines below."),
            ("%aiser [connection] [options] SQL", "Run one line; df = %aiser SELECT 1 keeps the result."),
            ("x << SQL, x = << SQL", "Assign the whole result as a DataFrame, silently or shown."),
        )
        return Listing(names, (*first, *commands.values(), *options.values()))
    if topic in COMMANDS:
        taken = sorted(COMMANDS[topic].options)
        return Listing(names, (commands[topic], *(options[name] for name in taken)))
    option = topic if topic in options else f"--{topic.lstrip('-')}"
    if option not in options:
        hint = nearest(topic, [*commands, *options], noun="topics")
        raise UsageError(f"There is no help on {topic!r}.", hint=hint)
    return Listing(names, (options[option],))


def _guessed(estimate: Estimate | None) -> str:
    return f" (not known: {', '.join(estimate.unknown)})" if estimate and estimate.unknown else ""


def _price(estimate: Estimate | None) -> str | None:
    if estimate is None or estimate.money is None:
        return None
    return f"{estimate.money:.4g} {estimate.currency}".rstrip()


def _took(seconds: float) -> str:
    from ..render import seconds_text

    return seconds_text(seconds)
