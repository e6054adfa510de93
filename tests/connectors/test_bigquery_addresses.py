"""Where a connection to BigQuery leads, and that nothing else is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aiser_jupyter.errors import (
    ConfigError,
    ConnectError,
    ConnectionLost,
    NotPermitted,
    TLSFailed,
    UnknownDatabase,
)
from aiser_jupyter.run import Run
from tests.connectors.bigquery_kit import KIND, Canary, Listener, account, ask, config_of
from tests.endpoints.bigquery import BigQuery
from tests.servers.certificates import Authority

HERE = "https://127.0.0.1"


@pytest.fixture(autouse=True)
def as_it_began(bigquery: BigQuery) -> None:
    bigquery.behave()


@pytest.fixture
def canary() -> Iterator[Canary]:
    made = Canary()
    yield made
    made.close()


@pytest.mark.parametrize("field", ["api_endpoint", "storage_endpoint"])
@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example",
        "https://bigquery.googleapis.com.evil.example",
        "https://bucket.storage.googleapis.com",
        "https://bigquery.googleapis.com@evil.example",
        "http://bigquery.googleapis.com",
        "https://127.0.0.1:1/path",
        "https://127.0.0.1,127.0.0.2",
        "ftp://127.0.0.1",
        "https://",
        "https://127.0.0.1:99999",
    ],
)
def test_only_google_and_this_machine_are_led_to(bigquery: BigQuery, field: str, address: str) -> None:
    with pytest.raises((ConfigError, ConnectError)):
        KIND.fresh(config_of(bigquery, **{field: address}))
    assert bigquery.seen()["requests"] == []


def test_a_redirect_is_not_followed(bigquery: BigQuery, canary: Canary) -> None:
    bigquery.behave(redirect=f"http://127.0.0.1:{canary.port}/")
    for config in (config_of(bigquery), account(bigquery)):
        with pytest.raises(ConnectError):
            KIND.fresh(config)
    assert canary.came == 0


def test_the_environment_leads_nowhere_else(
    bigquery: BigQuery, canary: Canary, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = f"http://127.0.0.1:{canary.port}"
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "BIGQUERY_EMULATOR_HOST", "GCE_METADATA_HOST"):
        monkeypatch.setenv(name, there)
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"):
        monkeypatch.setenv(name, str(Authority(tmp_path / name, "Another CA").path))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/etc/passwd")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "another")
    table = ask(account(bigquery), "SELECT i FROM UNNEST(GENERATE_ARRAY(1, 9000)) AS i")
    assert table.num_rows == 9000
    assert canary.came == 0


@pytest.mark.parametrize("trusted", [True, False])
def test_the_storage_api_is_verified_too(bigquery: BigQuery, tmp_path: Path, trusted: bool) -> None:
    """REST is right; where the other certificate is not, nothing is said to whoever has it."""
    listener = Listener(bigquery.authority if trusted else Authority(tmp_path, "Another CA"))
    try:
        config = config_of(bigquery, storage_endpoint=f"{HERE}:{listener.port}")
        with pytest.raises(ConnectionLost if trusted else TLSFailed):
            ask(config, "SELECT i FROM UNNEST(GENERATE_ARRAY(1, 9000)) AS i", run=Run("test", timeout=20))
    finally:
        listener.close()
    assert listener.heard.startswith(b"PRI * HTTP/2") == trusted


def test_another_authority_is_refused(bigquery: BigQuery, tmp_path: Path) -> None:
    with pytest.raises(TLSFailed):
        KIND.fresh(config_of(bigquery, ssl_ca=Authority(tmp_path, "Another CA").pem))


def test_without_tls_only_this_machine_is_reached(bigquery: BigQuery) -> None:
    values = {
        "ssl_enabled": False,
        "api_endpoint": "http://bigquery.googleapis.com",
        "storage_endpoint": None,
    }
    with pytest.raises((ConfigError, ConnectError)):
        KIND.fresh(config_of(bigquery, **values))


def test_another_project_is_not_there(bigquery: BigQuery) -> None:
    with pytest.raises((UnknownDatabase, NotPermitted)) as caught:
        KIND.fresh(config_of(bigquery, project="another-project"))
    assert "id" in caught.value.hint
