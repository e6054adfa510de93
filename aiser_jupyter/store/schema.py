"""What the store file holds, and how an older file becomes a newer one.

A change of the schema is one more entry of ``MIGRATIONS``; an entry that was released is never edited.
``PRAGMA user_version`` counts the entries that were applied.
"""

from __future__ import annotations

import functools
import sqlite3

__all__ = [
    "APPLICATION_ID",
    "MIGRATIONS",
    "VERSION",
    "create_schema",
    "expected_shape",
    "migrate",
    "shape",
    "user_version",
]

APPLICATION_ID = 0x41495352  # "AISR" in the file's header: this database is ours

MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE history (
            id TEXT PRIMARY KEY,
            started_at TEXT NOT NULL,
            user TEXT NOT NULL,
            connection TEXT NOT NULL,
            state TEXT NOT NULL,
            sql TEXT NOT NULL,
            fingerprint TEXT NOT NULL,
            kind TEXT NOT NULL,
            engine TEXT NOT NULL,
            reason TEXT NOT NULL,
            pinned INTEGER NOT NULL,
            cached INTEGER NOT NULL,
            estimated_seconds REAL,
            seconds REAL,
            timings TEXT NOT NULL,
            rows INTEGER,
            bytes INTEGER,
            truncated INTEGER NOT NULL,
            error_code TEXT NOT NULL,
            error TEXT NOT NULL,
            cell TEXT NOT NULL,
            pid INTEGER,
            heartbeat REAL NOT NULL,
            host TEXT NOT NULL
        )""",
        "CREATE INDEX history_newest ON history (started_at DESC, id DESC)",
        "CREATE INDEX history_open ON history (state) WHERE state IN ('queued', 'running')",
        """CREATE TABLE connections (
            id TEXT PRIMARY KEY,
            owner TEXT NOT NULL,
            name TEXT NOT NULL COLLATE NOCASE,
            type TEXT NOT NULL,
            "values" TEXT NOT NULL,
            created_at TEXT NOT NULL,
            UNIQUE (owner, name)
        )""",
    ),
    (
        "ALTER TABLE connections ADD COLUMN version INTEGER NOT NULL DEFAULT 1",
        "ALTER TABLE connections ADD COLUMN destination TEXT NOT NULL DEFAULT ''",
        # JSON: field to sealed token. A token is sealed for the text of "values" among others: what rewrites
        # that text has to seal it again.
        "ALTER TABLE connections ADD COLUMN secrets TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE history ADD COLUMN handle TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE history ADD COLUMN connection_id TEXT NOT NULL DEFAULT ''",
    ),
    ("ALTER TABLE history ADD COLUMN cancel_requested INTEGER NOT NULL DEFAULT 0",),
)
VERSION = len(MIGRATIONS)


def create_schema(connection: sqlite3.Connection) -> None:
    """Give an empty database our mark and every table."""
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    migrate(connection)


def migrate(connection: sqlite3.Connection) -> None:
    """Apply what is missing, each migration in its own transaction."""
    while (version := user_version(connection)) < VERSION:
        connection.execute("BEGIN IMMEDIATE")
        try:
            if user_version(connection) == version:  # nobody else did it meanwhile
                for statement in MIGRATIONS[version]:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def user_version(connection: sqlite3.Connection) -> int:
    """Migrations that the file has seen."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def shape(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """Names and definitions of what the database holds."""
    return connection.execute("SELECT name, coalesce(sql, '') FROM sqlite_schema ORDER BY name").fetchall()


@functools.cache
def expected_shape(version: int) -> tuple[tuple[str, str], ...]:
    """The `shape` of a sound file of that version."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        for statements in MIGRATIONS[:version]:
            for statement in statements:
                connection.execute(statement)
        return tuple(shape(connection))
    finally:
        connection.close()
