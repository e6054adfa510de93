"""What there is in a Snowflake account, by SHOW and DESCRIBE alone: neither starts a warehouse.

They run in Snowflake's cloud services, billed for what they take beyond a tenth of the day's compute.

SHOW gives 10,000 objects at most; of more, each schema is asked page by page. SHOW binds no values, so names
are quoted here. What belongs to Snowflake itself (INFORMATION_SCHEMA, the database SNOWFLAKE) is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from ...errors import NotPermitted, StatementError, UnknownTable, nearest
from ...models import Column, Estimate, Statistics, Table, TableRef
from ...run import Run
from ...sql.parameters import quote_identifier
from ..base import Parameters, Session
from ..pool import SAMPLES, a_row, rows
from ..state import Activity, WarehouseState
from .types import WORDS

__all__ = [
    "columns",
    "databases",
    "describe",
    "expect",
    "quoted",
    "rights",
    "sample",
    "schemas",
    "statistics",
    "tables",
    "warehouse",
]

_PAGE = 10_000
_SYSTEM_DATABASES = frozenset({"SNOWFLAKE"})
_POWERFUL = frozenset({"ACCOUNTADMIN", "ORGADMIN", "SECURITYADMIN", "SYSADMIN", "GLOBALORGADMIN"})
_WHERE = "SELECT CURRENT_USER(), CURRENT_ROLE(), CURRENT_DATABASE(), CURRENT_SCHEMA(), CURRENT_WAREHOUSE()"
_ASLEEP = frozenset({"SUSPENDED", "SUSPENDING"})
_ACTIVITIES = {
    "STARTED": Activity.RUNNING,
    "RESIZING": Activity.RUNNING,
    "RESUMING": Activity.STARTING,
    "STARTING": Activity.STARTING,
    "SUSPENDED": Activity.SUSPENDED,
    "SUSPENDING": Activity.STOPPING,
}

Shown = Mapping[str, Any]
"""A row of SHOW or DESCRIBE, by the names of its columns: their order changes between releases."""


def shown(session: Session, sql: str) -> list[Shown]:
    """Run a statement of the catalog, and return its rows by name."""
    with session.execute(sql, (), Run("catalog", tag="catalog")) as reader:
        return list(reader.read_all().to_pylist())


def quoted(*parts: str | None) -> str:
    """Quote the parts of a name that are there."""
    return quote_identifier([part for part in parts if part], dialect="snowflake")


def _literal(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


def databases(session: Session) -> list[str]:
    """Databases that the role may see."""
    found = (row["name"] for row in shown(session, "SHOW DATABASES"))
    return sorted(name for name in found if name not in _SYSTEM_DATABASES)


def schemas(session: Session) -> list[str]:
    """Schemas of the session's database."""
    found = (row["name"] for row in shown(session, "SHOW SCHEMAS IN DATABASE"))
    return sorted(name for name in found if name.upper() != "INFORMATION_SCHEMA")


def tables(session: Session, schema: str | None = None) -> list[Table]:
    """Tables and views of a schema, or of the session's database, with their sizes."""
    return [_table(row) for row in _objects(session, schema)]


def _scope(schema: str | None) -> str:
    return f"IN SCHEMA {quoted(schema)}" if schema else "IN DATABASE"


def _objects(session: Session, schema: str | None) -> list[Shown]:
    found = shown(session, f"SHOW OBJECTS {_scope(schema)} LIMIT {_PAGE}")
    if len(found) >= _PAGE:
        wanted = [schema] if schema else schemas(session)
        found = [row for name in wanted for row in _pages(session, name)]
    return [row for row in found if str(row["schema_name"]).upper() != "INFORMATION_SCHEMA"]


def _pages(session: Session, schema: str) -> Iterator[Shown]:
    """Yield the objects of one schema, whose names come in order."""
    last = ""
    while True:
        after = f" FROM {_literal(last)}" if last else ""
        page = shown(session, f"SHOW OBJECTS {_scope(schema)} LIMIT {_PAGE}{after}")
        yield from page
        if len(page) < _PAGE or page[-1]["name"] == last:
            return
        last = page[-1]["name"]


def _table(row: Shown) -> Table:
    return Table(
        row["name"],
        str(row["kind"] or "table").lower(),
        row["schema_name"],
        statistics=_size(row),
        comment=row.get("comment") or None,
    )


