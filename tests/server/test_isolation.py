"""Two people in one server: what is one's own is not there for the other, in the same words as nothing."""

from __future__ import annotations

import pytest
from jupyter_server.auth import IdentityProvider, User

from tests.server.contract import operations

CONNECTIONS = "/data/enterprise/connections"
EXECUTE = "/data/query/execute"
XSRF = {"Cookie": f"_xsrf={'ab' * 16}", "X-XSRFToken": "ab" * 16}
ANN, BOB = {"X-User": "ann", **XSRF}, {"X-User": "bob", **XSRF}
NOBODY = "0123456789abcdef0123456789abcdef"
OF_AN_ID = [
    ("GET", f"{CONNECTIONS}/{{id}}", None, "connection"),
    ("PATCH", f"{CONNECTIONS}/{{id}}", {"name": "mine"}, "connection"),
    ("DELETE", f"{CONNECTIONS}/{{id}}", None, "connection"),
    ("GET", f"{CONNECTIONS}/{{id}}/schema", None, "connection"),
    ("GET", f"{CONNECTIONS}/{{id}}/health", None, "connection"),
    ("POST", f"{CONNECTIONS}/{{id}}/health", {}, "connection"),
    ("POST", f"{CONNECTIONS}/{{id}}/query", {"query": "SELECT 1"}, "connection"),
    ("GET", "/data/query/{id}", None, "run"),
    ("GET", "/data/query/{id}/events", None, "run"),
    ("GET", "/data/query/{id}/result", None, "run"),
    ("DELETE", "/data/query/{id}/result", None, "run"),
    ("POST", "/data/query/{id}/cancel", {}, "run"),
]
"""What is asked of one connection or of one run, and of which."""


class HeaderIdentity(IdentityProvider):
    """What a proxy in front of the server vouches for."""

    def get_user(self, handler):
        name = handler.request.headers.get("X-User")
        return User(name) if name else None


@pytest.fixture
def jp_server_config(jp_server_config):
    jp_server_config["ServerApp"]["identity_provider_class"] = HeaderIdentity
    return jp_server_config


async def made_by_ann(api, tmp_path) -> tuple[str, str]:
    """A connection and a query with a kept result."""
    shop = {"type": "duckdb", "name": "shop", "database": str(tmp_path / "shop.duckdb")}
    connection = (await api("POST", CONNECTIONS, shop, ANN)).json["connection"]["id"]
    query = {"query": "SELECT 'canary'", "page_size": 0, "query_id": "ann-asks-something"}
    run = (await api("POST", EXECUTE, query, ANN)).json["id"]
    assert (await api("GET", f"/data/query/{run}/result", None, ANN)).json["data"] == [["canary"]]
    return connection, run


async def test_bob_sees_nothing_of_ann_and_it_looks_like_nothing(api, tmp_path):
    connection, run = await made_by_ann(api, tmp_path)
    ids = {"connection": connection, "run": run}
    calls = [(method, path.replace("{id}", "%s"), body, ids[whose]) for method, path, body, whose in OF_AN_ID]
    for method, path, body, id_ in calls:
        there = await api(method, path % id_, body, BOB)
        nowhere = await api(method, path % NOBODY, body, BOB)
        assert there.status == 404, (method, path, there.raw)
        assert there.raw == nowhere.raw, (method, path)
    for body in ({"data_source_id": connection}, {"id": connection}):
        path = EXECUTE if "data_source_id" in body else f"{CONNECTIONS}/test"
        body = {**body, **({"query": "SELECT 1"} if path == EXECUTE else {})}
        there = await api("POST", path, body, BOB)
        nowhere = await api("POST", path, {**body, next(iter(body)): NOBODY}, BOB)
        assert (there.status, there.raw) == (404, nowhere.raw)


def test_every_operation_on_an_id_is_among_them():
    """A sign-in has a test of its own, for it begins at the vendor's."""
    described = {(method, path) for path, method, _ in operations() if "{id}" in path}
    assert {each for each in described if "/sign-ins/" not in each[1]} == {call[:2] for call in OF_AN_ID}


async def test_lists_have_ones_own_only(api, tmp_path):
    await made_by_ann(api, tmp_path)
    await api("POST", EXECUTE, {"query": "SELECT 2"}, BOB)
    assert [c["name"] for c in (await api("GET", CONNECTIONS, None, BOB)).json["connections"]] == ["local"]
    history = (await api("GET", "/data/query/history", None, BOB)).json["history"]
    assert [(run["user"], run["sql"]) for run in history] == [("bob", "SELECT 2")]
    assert (await api("GET", "/data/query/history?search=canary", None, BOB)).json["count"] == 0
    assert (await api("GET", "/data/health", None, BOB)).json["connections"] == []
    history = (await api("GET", "/data/query/history", None, ANN)).json["history"]
    assert [run["sql"] for run in history] == ["SELECT 'canary'"]


async def test_ones_own_id_of_a_query_is_no_matter_to_another(api, tmp_path):
    """Bob may choose the id that Ann chose, and it stays his."""
    await made_by_ann(api, tmp_path)
    query = {"query": "SELECT 'mine'", "page_size": 0, "query_id": "ann-asks-something"}
    assert (await api("POST", EXECUTE, query, BOB)).status == 200
    for who, text in ((ANN, "canary"), (BOB, "mine")):
        answer = await api("GET", "/data/query/ann-asks-something/result", None, who)
        assert answer.json["data"] == [[text]]


async def test_names_are_ones_own(api, tmp_path):
    await made_by_ann(api, tmp_path)
    shop = {"type": "duckdb", "name": "shop", "database": str(tmp_path / "other.duckdb")}
    mine = await api("POST", CONNECTIONS, shop, BOB)
    assert mine.status == 201
    answer = await api("POST", EXECUTE, {"query": "SELECT 1", "connection": "shop"}, BOB)
    assert answer.status == 200
    theirs = (await api("GET", CONNECTIONS, None, ANN)).json["connections"][1]
    assert theirs["config"]["database"].endswith("shop.duckdb")
    assert theirs["id"] != mine.json["connection"]["id"]
