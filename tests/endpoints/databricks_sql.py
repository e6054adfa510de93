"""What the Databricks endpoint does with a statement: Databricks' SQL read by sqlglot, run by DuckDB.

DuckDB computes; what it answers is given the shapes that a warehouse gives: a TIMESTAMP in the session's
zone, an interval as text, and Databricks' own word for each type in the field's metadata.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import sqlglot
from sqlglot import exp

CATALOG = "lake"
ROWS = 20_000
"""Of one batch."""
SQL_NAME = b"Spark:DataType:SqlName"
_COMMENT = re.compile(r"\A\s*/\*.*?\*/\s*", re.S)
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
_NAMES = {"VARCHAR": "STRING", "INTEGER": "INT", "BLOB": "BINARY", "JSON": "VARIANT"}
_NAMES |= {"TIMESTAMP": "TIMESTAMP_NTZ", "TIMESTAMP WITH TIME ZONE": "TIMESTAMP"}


class Refused(Exception):
    """A statement's error as the vendor words it: state and message."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state, self.message = state, message


@dataclass
class Answer:
    """A result that may not be read yet: its schema, and its batches as they are asked for."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    changed: int | None = None

    @classmethod
    def of(cls, table: pa.Table) -> Answer:
        return cls(table.schema, iter(table.to_batches()))


NOTHING = pa.table({})


def database() -> duckdb.DuckDBPyConnection:
    """Return an empty lake in memory."""
    made = duckdb.connect()
    made.execute("SET TimeZone = 'UTC'; SET lambda_syntax = 'ENABLE_SINGLE_ARROW'")
    made.execute("SET threads = 1")  # an endless query must not take the machine from who wants to stop it
    made.execute(f"ATTACH ':memory:' AS {CATALOG}; USE {CATALOG}; CREATE SCHEMA \"default\"")
    made.execute(f'CREATE MACRO {CATALOG}."default".spark_range(n) AS TABLE SELECT range AS id FROM range(n)')
    return made


class Statement:
    """One statement on a cursor of its own."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, session: Any, parameters: Any) -> None:
        self._cursor, self._session, self._parameters = cursor, session, list(parameters or [])
        self._text = ""

    def run(self, sql: str) -> Answer:
        """Run ``sql``. Raises `Refused`."""
        self._text = sql
        text = _COMMENT.sub("", sql)
        for pattern, act in self._commands():
            if found := re.fullmatch(pattern, text.strip(), re.I | re.S):
                return act(found)
        return self._query(text, offset=sql)

    def _commands(self) -> list[tuple[str, Callable[[re.Match[str]], Answer]]]:
        return [
            (r"set\s+([\w.]+)\s*=\s*(.+)", self._set),
            (r"reset\s+([\w.]+)", self._reset),
            (r"use\s+(?:schema\s+|database\s+)?(?:\w+\.)?`?(\w+)`?", self._use),
            (r"explain\s+cost\s+(.*)", self._explain),
            (r"describe\s+(?:table\s+)?extended\s+(\S.*)", self._describe),
            (r"select\s+raise_error\((.*)\)", self._raise),
            (r"select\s+current_catalog\(\),\s*current_schema\(\)", self._where),
        ]

    # -- commands -------------------------------------------------------------------------------------

    def _set(self, found: re.Match[str]) -> Answer:
        self._session.configuration[found[1].upper()] = found[2].strip("' ")
        return Answer.of(pa.table({"key": [found[1]], "value": [found[2]]}))

    def _reset(self, found: re.Match[str]) -> Answer:
        self._session.configuration.pop(found[1].upper(), None)
        return Answer.of(NOTHING)

    def _use(self, found: re.Match[str]) -> Answer:
        try:
            self._cursor.execute(f'USE {CATALOG}."{found[1]}"')
        except duckdb.Error:
            raise Refused("42704", f"[SCHEMA_NOT_FOUND] The schema `{found[1]}` cannot be found.") from None
        self._session.schema = found[1]
        return Answer.of(NOTHING)

    def _where(self, found: re.Match[str]) -> Answer:
        schema = self._session.schema
        return Answer.of(pa.table({"current_catalog()": [CATALOG], "current_schema()": [schema]}))

    def _raise(self, found: re.Match[str]) -> Answer:
        """Answer with an error of the vendor's, word by word."""
        state, _, message = found[1].strip("'").replace("''", "'").partition("|")
        raise Refused(state, message)

    def _explain(self, found: re.Match[str]) -> Answer:
        """Statistics of the tables as they are, in the form of a plan that Spark printed."""
        parsed = self._tree(found[1], self._text)
        try:
            tree = self._bound(parsed)
            self._duck(lambda: self._cursor.sql(tree.sql(dialect="duckdb")))  # binds its names, runs nothing
            tables = [t for t in tree.find_all(exp.Table) if isinstance(t.this, exp.Identifier)]
            sizes = [(table.name, self._count(table)) for table in tables]
        except Refused as exc:
            plan = f"Error occurred during query planning: \n{exc.message}"
            return Answer.of(pa.table({"plan": [plan]}))
        lines = ["== Optimized Logical Plan =="]
        rows = f", rowCount={float(sizes[0][1]):.2E}".replace("E+0", "E+") if len(sizes) == 1 else ""
        size = 8.0 * sum(n for _, n in sizes)
        lines.append(f"Project [x#1], Statistics(sizeInBytes={size:.1f} B{rows}, hints=none)")
        for name, n in sizes:
            lines.append(
                f"+- Relation {CATALOG}.default.{name}[x#1] parquet, "
                f"Statistics(sizeInBytes={n * 16 / 1024:.1f} KiB, rowCount={n}, hints=none)"
            )
        lines += ["", "== Physical Plan ==", "*(1) ColumnarToRow", "+- PhotonResultStage"]
        return Answer.of(pa.table({"plan": ["\n".join(lines)]}))

    def _count(self, table: exp.Table) -> int:
        return int(self._duck(f"SELECT count(*) FROM {table.sql(dialect='duckdb')}").fetchall()[0][0])

    def _describe(self, found: re.Match[str]) -> Answer:
        table = exp.to_table(found[1], dialect="databricks")
        schema, name = table.db or self._session.schema, table.name
        columns = self._duck(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = ? AND table_name = ? ORDER BY ordinal_position",
            [schema, name],
        ).fetchall()
        if not columns:
            raise Refused("42P01", _no_table(f"{CATALOG}`.`{schema}`.`{name}"))
        ((kind, comment),) = self._duck(
            "SELECT table_type, TABLE_COMMENT FROM information_schema.tables"
            " WHERE table_schema = ? AND table_name = ?",
            [schema, name],
        ).fetchall()
        rows = [(column, spark_name(type_).lower(), None) for column, type_ in columns]
        rows += [("# Clustering Information", "", ""), ("# col_name", "data_type", "comment")]
        rows += [(*rows[0][:2], None), ("", "", ""), ("# Detailed Table Information", "", "")]
        rows += [("Catalog", CATALOG, ""), ("Database", schema, ""), ("Table", name, "")]
        rows += [("Type", "VIEW" if kind == "VIEW" else "MANAGED", "")]
        if comment:
            rows.append(("Comment", comment, ""))
        if kind != "VIEW":
            n = self._count(table)
            rows.append(("Statistics", f"{16 * n} bytes, {n} rows", ""))
        names = ("col_name", "data_type", "comment")
        return Answer.of(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))))

    # -- queries --------------------------------------------------------------------------------------

    def _query(self, text: str, offset: str) -> Answer:
        tree = self._bound(self._tree(text, offset))
        sql = tree.sql(dialect="duckdb")
        if isinstance(tree, exp.Create | exp.Drop | exp.Comment | exp.Alter | exp.TruncateTable):
            self._duck(sql)
            return Answer.of(NOTHING)
        if isinstance(tree, exp.Insert | exp.Update | exp.Delete):
            changed = int(self._duck(sql).fetchall()[0][0])
            return Answer(*_table_parts(pa.table({"num_affected_rows": [changed]})), changed)
        relation = self._duck(lambda: self._cursor.sql(sql))
        reader = self._duck(lambda: relation.to_arrow_reader(ROWS))
        shaped = _shapes(reader.schema, [str(type_) for type_ in relation.types])
        return Answer(pa.schema([field for field, _ in shaped]), _reshaped(reader, shaped))

    def _bound(self, tree: exp.Expression) -> exp.Expression:
        """Put the parameters in their places."""
        for node in list(tree.find_all(exp.Placeholder, bfs=False)):
            if not self._parameters:
                text = "[UNBOUND_SQL_PARAMETER] Found the unbound parameter: _. SQLSTATE: 42P02"
                raise Refused("42P02", text)
            node.replace(_literal(self._parameters.pop(0)))
        return tree

    def _tree(self, text: str, offset: str = "") -> exp.Expression:
        text = re.sub(r"\b(from|join|,)\s*range\(", r"\1 spark_range(", text, flags=re.I)
        text = re.sub(rf"`?{CATALOG}`?\.information_schema\.", "information_schema.", text, flags=re.I)
        try:
            trees = sqlglot.parse(text, read="databricks")
        except sqlglot.errors.ParseError as exc:
            raise _syntax(offset or text, str(exc.errors[0].get("highlight"))) from None
        except sqlglot.errors.TokenError:
            raise _syntax(offset or text, text.split()[0]) from None
        if len(trees) > 1:
            raise _syntax(offset or text, ";")
        tree = trees[0]
        if tree is None or isinstance(tree, exp.Command | exp.Alias | exp.Column):
            raise _syntax(offset or text, text.split()[0] if text.split() else "")
        return tree

    def _duck(self, sql: str | Callable[[], Any], values: Any = None) -> Any:
        """Run a statement of DuckDB, or what asks it, and say its errors as the vendor does."""
        try:
            return sql() if callable(sql) else self._cursor.execute(sql, values or None)
        except duckdb.InterruptException:
            raise
        except duckdb.CatalogException as exc:
            found = re.search(r"name \"?([\w.]+)\"? does not exist", str(exc))
            raise Refused("42P01", _no_table(found[1] if found else "?")) from None
        except duckdb.BinderException as exc:
            found = re.search(r'column "?([\w.]+)"? not found', str(exc), re.I)
            message = (
                "[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name "
                f"`{found[1] if found else '?'}` cannot be resolved. Did you mean one of the following?"
                " [`other`]. SQLSTATE: 42703; line 1 pos 7"
            )
            raise Refused("42703", message) from None
        except duckdb.ConversionException as exc:
            message = f"[CAST_INVALID_INPUT] {str(exc).splitlines()[0]} SQLSTATE: 22018"
            raise Refused("22018", message) from None
        except duckdb.Error as exc:
            raise Refused("XX000", f"{type(exc).__name__}: {exc}") from None


