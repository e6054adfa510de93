"""Each warehouse through a proxy: who arrives came through it, for its names mean nothing on this machine."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aiser_jupyter.connectors.network import NetworkConnector
from aiser_jupyter.connectors.oauth import Tokens, application_of
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    HostUnreachable,
    QueryCancelled,
    SignInRequired,
    TLSFailed,
)
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret
from tests.conformance import bigquery as bigquery_suite
from tests.conformance import databricks as databricks_suite
from tests.conformance import snowflake as snowflake_suite
from tests.connectors.redshift_kit import signed
from tests.connectors.snowflake_kit import column, encoded, lay_rows
from tests.endpoints.connect_proxy import ConnectProxy
from tests.endpoints.databricks import Databricks
from tests.faults.test_secrets import shown, spellings
from tests.servers.certificates import Authority
from tests.servers.leaks import nothing_left_behind

PASSWORD = "LEAK/p@ss:%2F"
STORAGE = "acme.s3.amazonaws.com"


@dataclass(frozen=True)
class Target:
    """A warehouse at the vendor's name: where the proxy leads to, and what it is asked for in all."""

    config: Callable[..., ConnectionConfig]
    places: dict[str, int]
    rows: str = "SELECT 1 AS x"
    count: int = 1
    slow: str = ""

    @property
    def kind(self) -> NetworkConnector:
        found = connector(self.config().type)
        assert isinstance(found, NetworkConnector)
        return found


def snowflake(server: Any) -> Target:
    """Its rows come in two parts, of which the storage has one."""

    class Renamed:
        port = server.port

        def lay(self, *answers: Any) -> None:
            text = json.dumps(answers).replace(f"https://127.0.0.1:{server.port}", f"https://{STORAGE}")
            server.lay(*json.loads(text))

    parts = [encoded("FIXED", pa.array(range(5), pa.int8()), precision=9, scale=0)] * 2
    lay_rows(Renamed(), r"\bFROM laid\b", [column("X", "fixed", precision=9, scale=0)], *parts)

    def config(**changed: Any) -> ConnectionConfig:
        return snowflake_suite.config(Path(), server, **{"host": None, "port": 443, **changed})

    places = {"acme.snowflakecomputing.com:443": server.port, f"{STORAGE}:443": server.port}
    return Target(config, places, "SELECT x FROM laid", 10, snowflake_suite.DATABASE.slow)


def bigquery(server: Any) -> Target:
    """Its rows come by gRPC; a service account asks for a token."""

    def config(**changed: Any) -> ConnectionConfig:
        key = server.credentials(token_uri="https://oauth2.googleapis.com/token")
        way = {"sign_in": "service_account", "credentials_json": Secret(key), "token": ""}
        place = {"api_endpoint": "", "storage_endpoint": ""}
        return bigquery_suite.config(Path(), server, **{**place, **way, **changed})

    places = {
        "oauth2.googleapis.com:443": server.port,
        "bigquery.googleapis.com:443": server.port,
        "bigquerystorage.googleapis.com:443": server.storage_port,
    }
    rows = "SELECT i FROM UNNEST(GENERATE_ARRAY(0, 20000 - 1)) AS i"
    return Target(config, places, rows, 20_000, bigquery_suite.DATABASE.slow)


def databricks(server: Databricks) -> Target:
    """Its rows come as files of a storage; a service principal asks for a token."""
    server.behave(files_from=1_000, link_host=f"https://{STORAGE}")
    host = "dbc-a1b2c3d4-e5f6.cloud.databricks.com"

    def config(**changed: Any) -> ConnectionConfig:
        id, secret = server.client
        way = {"auth_type": "oauth_m2m", "access_token": "", "client_id": id, "client_secret": secret}
        place = {"server_hostname": host, "port": 443}
        return databricks_suite.config(Path(), server, **{**place, **way, **changed})

    places = {f"{host}:443": server.port, f"{STORAGE}:443": server.port}
    return Target(config, places, "SELECT id AS i FROM range(5000)", 5_000, databricks_suite.DATABASE.slow)


