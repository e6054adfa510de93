"""Where the cursor stands in a magic, and what kind of word belongs there. Never raises on half a text."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from ..errors import UsageError
from ..sql.scan import Token, scan, significant
from .grammar import ASSIGNMENT, COMMANDS
from .options import OPTIONS, Option
from .options import scan as token_end

__all__ = ["Head", "Place", "Region", "place", "read_head", "region", "tables_named"]

LINE = re.compile(r"\s*(?:[\w.\[\], ]+=\s*)?%aiser\s")
WORD = re.compile(r"\s*(\S*)")
NAME_BEFORE = re.compile(r"((?:(?:\"[^\"]*\"|\w+)\.)*)(\"[^\"]*|\w*)\Z")
BEFORE_TABLE = frozenset({"FROM", "JOIN", "INTO", "UPDATE", "TABLE", "DESCRIBE", "SUMMARIZE", "PIVOT"})
AFTER_TABLE = """
on where join inner left right full cross natural using group order having limit union as set values qualify
window asof positional semi anti sample tablesample except intersect select lateral offset
"""
NO_ALIAS = frozenset(AFTER_TABLE.split())


@dataclass(frozen=True, slots=True)
class Region:
    """The part of a cell that is ours. ``body`` is the whole statement of a cell, None on a line."""

    before: str  # from behind the magic's name to the cursor, on its line
    cell: bool
    body: str | None = None
    body_before: str | None = None  # the statement up to the cursor, where the cursor stands in it
    line: str = ""  # the line from behind the magic's name to its end


@dataclass(slots=True)
class Head:
    """What stands between the magic's name and the cursor, and the word under the cursor."""

    command: str = ""
    connection: str | None = None
    words: int = 0
    given: set[str] = field(default_factory=set)
    option: Option | None = None  # whose value is being written
    fragment: str = ""
    sql: int | None = None  # where the statement of a line begins


@dataclass(frozen=True, slots=True)
class Place:
    """Where the cursor stands in a statement. ``kind``: ``table``, ``name``, ``file`` or ``nothing``."""

    kind: str
    fragment: str
    qualifier: str = ""


def region(full_text: str, line_number: int, column: int) -> Region | None:
    """Return the part of the cell that belongs to the magic, or None where the cursor is not in it."""
    lines = full_text.split("\n")
    current = lines[line_number]
    if re.match(r"%%aiser(\s|$)", full_text):
        body = "\n".join(lines[1:])
        if line_number == 0:
            start = len("%%aiser ")
            if column < start:
                return None
            return Region(current[start:column], True, body, line=current[start:])
        before = "\n".join([*lines[1:line_number], current[:column]])
        return Region("", True, body, before, lines[0][len("%%aiser ") :])
    found = LINE.match(current)
    if found is None or column < found.end():
        return None
    return Region(current[found.end() : column], False, line=current[found.end() :])


def read_head(text: str, cell: bool, connections: Container[str]) -> Head:
    """Read options, command and connection up to the cursor at the end of ``text``."""
    head, position = Head(), 0
    while True:
        found = WORD.match(text, position)
        assert found is not None  # an empty word matches
        word, (start, position) = found[1], found.span(1)
        if word.startswith("-"):
            position = _option(head, text, start)
            if head.option or head.fragment:
                return head
        elif not cell and _is_statement(head, text[start:], connections):
            head.sql = start
            return head
        elif position == len(text):
            head.fragment = word
            return head
        else:
            _bare(head, word, connections)


def _option(head: Head, text: str, start: int) -> int:
    """Read one option and its value; return where the next word begins."""
    found = re.compile(r"[^\s=]+").match(text, start)
    assert found is not None  # it begins with a dash
    name = "--output" if found[0] == "-o" else found[0]
    option, end = OPTIONS.get(name), found.end()
    if end == len(text):
        head.fragment = found[0]
        return end
    head.given.add(name)
    if option is None or option.kind == "flag":
        return end
    value = end + 1 if text[end] == "=" else end + len(text[end:]) - len(text[end:].lstrip())
    try:
        stop = token_end(text, value)
    except UsageError:  # a quote that is still open
        stop = len(text)
    if stop == len(text):
        head.option, head.fragment = option, text[value:]
    return stop


