"""Connections over REST: by id, tested before they are saved, and no way back for a secret."""

from __future__ import annotations

import re
import socket
import threading

import pytest

CONNECTIONS = "/data/enterprise/connections"


@pytest.fixture
def shop(tmp_path):
    return {"type": "duckdb", "name": "shop", "database": str(tmp_path / "shop.duckdb")}


@pytest.fixture
def server(postgresql):
    """The fields of a connection to a real server."""
    return {
        "type": "postgresql",
        "name": "warehouse",
        "host": "127.0.0.1",
        "port": postgresql.port,
        "username": postgresql.user,
        "password": postgresql.password,
        "database": postgresql.database,
        "ssl_ca": postgresql.authority.pem,
    }


@pytest.fixture
def listener():
    """A port where somebody listens; what they were sent."""
    heard = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(0.1)
        ended = threading.Event()

        def listen() -> None:
            while not ended.is_set():
                try:
                    peer, _ = listening.accept()
                except TimeoutError:
                    continue
                with peer:
                    peer.settimeout(0.5)
                    try:
                        heard.extend(peer.recv(65536))
                    except TimeoutError:
                        continue

        thread = threading.Thread(target=listen)
        thread.start()
        yield listening.getsockname()[1], heard
        ended.set()
        thread.join()


async def test_the_kinds_come_with_the_fields_of_a_form(api):
    kinds = {
        kind["type"]: kind for kind in (await api("GET", "/data/enterprise/connectors")).json["connectors"]
    }
    assert {"duckdb", "mysql", "postgresql"} <= kinds.keys()
    assert "object" not in kinds
    fields = {field["name"]: field for field in kinds["postgresql"]["fields"]}
    assert (fields["host"]["required"], fields["host"]["routing"]) == (True, True)
    assert (fields["password"]["secret"], fields["password"]["required"]) == (True, False)
    assert (fields["port"]["kind"], fields["port"]["default"]) == ("integer", 5432)
    choices = [field for kind in kinds.values() for field in kind["fields"] if field["kind"] == "choice"]
    assert len(choices) >= 4
    for field in choices:
        assert field["default"] in [choice["value"] for choice in field["choices"]]
        for choice in field["choices"]:  # a person reads words, not the driver's
            assert re.fullmatch(r"[A-Z][A-Za-z ,]+", choice["label"])
    (browser,) = [
        choice for field in choices for choice in field["choices"] if choice["value"] == "oauth_u2m"
    ]
    assert browser["label"] == "The browser"


async def test_a_connection_from_its_creation_to_its_end(api, shop):
    created = await api("POST", CONNECTIONS, shop)
    connection = created.json["connection"]
    assert created.status == 201
    assert re.fullmatch("[0-9a-f]{32}", connection["id"])
    assert created.headers["Location"].endswith(f"aiser{CONNECTIONS}/{connection['id']}")
    where = f"{CONNECTIONS}/{connection['id']}"

    assert (await api("GET", where)).json["connection"] == connection
    listed = (await api("GET", CONNECTIONS)).json["connections"]
    assert [(each["name"], each["read_only"]) for each in listed] == [("local", True), ("shop", False)]
    assert (await api("GET", f"{CONNECTIONS}/shop")).status == 404  # a name is no id

    renamed = await api("PATCH", where, {"name": "store"})
    assert (renamed.status, renamed.json["connection"]["name"]) == (200, "store")
    assert renamed.json["connection"]["version"] == 2
    assert (await api("DELETE", where)).json == {"success": True, "id": connection["id"]}
    for method in ("GET", "DELETE"):
        assert (await api(method, where)).status == 404


async def test_the_same_connection_twice_is_one(api, shop):
    first = await api("POST", CONNECTIONS, shop)
    again = await api("POST", CONNECTIONS, shop)
    assert (again.status, again.json) == (201, first.json)


