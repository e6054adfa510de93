"""An error that a run failed with carries the run's id; one before any run carries none."""

from __future__ import annotations

import asyncio

import pytest

from aiser_jupyter.errors import AiserError
from aiser_jupyter.models import Query, RunState
from aiser_jupyter.server.jobs import Job, Wanted

EXECUTE = "/data/query/execute"


@pytest.mark.parametrize("sql", ["SELECT * FROM nowhere", "SELECT error('it ran')"])
async def test_the_id_in_an_error_is_that_of_one_run_of_the_history(api, extension, sql):
    failed = await api("POST", EXECUTE, {"query": sql})
    id_ = failed.json["run_id"]
    runs = (await api("GET", f"/data/query/history?search={id_[:12]}")).json
    assert [(run["id"], run["state"]) for run in runs["history"]] == [(id_, "failed")]
    (services,) = extension._services.values()
    assert services.failures.find(id_, services.identity.name).id == id_


async def test_the_state_of_a_query_that_failed_has_the_id_too(api):
    id_ = (await api("POST", EXECUTE, {"query": "SELECT error('it ran')", "async": True})).json["id"]
    while (state := (await api("GET", f"/data/query/{id_}")).json)["state"] != "failed":
        assert state["state"] in ("queued", "running")
        await asyncio.sleep(0.02)
    assert state["error"]["run_id"] == id_


async def test_queries_that_fail_together_have_each_their_own(api):
    body = {"queries": [{"query": "SELECT error('it ran')"} for _ in range(4)]}
    ends = (await api("POST", "/data/query/parallel", body)).json["results"]
    assert len({end["run_id"] for end in ends}) == 4


@pytest.mark.parametrize("body", [{"query": "SELECT 1", "connection": "nowhere"}, {}])
async def test_what_never_ran_has_none(api, body):
    refused = await api("POST", EXECUTE, body)
    assert refused.status in (400, 404)
    assert "run_id" not in refused.json
    assert (await api("GET", "/data/query/history")).json["count"] == 0


@pytest.mark.parametrize("sql", ["SELECT * FROM nowhere", "SELECT error('it ran')"])
async def test_a_query_that_failed_is_kept_without_the_frames_it_failed_in(api, extension, sql):
    """They would hold its rows and the request for as long as the query is known."""
    await api("POST", EXECUTE, {"query": sql})
    (jobs,) = extension._jobs.values()
    (job,) = jobs._jobs.values()
    error = job.error
    while error is not None:
        assert error.__traceback__ is None, error
        error = error.__cause__ or error.__context__


def test_errors_that_led_to_each_other_are_let_go_once():
    first, second, third = (AiserError(name) for name in ("first", "second", "third"))
    first.__cause__, second.__cause__, second.__context__ = second, first, third
    for each in (first, second, third):
        try:
            raise each
        except AiserError:
            pass
    job = Job(Query("SELECT 1"), Wanted())
    job.end(RunState.FAILED, first)
    assert [each.__traceback__ for each in (first, second, third)] == [None, None, None]
