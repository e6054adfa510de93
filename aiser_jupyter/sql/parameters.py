"""``{{ x }}`` and ``:x`` become placeholders of the driver; a value is never part of the text.

What is a parameter:

- ``{{ x }}`` anywhere outside literals, quoted names and comments. ``{{ x | identifier }}`` is the one
  filter: a name, quoted for the dialect, pasted because no database binds names.
- ``:x`` where an expression may start: after an operator, a comma, an open parenthesis, or a keyword such as
  ``WHERE`` or ``LIMIT``. So ``a::int``, ``a[1:n]``, ``{'key':x}``, ``col:field`` and ``'12:30'`` are what
  they were. Directly inside a subscript a colon always separates bounds; write ``a[{{ n }}]`` there. After a
  keyword that is also a usual column name (``FIRST``, ``ZONE``, ``ROWS``, …) a space is needed, because
  ``zone:field`` is a path in some dialects.
- The driver's own placeholders (``$1``, ``?``) are left alone.

A list belongs after ``IN``: one placeholder for each item, and for the empty list a query without rows, so
that ``IN`` is false and ``NOT IN`` is true.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UndefinedParameter, UsageError, nearest
from .scan import Token, lexis, significant, word_set
from .source_map import SourceMap
from .values import is_list, plain

__all__ = ["Bound", "bind", "quote_identifier"]

# Reserved everywhere, so never a column before a colon.
_HARD = word_set(
    "SELECT DISTINCT ALL WHERE AND OR NOT LIMIT BETWEEN LIKE ILIKE IN THEN ELSE WHEN CASE BY ON HAVING"
    " RETURNING QUALIFY ANY SOME FROM UNION EXCEPT INTERSECT"
)
# Keywords that are also column names: only with a space before the colon.
_SOFT = word_set(
    "OFFSET VALUES SET TO OF ZONE FIRST NEXT ROWS RANGE TOP ESCAPE REGEXP RLIKE GLOB SIMILAR DIV MOD XOR"
    " INTERVAL USING FOR DEFAULT EXECUTE CALL RETURN"
)
_EXPRESSION = re.compile(r"\{\{\s*([^\W\d]\w*)\s*(?:\|\s*(\w+)\s*)?\}\}")
_WRITTEN_IN_QUOTES = re.compile(r"""(['"`])\{\{\s*([^\W\d]\w*)\s*(?:\|\s*\w+\s*)?\}\}\1""")
_GLUED_BEFORE, _GLUED_AFTER = re.compile(r"[\w$@:%?#]"), re.compile(r"[\w$]")
_RUNS = re.compile(r"[^%]+%?|%")
_LIST_VALUES = frozenset({"bigquery", "duckdb", "postgres"})
_NO_ROWS = {
    "mysql": "(SELECT NULL FROM DUAL WHERE 1 = 0)",
    "bigquery": "UNNEST([])",
}


@dataclass(frozen=True, slots=True)
class Bound:
    """A statement with placeholders, and what they stand for.

    ``parameters`` is a mapping, and for ``qmark`` a tuple in the order of the text. ``parsable`` is the same
    statement with placeholders that the parser reads in this dialect. ``source`` leads back to the text as it
    was written, None where it is the same.
    """

    text: str
    parameters: Mapping[str, Any] | tuple[Any, ...]
    parsable: str
    source: SourceMap | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """One parameter of a text, from ``start`` to ``end``, with the parentheses around it after ``IN``.

    ``within`` is ``IN``, ``NOT IN`` or "", and ``distance`` how far before ``start`` it begins.
    """

    name: str
    start: int
    end: int
    identifier: bool = False
    within: str = ""
    distance: int = 0
    parenthesized: bool = False


def bind(
    text: str, variables: Mapping[str, Any], *, dialect: str = "duckdb", paramstyle: str = "named"
) -> Bound:
    """Replace the parameters of ``text`` by placeholders.

    Parameters
    ----------
    text : str
        One statement.
    variables : mapping
        Name to value; looked up by name only.
    dialect : str
        sqlglot's name of the dialect.
    paramstyle : {"named", "pyformat", "qmark"}
        ``$x``, ``%(x)s`` or ``?``. For ``pyformat`` every other ``%`` is doubled where there is a parameter.

    Raises
    ------
    UndefinedParameter
        For a name that ``variables`` has not.
    UsageError
        For ``{% … %}``, an expression or an unknown filter in braces, a placeholder in quotes, and a value
        that cannot be bound.

    Examples
    --------
    >>> bound = bind("SELECT * FROM t WHERE a IN {{ xs }} AND b = :y", {"xs": [1, 2], "y": "o'hara"})
    >>> bound.text
    'SELECT * FROM t WHERE a IN ($xs_1, $xs_2) AND b = $y'
    >>> bound.parameters["y"]
    "o'hara"
    """
    slots, natives = find_slots(text, dialect) if "{" in text or ":" in text else ([], set())
    if not slots:
        return Bound(text, () if paramstyle == "qmark" else {}, text)
    if paramstyle == "qmark" and "?" in natives:
        raise UsageError(
            "The statement mixes ? with named parameters.", hint="Write every parameter as {{ name }}."
        )
    writer = _Writer(dialect, paramstyle, natives, {slot.name.casefold() for slot in slots})
    position = 0
    for slot in slots:
        writer.literal(text[position : slot.start], position)
        writer.add(slot, _look_up(slot.name, variables))
        position = slot.end
    writer.literal(text[position:], position)
    return writer.finish(text)


def _look_up(name: str, variables: Mapping[str, Any]) -> Any:
    try:
        return variables[name]
    except KeyError:
        known = [key for key in variables if not key.startswith("_")]
        hint = nearest(name, known, noun="variables")
        raise UndefinedParameter(
            f"Parameter {name!r} has no value.", hint=hint or f"Set {name} in the notebook, or pass it."
        ) from None


def quote_identifier(value: Any, *, dialect: str = "duckdb", name: str = "identifier") -> str:
    """Quote a name, or the parts of a dotted name, for ``dialect``.

    Examples
    --------
    >>> quote_identifier(["main", 'odd "name"'])
    '"main"."odd ""name\"""'
    """
    parts = list(value) if isinstance(value, list | tuple) else [value]
    if not parts or not all(isinstance(part, str) and part and "\0" not in part for part in parts):
        raise UsageError(
            f"Parameter {name!r} is not a name.",
            hint="An identifier is text, or a list of texts for a dotted name.",
        )
    quote = lexis(dialect).name_quotes[0]
    if dialect == "bigquery" and any("`" in part or "\\" in part for part in parts):
        raise UsageError(f"Parameter {name!r}: a BigQuery name has no backtick and no backslash.")
    return ".".join(quote + part.replace(quote, quote * 2) + quote for part in parts)


def find_slots(text: str, dialect: str = "duckdb") -> tuple[list[Slot], set[str]]:
    """Return the parameters of ``text`` in order, and the names of the driver's own placeholders."""
    tokens = significant(text, dialect)
    slots: list[Slot] = []
    natives: set[str] = set()
    opened: list[int] = []  # indexes of the brackets that are open
    for index, token in enumerate(tokens):
        _refuse(token)
        if token.kind == "braces":
            slots.append(_in_braces(tokens, index))
        elif token.kind == "native":
            natives.add(token.text.lstrip("$").casefold())
        elif token.text in ("(", "[", "{") and token.kind == "op":
            opened.append(index)
        elif token.text in (")", "]", "}") and opened:
            opened.pop()
        elif token.text == ":" and _is_parameter(tokens, index, opened):
            word = tokens[index + 1]
            slots.append(_slot(tokens, index, index + 1, word.text, word.end, False))
    return slots, natives


def _refuse(token: Token) -> None:
    if token.kind == "template":
        raise UsageError(
            f"{token.text} … is a template, and templates are not run.",
            hint="Use parameters: {{ name }} for a value, {{ name | identifier }} for a name; put a space"
            " between two braces that are SQL.",
        )
    if token.kind in ("value", "name") and "{{" in token.text:
        written = _WRITTEN_IN_QUOTES.search(token.text)
        if written is not None:
            name = written.group(2)
            right = f"{{{{ {name} | identifier }}}}" if token.kind == "name" else f"{{{{ {name} }}}}"
            raise UsageError(
                f"{written.group()} is a text, not a parameter.", hint=f"Remove the quotes: {right}."
            )


def _in_braces(tokens: list[Token], index: int) -> Slot:
    token = tokens[index]
    found = _EXPRESSION.fullmatch(token.text)
    if found is None:
        raise UsageError(
            f"{token.text} is not a parameter: only a name is.",
            hint="Compute the value in Python, give it a name, and write {{ name }}.",
        )
    name, filter_name = found.groups()
    if filter_name not in (None, "identifier"):
        raise UsageError(
            f"{token.text} has an unknown filter.", hint=nearest(filter_name, ["identifier"], noun="filters")
        )
    return _slot(tokens, index, index, name, token.end, filter_name is not None)


def _slot(tokens: list[Token], first: int, last: int, name: str, end: int, identifier: bool) -> Slot:
    """Make the slot of the tokens ``first`` to ``last``; after ``IN`` it takes the parentheses in."""
    start, before = tokens[first].start, first - 1
    around = tokens[before].text == "(" if before >= 1 else False
    around = around and last + 1 < len(tokens) and tokens[last + 1].text == ")"
    if around:
        before -= 1
    if identifier or not _keyword(tokens, before, frozenset({"IN"})):
        return Slot(name, start, end, identifier)
    if around:
        start, end = tokens[first - 1].start, tokens[last + 1].end
    negated = _keyword(tokens, before - 1, frozenset({"NOT"}))
    distance = start - tokens[before - 1 if negated else before].start
    return Slot(name, start, end, False, "NOT IN" if negated else "IN", distance, around)


def _keyword(tokens: list[Token], index: int, words: frozenset[str]) -> bool:
    """Say whether the token is one of ``words``, and not a column (``t.in``)."""
    if index < 0 or tokens[index].upper not in words:
        return False
    return index == 0 or tokens[index - 1].text != "."


def _is_parameter(tokens: list[Token], index: int, opened: list[int]) -> bool:
    """Say whether the colon at ``index`` begins ``:x``."""
    colon = tokens[index]
    if index + 1 >= len(tokens) or index == 0:
        return False
    word = tokens[index + 1]
    if word.kind != "word" or word.start != colon.end or (opened and _is_subscript(tokens, opened[-1])):
        return False
    before = tokens[index - 1]
    if before.kind == "word":
        apart = before.end < colon.start
        return _keyword(tokens, index - 1, _HARD) or (apart and _keyword(tokens, index - 1, _SOFT))
    if before.kind == "cast":
        return before.text == ":="
    return before.kind == "op" and before.text not in (")", "]", "}", "{", ".", ";")


def _is_subscript(tokens: list[Token], index: int) -> bool:
    """Say whether the bracket at ``index`` follows a value: ``a[`` and not a list literal."""
    if tokens[index].text != "[" or index == 0:
        return False
    before = tokens[index - 1]
    if before.kind == "word":
        return before.upper != "ARRAY" and not _keyword(tokens, index - 1, _HARD | _SOFT)
    return before.kind != "op" or before.text in (")", "]", "}")


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the statement; ``origin`` is where it stands in the original, None for what is new."""

    text: str
    placeholder: bool = False
    origin: int | None = None


@dataclass(slots=True)
class _Writer:
    """Puts the statement together, once for the driver and once for the parser."""

    dialect: str
    paramstyle: str
    used: set[str]  # names of placeholders, casefolded: DuckDB does not tell $x from $X
    reserved: set[str]  # names that parameters bring, and that items of a list leave to them
    pieces: list[_Piece] = field(default_factory=list)
    parsable: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)
    order: list[Any] = field(default_factory=list)
    names: dict[tuple[str, int], str] = field(default_factory=dict)

    def literal(self, text: str, origin: int | None = None) -> None:
        if not text:
            return
        if self.pieces and self.pieces[-1].placeholder and _GLUED_AFTER.match(text):
            self.literal(" ")  # {{ x }}AND
        self.pieces.append(_Piece(text, origin=origin))
        self.parsable.append(text)

    def add(self, slot: Slot, value: Any) -> None:
        """Write one parameter."""
        if self.parsable and _GLUED_BEFORE.match(self.parsable[-1][-1]):
            self.literal(" ")  # a{{ x }} would become the name a$x
        if slot.identifier:
            self.literal(quote_identifier(value, dialect=self.dialect, name=slot.name))
        elif slot.within and is_list(value):
            self._list(slot, plain(slot.name, value))
        else:
            self._check(slot, value)
            self.literal("(" * slot.parenthesized)
            self._placeholder(slot.name, plain(slot.name, value))
            self.literal(")" * slot.parenthesized)

    def _check(self, slot: Slot, value: Any) -> None:
        """Refuse a single value after IN, and a list where the dialect has none."""
        if slot.within and not slot.parenthesized and not isinstance(value, Mapping):
            plain(slot.name, value)
            raise UsageError(
                f"IN needs a list, and {slot.name!r} is of type {type(value).__name__}.",
                hint=f"Set {slot.name} to a list, or compare with =.",
            )
        if is_list(value) and self.dialect not in _LIST_VALUES:
            raise UsageError(
                f"Parameter {slot.name!r} is a list, which {self.dialect} takes only after IN.",
                hint=f"Write … IN {{{{ {slot.name} }}}}.",
            )

    def _placeholder(self, name: str, value: Any, item: int = 0) -> None:
        key = self.names.get((name, item)) or self._name(name, item)
        self.values[key] = value
        self.order.append(value)
        marks = {"named": f"${key}", "pyformat": f"%({key})s", "qmark": "?"}
        self.pieces.append(_Piece(marks[self.paramstyle], placeholder=True))
        self.parsable.append(f"${key}" if self.dialect == "duckdb" else f":{key}")

    def _name(self, name: str, item: int) -> str:
        key = f"{name}_{item}" if item else name
        while key.casefold() in self.used or (item and key.casefold() in self.reserved):
            key += "_"
        self.used.add(key.casefold())
        self.names[(name, item)] = key
        return key

    def _list(self, slot: Slot, items: list[Any]) -> None:
        if not items:
            self._no_rows(slot)
            return
        for number, value in enumerate(items, 1):
            self.literal("(" if number == 1 else ", ")
            self._placeholder(slot.name, value, number)
        self.literal(")")

    def _no_rows(self, slot: Slot) -> None:
        """Write a query without rows; PostgreSQL, whose NULL has a type, compares with an empty array."""
        if self.dialect != "postgres":
            self.literal(_NO_ROWS.get(self.dialect, "(SELECT NULL WHERE 1 = 0)"))
            return
        before = self.pieces.pop()
        if before.origin is None:  # the space in IN{{ x }}
            before = self.pieces.pop()
            self.parsable.pop()
        self.parsable.pop()
        operator = "<> ALL" if slot.within == "NOT IN" else "= ANY"
        self.literal(before.text[: -slot.distance], before.origin)
        self.literal(f"{operator} ('{{}}')")

    def finish(self, original: str) -> Bound:
        double = self.paramstyle == "pyformat" and bool(self.values)
        text, kept = "", []
        for piece in self.pieces:
            doubled = double and not piece.placeholder
            origin = piece.origin
            for run in _RUNS.findall(piece.text) if doubled else [piece.text]:
                if origin is not None:
                    kept.append((len(text), origin, len(run)))
                    origin += len(run)
                text += run.replace("%", "%%") if doubled else run
        found: Mapping[str, Any] | tuple[Any, ...] = self.values
        if self.paramstyle == "qmark":
            found = tuple(self.order)
        return Bound(text, found, "".join(self.parsable), SourceMap(original, tuple(kept)))


def without_parameters(text: str, dialect: str = "duckdb") -> str:
    """Return ``text`` with a stand-in for each parameter, for the parser alone; no value is needed."""
    slots, _ = find_slots(text, dialect) if "{" in text or ":" in text else ([], set())
    pieces, position = [], 0
    for slot in slots:
        mark = "$" if dialect == "duckdb" else ":"
        stand_in = quote_identifier(slot.name, dialect=dialect) if slot.identifier else mark + slot.name
        pieces += [text[position : slot.start], f" ({stand_in}) " if slot.within else f" {stand_in} "]
        position = slot.end
    return "".join([*pieces, text[position:]])
