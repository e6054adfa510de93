"""What a person wrote after ``%aiser`` or ``%%aiser``, as a `Call`. Pure: no IPython, no services.

Rules, in the order in which they are applied to the line:

1. Options stand before the statement. ``--`` alone ends them.
2. The first bare word of ``%aiser`` is a command if it is one of `COMMANDS`, unless it is also the name of a
   connection and a statement follows it. A connection named like a command is otherwise reached with
   ``--connection``. A cell (``%%aiser``) has two commands, ``route`` and ``parallel``.
3. The first bare word is a connection if it names one (a saved connection, or a variable that holds one),
   or if the word after it begins a statement and it does not.
4. ``x <<`` and ``x = <<`` stand before the statement: on the line, or at the start of the cell's body.
   Further to the right ``<<`` is SQL.
5. Everything else of ``%aiser`` is the statement, as written. On the line of ``%%aiser`` nothing else may
   stand, and the statement is the lines below it.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UsageError, nearest
from .options import OPTIONS, QUERY_OPTIONS, Option, option_named, read, scan

__all__ = ["COMMANDS", "STATEMENT_WORDS", "Call", "Command", "parse_cell", "parse_line"]

WORDS = """
alter analyze attach begin call checkpoint comment commit copy create deallocate delete desc describe detach
drop execute explain export from grant import insert install load merge pivot pragma prepare refresh replace
reset revoke rollback select set show start summarize table truncate unpivot update upsert use vacuum values
with
"""
STATEMENT_WORDS = frozenset(WORDS.split())
"""Words that begin a statement in one of the dialects; a connection of such a name needs ``--connection``."""

ASSIGNMENT = re.compile(r"([^\W\d]\w*)\s*(=)?\s*<<\s*")
WORD = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Command:
    """One command of ``%aiser``: the words and the options it takes."""

    usage: str
    help: str
    least: int = 0
    most: int = 0
    options: frozenset[str] = frozenset()


COMMANDS: Mapping[str, Command] = {
    "connect": Command(
        "connect <url> --alias NAME",
        "Test a connection and save it; a password is asked for.",
        1,
        1,
        frozenset({"--alias", "--insecure", "--ca", "--secret"}),
    ),
    "connections": Command("connections", "List the connections."),
    "forget": Command("forget NAME", "Remove a saved connection, and its secrets.", 1, 1),
    "test": Command("test NAME", "Test a connection, step by step.", 1, 1),
    "schemas": Command(
        "schemas [connection]",
        "List the schemas of a database.",
        0,
        1,
        frozenset({"--connection", "--refresh"}),
    ),
    "tables": Command(
        "tables [connection]",
        "List tables, files and DataFrames.",
        0,
        1,
        frozenset({"--connection", "--schema", "--refresh"}),
    ),
    "columns": Command(
        "columns TABLE", "Describe one table.", 1, 1, frozenset({"--connection", "--refresh"})
    ),
    "search": Command(
        "search WORD",
        "Find tables and columns by a part of their name or comment.",
        1,
        1,
        frozenset({"--connection", "--refresh"}),
    ),
    "profile": Command(
        "profile TABLE", "Summarise every column of a table.", 1, 1, frozenset({"--connection"})
    ),
    "route": Command(
        "route SQL", "Say where a statement would run, and why; run nothing.", 0, 0, QUERY_OPTIONS
    ),
    "parallel": Command(
        "parallel",
        "In a cell, as %%aiser parallel: run the statements below at the same time; each begins with a line "
        "%% and what would stand behind %%aiser.",
    ),
    "last": Command("last", "Explain the last result: engine, estimates, timings."),
    "history": Command("history [N] [--search TEXT]", "List past runs.", 0, 1, frozenset({"--search"})),
    "engines": Command("engines", "List the engines, and what is missing to use them."),
    "cancel": Command("cancel [id]", "Stop one run, or every run of this kernel.", 0, 1),
    "help": Command("help [topic]", "Explain a command or an option.", 0, 1),
}

CELL_COMMANDS = frozenset({"route", "parallel"})
"""Commands of ``%%aiser``."""


@dataclass(frozen=True, slots=True)
class Call:
    """One use of the magic.

    Parameters
    ----------
    command : str
        One of `COMMANDS`, or "" for a query.
    words : tuple of str
        What a command is about.
    text : str
        The statement of a query and of ``route``, as written.
    connection : str, optional
        As named; it may turn out not to be one.
    output : str
        Variable to assign, or "".
    silent : bool
        True for ``x <<``, which assigns and shows nothing.
    options : mapping
        Value by long name, only of the options that were given. ``--param`` is a mapping and ``--with`` a
        tuple.
    """

    command: str = ""
    words: tuple[str, ...] = ()
    text: str = ""
    connection: str | None = None
    output: str = ""
    silent: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


def parse_line(line: str, is_connection: Callable[[str], bool]) -> Call:
    """Read the text after ``%aiser``.

    Parameters
    ----------
    line : str
    is_connection : callable
        Says whether a word names a connection. Asked at most once.

    Raises
    ------
    UsageError
        Also `UnknownOption`. Nothing else.

    Examples
    --------
    >>> parse_line("shop SELECT 1 -- one", lambda word: word == "shop").text
    'SELECT 1 -- one'
    >>> parse_line("history 5", lambda word: False).words
    ('5',)
    """
    reader = _Reader(line)
    reader.take_options()
    word = reader.peek()
    if not word and not reader.given:
        return Call("help")
    if word in COMMANDS and not reader.ended:
        following = reader.peek_after(word)
        if not (word != "route" and _begins_statement(following) and is_connection(word)):
            reader.skip(word)
            return _command(reader, word, is_connection)
    return _query(reader, "", is_connection)


def parse_cell(line: str, body: str, is_connection: Callable[[str], bool]) -> Call:
    """Read the text after ``%%aiser`` and the lines below it.

    Examples
    --------
    >>> call = parse_cell("shop --limit 5", "x << SELECT 1 << 2", lambda word: word == "shop")
    >>> call.connection, call.output, call.silent, call.text
    ('shop', 'x', True, 'SELECT 1 << 2')
    """
    reader = _Reader(line)
    reader.take_options()
    command = ""
    if (word := reader.peek()) in COMMANDS and (word in CELL_COMMANDS or not is_connection(word)):
        if word not in CELL_COMMANDS:
            raise UsageError(
                f"{word!r} is not a command of a cell.", hint=f"Write %aiser {word}, with one %."
            )
        command = word
        reader.skip(word)
        if command == "parallel":
            return _parallel(reader, body)
        reader.take_options()
    connection = None
    if (word := reader.peek()) and not ASSIGNMENT.match(reader.rest):
        connection = word
        reader.skip(word)
        reader.take_options()
    assigned = reader.take_assignment()
    reader.take_options()
    if reader.rest:
        raise UsageError(
            f"{_first_words(reader.rest)} does not belong on the line of %%aiser.",
            hint="The line holds a connection and options; the statement stands on the lines below.",
        )
    below = _Reader(body)
    if found := below.take_assignment():
        if assigned:
            raise UsageError("The result is assigned twice.", hint="Keep one of the two <<.")
        assigned, body = found, below.rest
    return reader.call(command, body, connection, assigned)


def _parallel(reader: _Reader, body: str) -> Call:
    if reader.rest or reader.given or not body:
        hint = "Connection and options stand behind the %% of each statement, on the lines below."
        raise UsageError("It is written %%aiser parallel, and nothing else on that line.", hint=hint)
    return Call("parallel", text=body)


def _query(reader: _Reader, command: str, is_connection: Callable[[str], bool]) -> Call:
    connection = None
    word = "" if reader.ended or ASSIGNMENT.match(reader.rest) else reader.peek()
    if word and "--connection" not in reader.given and not _begins_statement(word):
        following = reader.peek_after(word)
        named = word.replace("-", "_").isidentifier() and _begins_statement(following)
        if named or is_connection(word):
            connection = word
            reader.skip(word)
            reader.take_options()
    assigned = reader.take_assignment()
    if assigned:
        reader.take_options()
    _refuse_a_lone_word(reader.rest)
    _refuse_late_options(reader.rest)
    return reader.call(command, reader.rest, connection, assigned)


def _command(reader: _Reader, name: str, is_connection: Callable[[str], bool]) -> Call:
    command, where = COMMANDS[name], f"%aiser {name}"
    reader.check(command.options, where)
    words: list[str] = []
    if name == "parallel":
        return _parallel(reader, "")
    if name == "help":
        words = reader.rest.split()  # an option is what it explains
    else:
        reader.take_options(command.options, where)
        if name == "route":
            return _query(reader, name, is_connection)
        while reader.rest:
            words.append(reader.take_word())
            reader.take_options(command.options, where)
    if not command.least <= len(words) <= command.most:
        wanted = "takes nothing more" if command.most == 0 else "takes one word"
        raise UsageError(f"{where} {wanted}.", hint=f"%aiser {command.usage}")
    return Call(name, tuple(words), connection=reader.given.get("--connection"), options=reader.given)


class _Reader:
    """A cursor over the line, and the options it passed."""

    def __init__(self, text: str) -> None:
        self.rest = text.strip()
        self.given: dict[str, Any] = {}
        self.ended = False  # by a bare --

    def peek(self) -> str:
        found = WORD.match(self.rest)
        return found[0] if found else ""

    def peek_after(self, word: str) -> str:
        found = WORD.match(self.rest[len(word) :].lstrip())
        return found[0] if found else ""

    def skip(self, word: str) -> None:
        self.rest = self.rest[len(word) :].lstrip()

    def take_word(self) -> str:
        quoted = self.rest[:1] in ("'", '"')
        word = self.rest[: scan(self.rest, 0)] if quoted else self.peek()
        self.skip(word)
        return word[1:-1] if quoted else word

    def take_options(self, allowed: frozenset[str] = frozenset(OPTIONS), where: str = "A query") -> None:
        while not self.ended and (word := self.peek()).startswith("-"):
            if word == "--":
                self.ended = True
                self.skip(word)
                return
            if not re.match("--|-[a-zA-Z]", word):
                return  # a number, say
            name, equals, _ = word.partition("=")
            option = option_named(name, allowed, where)
            self.skip(name)
            self._take_value(option, bool(equals))

    def _take_value(self, option: Option, joined: bool) -> None:
        if option.name in self.given and not option.repeatable:
            raise UsageError(f"{option.name} is given twice.", hint="Keep one of them.")
        if option.kind == "flag":
            if joined:
                raise UsageError(f"{option.name} takes no value.", hint=f"Write {option.name} alone.")
            self.given[option.name] = True
            return
        if joined:
            self.rest = self.rest[1:]
        raw = self.rest[: scan(self.rest, 0)]
        if not raw or (raw.startswith("--") and not joined):
            raise UsageError(f"{option.name} needs a value.", hint=f"{option.name} {option.metavar}")
        self.rest = self.rest[len(raw) :].lstrip()
        self._keep(option, read(option, raw))

    def _keep(self, option: Option, value: Any) -> None:
        if option.kind in ("parameter", "variable"):
            name, literal = value
            parameters = self.given.setdefault(option.name, {})
            if name in parameters:
                raise UsageError(f"{option.name} {name} is given twice.", hint="Keep one of them.")
            parameters[name] = literal
        elif option.repeatable:
            self.given[option.name] = (*self.given.get(option.name, ()), value)
        else:
            self.given[option.name] = value

    def check(self, allowed: frozenset[str], where: str) -> None:
        """Refuse options that were read before it was known what they belong to."""
        for name in self.given:
            option_named(name, allowed, where)

    def take_assignment(self) -> tuple[str, bool] | None:
        """Take ``x <<`` or ``x = <<``; return the name and whether the result is shown."""
        found = ASSIGNMENT.match(self.rest)
        if not found:
            return None
        self.rest = self.rest[found.end() :]
        return found[1], bool(found[2])

    def call(
        self, command: str, text: str, connection: str | None, assigned: tuple[str, bool] | None
    ) -> Call:
        """Make the call of a query or of ``route``, once everything was read."""
        self.check(QUERY_OPTIONS, "A query")
        named = self.given.get("--connection")
        if connection and named:
            raise UsageError(
                f"Two connections are named: {connection!r} and {named!r}.", hint="Keep one of them."
            )
        output = self.given.get("--output", "")
        if assigned and output:
            raise UsageError(
                f"The result is assigned twice: {assigned[0]} << and --output {output}.",
                hint="Keep one of them.",
            )
        name, shown = assigned or (output, True)
        if name and (keyword.iskeyword(name) or not name.isidentifier()):
            raise UsageError(f"{name!r} cannot name a variable.", hint="Choose another name.")
        if not text.strip():
            hint = "Write it after the options, or on the lines below %%aiser."
            if connection:
                hint = f"To use it by default: %config AiserPreferences.connection = {connection!r}"
            raise UsageError("There is no statement.", hint=hint)
        return Call(command, (), text, connection or named, name, not shown, self.given)


def _begins_statement(word: str) -> bool:
    found = re.match(r"\w+(?=[(*;'\"]|$)", word)
    return word.startswith("(") or bool(found and found[0].casefold() in STATEMENT_WORDS)


def _refuse_a_lone_word(text: str) -> None:
    """Refuse one word that begins no statement: it was meant as a command or a connection."""
    if text.replace("-", "_").isidentifier() and not _begins_statement(text):
        raise UsageError(
            f"{text!r} is neither a command nor a connection nor a statement.",
            hint=nearest(text, COMMANDS, noun="commands"),
        )


def _refuse_late_options(text: str) -> None:
    """Refuse an option after the statement of ``%aiser``: SQL would take it for a comment, silently."""
    bare = re.sub(r"'[^']*'|\"[^\"]*\"", "", text)
    for found in re.finditer(r"(?<=\s)--[a-z-]+(?=[\s=]|$)", bare):
        if found[0] in QUERY_OPTIONS:
            raise UsageError(
                f"{found[0]} stands after the statement, where it is a comment.",
                hint=f"Write it before the statement: %aiser {found[0]} …",
            )


def _first_words(text: str) -> str:
    words = text.split()
    return repr(" ".join(words[:3]) + (" …" if len(words) > 3 else ""))