def _bare(head: Head, word: str, connections: Container[str]) -> None:
    first = not (head.command or head.connection or head.words)
    if first and word in COMMANDS:
        head.command = word
    elif word in connections and head.connection is None:
        head.connection = word
        head.words += 1
    else:
        head.words += 1


def _is_statement(head: Head, rest: str, connections: Container[str]) -> bool:
    """Say whether the statement of a line begins here, rather than a command or a connection."""
    if head.command not in ("", "route"):
        return False
    word, blank, _ = rest.partition(" ")
    if not blank:
        return False  # still being written
    if ASSIGNMENT.match(rest):
        return True
    known = word in connections and head.connection is None
    return not (known or (not head.command and not head.words and word in COMMANDS))


def place(before: str) -> Place:
    """Return what belongs at the end of ``before``, a statement up to the cursor."""
    tokens = list(scan(before))
    last = tokens[-1] if tokens else None
    if last is not None and last.kind == "comment" and not last.text.endswith("*/"):
        return Place("nothing", "")
    if last is not None and last.kind == "value" and last.text.count("'") % 2:
        return Place("file", last.text.rpartition("'")[2])
    found = NAME_BEFORE.search(before)
    assert found is not None  # the empty name is always there
    qualifier, fragment = found[1].rstrip("."), found[2]
    left = significant(before[: found.start()])
    return Place("table" if not qualifier and _wants_table(left) else "name", fragment, qualifier)


def _wants_table(left: list[Token]) -> bool:
    if not left or left[-1].kind not in ("word", "op"):
        return False
    if left[-1].text != ",":
        return left[-1].upper in BEFORE_TABLE
    for token in reversed(left):
        if token.upper == "FROM":
            return True
        if token.text in ("(", ")") or token.upper in ("SELECT", "WHERE", "BY", "ON", "JOIN", "SET"):
            return False
    return False


def tables_named(sql: str) -> Mapping[str, str]:
    """Return every table the statement reads, by name and by alias.

    Examples
    --------
    >>> tables_named("SELECT o. FROM orders AS o JOIN 'a.csv' c ON true")
    {'orders': 'orders', 'o': 'orders', 'a.csv': 'a.csv', 'c': 'a.csv'}
    """
    tokens = significant(sql)
    found: dict[str, str] = {}
    index = 0
    while index < len(tokens):
        if tokens[index].upper not in BEFORE_TABLE:
            index += 1
            continue
        index = _table_list(tokens, index + 1, found)
    return found


def _table_list(tokens: list[Token], index: int, found: dict[str, str]) -> int:
    """Read ``a x, b.c AS y``; return where it ends."""
    while index < len(tokens) and tokens[index].kind in ("word", "name", "value"):
        parts = [_plain(tokens[index])]
        index += 1
        while index + 1 < len(tokens) and tokens[index].text == ".":
            parts.append(_plain(tokens[index + 1]))
            index += 2
        table = ".".join(parts)
        found[table] = table
        found[parts[-1]] = table
        if index < len(tokens) and tokens[index].upper == "AS":
            index += 1
        if index < len(tokens) and _names_a_table(tokens[index]):
            found[_plain(tokens[index])] = table
            index += 1
        if index >= len(tokens) or tokens[index].text != ",":
            break
        index += 1
    return index


def _names_a_table(token: Token) -> bool:
    return token.kind == "name" or (token.kind == "word" and token.text.casefold() not in NO_ALIAS)


def _plain(token: Token) -> str:
    return token.text.strip("'\"") if token.kind in ("name", "value") else token.text
