"""What completion asks of a database behind a network: little, and in one session."""

from __future__ import annotations

from typing import Any

import pytest
from IPython.core.completer import provisionalcompleter

from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from tests.servers.leaks import eventually
from tests.servers.mariadb import MariaDB

TABLES = 25


def offered(shell: Any, cell: str) -> list[str]:
    before, _, after = cell.partition("|")
    with provisionalcompleter():
        return [item.text for item in shell.Completer.completions(before + after, len(before))]


def settings_made(mariadb: MariaDB) -> int:
    """Count what is set when a session begins, and when it comes back to the pool."""
    return int(mariadb.admin("SHOW GLOBAL STATUS LIKE 'Com_set_option'")[0][1])


def test_the_columns_of_many_tables_are_learnt_in_one_session(
    shell: Any, magics: Any, run: Any, mariadb: MariaDB, request: pytest.FixtureRequest
) -> None:
    mariadb.admin("CREATE OR REPLACE DATABASE learnt")
    request.addfinalizer(lambda: mariadb.admin("DROP DATABASE learnt"))
    for number in range(TABLES):
        mariadb.admin(f"CREATE TABLE learnt.table_{number} (only_{number} INT) ENGINE=MyISAM")
    mariadb.admin("GRANT ALL ON learnt.* TO ann@'%'")
    values = {
        "host": "127.0.0.1",
        "port": mariadb.port,
        "database": "learnt",
        "username": mariadb.user,
        "password": Secret(mariadb.password),
        "ssl_ca": mariadb.authority.pem,
    }
    magics.services.connections.create(ConnectionConfig("mysql", "shop", values), tested=False)
    before = settings_made(mariadb)
    run("%aiser shop --quiet SELECT 1 FROM table_3")
    for number in range(TABLES):
        cell = f"%%aiser shop\nSELECT only| FROM table_{number}"
        assert eventually(lambda cell=cell, number=number: offered(shell, cell) == [f"only_{number}"], 30)
    assert settings_made(mariadb) - before < TABLES
