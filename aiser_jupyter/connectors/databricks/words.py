"""Databricks' words for its types, read and written: ``STRUCT<a: INT, b: ARRAY<STRING>>``."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

__all__ = ["arrow_type", "json_reader", "word_of"]

_TOKEN = re.compile(r"\s*(`(?:[^`]|``)*`|[A-Za-z_][\w ]*?(?=\s*(?:[<>(),:]|$))|\d+|[<>(),:])")
_PLAIN = {
    "boolean": "bool_",
    "tinyint": "int8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "float": "float32",
    "double": "float64",
    "string": "string",
    "date": "date32",
}
_ARROW = {
    "bool": "BOOLEAN",
    "int8": "TINYINT",
    "int16": "SMALLINT",
    "int32": "INT",
    "int64": "BIGINT",
    "float": "FLOAT",
    "double": "DOUBLE",
    "string": "STRING",
    "binary": "BINARY",
    "date32[day]": "DATE",
    "null": "VOID",
}
_THRIFT = {"interval_year_month": "INTERVAL YEAR TO MONTH", "interval_day_time": "INTERVAL DAY TO SECOND"}


@dataclass(frozen=True)
class Word:
    """A type: its name in lower case, its numbers, and what is inside, each with its name or ""."""

    name: str
    numbers: tuple[int, ...] = ()
    inside: tuple[tuple[str, Word], ...] = ()


def word_of(type_: Any, declared: str) -> str:
    """Return Databricks' word for an Arrow type; ``declared`` is Thrift's, for what is sent as text."""
    import pyarrow as pa

    if pa.types.is_string(type_) and declared:
        return _THRIFT.get(declared, declared.upper())
    if pa.types.is_timestamp(type_):
        return "TIMESTAMP" if type_.tz else "TIMESTAMP_NTZ"
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision},{type_.scale})"
    if pa.types.is_map(type_):
        return f"MAP<{word_of(type_.key_type, '')}, {word_of(type_.item_type, '')}>"
    if pa.types.is_list(type_):
        return f"ARRAY<{word_of(type_.value_type, '')}>"
    if pa.types.is_struct(type_):
        inside = ", ".join(f"{each.name}: {word_of(each.type, '')}" for each in type_)
        return f"STRUCT<{inside}>"
    return _ARROW.get(str(type_), declared.upper() or str(type_))


def arrow_type(text: str) -> Any:
    """Return the Arrow type of a word whose values JSON text writes exactly; None for any other."""
    word = _read(text)
    return None if word is None else _arrow(word)


def json_reader(text: str) -> Callable[[Any], Any] | None:
    """Return what turns parsed JSON into values of `arrow_type`; None where that is None."""
    word = _read(text)
    return None if word is None or _arrow(word) is None else lambda value: _value(word, value)


def _arrow(word: Word) -> Any:
    import pyarrow as pa

    if word.name in _PLAIN:
        return getattr(pa, _PLAIN[word.name])()
    if word.name == "decimal" and len(word.numbers) == 2:
        return pa.decimal128(*word.numbers)
    inside = [_arrow(each) for _, each in word.inside]
    if not inside or any(each is None for each in inside):
        return None
    if word.name == "array":
        return pa.list_(inside[0])
    if word.name == "map" and word.inside[0][1].name == "string":
        return pa.map_(*inside)
    if word.name == "struct":
        return pa.struct([pa.field(name, each) for (name, _), each in zip(word.inside, inside, strict=True)])
    return None


def _value(word: Word, value: Any) -> Any:
    """Return a value as Arrow takes it. Raises `ValueError` for one that is not of the type."""
    if value is None:
        return None
    if word.name == "array":
        return [_value(word.inside[0][1], each) for each in value]
    if word.name == "map":
        return [(key, _value(word.inside[1][1], each)) for key, each in value.items()]
    if word.name == "struct":
        return {name: _value(each, value.get(name)) for name, each in word.inside}
    if word.name == "date":
        return dt.date.fromisoformat(value)
    if word.name == "decimal":
        return Decimal(value)
    if word.name in ("float", "double"):
        return float(value)
    if word.name == "string" and not isinstance(value, str):
        raise ValueError(f"{type(value).__name__} for a string")
    return value


def _read(text: str) -> Word | None:
    """Return a type as `Word`; None for what is not one."""
    tokens = _TOKEN.findall(text)
    if "".join(tokens).replace(" ", "") != re.sub(r"\s", "", text):
        return None
    try:
        word, rest = _one(tokens)
    except (IndexError, ValueError):
        return None
    return word if not rest else None


def _one(tokens: list[str]) -> tuple[Word, list[str]]:
    name, rest = tokens[0].strip().lower().removesuffix(" not null"), tokens[1:]
    numbers: list[int] = []
    inside: list[tuple[str, Word]] = []
    if rest and rest[0] == "(":
        end = rest.index(")")
        numbers = [int(each) for each in rest[1:end] if each != ","]
        rest = rest[end + 1 :]
    if rest and rest[0] == "<":
        while rest[0] in ("<", ","):
            rest = rest[1:]
            label = ""
            if rest[1] == ":":
                label, rest = rest[0].strip("`").replace("``", "`"), rest[2:]
            word, rest = _one(rest)
            inside.append((label, word))
        if rest[0] != ">":
            raise ValueError(rest[0])
        rest = rest[1:]
    return Word(name, tuple(numbers), tuple(inside)), rest
