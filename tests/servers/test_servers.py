"""The servers of the tests are real, speak TLS and run the user's statements."""

from __future__ import annotations

from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL


def test_mariadb_answers_over_tls(mariadb: MariaDB) -> None:
    with mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Ssl_cipher'")
        assert cursor.fetchone()[1] != ""
        cursor.execute("SELECT current_user(), database()")
        assert cursor.fetchone() == ("ann@%", "shop")


def test_postgresql_answers_over_tls(postgresql: PostgreSQL) -> None:
    connection = postgresql.connect()
    cursor = connection.cursor()
    cursor.execute(
        "SELECT ssl, current_user, current_database() FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    )
    assert tuple(cursor.fetchone()) == (True, "ann", "shop")
    connection.close()
