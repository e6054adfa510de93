"""A secret does not survive; a statement without one is the same object."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiser_jupyter.sql import redact

CARRIERS = [
    "CREATE SECRET s (TYPE s3, KEY_ID 'AKIA', SECRET '{}')",
    "create or replace persistent secret s (type s3, secret {})",
    "ALTER SECRET s SET SECRET = '{}'",
    "CREATE USER u IDENTIFIED BY '{}'",
    "ALTER USER u IDENTIFIED WITH caching_sha2_password BY '{}'",
    'GRANT ALL ON *.* TO u IDENTIFIED BY "{}"',
    "CREATE ROLE r LOGIN PASSWORD '{}'",
    "ALTER ROLE r WITH ENCRYPTED PASSWORD '{}' VALID UNTIL '2030-01-01'",
    "SET PASSWORD FOR u = PASSWORD('{}')",
    "SET s3_secret_access_key = '{}'",
    "SET s3_secret_access_key={}",
    "SET GLOBAL azure_account_key TO '{}'",
    "SET SESSION my.token = $${}$$",
    "UPDATE users SET password = '{}' WHERE id = 5",
    "SELECT * FROM users WHERE password = '{}'",
    "COPY t FROM 's3://b/x' CREDENTIALS 'aws_access_key_id=A;aws_secret_access_key={}'",
    "COPY INTO t FROM 's3://b' CREDENTIALS = (AWS_KEY_ID = 'A' AWS_SECRET_KEY = '{}')",
    "UNLOAD ('select 1') TO 's3://b' ACCESS_KEY_ID 'A' SECRET_ACCESS_KEY '{}'",
    "ATTACH 'postgres://me:{}@host/db' AS p",
    "ATTACH 'host=h user=u password={}' AS p (TYPE postgres)",
    "SELECT * FROM postgres_scan('host=h password={}', 's', 't')",
    "SELECT * FROM read_csv('https://me:{}@host/x.csv')",
    'FROM "https://me:{}@host/x.csv"',
    "SELECT * FROM dblink(E'password=\\'{}\\'', 'select 1')",
    "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'u', password '{}')",
    "SELECT * FROM azure('AccountKey={};EndpointSuffix=x')",
    "SELECT http_get('https://x', '{{\"token\": \"{}\"}}')",
    "SELECT 1 -- password={}",
    "CREATE USER u IDENTIFIED BY 'a\\'{}'",
    "CREATE SECRET s TYPE s3, SECRET {}",
    "CREATE SECRET s TYPE s3 SECRET {} (SCOPE 's3://b')",
    "CREATE SECRET IF NOT EXISTS s IN {} TYPE s3 (SCOPE 's3://b')",
    "CREATE PERSISTENT SECRET {}; SELECT 1",
    "CREATE SECRET s, {}",
    "CREATE SECRET (SECRET {}",
    "ALTER SECRET s SET SECRET = {}",
    "CREATE USER MAPPING FOR u SERVER s OPTIONS user u, password {}",
    "CREATE USER MAPPING FOR u SERVER s password {} OPTIONS (user 'u')",
]
INNOCENT = [
    "SELECT 'hunter2'",
    "SELECT * FROM t WHERE key = 'a' AND token = 'b' AND name = 'c'",
    "SELECT password FROM users",
    'SELECT password AS "x" FROM users',
    "SELECT 'https://host/path', 'a:b@c'",
    "SET threads = 4",
    "CREATE TABLE t (secret TEXT, password TEXT)",
    "INSERT INTO t VALUES ('key', 1)",
    "SELECT secret FROM t WHERE day > '2024-01-01'",
    "PRIMARY KEY",
    "not sql at all (",
    "",
]


@pytest.mark.parametrize("text", CARRIERS)
@pytest.mark.parametrize("secret", ["hunter2secret", "Tr0ub4dor"])
def test_secret_is_gone(text: str, secret: str) -> None:
    shown = redact(text.format(secret))
    assert secret not in shown
    assert "***" in shown


@pytest.mark.parametrize("text", INNOCENT)
def test_innocent_stays(text: str) -> None:
    assert redact(text) is text


def test_the_rest_of_the_statement_stays() -> None:
    assert (
        redact("CREATE ROLE r PASSWORD 'x' VALID UNTIL 'y'")
        == "CREATE ROLE r PASSWORD '***' VALID UNTIL '***'"
    )
    assert redact("CREATE SECRET s (TYPE s3, SECRET x)") == "CREATE SECRET s '***'"
    assert (
        redact("CREATE OR REPLACE TEMP SECRET IF NOT EXISTS s IN disk (SECRET x)")
        == "CREATE OR REPLACE TEMP SECRET IF NOT EXISTS s IN disk '***'"
    )
    assert redact("CREATE SECRET s SECRET x") == "CREATE SECRET '***'"
    assert redact("SET s3_secret_access_key = abc;") == "SET s3_secret_access_key = '***'"


@given(st.text(alphabet=st.characters(exclude_characters="\0", codec="utf-8"), min_size=6, max_size=30))
def test_any_password(secret: str) -> None:
    secret = "Zq" + secret + "qZ"
    quoted = secret.replace("'", "''")
    assert "Zq" not in redact(f"CREATE USER u IDENTIFIED BY '{quoted}' PASSWORD EXPIRE")


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    assert isinstance(redact(text), str)
