"""What running a statement may do, decided so that ``READ`` is never said of a write.

A statement is a read only where its first word, the root of its tree and every node of its tree are those
of one. The tables below are the rest. What they cannot see is a function of the database's own users that
writes; that a role may only read is for the database to enforce.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from ..models import StatementKind
from .scan import Token, word_set

if TYPE_CHECKING:
    from sqlglot.expressions import Expr

__all__ = ["explained", "function_names", "kind_by_word", "kind_of_tree"]

_READ_WORDS = word_set("SELECT WITH FROM VALUES TABLE PIVOT UNPIVOT SUMMARIZE DESCRIBE DESC SHOW EXPLAIN")
_KINDS = {
    StatementKind.WRITE: word_set(
        "INSERT UPDATE DELETE MERGE REPLACE UPSERT COPY EXPORT IMPORT TRUNCATE UNLOAD PUT REMOVE"
        " VACUUM ANALYZE CHECKPOINT OPTIMIZE"
    ),
    StatementKind.DDL: word_set("CREATE DROP ALTER COMMENT GRANT REVOKE RENAME UNDROP REINDEX CLUSTER"),
    StatementKind.SESSION: word_set(
        "SET RESET UNSET USE PRAGMA ATTACH DETACH INSTALL LOAD BEGIN START COMMIT ROLLBACK ABORT SAVEPOINT"
        " RELEASE LOCK UNLOCK PREPARE DEALLOCATE DECLARE FETCH CLOSE MOVE LISTEN UNLISTEN NOTIFY DISCARD"
        " FLUSH KILL CACHE UNCACHE"
    ),
}

# Functions that write, lock, end sessions, reach other servers, or run a text as SQL. Functions that read
# files of the server (pg_read_file, load_file, read_csv) are reads.
_WRITING = word_set(
    # sequences and settings
    "nextval setval set_config setseed"
    # PostgreSQL: large objects, files, sessions, replication, and queries given as text
    " lo_import lo_export lo_create lo_creat lo_unlink lo_put lo_from_bytea lo_open lowrite lo_truncate"
    " pg_terminate_backend pg_cancel_backend pg_reload_conf pg_rotate_logfile pg_notify pg_promote"
    " pg_switch_wal pg_create_restore_point pg_backup_start pg_backup_stop pg_start_backup pg_stop_backup"
    " pg_logical_emit_message pg_import_system_collations query_to_xml query_to_xml_and_xmlschema"
    " query_to_xmlschema cursor_to_xml ts_stat crosstab connectby"
    # MySQL
    " get_lock release_lock release_all_locks sys_exec sys_eval sys_set"
    # DuckDB
    " query postgres_execute mysql_execute postgres_query mysql_query start_ui stop_ui checkpoint"
    " force_checkpoint load_aws_credentials truncate_duckdb_logs write_log enable_logging disable_logging"
    # Spark and Databricks: any method of the Java virtual machine, any address
    " java_method reflect try_reflect http_request http_post http_get"
)
_WRITING_PREFIXES = (
    *("pg_advisory_", "pg_try_advisory_", "pg_file_", "pg_stat_reset", "pg_replication_", "pg_create_"),
    *("pg_drop_", "pg_logical_slot_", "dblink", "system$", "ducklake_"),
)


def kind_by_word(words: tuple[str, ...]) -> StatementKind:
    """Return the kind that the first words tell, where there is no tree: ``READ`` for SHOW alone."""
    first = words[0] if words else ""
    if first == "LOAD" and words[1:2] in (("DATA",), ("XML",)):
        return StatementKind.WRITE
    if first == "SHOW":
        return StatementKind.READ
    return next((kind for kind, known in _KINDS.items() if first in known), StatementKind.UNKNOWN)


def kind_of_tree(root: Expr, words: tuple[str, ...], text: str) -> StatementKind:
    """Return the kind of a parsed statement; ``words`` are its first words in capitals."""
    from sqlglot import exp

    reads = (exp.Query, exp.Values, exp.Pivot, exp.Summarize, exp.Describe, exp.Show)
    starts_as_read = text.startswith("(") or (words and words[0] in _READ_WORDS)
    if isinstance(root, reads) and starts_as_read:
        found = (_kind_of_node(node) for node in root.walk())
        return next((kind for kind in found if kind is not StatementKind.READ), StatementKind.READ)
    if isinstance(root, exp.DML | exp.Merge):
        return StatementKind.WRITE
    return kind_by_word(words)


def _kind_of_node(node: Expr) -> StatementKind:
    from sqlglot import exp

    writes = (exp.DML, exp.DDL, exp.Merge, exp.Into, exp.Lock, exp.NextValueFor)
    if isinstance(node, writes) and not isinstance(node, exp.Query):
        return StatementKind.WRITE
    if isinstance(node, exp.Command | exp.Drop | exp.Alter | exp.TruncateTable | exp.Copy):
        return StatementKind.UNKNOWN
    if isinstance(node, exp.PropertyEQ) and isinstance(node.this, exp.Parameter | exp.SessionParameter):
        return StatementKind.SESSION  # SELECT @x := 1
    if isinstance(node, exp.Column) and node.table and node.name.lower() == "nextval":
        return StatementKind.WRITE
    if any(name in _WRITING or name.startswith(_WRITING_PREFIXES) for name in function_names(node)):
        return StatementKind.WRITE
    return StatementKind.READ


def function_names(node: Expr) -> tuple[str, ...]:
    """Return the names, in small letters, that a node calls a function by; empty for any other node."""
    from sqlglot import exp

    if isinstance(node, exp.Anonymous):
        return (node.name.lower(),)
    return _names_of(type(node))  # type: ignore[arg-type]


@cache
def _names_of(node_type: type[Expr]) -> tuple[str, ...]:
    from sqlglot import exp

    return tuple(name.lower() for name in node_type.sql_names()) if issubclass(node_type, exp.Func) else ()


_EXPLAINABLE = word_set(
    "SELECT WITH FROM VALUES TABLE PIVOT UNPIVOT INSERT UPDATE DELETE MERGE REPLACE CREATE COPY EXECUTE CALL"
    " DECLARE SUMMARIZE REFRESH ALTER DROP TRUNCATE"
)


def explained(tokens: list[Token]) -> tuple[bool, int] | None:
    """Return whether EXPLAIN runs its statement, and where that begins; None where nothing is explained."""
    if not tokens or tokens[0].upper not in ("EXPLAIN", "DESCRIBE", "DESC"):
        return None
    runs = False
    for index, token in enumerate(tokens[1:40], 1):
        following = tokens[index + 1] if index + 1 < len(tokens) else token
        if token.upper == "TABLE" and tokens[0].upper != "EXPLAIN":
            return None  # DESCRIBE TABLE t
        opens = token.text == "(" and (following.text == "(" or following.upper in _EXPLAINABLE)
        if opens or token.upper in _EXPLAINABLE:
            return runs, token.start
        runs = runs or token.upper in ("ANALYZE", "ANALYSE")
    return None
