"""How Databricks is reached: what the driver is told, who is let in, and where nothing leads."""

from __future__ import annotations

import base64
import contextlib
import inspect
import logging
import re
import socket
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import databricks.sql
import pytest
from databricks.sql.backend.thrift_backend import _retry_policy
from databricks.sql.client import Connection

from aiser_jupyter.connectors.databricks import DatabricksConnector
from aiser_jupyter.connectors.databricks import driver as databricks_driver
from aiser_jupyter.connectors.hosts import require_vendor
from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    NotPermitted,
    TLSFailed,
    UnknownDatabase,
)
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run
from aiser_jupyter.services.connections import _timed
from tests.conformance.databricks import config as config_of
from tests.endpoints.databricks import Databricks
from tests.faults.test_secrets import shown
from tests.servers.certificates import Authority

KIND = DatabricksConnector()
M2M = "oauth_m2m"


def principal(workspace: Databricks, **changed: Any) -> ConnectionConfig:
    """A connection that signs in as a service principal."""
    id, secret = workspace.client
    values = {"auth_type": M2M, "access_token": "", "client_id": id, "client_secret": secret}
    return config_of(Path(), workspace, **{**values, **changed})


def one(config: ConnectionConfig) -> Any:
    with closing(KIND.fresh(config)) as session:
        return session.execute("SELECT 1", (), Run("test")).read_all().column(0).to_pylist()[0]


def attempt(config: ConnectionConfig) -> AiserError:
    """Fail, and return the error."""
    try:
        KIND.fresh(config).close()
    except AiserError as exc:
        return exc
    raise AssertionError("it succeeded")


# -- what the driver is told ---------------------------------------------------------------------------

SET = {
    *("server_hostname", "http_path", "access_token", "credentials_provider", "catalog", "schema"),
    *("user_agent_entry", "enable_telemetry", "use_cloud_fetch", "max_download_threads"),
    *("_port", "_socket_timeout", "_enable_v3_retries", "_tls_trusted_ca_file", "_connection_uri"),
    *("_retry_stop_after_attempts_count", "_retry_stop_after_attempts_duration"),
    *("_retry_delay_min", "_retry_delay_max"),
}
NOT_OFFERED = {
    # TLS that is not verified, and keys as files of this machine
    *("_tls_no_verify", "_tls_verify_hostname", "_tls_client_cert_file", "_tls_client_cert_key_file"),
    *("_tls_client_cert_key_password", "_use_cert_as_auth"),
    # other ways to sign in: by a browser, by a file, by a token kept on disk, or at another authority
    *("auth_type", "oauth_client_id", "oauth_client_secret", "oauth_redirect_port", "oauth_scopes"),
    *("oauth_jwt_key_file", "oauth_jwt_kid", "oauth_jwt_passphrase", "oauth_jwt_algorithm", "token_url"),
    *("oauth_token_cache_enabled", "experimental_oauth_persistence", "identity_federation_client_id"),
    *("azure_client_id", "azure_client_secret", "azure_tenant_id", "azure_workspace_resource_id"),
    *("username", "password"),
    # files of this machine
    "staging_allowed_local_path",
    # other protocols, without what is needed here
    *("use_kernel", "use_sea", "use_hybrid_disposition", "enable_geospatial_support"),
    # values pasted into the text, results in other shapes, statements that nobody sees
    *("use_inline_params", "_disable_pandas", "_use_arrow_native_complex_types", "session_configuration"),
    *("_use_arrow_native_decimals", "_use_arrow_native_timestamps", "query_tags", "ignore_transactions"),
    *("fetch_autocommit_from_server", "enable_query_result_lz4_compression", "escape_catalog_name"),
    *("enable_metric_view_metadata", "http_headers"),
    # what is reported about the user, and how requests are repeated
    *("force_enable_telemetry", "telemetry_batch_size", "_telemetry_circuit_breaker_enabled"),
    *("_retry_delay_default", "_retry_dangerous_codes", "_retry_max_redirects"),
    *("_respect_server_retry_after_header", "_proxy_auth_method", "_user_agent_entry"),
    *("_pool_connections", "_pool_maxsize", "pool_maxsize"),
}