async def test_fields_are_flat_or_in_metadata_or_in_a_url(api, tmp_path):
    path = str(tmp_path / "a.duckdb")
    for name, body in {
        "flat": {"type": "duckdb", "database": path, "metadata": None, "password": None},
        "nested": {"type": "duckdb", "metadata": {"database": path}},
        "url": {"connection_string": f"duckdb:///{path}"},
    }.items():
        answer = await api("POST", CONNECTIONS, {"name": name, **body})
        assert answer.status == 201, answer.raw
        assert answer.json["connection"]["config"] == {"database": path}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"name": "a", "type": "duckdb", "databse": "x"}, "Did you mean 'database'?"),
        ({"name": "a", "type": "postgres_ql"}, "Did you mean 'postgresql'?"),
        ({"name": "a", "type": "object", "object": "x"}, "Known types"),
        ({"name": "local", "type": "duckdb"}, "another name"),
        ({"name": "a b", "type": "duckdb"}, "letters"),
        ({"name": "a"}, "postgresql"),
        ({"type": "duckdb"}, "a name"),
        ({"name": "a", "type": "duckdb", "metadata": {"name": "b"}}, ""),
        ({"name": "a", "type": "duckdb", "database": ["x"]}, ""),
        ({"name": "a", "type": "duckdb", "metadata": []}, ""),
        ({"name": "a", "type": "duckdb", "database": "x" * 300}, ""),
        ({"name": "a", "type": "duckdb", "database": "~nobody-of-that-name/x.duckdb"}, ""),
        ({"name": "a", "type": "mysql", "connection_string": "postgresql://ann@localhost/x"}, ""),
        ({"name": "a", "connection_string": "postgresql://ann@localhost/x?options=-c"}, ""),
        ({"name": "a", "type": "postgresql", "username": "ann", "host": "/tmp/.s.PGSQL.5432"}, "host"),
        ({"name": "a", "type": "postgresql", "username": "ann", "host": "localhost", "port": 70000}, ""),
    ],
)
async def test_what_cannot_be_a_connection_is_refused_and_not_saved(api, body, said):
    answer = await api("POST", CONNECTIONS, body)
    assert answer.status == 400, answer.raw
    assert said in answer.json["hint"]
    assert (await api("GET", CONNECTIONS)).json["count"] == 1


async def test_a_failed_test_is_an_answer_and_a_failed_creation_an_error(api, server):
    wrong = {**server, "password": "wrong"}
    tested = await api("POST", f"{CONNECTIONS}/test", wrong)
    assert (tested.status, tested.json["success"]) == (200, False)
    steps = {check["name"]: check for check in tested.json["checks"]}
    assert (steps["tls"]["ok"], steps["login"]["ok"]) == (True, False)
    assert steps["login"]["hint"] != ""
    assert steps["login"]["ms"] > 0
    assert tested.json["connection_info"]["config"]["password"] == {"set": True}

    created = await api("POST", CONNECTIONS, wrong)
    assert (created.status, created.json["error_code"]) == (400, "config")
    assert (await api("GET", CONNECTIONS)).json["count"] == 1


async def test_a_secret_goes_in_and_never_comes_back(api, server):
    tested = await api("POST", f"{CONNECTIONS}/test", server)
    assert tested.json["success"], tested.raw
    assert [check["ok"] for check in tested.json["checks"]] == [True] * len(tested.json["checks"])
    created = await api("POST", CONNECTIONS, server)
    id_ = created.json["connection"]["id"]
    answers = [
        tested,
        created,
        await api("GET", CONNECTIONS),
        await api("GET", f"{CONNECTIONS}/{id_}"),
        await api("PATCH", f"{CONNECTIONS}/{id_}", {"timeout": 20}),
        await api("POST", f"{CONNECTIONS}/test", {"id": id_}),
        await api("POST", f"{CONNECTIONS}/{id_}/query", {"query": "SELECT 1"}),
        await api("POST", f"{CONNECTIONS}/{id_}/health", {}),
    ]
    assert all(answer.status in (200, 201) for answer in answers)
    assert not any(server["password"].encode() in answer.raw for answer in answers)
    assert answers[3].json["connection"]["config"]["password"] == {"set": True}
    assert answers[5].json["success"]


