"""``%%aiser parallel``: several statements at the same time, each with its own connection, engine and end.

The cell is cut at the lines that begin with ``%%``; behind it stands what would stand behind ``%%aiser``. One
that fails fails no other: its siblings end, are shown and assigned, and then the cell fails, so that a run of
all cells does not pass over it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent import futures
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..errors import AiserError, QueryCancelled, QueryFailed, UsageError
from .grammar import Call, parse_cell
from .listing import Listing
from .progress import LiveLine

if TYPE_CHECKING:
    from ..result import QueryResult
    from ..services.submission import Submission
    from .magics import AiserMagics

__all__ = ["MOST", "parallel", "parse_sections"]

MOST = 16
"""Statements in one cell."""
STOP_SECONDS = 2.0
_HEAD = re.compile(r"^%%(?!\S)[^\S\n]*(.*)$", re.MULTILINE)
_EXAMPLE = (
    "%%aiser parallel, then for each statement a line `%% connection -o name` and the statement below it."
)


def parse_sections(body: str, is_connection: Callable[[str], bool]) -> list[Call]:
    """Cut the body of a cell into its statements.

    Raises
    ------
    UsageError
        A part is not well-formed, or there are none, or too many; says which part.

    Examples
    --------
    >>> calls = parse_sections("%% shop -o a\\nSELECT 1\\n%%\\nSELECT 2", lambda word: word == "shop")
    >>> [(call.connection, call.output, call.text.strip()) for call in calls]
    [('shop', 'a', 'SELECT 1'), (None, '', 'SELECT 2')]
    """
    heads = list(_HEAD.finditer(body))
    if not heads or body[: heads[0].start()].strip():
        raise UsageError("The first line of parallel statements begins with %%.", hint=_EXAMPLE)
    if len(heads) > MOST:
        raise UsageError(f"{len(heads)} statements are too many for one cell.", hint=f"{MOST} at most.")
    ends = [head.start() for head in heads[1:]] + [len(body)]
    calls = []
    for number, (head, end) in enumerate(zip(heads, ends, strict=True), start=1):
        try:
            call = parse_cell(head[1], body[head.end() : end], is_connection)
            if call.command:
                raise UsageError(f"{call.command} is no statement.")
        except UsageError as exc:
            exc.message = f"Statement {number}: {exc.message}"
            raise
        calls.append(call)
    _refuse_twins(calls)
    return calls


def _refuse_twins(calls: Sequence[Call]) -> None:
    outputs = [call.output for call in calls if call.output]
    for name in outputs:
        if outputs.count(name) > 1:
            raise UsageError(f"Two statements fill {name!r}.", hint="Give each a variable of its own.")


@dataclass
class _Part:
    """One statement on its way."""

    number: int
    call: Call
    line: LiveLine
    submission: Submission | None = None
    error: AiserError | None = None
    result: QueryResult | None = None

    @property
    def label(self) -> str:
        return self.call.output or f"statement {self.number}"

    def progress(self) -> str:
        if self.error is not None:
            return f"{self.label}: failed"
        if self.submission is not None and self.submission.future.done():
            return f"{self.label}: ended"
        return f"{self.label}: {self.line.state()}"


class _Lines(LiveLine):
    """A line for each statement, published as one."""

    parts: Sequence[_Part] = ()

    def text(self) -> str:
        return "\n".join(
            [*(part.progress() for part in self.parts), "Interrupt the kernel to stop all of them."]
        )


def parallel(magics: AiserMagics, calls: Sequence[Call], names: Mapping[str, Any]) -> Listing:
    """Run the statements of a cell together; show each result, and return how each ended.

    Raises
    ------
    QueryFailed
        At least one failed; the others ended, and are shown and assigned.
    QueryCancelled
        The cell was interrupted: all of them were asked to stop.
    """
    lines = _Lines(magics.shell)
    parts = [_Part(number, call, LiveLine(magics.shell)) for number, call in enumerate(calls, start=1)]
    lines.parts = parts
    try:
        for part in parts:
            _submit(magics, part, names)
        _wait(magics, parts, lines)
    finally:
        lines.close()
    for part in parts:
        _finish(magics, part)
    failed = [part for part in parts if part.error is not None]
    listing = _summary(parts)
    if not failed:
        return listing
    magics.shell.display_pub.publish(listing._repr_mimebundle_())
    words = "; ".join(f"{part.label}: {part.error}" for part in failed)
    raise QueryFailed(
        f"{len(failed)} of {len(parts)} statements failed. {words}",
        hint="The others ended as they would have alone.",
    )


def _submit(magics: AiserMagics, part: _Part, names: Mapping[str, Any]) -> None:
    try:
        query = magics.query(part.call, names)
        part.submission = magics.services.queries.submit(query, magics.frames(names), emit=part.line.emit)
        part.line.engine = part.submission.route.engine
    except AiserError as exc:
        part.error = exc


def _wait(magics: AiserMagics, parts: Sequence[_Part], lines: LiveLine) -> None:
    """Wait until all of them ended, in short waits, so that an interrupt arrives at once."""
    pending = {part.submission.future for part in parts if part.submission is not None}
    try:
        while pending:
            _, pending = futures.wait(pending, timeout=0.1)
            lines.tick()
    except KeyboardInterrupt:
        for part in parts:
            if part.submission is not None:
                magics.services.queries.cancel(part.submission.id)
        ended, left = futures.wait(pending, timeout=STOP_SECONDS)
        open_ = len(left) + sum(not getattr(future.exception(), "confirmed", True) for future in ended)
        raise QueryCancelled(
            "The queries were cancelled.",
            hint=f"{open_} did not confirm that they stopped." if open_ else "",
            confirmed=not open_,
        ) from None


def _finish(magics: AiserMagics, part: _Part) -> None:
    """Take the result of a statement that ended: assign it, or show it."""
    if part.submission is None:
        return
    try:
        part.result = part.submission.wait()
        if part.call.output:
            kind = part.call.options.get("--as", magics.settings.preferences.output_type)
            magics.shell.push({part.call.output: part.submission.convert(kind)})
            part.result = part.submission.result or part.result
    except AiserError as exc:
        part.error = exc
        return
    if not (part.call.silent or part.call.output or "--quiet" in part.call.options):
        from IPython.display import display

        display(part.result)  # type: ignore[no-untyped-call]


def _summary(parts: Sequence[_Part]) -> Listing:
    from ..render import seconds_text

    rows = []
    for part in parts:
        result, error = part.result, part.error
        route = part.submission.route if part.submission is not None else None
        rows.append(
            (
                part.label,
                result.connection if result else part.call.connection or "",
                route.engine if route else "",
                "done" if error is None else error.code,
                result.table.num_rows if result and error is None else "",
                seconds_text(result.timings.total) if result and error is None else "",
                route.reason if error is None and route else str(error),
            )
        )
    names = ("statement", "connection", "engine", "state", "rows", "took", "why")
    return Listing(names, tuple(rows))