def test_every_word_the_driver_knows_was_looked_at() -> None:
    package = Path(databricks.sql.__file__).parent
    apart = {"thrift_api", "kernel", "sea"}  # generated; other protocols, which are never chosen
    sources = [path.read_text() for path in package.rglob("*.py") if not apart & set(path.parts)]
    word = re.compile(r'(?<!\w)kwargs(?:\.\w+\(|\[)\s*"(\w+)"')
    known = {name for text in sources for name in word.findall(text)}
    known |= set(inspect.signature(Connection.__init__).parameters)
    known |= set(_retry_policy)
    known -= {"self", "kwargs"}
    assert known == SET | NOT_OFFERED
    assert not SET & NOT_OFFERED


def test_the_driver_is_told_what_was_looked_at_and_nothing_else(workspace: Databricks) -> None:
    given: set[str] = set()
    for config in (
        config_of(Path(), workspace),
        principal(workspace),
        config_of(Path(), workspace, ssl_enabled=False),
    ):
        given |= set(databricks_driver.arguments(config.values, 1.0))
    assert given == SET


def test_no_field_leads_to_the_rest() -> None:
    ours = {"auth_type", "password", "oauth_client_id", "oauth_client_secret"}  # ours, and not for it
    for name in NOT_OFFERED - ours:
        with pytest.raises(ConfigError, match="has no field"):
            KIND.validate({"server_hostname": "x.cloud.databricks.com", name: "1"})


# -- fields ----------------------------------------------------------------------------------------------

GOOD = {
    "server_hostname": "dbc-a1b2c3d4-e5f6.cloud.databricks.com",
    "http_path": "/sql/1.0/warehouses/a1b234c567d8e9fa",
    "access_token": "dapi123",
}


@pytest.mark.parametrize(
    ("written", "host"),
    [
        ("https://dbc-a1.cloud.databricks.com/", "dbc-a1.cloud.databricks.com"),
        (" DBC-A1.Cloud.Databricks.com ", "dbc-a1.cloud.databricks.com"),
        ("adb-123.4.azuredatabricks.net.", "adb-123.4.azuredatabricks.net"),
    ],
)
def test_a_host_has_one_form(written: str, host: str) -> None:
    values = KIND.validate({**GOOD, "server_hostname": written})
    assert values["server_hostname"] == host
    assert KIND.destination(values) == KIND.destination({**values, "server_hostname": host})


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("sql/1.0/warehouses/a1b2", "/sql/1.0/warehouses/a1b2"),
        ("/sql/1.0/endpoints/a1b2", "/sql/1.0/endpoints/a1b2"),
        ("sql/protocolv1/o/12345/0123-456789-abc", "/sql/protocolv1/o/12345/0123-456789-abc"),
        ("/sql/1.0/warehouses/a1b2?o=123", "/sql/1.0/warehouses/a1b2?o=123"),
    ],
)
def test_a_path_is_that_of_a_warehouse_or_a_cluster(written: str, path: str) -> None:
    assert KIND.validate({**GOOD, "http_path": written})["http_path"] == path