@pytest.mark.parametrize("field", ["host", "port", "ssl_enabled", "ssl_ca", "ssl_server_name"])
async def test_a_saved_secret_is_sent_nowhere_but_where_it_was_saved_for(api, server, listener, field):
    id_ = (await api("POST", CONNECTIONS, server)).json["connection"]["id"]
    before = (await api("GET", f"{CONNECTIONS}/{id_}")).json
    port, heard = listener
    elsewhere = {"host": "localhost", "port": port, "ssl_enabled": False, "ssl_ca": None}
    elsewhere["ssl_server_name"] = "localhost"
    for method, where, body in (
        ("PATCH", f"{CONNECTIONS}/{id_}", {field: elsewhere[field]}),
        ("POST", f"{CONNECTIONS}/test", {"id": id_, field: elsewhere[field]}),
    ):
        refused = await api(method, where, body)
        assert (refused.status, refused.json["error_code"]) == (400, "config"), refused.raw
        assert "again" in refused.json["error"]
    assert (await api("GET", f"{CONNECTIONS}/{id_}")).json == before
    assert not heard


async def test_the_catalog_of_a_connection(api, shop):
    id_ = (await api("POST", CONNECTIONS, shop)).json["connection"]["id"]
    where = f"{CONNECTIONS}/{id_}"
    made = "CREATE TABLE orders AS SELECT 1 AS id, 'x' AS note"
    assert (await api("POST", f"{where}/query", {"query": made})).status == 200
    listed = (await api("GET", f"{where}/schema")).json
    assert [(table["name"], table["columns"]) for table in listed["tables"]] == [("orders", None)]
    assert listed["schemas"] == ["main"]
    one = (await api("GET", f"{where}/schema?table_name=orders")).json["tables"][0]
    assert [column["name"] for column in one["columns"]] == ["id", "note"]
    hits = (await api("GET", f"{where}/schema?search=NOTE&limit=1")).json["hits"]
    assert [(hit["table"]["name"], hit["column"]["name"]) for hit in hits] == [("orders", "note")]
    missing = await api("GET", f"{where}/schema?table_name=order")
    assert (missing.status, missing.json["error_code"]) == (400, "unknown_table")
    assert (await api("GET", f"{where}/schema?schema=nowhere")).json["tables"] == []
    assert (await api("GET", f"{where}/schema?refresh=yes")).status == 400


async def test_files_of_the_server_are_not_in_the_catalog_of_local(api, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text("id\n1\n")
    listed = (await api("GET", f"{CONNECTIONS}/local/schema")).json
    assert listed["tables"] == []
    for name in ("orders.csv", str(tmp_path / "orders.csv"), "/etc/passwd"):
        assert (await api("GET", f"{CONNECTIONS}/local/schema?table_name={name}")).status == 400


async def test_health_is_what_is_known_and_asking_is_another_call(api, server, postgresql):
    id_ = (await api("POST", CONNECTIONS, server)).json["connection"]["id"]
    where = f"{CONNECTIONS}/{id_}/health"
    assert (await api("GET", where)).json["health"]["name"] == "warehouse"
    asked = (await api("POST", where, {})).json["health"]
    assert (asked["status"], asked["failures"], asked["message"]) == ("ok", 0, "")
    assert asked["latencies"][-1]["seconds"] > 0
    state = (await api("GET", "/data/health")).json
    assert [(each["name"], each["status"]) for each in state["connections"]] == [("warehouse", "ok")]
    assert (await api("GET", f"{CONNECTIONS}/local/health")).json["health"]["status"] == "ok"


class TestNotOnesOwn:
    """Connections of the environment: there to use, not to change."""

    @pytest.fixture(autouse=True)
    def named(self, tmp_path, monkeypatch):
        path = tmp_path / "team.toml"
        path.write_text(f'type = "duckdb"\ndatabase = "{tmp_path}/team.duckdb"\n')
        path.chmod(0o600)
        monkeypatch.setenv("AISER_CONNECTION_TEAM", str(path))

    async def test_are_listed_and_read_only(self, api):
        team = (await api("GET", CONNECTIONS)).json["connections"][1]
        assert (team["name"], team["source"], team["read_only"]) == ("team", "environment", True)
        for method, body in (("PATCH", {"database": "/tmp/x"}), ("DELETE", None)):
            refused = await api(method, f"{CONNECTIONS}/{team['id']}", body)
            assert refused.status == 400
            assert "not yours" in refused.json["error"]
        assert (await api("GET", CONNECTIONS)).json["connections"][1] == team
