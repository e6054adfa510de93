"""What a credential may say: nothing that reads a file, runs a program, or leads elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.config import AiserConnections
from aiser_jupyter.connectors.hosts import allow_vendor_hosts
from aiser_jupyter.errors import (
    ConfigError,
)
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from tests.connectors.bigquery_kit import KIND, Canary, account, config_of, failure
from tests.endpoints.bigquery import BigQuery
from tests.faults.test_secrets import shown

SHOWN = ("elsewhere", "a field more", "a key that is none", "a field twice")
"""Hostile credentials whose errors are looked at in every detail, which takes a while."""


@pytest.fixture(autouse=True)
def as_it_began(bigquery: BigQuery) -> None:
    bigquery.behave()


@pytest.fixture
def canary() -> Iterator[Canary]:
    made = Canary()
    yield made
    made.close()


def hostile(port: int, bigquery: BigQuery) -> dict[str, str]:
    """Credentials that would read a file, run a program, or send something to ``port``."""
    good = json.loads(bigquery.credentials())
    there = f"http://127.0.0.1:{port}"
    made = {
        **of_another_type(there, port, good),
        **with_another_address(there, port, good),
        **odd(there, good),
    }
    twice = bigquery.credentials()[:-1] + f', "token_uri": "{there}/token"}}'
    return {
        **{name: json.dumps(value) for name, value in made.items()},
        "a field twice": twice,
        "the same twice": bigquery.credentials()[:-1] + ', "type": "service_account"}',
        "a path": "/etc/passwd",
        "nothing": "",
        "deep": "[" * 30_000 + "]" * 30_000,
        "long": json.dumps({**good, "client_id": "1" * 100_000}),
    }


def of_another_type(there: str, port: int, good: dict[str, Any]) -> dict[str, Any]:
    external = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{there}/token",
        "credential_source": {"file": "/etc/passwd"},
    }
    program = {"executable": {"command": f"/usr/bin/env bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}'"}}
    return {
        "external account with a file": external,
        "external account with an address": {**external, "credential_source": {"url": there}},
        "external account with a program": {**external, "credential_source": program},
        "aws": {**external, "credential_source": {"environment_id": "aws1", "region_url": there}},
        "external user": {**external, "type": "external_account_authorized_user", "refresh_token": "x"},
        "impersonated": {
            "type": "impersonated_service_account",
            "service_account_impersonation_url": f"{there}/v1/projects/-/x:generateAccessToken",
            "source_credentials": good,
        },
        "gdch": {"type": "gdch_service_account", "token_uri": f"{there}/token", "format_version": "1"},
        "user": {"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"},
        "api key": {"type": "api_key", "api_key": "x"},
    }


def with_another_address(there: str, port: int, good: dict[str, Any]) -> dict[str, Any]:
    addresses = {
        "plain http": f"{there}/token",
        "elsewhere": "https://evil.example/token",
        "google's name before an @": f"https://oauth2.googleapis.com@127.0.0.1:{port}/",
        "google's name below another": "https://oauth2.googleapis.com.evil.example/token",
        "another path at google": "https://oauth2.googleapis.com/token/../revoke",
        "a backslash": f"https://127.0.0.1:{port}\\@oauth2.googleapis.com/token",
        "a name of this machine": f"https://localhost.evil.example:{port}/token",
        "a file": "file:///etc/passwd",
    }
    made = {name: {**good, "token_uri": address} for name, address in addresses.items()}
    return {**made, "another cloud": {**good, "universe_domain": f"127.0.0.1:{port}"}}


def odd(there: str, good: dict[str, Any]) -> dict[str, Any]:
    key = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"
    return {
        "no type": {name: value for name, value in good.items() if name != "type"},
        "type in capitals": {**good, "type": "SERVICE_ACCOUNT"},
        "type in a list": {**good, "type": ["service_account"]},
        "a field more": {**good, "credential_source": {"file": "/etc/passwd"}},
        "a text field more": {**good, "subject_token_file": "/etc/passwd"},
        "trust boundary": {**good, "trust_boundary": {"locations": there}},
        "a number": {**good, "client_email": 5},
        "no key": {**good, "private_key": ""},
        "a key that is none": {**good, "private_key": key},
        "a list": [good],
    }


def test_no_hostile_credential_is_taken_or_sent_anywhere(bigquery: BigQuery, canary: Canary) -> None:
    key = bigquery.key[40:80]
    for name, text in hostile(canary.port, bigquery).items():
        with pytest.raises(ConfigError) as caught:
            validated(bigquery, Secret(text))
        assert key not in str(caught.value), name
    assert canary.came == 0
    assert bigquery.seen()["requests"] == []


def validated(bigquery: BigQuery, secret: Secret) -> None:
    """Save the credential; one whose fields are right shows only at the login what its key is."""
    KIND.fresh(config_of(bigquery, sign_in="service_account", credentials_json=secret))


def test_a_hostile_credential_is_refused_at_the_login_too(bigquery: BigQuery, canary: Canary) -> None:
    """A file of the administrator, or a store from elsewhere, may never have been validated."""
    good = config_of(bigquery)
    for name, text in hostile(canary.port, bigquery).items():
        values = {**good.values, "sign_in": "service_account", "credentials_json": Secret(text)}
        problem = failure(ConnectionConfig("bigquery", "lake", values))
        assert isinstance(problem, ConfigError), name
        shows = shown(problem) if name in SHOWN else str(problem)
        assert bigquery.key[40:80] not in shows, name
    assert canary.came == 0


def test_a_hostile_default_file_is_refused(
    bigquery: BigQuery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, canary: Canary
) -> None:
    config = config_of(bigquery, sign_in="application_default")
    for name, text in hostile(canary.port, bigquery).items():
        if name == "user":
            continue  # what gcloud writes
        path = tmp_path / "adc.json"
        path.write_text(text)
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(path))
        with pytest.raises(ConfigError):
            KIND.fresh(config)
    assert canary.came == 0


def test_the_administrator_may_list_another_token_endpoint(bigquery: BigQuery) -> None:
    there = {"token_uri": "https://tokens.corp.example/token"}
    try:
        allow_vendor_hosts(AiserConnections(vendor_hosts=["tokens.corp.example"]))
        assert account(bigquery, **there).values["credentials_json"]
    finally:
        allow_vendor_hosts(AiserConnections())
    with pytest.raises(ConfigError, match=r"tokens\.corp\.example"):
        account(bigquery, **there)