def redshift(server: Any) -> Target:
    """Its keys are shown to AWS; the database speaks another protocol, and is reached directly."""
    host = "redshift.eu-central-1.amazonaws.com"

    def config(**changed: Any) -> ConnectionConfig:
        return signed(server, **{"endpoint_url": f"https://{host}", **changed})

    return Target(config, {f"{host}:443": server.api_port})


@pytest.fixture(params=[snowflake, bigquery, databricks, redshift], ids=lambda each: each.__name__)
def target(request: pytest.FixtureRequest) -> Iterator[Target]:
    server = request.getfixturevalue(request.param.__name__)
    yield request.param(server)
    if request.param is databricks:
        server.behave()
    if request.param is snowflake:
        server.lay()


@contextmanager
def through(
    monkeypatch: pytest.MonkeyPatch, places: dict[str, int], user: str = ""
) -> Iterator[ConnectProxy]:
    with ConnectProxy(places, user) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        yield proxy


def fetch(target: Target, **changed: Any) -> int:
    """Return how many rows came."""
    with (
        closing(target.kind.fresh(target.config(**{"timeout": 60, **changed}))) as session,
        session.execute(target.rows, (), Run("r", timeout=60)) as reader,
    ):
        return int(reader.read_all().num_rows)


def refused(work: Callable[[], object]) -> AiserError:
    """Return the error; its frames begin here, without those of the test."""
    try:
        work()
    except AiserError as exc:
        return exc
    raise AssertionError("it was reached")