def _no_table(name: str) -> str:
    return (
        f"[TABLE_OR_VIEW_NOT_FOUND] The table or view `{name}` cannot be found. Verify the spelling and"
        " correctness of the schema and catalog. SQLSTATE: 42P01; line 1 pos 14"
    )


def _syntax(text: str, near: str) -> Refused:
    comment = _COMMENT.match(text)
    at = max(text.find(near, comment.end() if comment else 0), 0)
    line, position = text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1)
    message = (
        f"[PARSE_SYNTAX_ERROR] Syntax error at or near '{near}'. SQLSTATE: 42601"
        f" (line {line}, pos {position})\n\n== SQL ==\n{text}\n{' ' * position}^^^"
    )
    return Refused("42601", message)


def _literal(parameter: Any) -> exp.Expression:
    value = parameter.value.stringValue if parameter.value else None
    type_ = (parameter.type or "STRING").upper()
    if value is None or type_ == "VOID":
        return exp.null()
    return exp.cast(exp.Literal.string(value), type_, dialect="databricks")


def _table_parts(table: pa.Table) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    return table.schema, iter(table.to_batches())


# -- shapes ---------------------------------------------------------------------------------------------

_Shape = tuple["pa.Field[Any]", Callable[[Any], Any]]


def spark_name(type_: str) -> str:
    """Return Databricks' word for one of DuckDB's types."""
    if type_.endswith("[]"):
        return f"ARRAY<{spark_name(type_[:-2])}>"
    return _NAMES.get(type_.upper(), type_.upper())