def _size(row: Shown) -> Statistics:
    if row.get("rows") is None:
        return Statistics()
    size = row.get("bytes")
    return Statistics(int(row["rows"]), None if size is None else int(size), "SHOW OBJECTS")


def describe(session: Session, schema: str | None = None) -> list[Table]:
    """Tables and views with their columns, in four statements however many there are.

    Of more columns than SHOW gives at once, the tables that are left are described one by one.
    """
    scope = _scope(schema)
    listed = shown(session, f"SHOW COLUMNS {scope}")
    primary = {_place(row) for row in _keys(session, f"SHOW PRIMARY KEYS {scope}")}
    foreign = _references(_keys(session, f"SHOW IMPORTED KEYS {scope}"))
    found: dict[tuple[str, str], list[Column]] = {}
    for row in listed:
        place = (row["schema_name"], row["table_name"], row["column_name"])
        column = Column(
            row["column_name"],
            _type(row["data_type"]),
            _nullable(row),
            row.get("comment") or None,
            primary_key=place in primary,
            references=foreign.get(place, ""),
        )
        found.setdefault(place[:2], []).append(column)
    described = []
    for table in tables(session, schema):
        known = found.get((table.schema or "", table.name))
        if known is None or len(listed) >= _PAGE:
            known = list(columns(session, TableRef(table.name, table.schema)).columns or ())
        described.append(replace(table, columns=tuple(known)))
    return described


def _type(data_type: str) -> str:
    """Write the JSON of SHOW COLUMNS as DESCRIBE writes a type."""
    told = json.loads(data_type)
    kind = str(told["type"])
    word = WORDS.get(kind, kind)
    if kind == "FIXED":
        return f"{word}({told['precision']},{told['scale']})"
    if kind.startswith("TIME") and "scale" in told:
        return f"{word}({told['scale']})"
    return f"{word}({told['length']})" if kind in ("TEXT", "BINARY") and "length" in told else word


def _nullable(row: Shown) -> bool:
    return str(row.get("null?", "")).upper() in ("Y", "TRUE")


def _keys(session: Session, sql: str) -> list[Shown]:
    with suppress(StatementError):  # keys are a help; a shared database does not tell them
        return shown(session, sql)
    return []


def _place(row: Shown) -> tuple[str, str, str]:
    return row["schema_name"], row["table_name"], row["column_name"]


def _references(found: list[Shown]) -> dict[tuple[str, str, str], str]:
    return {
        (row["fk_schema_name"], row["fk_table_name"], row["fk_column_name"]): ".".join(
            (row["pk_schema_name"], row["pk_table_name"], row["pk_column_name"])
        )
        for row in found
    }


def columns(session: Session, table: TableRef) -> Table:
    """Describe one table, named as it is, or as Snowflake folds a name that is not quoted.

    Raises `UnknownTable`.
    """
    schema, catalog = (part.upper() if part else None for part in (table.schema, table.catalog))
    folded = TableRef(table.name.upper(), schema, catalog)
    for ref in dict.fromkeys((table, folded)):
        name = quoted(ref.catalog, ref.schema, ref.name)
        with suppress(UnknownTable):
            return _described(session, ref, name)
    known = [
        str(TableRef(each.name, each.schema if table.schema else None)) for each in _near(session, table)
    ]
    raise UnknownTable(f"There is no table {str(table)!r}.", hint=nearest(str(table), known, noun="tables"))


def _near(session: Session, table: TableRef) -> list[Table]:
    with suppress(StatementError, UnknownTable):
        return tables(session, table.schema)
    return []


def _described(session: Session, ref: TableRef, name: str) -> Table:
    listed = shown(session, f"DESCRIBE TABLE {name}")
    foreign = {
        row["fk_column_name"]: ".".join((row["pk_schema_name"], row["pk_table_name"], row["pk_column_name"]))
        for row in _keys(session, f"SHOW IMPORTED KEYS IN TABLE {name}")
    }
    found = tuple(
        Column(
            row["name"],
            row["type"],
            _nullable(row),
            row.get("comment") or None,
            primary_key=str(row.get("primary key", "")).upper() == "Y",
            references=foreign.get(row["name"], ""),
        )
        for row in listed
    )
    return Table(ref.name, "table", ref.schema, found, catalog=ref.catalog)