def test_everything_goes_through_the_proxy_and_no_password_into_a_log(
    target: Target, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with through(monkeypatch, target.places, f"ann:{PASSWORD}") as proxy:
        assert fetch(target) == target.count
        assert set(proxy.asked) == set(target.places)
    assert not [each for each in spellings(PASSWORD) if each in caplog.text]


def test_a_proxy_that_refuses_its_user_says_so_and_shows_no_password(
    target: Target, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with through(monkeypatch, target.places, f"ann:{PASSWORD}") as proxy:
        for user in ("", "ann:LEAK%2F%2B@"):
            monkeypatch.setenv("HTTPS_PROXY", f"http://{user}127.0.0.1:{proxy.port}")
            error = refused(lambda: fetch(target))
            assert isinstance(error, AuthenticationFailed)
            assert f"The proxy 127.0.0.1:{proxy.port}" in error.message
            text = shown(error) + caplog.text
            assert not [each for it in ("LEAK/+", "ann:LEAK/+") for each in spellings(it) if each in text]


@pytest.mark.parametrize("status", [403, 502])
def test_a_proxy_that_does_not_lead_there_is_named(
    target: Target, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with through(monkeypatch, target.places) as proxy:
        proxy.status = status
        error = refused(lambda: fetch(target))
        assert isinstance(error, ConnectError)
        assert f"The proxy 127.0.0.1:{proxy.port} does not lead to" in error.message


def test_a_silent_proxy_ends_at_the_deadline(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    with nothing_left_behind(), through(monkeypatch, target.places) as proxy:
        proxy.mute = True
        began = time.monotonic()
        error = refused(lambda: fetch(target, timeout=1))
        assert isinstance(error, ConnectError)
        assert f"proxy 127.0.0.1:{proxy.port}" in error.message
        assert 0.9 < time.monotonic() - began < 15


def test_the_warehouse_behind_the_proxy_is_verified(
    target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with through(monkeypatch, target.places) as proxy:
        error = refused(lambda: fetch(target, ssl_ca=Authority(tmp_path).pem))
        assert isinstance(error, TLSFailed)
        assert proxy.asked


def test_no_proxy_names_what_is_reached_without_it(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    with through(monkeypatch, target.places) as proxy:
        monkeypatch.setenv("NO_PROXY", ",".join(place.removesuffix(":443") for place in target.places))
        error = refused(lambda: fetch(target))
        assert isinstance(error, HostUnreachable)
        assert "is not known" in error.message
        assert proxy.asked == []


def test_a_statement_is_stopped_through_it(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    if not target.slow:  # the way to the database is direct
        return
    with through(monkeypatch, target.places), closing(target.kind.fresh(target.config())) as session:
        run = Run("r", timeout=60)
        threading.Timer(0.7, run.cancel).start()
        with pytest.raises(QueryCancelled) as caught, run.on_cancel(session.cancel):
            session.execute(target.slow, (), run).read_all()
        assert caught.value.confirmed


def test_the_steps_of_a_test_name_the_proxy(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    if target.kind.type == "redshift":  # the way to the database is direct
        return
    with through(monkeypatch, target.places) as proxy:
        with closing(target.kind.stages(target.config(), Run("test", timeout=60))) as stages:
            said = {stage.name: stage.run() for stage in stages if stage.name in ("name", "tcp", "tls")}
        assert said["name"] == f"left to the proxy 127.0.0.1:{proxy.port}"
        assert said["tcp"] == f"port 443 answers through the proxy 127.0.0.1:{proxy.port}"
        assert said["tls"].startswith("TLSv1")


@pytest.mark.parametrize("made", [snowflake, bigquery, redshift], ids=lambda each: each.__name__)
def test_this_machine_is_never_reached_through_it(
    made: Callable[[Any], Target], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = request.getfixturevalue(made.__name__)
    place = {
        "snowflake": {"host": "127.0.0.1", "port": server.port},
        "bigquery": {"api_endpoint": f"https://127.0.0.1:{server.port}", "credentials_json": "", "token": ""},
        "redshift": {"endpoint_url": f"https://127.0.0.1:{getattr(server, 'api_port', 0)}"},
    }[made.__name__]
    if made is bigquery:
        place |= {"storage_endpoint": "", "sign_in": "access_token", "token": server.password}
    target = replace(made(server), rows="SELECT 1 AS x")
    with through(monkeypatch, {}) as proxy:
        assert fetch(target, **place) == 1
        assert proxy.asked == []


def test_a_token_of_databricks_is_not_brought_to_a_proxy_that_leads_nowhere(
    workspace: Databricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = databricks(workspace)
    token = {"auth_type": "pat", "access_token": workspace.password, "client_id": "", "client_secret": ""}
    with through(monkeypatch, target.places, f"ann:{PASSWORD}") as proxy:
        assert fetch(target, **token) == target.count
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        error = refused(lambda: fetch(target, **token))
        assert isinstance(error, AuthenticationFailed)
        assert f"The proxy 127.0.0.1:{proxy.port} asks for a user" in error.message


def test_databricks_driver_is_kept_from_the_proxy_to_this_machine(
    workspace: Databricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, config = connector("databricks"), databricks_suite.config(Path(), workspace)
    assert isinstance(kind, NetworkConnector)
    with through(monkeypatch, {}) as proxy:
        error = refused(lambda: kind.fresh(config))
        assert isinstance(error, ConfigError)
        assert "NO_PROXY=127.0.0.1" in error.hint
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        kind.fresh(config).close()
        monkeypatch.setenv("HTTPS_PROXY", f"127.0.0.1:{proxy.port}")
        there = databricks(workspace)
        proxy.places = there.places
        assert "begins with http://" in refused(lambda: kind.fresh(there.config())).message
        assert f"127.0.0.1:{workspace.port}" not in proxy.asked


def test_tokens_of_a_sign_in_with_the_browser_come_through_it(
    workspace: Databricks, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = databricks(workspace)
    way = {"auth_type": "oauth_u2m", "access_token": "", "client_id": "", "client_secret": ""}
    found = application_of(target.config(**way))
    with through(monkeypatch, target.places) as proxy:
        found.require_vendor(5)
        error = refused(lambda: found.refresh(Tokens(Secret("a"), Secret("b"), 0.0), 10.0))
        assert isinstance(error, SignInRequired)  # so the workspace says
        assert proxy.asked == [next(iter(target.places))]
