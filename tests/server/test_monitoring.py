"""What a running server shows to Prometheus and tells as Jupyter events."""

from __future__ import annotations

import asyncio
import json
import time
from concurrent.futures import Future
from pathlib import Path

import pytest
import yaml
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from aiser_jupyter.errors import AiserError
from aiser_jupyter.models import ConnectionConfig, Query, RunState
from aiser_jupyter.server.monitoring import CONNECTION_EVENT, RUN_EVENT, SCHEMAS, WAIT, Monitoring
from aiser_jupyter.services import build, os_identity

CANARY = "hunter2canary"


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def monitoring(extension, registry):
    watching = Monitoring(extension, registry)
    yield watching
    watching.close()


@pytest.fixture
def services(extension):
    """This account's, apart from those that the extension itself watches."""
    built = build(extension.policy)
    yield built
    built.close()


def exported(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(generate_latest(registry).decode())
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, *sorted(sample.labels.values())): sample.value for sample in samples}


async def settled(extension, registry) -> dict[tuple[str, ...], float]:
    """A scrape whose look at the store was not late."""
    end = time.monotonic() + 30
    while (found := exported(registry)).get(("aiser_gauges_age_seconds",), WAIT) >= WAIT:
        assert time.monotonic() < end
        await asyncio.sleep(0.05)
    return found


async def test_counters_are_of_this_server_and_gauges_of_every_process(
    extension, monitoring, registry, services, remember
):
    remember("SELECT 1", state=RunState.RUNNING)
    remember("SELECT 2", state=RunState.RUNNING, user="somebody else")
    remember("SELECT 3")
    monitoring.attach(services)
    values = {"database": "/nowhere/x.duckdb"}
    services.connections.create(ConnectionConfig("duckdb", CANARY, values), tested=False)
    await extension.waiting(services.queries.run, Query("SELECT 1"))
    with pytest.raises(AiserError):
        await extension.waiting(services.queries.run, Query(f"SELECT * FROM {CANARY}"))
    await extension.waiting(services.queries.flush)
    found = await settled(extension, registry)
    assert found["aiser_queries_total", "done", "duckdb", "read"] == 1
    assert sum(count for key, count in found.items() if key[0] == "aiser_queries_total") == 2
    assert found["aiser_queries_running",] == 2
    assert found["aiser_queries_queued",] == 0
    states = {state: found["aiser_connections", state] for state in ("ok", "failing", "unknown")}
    assert states == {"ok": 0, "failing": 0, "unknown": 1}
    assert CANARY not in str(found)


async def test_a_scrape_waits_for_nobody_who_holds_the_store(extension, monitoring, registry, services):
    monitoring.attach(services)
    await settled(extension, registry)
    monitoring._looking = Future()  # a look that does not end
    began = time.monotonic()
    found = exported(registry)
    assert WAIT <= time.monotonic() - began < 20 * WAIT
    assert found["aiser_gauges_age_seconds",] >= WAIT


async def test_without_anybody_and_after_the_end_there_are_no_gauges(extension, registry):
    watching = Monitoring(extension, registry)
    assert ("aiser_queries_running",) not in exported(registry)
    watching.close()
    watching.close()
    assert exported(registry) == {}


async def heard(jp_serverapp, id: str):
    """A list that events of a schema come into."""
    events = []

    async def listen(logger, schema_id, data):
        events.append(data)

    jp_serverapp.event_logger.add_listener(schema_id=id, listener=listen)
    return events


async def come(events: list, count: int) -> list:
    end = time.monotonic() + 30
    while len(events) < count:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    return events


async def test_the_end_of_a_run_is_an_event_without_its_statement(
    jp_serverapp, extension, monitoring, services
):
    events = await heard(jp_serverapp, RUN_EVENT)
    monitoring.attach(services)
    result = await extension.waiting(services.queries.run, Query(f"SELECT '{CANARY}' AS x"))
    with pytest.raises(AiserError):
        await extension.waiting(services.queries.run, Query(f"SELECT '{CANARY}'::INT"))
    done, failed = await come(events, 2)
    assert (done["id"], done["outcome"], done["rows"], done["error_code"]) == (result.id, "done", 1, "")
    assert (failed["outcome"], failed["error_code"], failed["rows"]) == ("failed", "data", None)
    assert CANARY not in json.dumps(events)


async def test_a_change_of_a_connection_is_an_event_without_its_values(jp_serverapp, monitoring, services):
    events = await heard(jp_serverapp, CONNECTION_EVENT)
    values = {"database": f"/nowhere/{CANARY}.duckdb"}
    saved = services.connections.create(ConnectionConfig("duckdb", CANARY, values), tested=False)
    for action in ("saved", "changed", "removed"):
        monitoring.connection_changed(action, saved)
    expected = {"user": os_identity().name, "id": saved.id, "type": "duckdb"}
    found = await come(events, 3)
    assert found == [{"action": action, **expected} for action in ("saved", "changed", "removed")]


@pytest.mark.parametrize("path", SCHEMAS, ids=lambda path: path.stem)
def test_no_event_has_a_place_for_a_statement_or_a_message(path: Path):
    schema = yaml.safe_load(path.read_text())
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == schema["properties"].keys()
    assert not schema["properties"].keys() & {
        "sql",
        "text",
        "statement",
        "error",
        "message",
        "name",
        "values",
    }
