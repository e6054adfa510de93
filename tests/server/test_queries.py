"""Queries over REST: at once or in the background, as JSON or Arrow, together, followed, cancelled."""

from __future__ import annotations

import asyncio
import json
import uuid

import pyarrow as pa
import pytest

EXECUTE = "/data/query/execute"
ENDLESS = "SELECT count(*) FROM range(10000000000) a, range(10000000) b WHERE a.range * b.range = 7"


async def until(condition, seconds: float = 20.0):
    """Wait until an awaitable condition gives something true, and return it."""
    end = asyncio.get_running_loop().time() + seconds
    while not (found := await condition()):
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.02)
    return found


def events(raw: bytes) -> list[tuple[str, dict]]:
    """Name and data of each event of a stream; comments left out."""
    blocks = [block.split("\n") for block in raw.decode().split("\n\n") if block.startswith("event: ")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


async def test_rows_with_their_route_and_what_was_understood(api):
    answer = (
        await api(
            "POST", EXECUTE, {"query": "SELECT :n + i AS x FROM range(3) t(i) ORDER BY 1", "params": {"n": 1}}
        )
    ).json
    assert answer["data"] == [[1], [2], [3]]
    assert (answer["row_count"], answer["engine"], answer["connection"]) == (3, "duckdb", "local")
    assert answer["route"]["engine"] == "duckdb"
    assert answer["execution_time"] == pytest.approx(sum(answer["timings"].values()))
    assert (answer["result"], answer["truncated"], answer["cached"]) == (None, False, False)
    sql = """
        SELECT a.i, count(*), rank() OVER (ORDER BY a.i) FROM range(3) a(i) JOIN range(3) b(i) ON a.i = b.i
        WHERE a.i IN (SELECT i FROM range(2) c(i)) GROUP BY a.i
    """
    analysis = (await api("POST", EXECUTE, {"query": sql})).json["query_analysis"]
    counts = {name: analysis[name] for name in ("joins", "subqueries", "windows", "kind", "parsed")}
    assert counts == {"joins": 1, "subqueries": 1, "windows": 1, "kind": "read", "parsed": True}
    assert analysis["aggregates"] >= 1


async def test_a_limit_cuts_and_says_so(api):
    answer = (await api("POST", EXECUTE, {"query": "SELECT * FROM range(100)", "limit": 10})).json
    assert (answer["row_count"], len(answer["data"]), answer["truncated"]) == (10, 10, True)
    assert answer["truncated_reason"] != ""


async def test_a_page_leaves_the_rest_to_be_read(api):
    query = {"query": "SELECT * FROM range(2500) t(i)", "page_size": 10}
    answer = (await api("POST", EXECUTE, query)).json
    assert (len(answer["data"]), answer["row_count"], answer["result"]["rows"]) == (10, 2500, 2500)
    where = f"/data/query/{answer['id']}/result"
    rows = []
    while len(rows) < 2500:
        rows += (await api("GET", f"{where}?offset={len(rows)}")).json["data"]
    assert rows == [[i] for i in range(2500)]
    assert (await api("GET", f"{where}?offset=2500")).json["data"] == []
    assert (await api("GET", f"{where}?limit=0")).status == 400
    assert (await api("DELETE", where)).status == 200
    for method in ("GET", "DELETE"):
        gone = await api(method, where)
        assert (gone.status, gone.json["error_code"]) == (404, "not_found")


@pytest.mark.parametrize(
    "asked", [({"Accept": "application/vnd.apache.arrow.stream"}, {}), ({}, {"format": "arrow"})]
)
async def test_arrow_has_the_types_and_the_rest_in_its_metadata(api, asked):
    headers, fields = asked
    sql = "SELECT i, i::DECIMAL(38, 9) AS d, 'text ' || i AS t FROM range(200000) r(i)"
    answer = await api("POST", EXECUTE, {"query": sql, **fields}, headers)
    assert answer.headers["Content-Type"] == "application/vnd.apache.arrow.stream"
    with pa.ipc.open_stream(answer.raw) as reader:
        table = reader.read_all()
    assert [str(field.type) for field in table.schema] == ["int64", "decimal128(38, 9)", "string"]
    assert table.column("i").to_pylist() == list(range(200_000))
    said = json.loads(table.schema.metadata[b"aiser"])
    assert (said["row_count"], said["engine"], said["success"]) == (200_000, "duckdb", True)
    assert "data" not in said


async def test_an_empty_result_has_its_columns(api):
    sql = {"query": "SELECT 1 AS a, 'x' AS b WHERE false"}
    answer = (await api("POST", EXECUTE, sql)).json
    assert (answer["data"], [column["name"] for column in answer["columns"]]) == ([], ["a", "b"])
    raw = (await api("POST", EXECUTE, {**sql, "format": "arrow"})).raw
    with pa.ipc.open_stream(raw) as reader:
        assert reader.read_all().schema.names == ["a", "b"]


async def test_without_optimization_the_default_engine_computes_it_again(api, jp_root_dir):
    path = jp_root_dir / "numbers.csv"
    path.write_text("n\n1\n2\n")
    query = {"query": f"SELECT sum(n) AS s FROM '{path}'"}
    seen = [(await api("POST", EXECUTE, query)).json["cached"] for _ in range(2)]
    assert seen == [False, True]
    plain = (await api("POST", EXECUTE, {**query, "optimization": False})).json
    assert (plain["cached"], plain["engine"], plain["route"]["pinned"]) == (False, "duckdb", True)


async def test_a_query_in_the_background(api):
    accepted = await api("POST", EXECUTE, {"query": "SELECT * FROM range(5)"}, {"Prefer": "respond-async"})
    assert accepted.status == 202
    where = f"/data/query/{accepted.json['id']}"
    assert accepted.headers["Location"].endswith(f"aiser{where}")

    async def ended():
        state = (await api("GET", where)).json
        return state if state["state"] == "done" else None

    state = await until(ended)
    assert (state["route"]["engine"], state["result"]["rows"], state["error"]) == ("duckdb", 5, None)
    assert (await api("GET", f"{where}/result")).json["data"] == [[i] for i in range(5)]


async def test_its_events_tell_how_it_goes_and_end(api):
    id_ = (await api("POST", EXECUTE, {"query": "SELECT 1", "async": True})).json["id"]
    answer = await api("GET", f"/data/query/{id_}/events")
    told = events(answer.raw)
    assert answer.headers["Cache-Control"] == "no-cache"
    assert (told[-1][0], told[-1][1]["state"], told[-1][1]["id"]) == ("done", "done", id_)
    failing = (await api("POST", EXECUTE, {"query": "SELECT nope", "async": True})).json["id"]
    told = events((await api("GET", f"/data/query/{failing}/events")).raw)
    assert (told[-1][0], told[-1][1]["error"]["error_code"]) == ("failed", "unknown_column")
    assert (await api("GET", f"/data/query/{failing}/result")).status == 404


async def test_a_query_is_cancelled_by_the_id_its_client_chose_before_it_is_answered(api):
    mine = str(uuid.uuid4())
    waiting = asyncio.ensure_future(api("POST", EXECUTE, {"query": ENDLESS, "query_id": mine}))

    async def computing():
        state = await api("GET", f"/data/query/{mine}")
        return state.status == 200 and state.json["phase"] == "execute"

    await until(computing)
    assert (await api("GET", f"/data/query/{mine}/result")).status == 409
    again = await api("POST", EXECUTE, {"query": "SELECT 1", "query_id": mine})
    assert (again.status, again.json["error_code"]) == (409, "conflict")
    assert (await api("POST", f"/data/query/{mine}/cancel", {})).status == 200
    answer = await waiting
    assert (answer.status, answer.json["error_code"]) == (409, "cancelled")
    history = (await api("GET", "/data/query/history")).json["history"]
    state = (await api("GET", f"/data/query/{mine}")).json
    assert [(run["id"], run["state"]) for run in history] == [(state["id"], "cancelled")]
    assert (await api("POST", f"/data/query/{mine}/cancel", {})).json["state"] == "cancelled"


async def test_a_client_that_leaves_takes_its_query_along(
    api, extension, jp_base_url, jp_auth_header, jp_http_port
):
    mine = str(uuid.uuid4())
    _, writer = await asyncio.open_connection("127.0.0.1", jp_http_port)
    body = json.dumps({"query": ENDLESS, "query_id": mine}).encode()
    head = (
        f"POST {jp_base_url}aiser{EXECUTE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: {jp_auth_header['Authorization']}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    writer.write(head.encode() + body)

    async def state() -> str:
        answer = await api("GET", f"/data/query/{mine}")
        return answer.json["phase"] or answer.json["state"] if answer.status == 200 else ""

    async def computing():
        return await state() == "execute"

    async def cancelled():
        return await state() == "cancelled"

    await until(computing)
    writer.close()
    await until(cancelled)


async def test_a_query_that_was_followed_ends_with_its_last_reader(api, extension, monkeypatch):
    monkeypatch.setattr("aiser_jupyter.server.jobs.GONE_SECONDS", 0.3)
    id_ = (await api("POST", EXECUTE, {"query": ENDLESS, "async": True})).json["id"]
    unread = (await api("POST", EXECUTE, {"query": ENDLESS, "async": True})).json["id"]
    jobs = next(iter(extension._jobs.values()))
    with jobs.get(id_).followed():
        await asyncio.sleep(0.5)
        await jobs.sweep(900.0)
        assert not jobs._jobs[id_].stopping
    await asyncio.sleep(0.5)
    await jobs.sweep(900.0)

    async def cancelled():
        return (await api("GET", f"/data/query/{id_}")).json["state"] == "cancelled"

    await until(cancelled)
    assert (await api("GET", f"/data/query/{unread}")).json["state"] == "running"  # nobody promised to follow
    await api("POST", f"/data/query/{unread}/cancel", {})


async def test_one_failure_fails_none_of_its_siblings(api):
    queries = [
        {"query": "SELECT 1 AS a"},
        {"query": "SELECT nope"},
        {"query": "SELECT 1", "data_source_id": "0" * 32},
        {"query": "SELECT * FROM range(9)", "page_size": 2},
    ]
    answer = (await api("POST", "/data/query/parallel", {"queries": queries})).json
    first, second, third, last = answer["results"]
    assert answer["success"] is False
    assert (first["data"], last["data"], last["row_count"]) == ([[1]], [[0], [1]], 9)
    assert (second["error_code"], third["error_code"]) == ("unknown_column", "unknown_connection")
    whole = (await api("POST", "/data/query/parallel", {"queries": queries[:1]})).json
    assert whole["success"] is True


@pytest.mark.parametrize("count", [0, 17])
async def test_too_many_or_no_queries_are_refused(api, count):
    queries = [{"query": "SELECT 1"}] * count
    assert (await api("POST", "/data/query/parallel", {"queries": queries})).status == 400


async def test_a_route_runs_nothing(api, tmp_path):
    path = tmp_path / "written.csv"
    sql = f"COPY (SELECT 1) TO '{path}'"
    answer = (await api("POST", "/data/query/route", {"query": sql})).json
    assert answer["route"]["engine"] == "duckdb"
    assert answer["query_analysis"]["kind"] != "read"
    assert not path.exists()
    assert (await api("GET", "/data/query/history")).json["count"] == 0


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({}, "query is missing."),
        ({"query": ""}, "query takes text."),
        ({"query": 1}, "query takes text."),
        ({"query": "SELECT 1", "limt": 1}, "A query has no field 'limt'."),
        ({"query": "SELECT 1", "limit": -1}, "limit takes a whole number from 0 to 1,000,000,000."),
        ({"query": "SELECT 1", "limit": True}, "limit takes a whole number from 0 to 1,000,000,000."),
        ({"query": "SELECT 1", "limit": 1.5}, "limit takes a whole number from 0 to 1,000,000,000."),
        ({"query": "SELECT 1", "timeout": 0}, "timeout takes a number from 1 to 86,400."),
        ({"query": "SELECT 1", "params": []}, "params takes an object."),
        ({"query": "SELECT 1", "format": "csv"}, "format takes json or arrow."),
        ({"query": "SELECT 1", "optimization": 1}, "optimization takes true or false."),
        ({"query": "SELECT 1", "query_id": "short"}, "query_id takes 16 to 64 letters, digits, - and _."),
        (
            {"query": "SELECT 1", "connection": "a", "data_source_id": "b"},
            "data_source_id and connection say the same thing.",
        ),
    ],
)
async def test_what_is_not_a_query_is_refused_in_words(api, body, error):
    answer = await api("POST", EXECUTE, body)
    assert (answer.status, answer.json["error"]) == (400, error)


async def test_unknown_names_are_errors_with_the_nearest(api):
    for body, status, code in (
        ({"query": "SELECT 1", "connection": "locl"}, 404, "unknown_connection"),
        ({"query": "SELECT 1", "data_source_id": "local "}, 404, "unknown_connection"),
        ({"query": "SELECT 1", "engine": "duckbd"}, 400, "unknown_engine"),
    ):
        answer = await api("POST", EXECUTE, body)
        assert (answer.status, answer.json["error_code"]) == (status, code)
    path = "/data/enterprise/connections/local/query"
    assert (await api("POST", path, {"query": "SELECT 1", "data_source_id": "other"})).status == 400


async def test_a_syntax_error_says_where(api):
    answer = await api("POST", EXECUTE, {"query": "SELECT 1\nFRM x"})
    assert (answer.status, answer.json["line"], answer.json["error_code"]) == (400, 2, "syntax")