def _shapes(schema: pa.Schema, types: list[str]) -> list[_Shape]:
    return [_shape(field, type_) for field, type_ in zip(schema, types, strict=True)]


def _shape(field: Any, type_: str) -> _Shape:
    name, convert = _name_of(field.type, type_)
    target = convert(pa.array([], field.type)).type
    return pa.field(field.name, target, metadata={SQL_NAME: name.encode()}), convert


def _name_of(type_: Any, word: str) -> tuple[str, Callable[[Any], Any]]:
    if word == '"NULL"':
        return "VOID", lambda array: pa.nulls(len(array))
    if pa.types.is_interval(type_):
        return "INTERVAL DAY TO SECOND", _intervals
    if pa.types.is_timestamp(type_):
        zone = "Etc/UTC" if type_.tz else None
        return ("TIMESTAMP" if zone else "TIMESTAMP_NTZ"), lambda array: array.cast(pa.timestamp("us", zone))
    if pa.types.is_decimal(type_):
        if type_.scale == 0 and word == "HUGEINT":
            return "BIGINT", lambda array: array.cast(pa.int64())
        return f"DECIMAL({type_.precision},{type_.scale})", lambda array: array
    if word == "HUGEINT":
        return "BIGINT", lambda array: pc.cast(array, pa.int64())
    if word == "JSON":
        return "VARIANT", lambda array: array.cast(pa.string())
    if pa.types.is_nested(type_):
        return _nested_name(type_), lambda array: array
    return _ARROW.get(str(type_), word), lambda array: array


