"""A notebook's values as BigQuery takes them: bound by place, each with the type of a literal of it.

BigQuery wants a type for every parameter, also for None: it is a STRING, which BigQuery turns into a date, a
time or a number's text where one is wanted, as it does for a literal in quotes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ...errors import UsageError
from ...sql.values import is_list, plain
from ..base import Parameters

__all__ = ["bound"]

_SCALES = (("NUMERIC", 29, 9), ("BIGNUMERIC", 38, 38))


def bound(parameters: Parameters) -> list[Any]:
    """Return the driver's parameters of the values ``parameters``, in their order.

    Raises
    ------
    UsageError
        BigQuery has no such value.
    """
    values = parameters.values() if isinstance(parameters, Mapping) else parameters
    return [_parameter(f"{place}", value) for place, value in enumerate(values, 1)]


def _parameter(name: str, value: Any) -> Any:
    from google.cloud import bigquery

    value = plain(name, value)
    if is_list(value):
        word, items = _array(name, value)
        return bigquery.ArrayQueryParameter(None, word, items)
    word, value = _typed(name, value)
    return bigquery.ScalarQueryParameter(None, word, value)


def _array(name: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """Return the type that all ``values`` share, and the values."""
    if any(value is None or is_list(value) for value in values):
        raise UsageError(
            f"Parameter {name!r} holds None or another list, which no array of BigQuery does.",
            hint="Leave them out of the list.",
        )
    typed = [_typed(name, value) for value in values]
    words = {word for word, _ in typed}
    if words == {"INT64", "FLOAT64"}:
        return "FLOAT64", [float(value) for value in values]
    if words <= {"INT64", "NUMERIC", "BIGNUMERIC"} and len(words) > 1:
        word = "BIGNUMERIC" if "BIGNUMERIC" in words else "NUMERIC"
        return word, [Decimal(value) for value in values]
    if len(words) > 1:
        raise UsageError(
            f"Parameter {name!r} holds values of several types: {', '.join(sorted(words))}.",
            hint="Make them one type.",
        )
    return words.pop() if words else "INT64", [value for _, value in typed]


def _typed(name: str, value: Any) -> tuple[str, Any]:
    """Return BigQuery's type of ``value``, and the value as the driver writes it."""
    if value is None:
        return "STRING", None
    if isinstance(value, bool):
        return "BOOL", value
    if isinstance(value, int | Decimal):
        return _number(name, value)
    if isinstance(value, datetime):
        return ("DATETIME", value) if value.tzinfo is None else ("TIMESTAMP", value)
    if isinstance(value, time) and value.tzinfo is not None:
        raise UsageError(
            f"Parameter {name!r} is a time with a zone, which BigQuery has not.", hint="Drop its tzinfo."
        )
    if isinstance(value, timedelta):
        return "INTERVAL", _interval(value)
    if isinstance(value, Mapping):
        return "JSON", json.loads(json.dumps(value, default=str))
    if isinstance(value, str):
        return "STRING", _text(name, value)
    known = {float: "FLOAT64", bytes: "BYTES", date: "DATE", time: "TIME"}
    word = next((word for kind, word in known.items() if isinstance(value, kind)), "STRING")
    return word, str(value) if isinstance(value, UUID) else value


def _number(name: str, value: int | Decimal) -> tuple[str, Any]:
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return "INT64", value
    exact = Decimal(value)
    if exact.is_finite():
        _, digits, exponent = exact.as_tuple()
        assert isinstance(exponent, int)
        for word, whole, scale in _SCALES:
            if len(digits) + exponent <= whole and -exponent <= scale:
                return word, exact
    raise UsageError(
        f"Parameter {name!r} cannot be bound: no number of BigQuery holds it exactly.",
        hint="A BIGNUMERIC has 38 digits before and 38 after the point.",
    )


def _interval(value: timedelta) -> str:
    """Write a timedelta as ``Y-M D H:M:S.F``."""
    seconds = f"{value.seconds % 60}.{value.microseconds:06d}"
    return f"0-0 {value.days} {value.seconds // 3600}:{value.seconds // 60 % 60}:{seconds}"


def _text(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as exc:
        raise UsageError(
            f"Parameter {name!r} has half of a surrogate pair, which is no character.",
            hint="Clean the text first.",
        ) from exc
    return value