@pytest.mark.parametrize(
    "changed",
    [
        {"server_hostname": "http://x.cloud.databricks.com"},
        {"server_hostname": "x.cloud.databricks.com/path"},
        {"server_hostname": "x.cloud.databricks.com:8443"},
        {"server_hostname": "a@b.cloud.databricks.com"},
        {"http_path": "/api/2.0/secrets/list"},
        {"http_path": "/sql/1.0/warehouses/../../oidc"},
        {"http_path": "//evil.example/sql/1.0/warehouses/a"},
        {"http_path": "/sql/1.0/warehouses/a?o=1&x=2"},
        {"port": 8443},
        {"client_secret": "x"},
        {"auth_type": "databricks-oauth"},
    ],
    ids=str,
)
def test_what_leads_elsewhere_is_refused_before_it_is_saved(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        KIND.validate({**GOOD, **changed})


def test_other_words_for_the_fields() -> None:
    given = {
        "host": GOOD["server_hostname"],
        "http_path": GOOD["http_path"],
        "token": "dapi",
        "database": "main",
    }
    values = KIND.validate(given)
    assert (values["server_hostname"], values["catalog"]) == (GOOD["server_hostname"], "main")
    assert values["access_token"].reveal() == "dapi"
    with pytest.raises(ConfigError, match="another word"):
        KIND.validate({**GOOD, "token": "other"})


@pytest.mark.parametrize(
    "host", ["adb-1.2.azuredatabricks.net", "1.2.gcp.databricks.com", "x.cloud.databricks.com"]
)
def test_the_vendors_hosts(host: str) -> None:
    require_vendor(host, ["203.0.113.1"], KIND.domains)
    with pytest.raises(ConfigError, match="vendor's hosts"):
        require_vendor(f"{host}.example", ["203.0.113.1"], KIND.domains)


# -- who is let in ---------------------------------------------------------------------------------------


def test_a_service_principal_signs_in(workspace: Databricks) -> None:
    assert one(principal(workspace)) == 1
    paths = workspace.seen()["paths"]
    assert paths.count("/oidc/v1/token") == 1
    assert set(paths) == {"/oidc/v1/token", workspace.http_path}


@pytest.mark.parametrize("changed", [{"client_secret": "dosewrong"}, {"client_id": "99999999-0000"}], ids=str)
def test_a_wrong_principal_is_refused(workspace: Databricks, changed: dict[str, str]) -> None:
    error = attempt(principal(workspace, **changed))
    assert isinstance(error, AuthenticationFailed)
    assert "Client authentication failed" in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({}, None),
        ({"exp": 1_700_000_000}, "expired"),
        ({"key": "f" * 64}, "Invalid Token"),
        ({"iss": "https://127.0.0.1:1/oidc", "aud": "https://other.cloud.databricks.com"}, "Invalid Token"),
    ],
    ids=["good", "expired", "forged", "foreign"],
)
def test_a_token_holds_only_where_it_was_made_and_until_it_expires(
    workspace: Databricks, claims: dict[str, Any], said: str | None
) -> None:
    config = config_of(Path(), workspace, access_token=workspace.ask("/_sign", claims)["token"])
    if said is None:
        assert one(config) == 1
        return
    error = attempt(config)
    assert isinstance(error, AuthenticationFailed)
    assert said in error.message
    assert "expires" in error.hint


def test_an_expired_token_is_exchanged_anew(workspace: Databricks) -> None:
    workspace.behave(token_seconds=41.0)  # it is not used in its last 40 seconds
    with closing(KIND.fresh(principal(workspace))) as session:
        before = workspace.seen()["tokens"]
        time.sleep(1.2)
        assert session.execute("SELECT 1", (), Run("test")).read_all().num_rows == 1
    assert workspace.seen()["tokens"] > before


def test_a_token_with_characters_that_none_has(workspace: Databricks) -> None:
    for token in ("two words", "lin\nes", "tökén"):
        error = attempt(config_of(Path(), workspace, access_token=token))
        assert isinstance(error, ConfigError)
        assert token not in shown(error)


def test_the_secret_of_a_principal_is_in_no_error(workspace: Databricks) -> None:
    other = Authority(Path(workspace.folder) / "other").pem
    for changed in ({}, {"port": 1}, {"ssl_ca": other}):
        text = shown(attempt(principal(workspace, **changed, client_secret="LEAK@:/#%?&=;ME")))
        assert "LEAK" not in text, changed
        assert base64.b64encode(f"{workspace.client[0]}:LEAK".encode()).decode()[:40] not in text, changed


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_not_followed(workspace: Databricks, status: int) -> None:
    with Elsewhere() as elsewhere:
        target = f"https://127.0.0.1:{elsewhere.port}/sql/1.0/warehouses/x"
        workspace.behave(redirect=target, redirect_status=status)
        for config in (config_of(Path(), workspace), principal(workspace)):
            assert isinstance(attempt(config), ConnectError)
        assert elsewhere.hits == []


