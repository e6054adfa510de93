"""Signing in to Redshift with AWS's keys: what AWS answers, what is read, and what is left behind."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from aiser_jupyter.connectors.redshift import iam as redshift_iam
from aiser_jupyter.errors import (
    AiserError,
    AuthenticationFailed,
    ConnectError,
    NotPermitted,
    TLSFailed,
    UnknownDatabase,
)
from aiser_jupyter.models import ConnectionConfig
from tests.connectors.postgresql_kit import ask, value
from tests.connectors.redshift_kit import EXPIRED, KIND, LONG_TERM, TEMPORARY, config, session, signed
from tests.endpoints.redshift_server import KEYS
from tests.faults.test_secrets import shown, spellings
from tests.servers.leaks import nothing_left_behind
from tests.servers.proxy import Proxy


@pytest.mark.parametrize("key", [LONG_TERM, TEMPORARY])
@pytest.mark.parametrize("serverless", [False, True], ids=["cluster", "serverless"])
def test_keys_become_a_password_of_the_database(redshift: Any, key: str, serverless: bool) -> None:
    opened = KIND.fresh(signed(redshift, key, serverless=serverless))
    try:
        user = "IAM:endpoint" if serverless else "IAM:ann"
        assert value(opened, "SELECT current_user::varchar") == user
    finally:
        opened.close()


@pytest.mark.parametrize("serverless", [False, True], ids=["cluster", "serverless"])
@pytest.mark.parametrize(
    ("key", "changed", "error", "said"),
    [
        (LONG_TERM, {"secret_access_key": "forged"}, AuthenticationFailed, "SignatureDoesNotMatch"),
        (LONG_TERM, {"access_key_id": "AKIAFOREIGN"}, AuthenticationFailed, "InvalidClientTokenId"),
        (TEMPORARY, {"session_token": None}, AuthenticationFailed, "InvalidClientTokenId"),
        (EXPIRED, {}, AuthenticationFailed, "ExpiredToken"),
        (LONG_TERM, {"region": "eu-west-1"}, AuthenticationFailed, "region"),
    ],
    ids=["forged", "foreign", "no token", "expired", "other region"],
)
def test_keys_that_do_not_hold_are_refused(
    redshift: Any, key: str, changed: dict[str, Any], error: type[AiserError], said: str, serverless: bool
) -> None:
    with pytest.raises(error, match=said) as caught:
        KIND.fresh(signed(redshift, key, serverless=serverless, **changed))
    assert caught.value.hint
    assert not caught.value.retryable


def test_a_cluster_and_a_workgroup_that_are_not_there(redshift: Any) -> None:
    with pytest.raises(UnknownDatabase, match="ClusterNotFound") as caught:
        KIND.fresh(signed(redshift, cluster_identifier="other"))
    assert "cluster_identifier" in caught.value.hint
    with pytest.raises(UnknownDatabase, match="ResourceNotFound"):
        KIND.fresh(signed(redshift, serverless=True, workgroup="other"))


def test_the_api_has_the_certificate_it_must_have(redshift: Any) -> None:
    with pytest.raises(TLSFailed):
        KIND.fresh(signed(redshift, ssl_ca=None))


def test_a_silent_api_ends_at_the_deadline(redshift: Any) -> None:
    with nothing_left_behind(), Proxy(("127.0.0.1", redshift.api_port), "mute") as proxy:
        given = signed(redshift, endpoint_url=f"https://127.0.0.1:{proxy.port}")
        started = time.monotonic()
        with pytest.raises(ConnectError, match="did not finish the login within 1 s"):
            KIND.fresh(given, seconds=1)
        assert time.monotonic() - started < 6


def test_no_file_and_no_variable_of_the_machine_is_read(redshift: Any, tmp_path: Path) -> None:
    """A process with hostile settings of AWS: it logs in as the connection says, and leaves no file."""
    (tmp_path / ".aws").mkdir()
    poison = "[default]\naws_access_key_id = AKIAX\naws_secret_access_key = x\nendpoint_url = https://127.0.0.1:9\n"
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text(poison)
    before = sorted(tmp_path.rglob("*"))
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), "HOME": str(tmp_path),
        "AWS_PROFILE": "of-nobody", "AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_SESSION_TOKEN": "x", "AWS_ENDPOINT_URL": "https://127.0.0.1:9", "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1", "PGHOST": "127.0.0.9", "PGUSER": "x", "PGPASSWORD": "x",
        "AISER_TEST_PEM": redshift.authority.pem,
    }  # fmt: skip
    program = f"""
        import os
        from types import SimpleNamespace
        from tests.connectors.redshift_kit import KIND, signed
        server = SimpleNamespace(
            port={redshift.port}, api={redshift.api!r}, database="shop",
            authority=SimpleNamespace(pem=os.environ["AISER_TEST_PEM"]),
        )
        for serverless in (False, True):
            KIND.fresh(signed(server, serverless=serverless)).close()
        print("logged in")
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], env=environment, capture_output=True, text=True
    )
    assert done.stdout == "logged in\n", done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_amazons_own_address_is_what_its_library_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """In each partition of AWS, and whatever the environment names instead."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:9")
    monkeypatch.setenv("AWS_ENDPOINT_URL_REDSHIFT", "https://127.0.0.1:9")
    places = {
        "eu-central-1": {"sign_in": "iam", "cluster_identifier": "c", "db_user": "a"},
        "us-gov-west-1": {"sign_in": "serverless", "workgroup": "w"},
        "cn-north-1": {"sign_in": "iam", "cluster_identifier": "c", "db_user": "a"},
    }
    for region, place in places.items():
        values = KIND.validate(
            {
                "host": "127.0.0.1",
                "region": region,
                "access_key_id": "AKIAX",
                "secret_access_key": "s",
                **place,
            }
        )
        service = "redshift" if place["sign_in"] == "iam" else "redshift-serverless"
        made = redshift_iam._session(values, 1).client(service)
        assert made.meta.endpoint_url == f"https://{redshift_iam.api_address(values)[0]}"


FORGED = "LEAK+/me/secret0000000000000000000000000"


def attempt(given: ConnectionConfig) -> AiserError:
    """Fail, and return the error with its traceback; no variable of this frame knows the secret."""
    try:
        KIND.fresh(given).close()
    except AiserError as exc:
        return exc
    raise AssertionError("it succeeded")


def test_no_secret_is_in_an_error(redshift: Any) -> None:
    for name in ("secret_access_key", "session_token"):
        error = attempt(signed(redshift, TEMPORARY, **{name: FORGED}))
        assert isinstance(error, AuthenticationFailed)
        assert not [each for each in spellings(FORGED) if each in shown(error)]


def test_no_secret_is_in_the_log(redshift: Any, caplog: pytest.LogCaptureFixture) -> None:
    secret, token = KEYS[TEMPORARY]
    logging.getLogger("botocore").setLevel(logging.NOTSET)
    with caplog.at_level(logging.DEBUG):
        opened = KIND.fresh(signed(redshift, TEMPORARY))
        ask(opened, "SELECT 1")
        opened.close()
        with session(redshift):
            pass
    written = "\n".join(record.getMessage() for record in caplog.records)
    assert "Redshift wire protocol" in written  # the driver's own log was taken down
    assert token is not None
    for hidden in (secret, token, redshift.password, "dbPassword", "DbPassword"):
        assert hidden not in written


def test_a_failed_login_leaves_nothing(redshift: Any) -> None:
    with nothing_left_behind(spare=("aiser-resolve",)):
        for given in (config(redshift, password="x"), signed(redshift, secret_access_key="x")):
            with pytest.raises(AuthenticationFailed):
                KIND.fresh(given)


def test_a_right_that_the_keys_lack() -> None:
    answer = {"Error": {"Code": "AccessDenied", "Message": "not authorized to perform: redshift:GetCluster…"}}
    error = KIND.translate(ClientError(answer, "GetClusterCredentials"))
    assert isinstance(error, NotPermitted)
    assert "GetClusterCredentials" in error.hint
    throttled = KIND.translate(ClientError({"Error": {"Code": "Throttling", "Message": ""}}, "x"))
    assert isinstance(throttled, ConnectError)
    assert throttled.retryable
