"""What is asked of a vendor's page for tokens, and what becomes of its answers."""

from __future__ import annotations

import base64
import hashlib
import ssl
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from aiser_jupyter.connectors.oauth import OAuth, Tokens, application_of, current
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConfigError,
    ConnectError,
    SignInRequired,
    TLSFailed,
)
from aiser_jupyter.secret import Secret
from tests.conformance.databricks import config as config_of
from tests.connectors.test_databricks_login import Elsewhere
from tests.endpoints.databricks import Databricks
from tests.faults.test_secrets import shown, spellings
from tests.servers.certificates import Authority

VERIFIER = Secret("a-verifier-of-the-tests-with-43-characters-or-more")
REFRESH = "LEAK/refresh+token=="
TOKENS = Tokens(Secret("access"), Secret(REFRESH), 0.0)


def application(workspace: Databricks, **changed: Any) -> OAuth:
    values = {"auth_type": "oauth_u2m", "access_token": ""}
    return application_of(config_of(Path(), workspace, **values, **changed))


def consented(workspace: Databricks, found: OAuth) -> str:
    """Consent, and return where the browser is sent to."""
    context = ssl.create_default_context(cadata=workspace.authority.pem)
    url = found.url("http://localhost:8020", "a state", VERIFIER)
    return httpx.get(url, verify=context, trust_env=False).headers["Location"]


def attempt(work: Any) -> AiserError:
    """Fail, and return the error."""
    try:
        work()
    except AiserError as exc:
        return exc
    raise AssertionError("it succeeded")


def test_the_page_for_the_person_is_asked_as_the_standards_say(workspace: Databricks) -> None:
    url = application(workspace).url("http://localhost:8020", "a state", VERIFIER)
    asked = {name: found[0] for name, found in parse_qs(urlsplit(url).query).items()}
    digest = hashlib.sha256(VERIFIER.reveal().encode()).digest()
    assert asked == {
        "response_type": "code",
        "client_id": "databricks-sql-python",
        "redirect_uri": "http://localhost:8020",
        "scope": "sql offline_access",
        "state": "a state",
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
    }
    assert VERIFIER.reveal() not in url


def test_tokens_stand_in_one_secret_and_come_out_of_it() -> None:
    tokens = Tokens(Secret("access"), Secret("refresh"), time.time() + 60)
    found = Tokens.of(tokens.sealed())
    assert (found, found.hold) == (tokens, True)
    assert not replace(found, until=time.time()).hold
    assert "=access" not in repr(tokens).replace("'", "")


@pytest.mark.parametrize(
    "text",
    ["", "LEAK", "[]", "{}", '{"access": 1}', '{"access": "LEAK", "refresh": 2, "until": 3}', "[" * 9999],
)
def test_what_is_no_sign_in_asks_for_one(text: str) -> None:
    error = attempt(partial(Tokens.of, Secret(text)))
    assert isinstance(error, SignInRequired)
    assert "LEAK" not in shown(error)


def test_a_refresh_token_that_is_refused_is_said_without_it(workspace: Databricks) -> None:
    found = application(workspace)
    error = attempt(partial(found.refresh, TOKENS, 10.0))
    assert isinstance(error, SignInRequired)  # the workspace repeats in its words what it was sent
    text = shown(error)
    assert not [each for each in spellings(REFRESH) if each in text]


def test_a_code_that_is_refused_is_said_without_it_and_its_verifier(workspace: Databricks) -> None:
    found, code = application(workspace), Secret("LEAKcode/+=")
    error = attempt(partial(found.exchange, code, "http://localhost:8020", VERIFIER, 10.0))
    assert isinstance(error, AuthenticationFailed)
    assert not isinstance(error, SignInRequired)
    text = shown(error)
    assert not [each for secret in (code, VERIFIER) for each in spellings(secret.reveal()) if each in text]


def test_words_that_repeat_what_was_sent_are_not_said(workspace: Databricks) -> None:
    """As it was sent, which is not how it is kept."""
    workspace.behave(oauth={"repeat": True})
    own = application(workspace, oauth_client_id="own-application", oauth_client_secret="LEAKsecret/+=")
    for found in (application(workspace), own):
        for work in (
            partial(found.refresh, TOKENS, 10.0),
            partial(found.exchange, Secret("LEAKcode/+="), "http://localhost:8020", VERIFIER, 10.0),
        ):
            error = attempt(work)
            assert "Malformed" not in error.message
            assert "LEAK" not in shown(error)
            assert VERIFIER.reveal() not in shown(error)


