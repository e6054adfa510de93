"""The options of the magics, and how one token of them is read.

The long names are the contract. A value ends at the first blank that is outside quotes and brackets, so
``--param ids=[1, 2]`` and ``--search "FROM orders"`` need no escaping.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UnknownOption, UsageError, nearest
from ..words import assignment, literal, size

__all__ = ["COMMAND_OPTIONS", "OPTIONS", "QUERY_OPTIONS", "Option", "option_named", "read", "scan"]


@dataclass(frozen=True, slots=True)
class Option:
    """One option. ``kind`` says how its value is read; a ``flag`` has none."""

    name: str
    kind: str  # flag · text · name · integer · seconds · bytes · parameter · variable · choice
    help: str
    metavar: str = ""
    repeatable: bool = False
    choices: tuple[str, ...] = ()


OPTIONS: Mapping[str, Option] = {
    option.name: option
    for option in (
        Option("--connection", "text", "Connection to ask.", "NAME"),
        Option("--engine", "text", "Engine that must run it; else the router chooses.", "NAME"),
        Option(
            "--output", "name", "Variable that gets the whole result as a DataFrame; also -o.", "VARIABLE"
        ),
        Option("--as", "choice", "What --output gives.", "KIND", choices=("pandas", "polars", "arrow")),
        Option("--limit", "integer", "Rows at most; 0 is no limit.", "N"),
        Option("--timeout", "seconds", "Seconds until it is stopped; 0 is no limit.", "S"),
        Option(
            "--param",
            "parameter",
            "Value of {{ name }} or :name: a Python literal, or else text. Repeatable.",
            "NAME=VALUE",
            repeatable=True,
        ),
        Option("--max-age", "seconds", "Seconds that a cached answer of a live source may be old.", "S"),
        Option("--no-cache", "flag", "Neither read nor fill the cache."),
        Option("--max-bytes", "bytes", "Bytes of result at most: 500MB. KB, MB, GB are powers of 1000.", "N"),
        Option("--save", "name", "Keep the statement under a name that later queries may use.", "NAME"),
        Option("--with", "name", "Use a saved statement as a table. Repeatable.", "NAME", repeatable=True),
        Option("--quiet", "flag", "Show nothing."),
        Option("--alias", "text", "Name of the new connection.", "NAME"),
        Option(
            "--insecure",
            "flag",
            "Connect without TLS: to this machine, or where the administrator allows it.",
        ),
        Option("--ca", "text", "File with the certificate authority of the database's certificate.", "FILE"),
        Option(
            "--secret",
            "variable",
            "Take a secret from a variable of the notebook instead of asking. Repeatable.",
            "FIELD=VARIABLE",
            repeatable=True,
        ),
        Option("--schema", "text", "Only the tables of this schema.", "NAME"),
        Option("--refresh", "flag", "Ask the database again; a listing is otherwise believed for a while."),
        Option("--search", "text", "Runs whose statement contains this text, or the id of one.", "TEXT"),
    )
}

COMMAND_OPTIONS = frozenset(
    {"--alias", "--ca", "--insecure", "--refresh", "--schema", "--search", "--secret"}
)
"""Options of commands alone."""

QUERY_OPTIONS = frozenset(OPTIONS) - COMMAND_OPTIONS

PAIRS = {"(": ")", "[": "]", "{": "}"}


def scan(text: str, start: int) -> int:
    """Return where the token that begins at ``start`` ends: at a blank outside quotes and brackets.

    Raises
    ------
    UsageError
        A quote or a bracket is not closed.
    """
    closers: list[str] = []
    quote = ""
    index = start
    while index < len(text):
        char = text[index]
        if quote:
            if char == "\\":
                index += 1
            elif char == quote:
                quote = ""
        elif char in "'\"":
            quote = char
        elif char in PAIRS:
            closers.append(PAIRS[char])
        elif closers and char == closers[-1]:
            closers.pop()
        elif char.isspace() and not closers:
            break
        index += 1
    if quote or closers:
        raise UsageError(
            f"{quote or closers[-1]} is missing in {_brief(text[start:])}.",
            hint='Quote a value that holds quotes or brackets: --param name="O\'Brien".',
        )
    return index


def option_named(word: str, allowed: frozenset[str], where: str) -> Option:
    """Return the option called ``word``.

    Raises
    ------
    UnknownOption
        There is none, or ``where`` (a command, a query) does not take it.
    """
    name = "--output" if word == "-o" else word
    if name in allowed:
        return OPTIONS[name]
    known = sorted(allowed)
    if name in OPTIONS:
        takes = f"It takes {', '.join(known)}." if known else "It takes no options."
        raise UnknownOption(f"{where} does not take {name}.", hint=takes)
    raise UnknownOption(f"There is no option {_brief(word)}.", hint=nearest(word, known, noun="options"))


def read(option: Option, raw: str) -> Any:
    """Turn the raw token after an option into its value. Raises `UsageError`."""
    if option.kind == "parameter":
        return _parameter(_unquoted(raw))
    if option.kind == "variable":
        return _variable(option, _unquoted(raw))
    text = _unquoted(raw)
    if not text:
        raise UsageError(f"{option.name} needs a value.", hint=f"{option.name} {option.metavar}")
    match option.kind:
        case "integer":
            return _integer(option, text)
        case "seconds":
            return _seconds(option, text)
        case "bytes":
            return _bytes(option, text)
        case "choice" if text not in option.choices:
            hint = nearest(text, option.choices, noun="values")
            raise UsageError(f"{option.name} cannot be {_brief(text)}.", hint=hint)
        case "name" if not text.isidentifier():
            raise UsageError(
                f"{option.name} needs a name, not {_brief(text)}.",
                hint="A name has letters, digits and _, and does not begin with a digit.",
            )
    return text


def _integer(option: Option, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise UsageError(
            f"{option.name} takes a whole number, not {_brief(text)}.", hint=f"{option.name} 1000"
        )
    return int(text)


def _seconds(option: Option, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise UsageError(
            f"{option.name} takes seconds, not {_brief(text)}.", hint=f"{option.name} 60, or 0.5"
        )
    return value


def _bytes(option: Option, text: str) -> int:
    try:
        return size(text)
    except ValueError as exc:
        raise UsageError(
            f"{option.name} takes a size, not {_brief(text)}.", hint=f"{option.name} 500MB, or 2GB"
        ) from exc


def _parameter(text: str) -> tuple[str, Any]:
    try:
        name, raw = assignment(text)
    except ValueError as exc:
        raise UsageError(
            f"--param takes name=value, not {_brief(text)}.", hint="--param since=2024-01-01 --param n=10"
        ) from exc
    return name, literal(raw)


def _variable(option: Option, text: str) -> tuple[str, str]:
    name, _, variable = text.partition("=")
    if not (name.isidentifier() and variable.isidentifier()):  # what was written may be the secret itself
        raise UsageError(
            f"{option.name} takes FIELD=VARIABLE, the name of a variable that holds the secret.",
            hint=f"{option.name} password=my_password",
        )
    return name, variable


def _unquoted(raw: str) -> str:
    """Take the quotes off a token that is one quoted text; the text inside is left as it is."""
    if len(raw) >= 2 and raw[0] in "'\"" and raw[-1] == raw[0] and raw[0] not in raw[1:-1]:
        return raw[1:-1]
    return raw


def _brief(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
