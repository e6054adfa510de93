"""How BigQuery is signed in to, and what a sign-in leaves behind."""

from __future__ import annotations

import inspect
import json
import logging
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from aiser_jupyter.errors import (
    AuthenticationFailed,
    ConfigError,
    ConnectionLost,
    QuerySyntaxError,
)
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret
from tests.connectors.bigquery_kit import KIND, Canary, account, ask, config_of, failure
from tests.endpoints.bigquery import BigQuery, private_key
from tests.faults.test_secrets import shown
from tests.servers.proxy import Proxy


@pytest.fixture(autouse=True)
def as_it_began(bigquery: BigQuery) -> None:
    bigquery.behave()


@pytest.fixture
def canary() -> Iterator[Canary]:
    made = Canary()
    yield made
    made.close()


def test_a_service_account_signs_a_request_for_its_token(bigquery: BigQuery) -> None:
    with closing(KIND.fresh(account(bigquery))) as session:
        assert bigquery.seen()["requests"][0] == "POST /token"
        assert session.execute("SELECT 1 AS x", (), Run("test")).read_all().to_pylist() == [{"x": 1}]


def test_the_storage_api_takes_the_same_token(bigquery: BigQuery) -> None:
    table = ask(account(bigquery), "SELECT i FROM UNNEST(GENERATE_ARRAY(1, 9000)) AS i")
    assert table.column("i").to_pylist() == list(range(1, 9001))
    assert bigquery.seen()["storage"] == ["CreateReadSession"]


def test_a_token_that_expires_is_renewed(bigquery: BigQuery) -> None:
    with closing(KIND.open(account(bigquery))) as session:
        session.execute("SELECT 1", (), Run("one")).read_all()
        bigquery.behave(revoke=True)
        table = session.execute("SELECT 2 AS x", (), Run("two")).read_all()
    assert table.to_pylist() == [{"x": 2}]
    assert "POST /token" in bigquery.seen()["requests"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"private_key": private_key()}, "not valid any more"),
        ({"client_email": "nobody@elsewhere.iam.gserviceaccount.com"}, "does not know"),
    ],
    ids=["another key", "another account"],
)
def test_a_service_account_that_is_not_known_is_refused(
    bigquery: BigQuery, changed: dict[str, str], said: str
) -> None:
    config = account(bigquery, **changed)
    problem = failure(config)
    assert isinstance(problem, AuthenticationFailed)
    assert said in problem.message
    assert problem.hint
    text = shown(problem)
    key = json.loads(config.values["credentials_json"].reveal())["private_key"]
    assert key[40:80] not in text


@pytest.mark.parametrize("token", ["forged", "expired"])
def test_an_access_token_that_does_not_hold_is_refused(bigquery: BigQuery, token: str) -> None:
    secret = bigquery.expired if token == "expired" else "ya29.forged_token_0123456789"
    problem = failure(config_of(bigquery, token=Secret(secret)))
    assert isinstance(problem, AuthenticationFailed)
    assert "an hour" in problem.hint
    text = shown(problem)
    assert secret not in text


def test_application_default_is_the_file_of_gcloud(
    bigquery: BigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = default_file(bigquery, tmp_path, monkeypatch)
    KIND.fresh(config_of(bigquery, sign_in="application_default")).close()
    assert bigquery.seen()["requests"][0] == "POST /token"
    file.write_text(file.read_text().replace(bigquery.refresh_token, "1//forged"))
    with pytest.raises(AuthenticationFailed, match="expired or was withdrawn"):
        KIND.fresh(config_of(bigquery, sign_in="application_default"))


def default_file(bigquery: BigQuery, folder: Path, monkeypatch: pytest.MonkeyPatch, **changed: Any) -> Path:
    made = {
        "type": "authorized_user",
        "client_id": bigquery.client[0],
        "client_secret": bigquery.client[1],
        "refresh_token": bigquery.refresh_token,
        "token_uri": bigquery.token_uri,
        **changed,
    }
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(folder))
    path = folder / "application_default_credentials.json"
    path.write_text(json.dumps(made))
    return path


def test_without_the_file_nothing_else_is_asked(
    bigquery: BigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: Canary
) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("GCE_METADATA_HOST", f"127.0.0.1:{canary.port}")
    with pytest.raises(AuthenticationFailed) as caught:
        KIND.fresh(config_of(bigquery, sign_in="application_default"))
    assert "gcloud" in caught.value.hint
    assert canary.came == 0


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"iss": "other@x.iam.gserviceaccount.com"}, "account not found"),
        ({"aud": "https://sts.googleapis.com/token"}, "audience"),
        ({"exp": int(time.time()) - 600}, "reasonable timeframe"),
        ({"exp": int(time.time()) + 86_400}, "reasonable timeframe"),
        ({"exp": None}, "exp"),
        ({"scope": "email"}, "scope"),
        ({"key": private_key()}, "Signature"),
    ],
    ids=["good", "foreign", "audience", "expired", "too long", "without end", "scope", "forged"],
)
def test_the_endpoint_verifies_what_is_signed(bigquery: BigQuery, changed: dict[str, Any], said: str) -> None:
    form = {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": bigquery.assertion(**changed),
    }
    request = Request(bigquery.token_uri, urlencode(form).encode())
    context = ssl.create_default_context(cadata=bigquery.authority.pem)
    try:
        with urlopen(request, context=context) as answer:
            text = answer.read().decode()
    except HTTPError as refusal:
        with refusal:
            text = refusal.read().decode()
    assert said in text
    assert ("access_token" in text) == (not said)


