"""Values as the driver binds them: at the warehouse, by position, each with its type."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ...errors import UsageError
from ..base import Parameters

__all__ = ["bound"]


def bound(parameters: Parameters) -> list[Any] | None:
    """Return the values by position; None where there are none.

    A time without a zone is bound as TIMESTAMP_NTZ, so that no zone is assumed for it.

    Raises
    ------
    UsageError
        For a value that the driver cannot bind, or would bind as something else.
    """
    values = list(parameters.values()) if isinstance(parameters, Mapping) else list(parameters)
    return [_bound(position, value) for position, value in enumerate(values, start=1)] or None


def _bound(position: int, value: Any) -> Any:
    from databricks.sql.exc import Error
    from databricks.sql.parameters.native import TimestampNTZParameter, dbsql_parameter_from_primitive

    if isinstance(value, UUID):
        value = str(value)
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        return TimestampNTZParameter(value)
    if isinstance(value, bytes | bytearray | memoryview):
        raise UsageError(
            f"Parameter {position} is binary, which Databricks does not bind.",
            hint="Pass value.hex(), and write unhex(…) around it.",
        )
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise UsageError(
            f"Parameter {position} is an integer of more than 64 bits.", hint="Pass it as a Decimal."
        )
    try:
        made = dbsql_parameter_from_primitive(value)
        made.as_tspark_param(named=False)
    except (Error, ValueError, TypeError, ArithmeticError) as exc:
        raise UsageError(
            f"Parameter {position} is a {type(value).__name__} that Databricks does not bind.",
            hint="Pass it as text, and CAST it in the statement.",
        ) from exc
    return made