@pytest.mark.parametrize("token", ["LEAK\r\nX-Other: one", "LEAK two", "LEAK\u4e2d", "LEAK\x7f"])
def test_a_token_that_no_header_can_hold_is_none(workspace: Databricks, token: str) -> None:
    """A library would quote it in its error, or begin another line with it."""
    workspace.behave(oauth={"access": token})
    found = application(workspace)
    code = parse_qs(urlsplit(consented(workspace, found)).query)["code"][0]
    error = attempt(partial(found.exchange, Secret(code), "http://localhost:8020", VERIFIER, 10.0))
    assert isinstance(error, ConnectError)
    assert "LEAK" not in shown(error)


def test_an_application_that_is_refused_is_no_reason_to_sign_in_again(workspace: Databricks) -> None:
    found = application(workspace, oauth_client_id="own-application", oauth_client_secret="LEAKwrong")
    error = attempt(partial(found.refresh, TOKENS, 10.0))
    assert isinstance(error, AuthenticationFailed)
    assert not isinstance(error, SignInRequired)
    assert "oauth_client_secret" in error.hint
    text = shown(error)
    assert "LEAK" not in text
    assert base64.b64encode(b"own-application:LEAKwrong").decode()[:30] not in text


def test_a_sign_in_without_a_refresh_token_ends_with_its_token(workspace: Databricks) -> None:
    found = application(workspace)
    error = attempt(lambda: found.refresh(Tokens(Secret("access"), None, 0.0), 10.0))
    assert isinstance(error, SignInRequired)
    assert workspace.seen()["paths"] == []


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_not_followed(workspace: Databricks, status: int) -> None:
    with Elsewhere() as elsewhere:
        workspace.behave(redirect=f"https://127.0.0.1:{elsewhere.port}/", redirect_status=status)
        found = application(workspace)
        error = attempt(partial(found.refresh, TOKENS, 10.0))
        assert isinstance(error, ConnectError)
        assert not isinstance(error, AuthenticationFailed)
        assert elsewhere.hits == []
    assert not [each for each in spellings(REFRESH) if each in shown(error)]


def test_another_authority_is_sent_nothing(workspace: Databricks, tmp_path: Path) -> None:
    found = application(workspace, ssl_ca=Authority(tmp_path / "other").pem)
    error = attempt(partial(found.refresh, TOKENS, 10.0))
    assert isinstance(error, TLSFailed)
    assert workspace.seen()["paths"] == []
    assert not [each for each in spellings(REFRESH) if each in shown(error)]


def test_a_workspace_that_does_not_answer_is_not_waited_for(workspace: Databricks) -> None:
    workspace.behave(oauth={"refresh_seconds": 30.0})
    began = time.monotonic()
    error = attempt(partial(application(workspace).refresh, TOKENS, 0.5))
    assert time.monotonic() - began < 10
    assert isinstance(error, ConnectError)
    assert "did not answer" in error.message


def test_only_the_vendor_is_asked(workspace: Databricks) -> None:
    found = replace(application(workspace), host="elsewhere.example", port=443)
    for work in (partial(found.require_vendor, 2.0), partial(found.refresh, TOKENS, 2.0)):
        assert isinstance(attempt(work), ConfigError | ConnectError)
    away = replace(application(workspace), domains=(".databricks.com",))
    away.require_vendor(2.0)  # this machine may be an endpoint


def test_a_way_without_encryption_is_refused(workspace: Databricks) -> None:
    found = application(workspace, ssl_enabled=False, ssl_ca=None)
    assert isinstance(attempt(lambda: found.require_vendor(2.0)), ConfigError)


def test_tokens_are_asked_for_only_when_they_hold_no_longer() -> None:
    old = Tokens(Secret("old"), Secret("refresh"), time.time() + 60)
    asked: list[str] = []
    stored = [old]

    def renew(make: Any) -> Secret:
        asked.append("renew")
        made = make(stored[0].sealed())
        if made is not None:
            stored[0] = Tokens.of(made)
        return stored[0].sealed()

    def refreshed(tokens: Tokens) -> Tokens:
        asked.append("refresh")
        return replace(tokens, access=Secret("new"), until=time.time() + 60)

    assert Tokens.of(current(old.sealed(), renew, refreshed)).access.reveal() == "old"
    assert asked == []
    late = current(replace(old, until=0.0).sealed(), renew, refreshed)
    assert Tokens.of(late).access.reveal() == "old"  # another process was faster
    assert asked == ["renew"]
    stored[0] = replace(old, until=0.0)
    last = current(stored[0].sealed(), renew, refreshed)
    assert [Tokens.of(last).access.reveal() for _ in range(3)] == ["new"] * 3
    assert asked == ["renew", "renew", "refresh"]