class Elsewhere:
    """Listens, and notes whoever comes."""

    def __enter__(self) -> Elsewhere:
        self.hits: list[str] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = self._server.getsockname()[1]
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()
        return self

    def _listen(self) -> None:
        with contextlib.suppress(OSError):  # shut down
            while True:
                connection, address = self._server.accept()
                self.hits.append(str(address))
                connection.close()

    def __exit__(self, *exc: object) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()


def test_another_warehouse_and_another_catalog_are_said_so(workspace: Databricks) -> None:
    error = attempt(config_of(Path(), workspace, http_path="/sql/1.0/warehouses/ffff"))
    assert isinstance(error, ConnectError)
    assert "http_path" in error.hint
    error = attempt(config_of(Path(), workspace, catalog="nowhere"))
    assert isinstance(error, UnknownDatabase)
    assert "'nowhere'" in error.message


def test_a_warehouse_that_may_not_be_used(workspace: Databricks) -> None:
    workspace.behave(state="FORBIDDEN")
    error = attempt(config_of(Path(), workspace))
    assert isinstance(error, NotPermitted)
    assert "CAN USE" in error.hint


# -- a warehouse that sleeps -----------------------------------------------------------------------------


def test_a_stopped_warehouse_is_started_and_waited_for(workspace: Databricks) -> None:
    workspace.behave(state="STOPPED", start_seconds=1.5)
    assert one(config_of(Path(), workspace, timeout=20)) == 1
    assert workspace.seen()["state"] == "RUNNING"


def test_one_that_takes_longer_says_so(workspace: Databricks) -> None:
    workspace.behave(state="STOPPED", start_seconds=30)
    error = attempt(config_of(Path(), workspace, timeout=2))
    assert isinstance(error, ConnectError)
    assert "starting" in error.message
    assert error.retryable
    assert "timeout" in error.hint


# -- encryption, files, and what is said to whom ----------------------------------------------------------


def test_another_authority_is_refused_for_the_principals_token_too(
    workspace: Databricks, tmp_path: Path
) -> None:
    error = attempt(principal(workspace, ssl_ca=Authority(tmp_path / "other").pem))
    assert isinstance(error, TLSFailed)
    assert "ssl_ca" in error.hint
    assert "/oidc/v1/token" not in workspace.seen()["paths"]


def test_nothing_but_the_warehouse_is_asked(workspace: Databricks) -> None:
    config = config_of(Path(), workspace)
    assert one(config) == 1
    assert set(workspace.seen()["paths"]) == {workspace.http_path}
    # What the driver would report of its use goes to the workspace's usual port, and would not be seen here.
    assert databricks_driver.arguments(config.values, 1.0)["enable_telemetry"] is False


def test_nothing_is_written_or_read_at_home(
    workspace: Databricks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / ".databrickscfg").write_text("[DEFAULT]\nhost = https://elsewhere.example\ntoken = dapiwrong\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("DATABRICKS_TOKEN", "dapiwrong")
    monkeypatch.setenv("DATABRICKS_HOST", "elsewhere.example")
    assert one(config_of(Path(), workspace)) == 1
    assert one(principal(workspace)) == 1
    assert [path.name for path in home.rglob("*")] == [".databrickscfg"]


def test_the_driver_does_not_write_into_the_notebook(
    workspace: Databricks, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers = logging.getLogger("databricks").handlers
    assert any(isinstance(handler, logging.NullHandler) for handler in handlers)
    attempt(config_of(Path(), workspace, access_token="dapiwrong"))
    assert capfd.readouterr() == ("", "")


def test_the_graded_test_tells_the_step(workspace: Databricks, tmp_path: Path) -> None:
    def failed_at(config: ConnectionConfig) -> str:
        with closing(connector("databricks").stages(config, Run("test", timeout=30))) as stages:
            return next((check.name for check in map(_timed, stages) if not check.ok), "")

    assert failed_at(config_of(tmp_path, workspace)) == ""
    assert failed_at(config_of(tmp_path, workspace, access_token="dapiwrong")) == "login"
    assert failed_at(config_of(tmp_path, workspace, catalog="nowhere")) == "database"
    assert failed_at(config_of(tmp_path, workspace, ssl_ca=Authority(tmp_path / "other").pem)) == "tls"