def test_nothing_is_written_to_the_home(
    bigquery: BigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "CLOUDSDK_CONFIG"):
        monkeypatch.setenv(name, str(tmp_path))
    KIND.fresh(account(bigquery)).close()
    assert ask(account(bigquery)).num_rows == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_no_secret_is_in_a_log(bigquery: BigQuery, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(account(bigquery), "SELECT i FROM UNNEST(GENERATE_ARRAY(1, 9000)) AS i")
        ask(config_of(bigquery))
    assert "/bigquery/v2/projects" in caplog.text  # the driver does log
    assert bigquery.password not in caplog.text
    assert bigquery.key[40:80] not in caplog.text
    assert "assertion" not in caplog.text


def test_a_token_is_in_no_error_of_a_statement(bigquery: BigQuery) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        ask(config_of(bigquery), "SELEC 1")
    text = shown(caught.value)
    assert bigquery.password not in text
    assert "Authorization" not in text


def test_a_token_is_in_no_error_of_a_connection_that_breaks(bigquery: BigQuery) -> None:
    with Proxy(("127.0.0.1", bigquery.port)) as proxy:
        there = f"https://127.0.0.1:{proxy.port}"
        session = KIND.fresh(config_of(bigquery, api_endpoint=there, storage_endpoint=None))
        proxy.set("rst", after=0)
        with closing(session), pytest.raises(ConnectionLost) as caught:
            session.execute("SELECT 1", (), Run("test"))
        text = shown(caught.value)
    assert bigquery.password not in text


def test_the_fields_that_lead_somewhere_seal_the_secret() -> None:
    routing = {field.name for field in KIND.fields if field.routing}
    assert routing == {"api_endpoint", "storage_endpoint", "ssl_enabled", "ssl_ca"}
    assert KIND.secret_fields == {"credentials_json", "token"}


def test_the_words_of_others_are_taken(bigquery: BigQuery) -> None:
    values = config_of(bigquery, project=None, dataset=None, database="acme-test-1", schema="shop").values
    assert (values["project"], values["dataset"]) == ("acme-test-1", "shop")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("project", "Robert'; --"),
        ("dataset", "a.b"),
        ("location", "us/../x"),
        ("price_per_tib", "cheap"),
        ("maximum_bytes_billed", 0),
        ("credentials_json", "{}"),
        ("quota_project_id", "x"),
    ],
)
def test_a_field_that_makes_no_sense_is_refused(bigquery: BigQuery, name: str, value: Any) -> None:
    with pytest.raises(ConfigError):
        config_of(bigquery, **{name: value})


# -- the driver's own keywords --------------------------------------------------------------------------

OURS = {
    "project": "project",
    "credentials": "sign_in, credentials_json, token",
    "_http": "the session on our own sockets",
    "location": "location",
    "client_options": "api_endpoint alone: its others name files, scopes and other clouds",
}
REFUSED = {
    "default_query_job_config": "every job carries its own",
    "default_load_job_config": "nothing is loaded",
    "client_info": "the driver's own words are sent",
    "default_job_creation_mode": "a query without a job cannot be cancelled",
}
STORAGE_OURS = {"transport": "our channel, with the authority, and our proxy or none"}
STORAGE_REFUSED = {
    "credentials": "each call carries its token",
    "client_options": "the channel says where it leads",
    "client_info": "as above",
}


def test_every_keyword_of_the_driver_was_looked_at() -> None:
    """A new one may be a way to another place: look at it, and add it to the one list or the other."""
    from google.cloud.bigquery import Client
    from google.cloud.bigquery_storage_v1.services.big_query_read import BigQueryReadClient

    assert keywords(Client) == OURS.keys() | REFUSED.keys()
    assert keywords(BigQueryReadClient) == STORAGE_OURS.keys() | STORAGE_REFUSED.keys()


def keywords(kind: Any) -> set[str]:
    return set(inspect.signature(kind.__init__).parameters) - {"self"}


def test_the_driver_is_not_imported_before_it_is_used() -> None:
    code = (
        "import sys, aiser_jupyter.connectors.bigquery as b; b.BigQueryConnector().available();"
        "print([n for n in sys.modules if n.split('.')[0] in ('google', 'grpc', 'requests', 'pyarrow')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() in ("[]", "['google']", "['google', 'google.cloud']")
