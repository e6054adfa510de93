"""Read a text as tokens, in one pass, without a parser.

Everything that must work for any text stands on this: binding parameters, telling one statement from two,
the fingerprint, the guards in front of sqlglot, and the removal of secrets. Rules: it never raises, never
backtracks (every repeat is possessive), and joins a list of literals into one token, so that the time for a
list of 200,000 numbers is the regular expression's own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

__all__ = ["Lexis", "Survey", "Token", "lexis", "scan", "significant", "survey", "word_set"]

_OPEN, _CLOSE = frozenset("([{"), frozenset(")]}")


def word_set(text: str) -> frozenset[str]:
    """Return the words of ``text``."""
    return frozenset(text.split())


class Token(NamedTuple):
    """A piece of a text.

    ``kind``: ``space``, ``comment``, ``value`` (a literal, or several with commas between), ``dollar`` (a
    dollar-quoted text), ``name`` (a quoted name), ``braces`` (``{{ … }}``), ``template`` (``{%`` or a ``{{``
    that does not end), ``native`` (``$x``, ``?``, ``%(x)s``), ``word``, ``cast`` (``::`` and ``:=``) or
    ``op`` (any other character).
    """

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)

    @property
    def upper(self) -> str:
        """The word in capitals; "" for any other kind."""
        return self.text.upper() if self.kind == "word" else ""


@dataclass(frozen=True, slots=True)
class Lexis:
    """How a dialect writes literals, quoted names and comments."""

    string_quotes: str = "'"
    name_quotes: str = '"'
    backslash: bool = False  # \' inside an ordinary string
    escape_prefix: bool = False  # E'…' strings
    triple: bool = False  # '''…''' strings
    raw_prefix: bool = False  # r'…' strings that know no escape at all
    nested: bool = True  # /* /* */ */
    dollar: bool = False  # $tag$…$tag$
    line_comments: tuple[str, ...] = ("--",)


_POSTGRES = Lexis(escape_prefix=True, dollar=True)
_MYSQL = Lexis("'\"", "`", backslash=True, nested=False, line_comments=(r"--(?=\s|\Z)", "#"))
_SPARK = Lexis("'\"", "`", backslash=True, raw_prefix=True)
_LEXIS = {
    "duckdb": Lexis("'", '"`', escape_prefix=True, dollar=True),
    "postgres": _POSTGRES,
    "redshift": Lexis(backslash=True, escape_prefix=True, dollar=True),
    "mysql": _MYSQL,
    "singlestore": _MYSQL,
    "starrocks": _MYSQL,
    "doris": _MYSQL,
    "bigquery": Lexis("'\"", "`", backslash=True, triple=True, nested=False, line_comments=("--", "#")),
    "snowflake": Lexis(backslash=True, nested=False, dollar=True, line_comments=("--", "//")),
    "spark": _SPARK,
    "databricks": _SPARK,
    "sqlite": Lexis("'", '"`', nested=False),
    "trino": Lexis(nested=False),
    "clickhouse": Lexis("'", '"`', backslash=True, dollar=True, line_comments=("--", "#")),
}


def lexis(dialect: str) -> Lexis:
    """Return how ``dialect`` writes its tokens; standard SQL for a dialect that is not known."""
    return _LEXIS.get(dialect, Lexis())


def _quoted(quote: str, backslash: bool) -> str:
    """Match one quoted text; one that does not end runs to the end of the statement."""
    other = rf"[^{quote}\\]++|\\[\s\S]" if backslash else f"[^{quote}]++"
    return rf"{quote}(?:{other}|{quote}{quote})*+(?:{quote}|\\?\Z)"


_BLOCK_COMMENT = r"/\*(?:[^*]++|\*(?!/))*+(?:\*/|\Z)"


@lru_cache
def _pattern(dialect: str) -> re.Pattern[str]:
    lex = lexis(dialect)
    strings = [_quoted(quote, lex.backslash) for quote in lex.string_quotes]
    if lex.escape_prefix:
        strings.insert(0, "[eE]" + _quoted("'", True))
    if lex.raw_prefix:
        strings[:0] = [rf"[rR]{quote}[^{quote}]*+(?:{quote}|\Z)" for quote in lex.string_quotes]
    if lex.triple:
        inner = [rf"(?:[^{q}\\]++|\\[\s\S]|{q}(?!{q}{q}))*+" for q in lex.string_quotes]
        strings[:0] = [
            rf"{q * 3}{body}(?:{q * 3}|\\?\Z)" for q, body in zip(lex.string_quotes, inner, strict=True)
        ]
    number = r"(?:\d[\d_]*+(?:\.\d[\d_]*+)?+|\.\d[\d_]*+)(?:[eE][+-]?\d++)?+\w*+"
    literal = rf"(?:{'|'.join(strings)}|{number})"
    names = "|".join(_quoted(quote, False) for quote in lex.name_quotes)
    dollar = r"\$(?P<tag>(?:[^\W\d]\w*+)?+)\$[\s\S]*?(?:\$(?P=tag)\$|\Z)"
    kinds = {
        "space": r"\s++",
        "comment": "|".join([*(mark + r"[^\r\n]*+" for mark in lex.line_comments), _BLOCK_COMMENT]),
        "dollar": dollar if lex.dollar else r"(?!)",
        "braces": r"\{\{[^{}]*+\}\}",
        "template": r"\{[{%]",
        "native": r"\$\w++|\?|%\(\w++\)s",
        "value": rf"{literal}(?:\s*+,\s*+[+-]?{literal})*+",
        "name": names,
        "word": r"[^\W\d][\w$]*+",
        "cast": "::|:=",
        "op": r"[\s\S]",
    }
    return re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in kinds.items()))


_COMMENT_EDGE = re.compile(r"/\*|\*/")


def _nested_end(text: str, start: int) -> int:
    """Return where the comment that opens at ``start`` ends, counting comments inside it."""
    depth = 0
    for edge in _COMMENT_EDGE.finditer(text, start):
        depth += 1 if edge.group() == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def _pieces(text: str, dialect: str) -> Iterator[tuple[str, str, int]]:
    """Yield kind, text and start: what `scan` yields, at half the price."""
    pattern = _pattern(dialect)
    if not lexis(dialect).nested or "/*" not in text:
        for found in pattern.finditer(text):
            yield found.lastgroup or "dollar", found.group(), found.start()
        return
    position, end = 0, len(text)
    while position < end:
        one = pattern.match(text, position)
        assert one is not None  # the last alternative takes any character
        kind, stop = one.lastgroup or "dollar", one.end()
        if kind == "comment" and text.startswith("/*", position):
            stop = _nested_end(text, position)
        yield kind, text[position:stop], position
        position = stop


def scan(text: str, dialect: str = "duckdb") -> Iterator[Token]:
    """Split ``text`` into tokens; joined again they are the text."""
    return map(Token._make, _pieces(text, dialect))


def significant(text: str, dialect: str = "duckdb") -> list[Token]:
    """Return the tokens of ``text`` without spaces and comments."""
    return [token for token in scan(text, dialect) if token.kind not in ("space", "comment")]


@dataclass(frozen=True, slots=True)
class Survey:
    """What a scan tells about a text, parsed or not.

    ``parts`` are the statements that are not empty, each from its first to past its last significant
    character. ``depth`` counts open brackets and CASE. ``versioned`` marks a comment that MySQL runs.
    """

    parts: tuple[tuple[int, int], ...] = ()
    words: tuple[str, ...] = ()  # the first ones, in capitals
    depth: int = 0
    identifiers: frozenset[str] = frozenset()
    fingerprint: str = ""
    versioned: bool = False


@dataclass(slots=True)
class _Count:
    """What has been seen so far."""

    dialect: str
    parts: list[tuple[int, int]] = field(default_factory=list)
    begin: int = -1
    end: int = -1
    depth: int = 0
    deepest: int = 0
    blocks: bool = False  # CREATE FUNCTION … BEGIN …; END: its semicolons end no statement
    words: list[str] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    shape: list[str] = field(default_factory=list)

    def cut(self) -> None:
        if self.begin >= 0:
            self.parts.append((self.begin, self.end))
            self.begin = -1

    def word(self, text: str) -> None:
        self.names.add(text)
        folded = text.casefold()
        self.shape.append(folded)
        if len(self.words) < 12:
            self.words.append(text.upper())
        if folded == "case":
            self.step(1)
        elif folded == "end":
            self.step(-1)
        elif folded == "begin" and self.words[0] in ("CREATE", "ALTER"):
            self.blocks = self.blocks or not _ROUTINES.isdisjoint(self.words)

    def step(self, by: int) -> None:
        self.depth = max(self.depth + by, 0)
        self.deepest = max(self.deepest, self.depth)

    def value(self, text: str) -> None:
        """Add a run of literals: one mark for each, and one mark for a whole IN list."""
        many = "," in text and self.shape[-2:] != ["in", "("]
        marks = _literal_count(text, self.dialect) if many else 1
        self.shape.append(",".join("?" * marks))

    def native(self) -> None:
        """Add a placeholder; one that continues an IN list adds nothing."""
        if self.shape[-4:-2] == ["in", "("] and self.shape[-2:] == ["?", ","]:
            self.shape.pop()
        else:
            self.shape.append("?")


_ROUTINES = frozenset({"FUNCTION", "PROCEDURE", "TRIGGER", "EVENT"})


@lru_cache
def _literals(dialect: str) -> re.Pattern[str]:
    lex = lexis(dialect)
    strings = "|".join(_quoted(quote, lex.backslash or lex.escape_prefix) for quote in lex.string_quotes)
    return re.compile(rf"{strings}|,")


def _literal_count(text: str, dialect: str) -> int:
    """Count the literals of a run, from the commas outside strings."""
    return 1 + len([piece for piece in _literals(dialect).findall(text) if piece == ","])


def survey(text: str, dialect: str = "duckdb") -> Survey:
    """Read a text of any size once.

    Examples
    --------
    >>> survey("SELECT 1; DROP TABLE t").parts
    ((0, 8), (10, 22))
    >>> survey("select a from t where b in (1, 2)").fingerprint == survey(
    ...     "SELECT a FROM t WHERE b IN (7)  -- seven"
    ... ).fingerprint
    True
    """
    if len(text) <= 65536:
        return _survey_cached(text, dialect)
    return _survey(text, dialect)


def _survey(text: str, dialect: str) -> Survey:
    count = _Count(dialect)
    versioned = False
    for kind, word, start in _pieces(text, dialect):
        if kind == "space":
            continue
        if kind == "comment":
            versioned = versioned or word.startswith(("/*!", "/*M!"))
            continue
        if word == ";" and not count.blocks:
            count.cut()
            continue
        if count.begin < 0:
            count.begin = start
        count.end = start + len(word)
        _take(count, kind, word)
    count.cut()
    digest = hashlib.sha256("\0".join(count.shape).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    names = frozenset(count.names)
    return Survey(tuple(count.parts), tuple(count.words), count.deepest, names, digest, versioned)


_survey_cached = lru_cache(maxsize=256)(_survey)


def _take(count: _Count, kind: str, text: str) -> None:
    if kind == "word":
        count.word(text)
    elif kind in ("value", "dollar"):
        count.value(text if kind == "value" else "")
    elif kind in ("native", "braces"):
        count.native()
    elif kind == "name":
        quote = text[0]
        count.names.add(text.strip(quote).replace(quote * 2, quote))
        count.shape.append(text)
    else:
        if text in _OPEN:
            count.step(1)
        elif text in _CLOSE:
            count.step(-1)
        count.shape.append(text)
