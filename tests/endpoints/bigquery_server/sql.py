"""GoogleSQL to DuckDB, as far as the tests go, and DuckDB's errors to BigQuery's."""

from __future__ import annotations

import re
from typing import Any

import duckdb
import sqlglot
from errors import Refused
from sqlglot import exp

STATEMENTS = {
    exp.Query: "SELECT",
    exp.Insert: "INSERT",
    exp.Update: "UPDATE",
    exp.Delete: "DELETE",
    exp.Merge: "MERGE",
    exp.Drop: "DROP_TABLE",
}
WORDS = {"STRING": "VARCHAR", "TIMESTAMP": "TIMESTAMPTZ", "DATETIME": "TIMESTAMP", "BYTES": "BLOB"}


def parse(sql: str, project: str, dataset: str | None) -> tuple[Any, str]:
    """Return the statement in DuckDB's terms, not yet with its parameters, and BigQuery's word for it."""
    try:
        trees = [tree for tree in sqlglot.parse(sql, read="bigquery") if tree is not None]
    except sqlglot.errors.ParseError as exc:
        first = exc.errors[0]
        place = f"[{first.get('line')}:{(first.get('col') or 1) - len(first.get('highlight') or '') + 1}]"
        raise Refused(
            "invalidQuery", f'Syntax error: Unexpected "{first.get("highlight")}" at {place}'
        ) from exc
    except sqlglot.errors.TokenError as exc:
        raise Refused("invalidQuery", "Syntax error: Unclosed string literal at [1:1]") from exc
    if len(trees) > 1:
        return trees[0], "SCRIPT"
    kind = next((word for type_, word in STATEMENTS.items() if isinstance(trees[0], type_)), "")
    if isinstance(trees[0], exp.Create):
        kind = _creates(trees[0])
    if not kind:
        raise Refused("invalidQuery", _not_a_statement(sql))
    _qualify(trees[0], project, dataset)
    _exact(trees[0])
    return trees[0], kind


def _creates(tree: exp.Create) -> str:
    word = f"CREATE_{tree.kind}".upper()
    return f"{word}_AS_SELECT" if word == "CREATE_TABLE" and tree.expression else word


def _not_a_statement(sql: str) -> str:
    text = re.sub(r"/\*.*?\*/", lambda found: " " * len(found[0]), sql, flags=re.DOTALL)
    begin = len(text) - len(text.lstrip())
    line, column = text.count("\n", 0, begin) + 1, begin - text.rfind("\n", 0, begin)
    return f'Syntax error: Unexpected identifier "{text.split()[0]}" at [{line}:{column}]'


def _qualify(tree: Any, project: str, dataset: str | None) -> None:
    """Give every table its dataset, and take the project away: there is one here."""
    named = {cte.alias for cte in tree.find_all(exp.CTE)}
    for table in list(tree.find_all(exp.Table)):
        parts = ".".join(part.name for part in table.parts).split(".")
        if "INFORMATION_SCHEMA" in [part.upper() for part in parts]:
            _information(table, parts)
            continue
        if not table.name or (len(parts) == 1 and parts[0] in named):
            continue
        if len(parts) == 3 and parts[0] != project:
            raise Refused("notFound", f"Not found: Project {parts[0]}")
        if len(parts) == 1 and dataset is None:
            message = f'Table "{parts[0]}" must be qualified with a dataset (e.g. dataset.table).'
            raise Refused("invalid", message)
        table.set("catalog", None)
        table.set("db", exp.to_identifier(parts[-2] if len(parts) > 1 else dataset, quoted=True))
        table.set("this", exp.to_identifier(parts[-1], quoted=True))


def _information(table: Any, parts: list[str]) -> None:
    dataset, view = parts[-3], parts[-1].upper()
    if view == "COLUMNS":
        source = (
            "select table_name, column_name, ordinal_position, is_nullable,"
            " case data_type when 'BIGINT' then 'INT64' when 'VARCHAR' then 'STRING' else data_type end"
            f" as data_type from information_schema.columns where table_schema = '{dataset}'"
        )
    elif view == "COLUMN_FIELD_PATHS":
        source = (
            "select table_name, column_name, column_name as field_path, null::varchar as description"
            f" from information_schema.columns where table_schema = '{dataset}'"
        )
    else:
        raise Refused("invalidQuery", f"INFORMATION_SCHEMA.{view} is not in the endpoint")
    alias = exp.TableAlias(this=exp.to_identifier(table.alias or view))
    table.replace(exp.Subquery(this=sqlglot.parse_one(source, read="duckdb"), alias=alias))


def _exact(tree: Any) -> None:
    """Write what BigQuery means: 1.5 is a FLOAT64, and NUMERIC has 38 digits, 9 of them after the point."""
    for type_ in tree.find_all(exp.DataType):
        if type_.this == exp.DataType.Type.DECIMAL and not type_.expressions:
            type_.replace(exp.DataType.build("DECIMAL(38, 9)", dialect="duckdb"))
    for number in list(tree.find_all(exp.Literal)):
        if not number.is_string and re.search(r"[.eE]", number.name):
            number.replace(exp.cast(number.copy(), exp.DataType.Type.DOUBLE))


def bind(tree: Any, parameters: list[dict[str, Any]]) -> None:
    """Put the values of the parameters, by place, where their marks stand."""
    left = list(parameters)
    for mark in list(tree.find_all(exp.Placeholder, bfs=False)):
        if not left:
            raise Refused("invalidQuery", "Query parameter not found at [1:1]")
        mark.replace(sqlglot.parse_one(_literal(left.pop(0)), read="duckdb"))


def _literal(parameter: dict[str, Any]) -> str:
    type_, value = parameter["parameterType"], parameter.get("parameterValue", {})
    if type_["type"] == "ARRAY":
        items = [
            _literal({"parameterType": type_["arrayType"], "parameterValue": each})
            for each in value.get("arrayValues", [])
        ]
        return f"[{', '.join(items)}]"
    text, word = value.get("value"), type_["type"]
    if text is None:
        return f"CAST(NULL AS {WORDS.get(word, word)})"
    if word in ("INT64", "FLOAT64"):
        return f"CAST('{text}' AS {'BIGINT' if word == 'INT64' else 'DOUBLE'})"
    if word in ("NUMERIC", "BIGNUMERIC"):
        return f"CAST('{text}' AS DECIMAL(38, 9))"
    if word == "BYTES":
        return f"FROM_BASE64('{text}')"
    quoted = text.replace("'", "''")
    return f"CAST('{quoted}' AS {WORDS.get(word, word)})"


def refused(exc: duckdb.Error, sql: str, project: str) -> Refused:
    """Return what BigQuery would say of an error of DuckDB."""
    text = str(exc).split("\n")[0]
    if isinstance(exc, duckdb.InterruptException):
        return Refused("stopped", "Job execution was cancelled: User requested cancellation")
    if found := re.search(r"Table with name (\S+) does not exist", text):
        return Refused("notFound", f"Not found: Table {project}:{found[1]} was not found in location US")
    if found := re.search(r'Referenced column "(.+?)" not found', text):
        at = sql.find(found[1]) + 1
        return Refused("invalidQuery", f"Unrecognized name: {found[1]} at [1:{at}]")
    if isinstance(exc, duckdb.ConversionException):
        return Refused("invalidQuery", f"Bad int64 value: {text}")
    return Refused("invalidQuery", text)