def _nested_name(type_: Any) -> str:
    if pa.types.is_map(type_):
        return f"MAP<{_nested_name(type_.key_type)}, {_nested_name(type_.item_type)}>"
    if pa.types.is_list(type_):
        return f"ARRAY<{_nested_name(type_.value_type)}>"
    if pa.types.is_struct(type_):
        return f"STRUCT<{', '.join(f'{f.name}: {_nested_name(f.type)}' for f in type_)}>"
    return _name_of(type_, "")[0]


def _intervals(array: Any) -> Any:
    return pa.array([_interval(value) for value in array.to_pylist()], pa.string())


def _interval(value: Any) -> str | None:
    """Print a month_day_nano as Databricks prints its two kinds of interval."""
    if value is None:
        return None
    sign = "-" if min(value.months, value.days, value.nanoseconds) < 0 else ""
    if value.months:
        years, months = divmod(abs(value.months), 12)
        return f"{sign}{years}-{months}"
    seconds, rest = divmod(abs(value.nanoseconds), 10**9)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days = abs(value.days) + hours // 24
    return f"{sign}{days} {hours % 24:02}:{minutes:02}:{seconds:02}.{rest:09}"


def _reshaped(reader: pa.RecordBatchReader, shaped: list[_Shape]) -> Iterator[pa.RecordBatch]:
    schema = pa.schema([field for field, _ in shaped])
    for batch in reader:
        columns = [convert(column) for column, (_, convert) in zip(batch.columns, shaped, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