def statistics(session: Session, table: TableRef) -> Statistics:
    """Size of one table; unknown of a view."""
    where = f"IN SCHEMA {quoted(table.catalog, table.schema)}" if table.schema else "IN DATABASE"
    for name in dict.fromkeys((table.name, table.name.upper())):
        for row in shown(session, f"SHOW OBJECTS {where} STARTS WITH {_literal(name)} LIMIT 1"):
            if row["name"] == name:
                return _size(row)
    return Statistics()


def rights(session: Session) -> str:
    """Say what the role sees, and warn of one that may do more than read. Raises `NotPermitted`."""
    ((user, role, database, _, warehouse),) = rows(session, _WHERE)
    warning = f"; WARNING: the role {role} may do much more than read" if role in _POWERFUL else ""
    if not warehouse:
        warning += "; there is no warehouse: no table can be read"
    if not database:
        return f"{user} with the role {role} sees {len(databases(session)):,} databases{warning}"
    found = tables(session)
    if not found and database not in databases(session):
        raise NotPermitted(
            f"The role {role} sees nothing in {database}.",
            hint="Have USAGE and SELECT granted to it, or name another role.",
        )
    return f"{len(found):,} tables and views of {database}, with the role {role}{warning}"


def sample(session: Session) -> str:
    """Read one row of a table; none where that would start a warehouse."""
    ((*_, database, _, warehouse),) = rows(session, _WHERE)
    if not database:
        return "no database is named, so no table was read"
    if (asleep := _state(session, warehouse)) is not None and asleep[0] in _ASLEEP:
        return f"no row was read: the warehouse {warehouse} is suspended, and reading would start it"
    found = [table for table in tables(session) if table.kind in ("table", "view")]
    if not found:
        return "no table to read"
    names = {f"{each.schema}.{each.name}": quoted(each.schema, each.name) for each in found[:SAMPLES]}
    return a_row(session, names)


def _state(session: Session, warehouse: str | None) -> tuple[str, str] | None:
    """Return state and size of a warehouse; None where it is not shown to the role."""
    if not warehouse:
        return None
    found = shown(session, "SHOW WAREHOUSES")
    return next((_upper(row["state"], row["size"]) for row in found if row["name"] == warehouse), None)


def warehouse(session: Session, named: str, seconds: float) -> WarehouseState:
    """What the session's warehouse does, by one SHOW within so many seconds; ``named`` is the connection's.

    Raises `AiserError`.
    """
    run = Run("health", timeout=seconds, tag="health")
    with run.on_cancel(session.cancel), session.execute("SHOW WAREHOUSES", (), run) as reader:
        found = reader.read_all().to_pylist()
    own = [row for row in found if str(row.get("is_current", "")).upper() in ("Y", "TRUE")]
    own += [row for row in found if row["name"] in (named, named.upper())]
    source = "SHOW WAREHOUSES"
    if not own:
        words = f"The warehouse {named} is not shown to the role." if named else "No warehouse is named."
        return WarehouseState(Activity.UNKNOWN, words, source)
    state = str(own[0]["state"]).upper()
    words = f"The warehouse {own[0]['name']} is {state.lower()}."
    return WarehouseState(_ACTIVITIES.get(state, Activity.UNKNOWN), words, source)


def _upper(state: Any, size: Any) -> tuple[str, str]:
    return str(state).upper(), str(size)


def expect(session: Session, sql: str, parameters: Parameters) -> Estimate:
    """What Snowflake's own plan says, and what it cannot: it counts bytes, and is paid by the second."""
    with session.execute(f"EXPLAIN USING JSON {sql}", parameters, Run("estimate", tag="estimate")) as reader:
        plan = reader.read_all().column(0)[0].as_py()
    size = json.loads(str(plan)).get("GlobalStats", {}).get("bytesAssigned")
    ((*_, warehouse),) = rows(session, _WHERE)
    return Estimate(bytes=None if size is None else int(size), unknown=_unknown(session, warehouse))


def _unknown(session: Session, warehouse: str | None) -> tuple[str, ...]:
    if not warehouse:
        return ("there is no warehouse to run it on",)
    found = _state(session, warehouse)
    if found is None:
        return (f"the state of the warehouse {warehouse}",)
    state, size = found
    told = [f"the time it takes on the warehouse {warehouse} ({size})"]
    if state in _ASLEEP:
        told.append(f"the warehouse {warehouse} is suspended: starting it takes a while, and is paid for")
    elif state != "STARTED":
        told.append(f"the warehouse {warehouse} is {state.lower()}: this may take a while")
    return tuple(told)
