"""Structured OBJECT, ARRAY and MAP, which come as Arrow's own, with Snowflake's encodings inside.

A child is declared in the description of the result, or else in the metadata of its own Arrow field.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .columns import Declared

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Plan", "children", "nested"]

Convert = Callable[[Declared, Any, Counter[str]], Any]
Plan = tuple[Any, Convert]
"""The Arrow type that something lands as, and how its arrays become it."""


def children(kind: str, raw: pa.DataType) -> list[pa.Field[Any]]:
    """Return the Arrow fields inside of an OBJECT, an ARRAY or a MAP; none where it comes as text."""
    import pyarrow as pa

    if kind == "OBJECT" and pa.types.is_struct(raw):
        return [raw.field(place) for place in range(raw.num_fields)]
    if kind == "ARRAY" and pa.types.is_list(raw):
        return [raw.value_field]
    if kind == "MAP" and pa.types.is_map(raw):
        return [raw.key_field, raw.item_field]
    return []


def nested(column: Declared, names: list[str], plans: list[Plan]) -> Plan:
    """Return the plan of a structured column from those of what is inside."""
    import pyarrow as pa

    types = [target for target, _ in plans]
    if column.kind == "OBJECT":
        return _plan(pa.struct(list(zip(names, types, strict=True))), _object, plans)
    if column.kind == "MAP":
        return _plan(pa.map_(*types), _map, plans)
    return _plan(pa.list_(types[0]), _array, plans)


def _plan(target: Any, build: Callable[..., Any], plans: list[Any]) -> tuple[Any, Convert]:
    def convert(column: Declared, array: Any, count: Counter[str]) -> Any:
        def child(place: int, values: Any) -> Any:
            made = plans[place][1](column.fields[place], values, count)
            return made.cast(plans[place][0])

        return build(target, array, child)

    return target, convert


def _object(target: Any, array: Any, child: Callable[[int, Any], Any]) -> Any:
    import pyarrow as pa

    # What stands below a NULL is no value: `flatten` makes it NULL, too.
    made = [child(place, values) for place, values in enumerate(array.flatten())]
    return pa.StructArray.from_arrays(made, fields=list(target), mask=array.is_null())


def _array(target: Any, array: Any, child: Callable[[int, Any], Any]) -> Any:
    return _with(target, array, child(0, array.values))


def _map(target: Any, array: Any, child: Callable[[int, Any], Any]) -> Any:
    import pyarrow as pa

    entries = [child(0, array.keys), child(1, array.items)]
    fields = [target.key_field, target.item_field]
    return _with(target, array, pa.StructArray.from_arrays(entries, fields=fields))


def _with(target: Any, array: Any, values: Any) -> Any:
    import pyarrow as pa

    own = array.buffers()[:2]
    return pa.Array.from_buffers(target, len(array), own, array.null_count, array.offset, [values])
