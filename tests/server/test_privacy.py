"""A password that goes in through the API is in none of its answers, its logs, its errors or its files."""

from __future__ import annotations

import logging

import pytest

CANARY = "hunter2-canary-9f3a"
CONNECTIONS = "/data/enterprise/connections"


@pytest.fixture
def sweep(caplog, tmp_path, store_directory):
    """Collects every answer; at the end the canary is looked for everywhere."""
    caplog.set_level(logging.DEBUG)
    answers: list[bytes] = []
    yield answers
    assert answers
    assert not any(CANARY.encode() in raw for raw in answers)
    # What `caplog.text` has here is of the fixture's end alone.
    records = [*caplog.get_records("setup"), *caplog.get_records("call")]
    logged = "\n".join(map(logging.Formatter().format, records))
    assert "/aiser/data/" in logged  # the requests, which are not errors
    assert CANARY not in logged
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert any(path.is_relative_to(store_directory) for path in files)
    assert [path for path in files if CANARY.encode() in path.read_bytes()] == []


async def test_wherever_a_request_fails(api, sweep):
    base = {"name": "a", "type": "postgresql", "host": "127.0.0.1", "port": 1, "username": "ann"}
    url = f"postgresql://ann:{CANARY}@127.0.0.1:1/shop"
    bodies = [
        {**base, "password": CANARY},
        {**base, "password": CANARY, "port": 99999},
        {**base, "password": CANARY, "hst": "x"},
        {**base, "password": [CANARY]},
        {**base, "metadata": {"password": CANARY}},
        {**base, "password": CANARY, "metadata": {"password": CANARY}},
        {**base, "token": CANARY},
        {**base, "port": CANARY},
        {**base, "ssl_enabled": CANARY},
        {**base, "ssl_ca": CANARY},
        {**base, "host": f"ann:{CANARY}@db"},
        {"name": "a", "connection_string": url},
        {"name": "a", "connection_string": url + "?sslmode=nonsense"},
        {"name": "a", "connection_string": url.replace("postgresql", "nosuch")},
        {"name": "a", "connection_string": f"postgresql://ann:{CANARY}@@db"},
        {"name": "a", "connection_string": f"{CANARY}"},
        {"name": "a", "connection_string": url, "type": "mysql"},
    ]
    for body in bodies:
        for path in (CONNECTIONS, f"{CONNECTIONS}/test"):
            answer = await api("POST", path, body)
            assert answer.status == 400 or not answer.json["success"], body
            sweep.append(answer.raw)
    sweep.append((await api("POST", CONNECTIONS, f'{{"password": "{CANARY}"'.encode())).raw)
    sweep.append((await api("POST", CONNECTIONS, f'"{CANARY}"'.encode())).raw)
    await api("POST", "/data/query/execute", {"query": f"CREATE SECRET s (TYPE s3, SECRET '{CANARY}')"})
    sweep.append((await api("GET", "/data/query/history")).raw)  # what ran is in the store by then


async def test_from_creation_to_deletion(api, sweep, postgresql):
    postgresql.admin(f"CREATE ROLE canary LOGIN PASSWORD '{CANARY}'")
    fields = {
        "type": "postgresql",
        "name": "warehouse",
        "host": "127.0.0.1",
        "port": postgresql.port,
        "username": "canary",
        "password": CANARY,
        "database": "postgres",
        "ssl_ca": postgresql.authority.pem,
    }
    answers = [await api("POST", f"{CONNECTIONS}/test", fields), await api("POST", CONNECTIONS, fields)]
    where = f"{CONNECTIONS}/{answers[1].json['connection']['id']}"
    calls = [
        ("GET", where, None),
        ("GET", CONNECTIONS, None),
        ("PATCH", where, {"timeout": 20}),
        ("PATCH", where, {"password": CANARY, "max_connections": 3}),
        ("PATCH", where, {"host": "localhost"}),
        ("POST", f"{CONNECTIONS}/test", {"id": where.rpartition("/")[2]}),
        ("POST", f"{where}/query", {"query": "SELECT current_user"}),
        ("POST", f"{where}/query", {"query": "SELECT nope"}),
        ("POST", f"{where}/query", {"query": f"ALTER ROLE canary PASSWORD '{CANARY}'"}),
        ("POST", f"{where}/query", {"query": f"CREATE USER MAPPING FOR x OPTIONS (password '{CANARY}'"}),
        ("GET", f"{where}/schema", None),
        ("POST", f"{where}/health", {}),
        ("GET", "/data/query/history", None),
        ("GET", "/data/health", None),
        ("DELETE", where, None),
    ]
    answers += [await api(*call) for call in calls]
    sweep += [answer.raw for answer in answers]
    assert [answer.status for answer in answers[:4]] == [200, 201, 200, 200]
    assert answers[8].json["data"] == [["canary"]]
