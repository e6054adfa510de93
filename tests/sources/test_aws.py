"""A profile of AWS's own files gives a Redshift connection its region and its keys, and nothing silently."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.cli import main
from aiser_jupyter.errors import ConfigError
from aiser_jupyter.secret import Secret
from aiser_jupyter.services import build
from aiser_jupyter.sources.url import parse_url
from tests.endpoints.redshift_server import CLUSTER, KEYS, REGION

CONFIG = """
[default]
region = us-east-1
aws_access_key_id = AKIASTALE
[profile work]
region = eu-central-1
s3 =
  max_concurrent_requests = 10
[profile elsewhere]
region = eu-west-1
aws_access_key_id = AKIACONFIG
aws_secret_access_key = c0nfig
[profile role]
role_arn = arn:aws:iam::1:role/reader
source_profile = default
[profile sso]
sso_session = corp
[sso-session corp]
sso_start_url = https://corp.awsapps.com/start
"""
CREDENTIALS = """
[default]
aws_access_key_id = AKIADEFAULT
aws_secret_access_key = d3fault
[work]
aws_access_key_id = ASIAWORK
aws_secret_access_key = w0rk
aws_session_token = t0ken
[role]
aws_access_key_id = AKIAROLE
aws_secret_access_key = r0le
"""
PLACE = "cluster_identifier=shop&db_user=ann"
PRIVATE = "redshift://redshift.example.org/shop?" + PLACE
AMAZONS = "redshift://shop.abc123.ap-south-1.redshift.amazonaws.com/shop?" + PLACE


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with both files."""
    folder = tmp_path / ".aws"
    folder.mkdir()
    for name, text in (("config", CONFIG), ("credentials", CREDENTIALS)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
        monkeypatch.delenv({"config": "AWS_CONFIG_FILE"}.get(name, "AWS_SHARED_CREDENTIALS_FILE"), False)
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def values(url: str, kinds: Any) -> Any:
    return parse_url(url, "shop", kinds, profiles=True).values


@pytest.mark.parametrize(
    ("name", "region", "key", "secret", "token"),
    [
        ("default", "us-east-1", "AKIADEFAULT", "d3fault", None),
        ("work", "eu-central-1", "ASIAWORK", "w0rk", Secret("t0ken")),
        ("elsewhere", "eu-west-1", "AKIACONFIG", "c0nfig", None),
    ],
)
def test_region_and_keys_are_those_of_the_profile(
    home: Path, kinds: Any, name: str, region: str, key: str, secret: str, token: Secret | None
) -> None:
    found = values(f"{PRIVATE}&profile={name}", kinds)
    assert (found["sign_in"], found["region"]) == ("iam", region)
    assert (found["access_key_id"], found["secret_access_key"]) == (key, Secret(secret))
    assert found.get("session_token") == token
    assert (found["cluster_identifier"], found["db_user"], found["database"]) == ("shop", "ann", "shop")


def test_the_url_is_stronger_and_so_is_the_region_in_the_host(home: Path, kinds: Any) -> None:
    assert values(f"{PRIVATE}&profile=work&region=eu-north-1", kinds)["region"] == "eu-north-1"
    assert values(f"{AMAZONS}&profile=work", kinds)["region"] == "ap-south-1"
    serverless = "redshift://redshift.example.org/shop?workgroup=w&profile=work"
    assert values(serverless, kinds)["sign_in"] == "serverless"


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ("role", "role_arn says where to ask"),
        ("sso", "sso_session says where to ask"),
        ("wrok", "no profile 'wrok'"),
        ("corp", "no profile 'corp'"),
        ("work&profile=default", "twice"),
    ],
)
def test_what_cannot_be_taken_over_says_why(home: Path, kinds: Any, profile: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said) as caught:
        values(f"{PRIVATE}&profile={profile}", kinds)
    assert not any(secret in f"{caught.value} {caught.value.hint}" for secret in ("w0rk", "r0le", "t0ken"))
    assert "hold for some hours" in caught.value.hint or "says where" not in said
    assert "work" in caught.value.hint or profile != "wrok"


def test_a_profile_without_keys_has_its_region_and_the_keys_are_given(home: Path, kinds: Any) -> None:
    (home / ".aws" / "credentials").unlink()
    with pytest.raises(ConfigError, match="access_key_id"):
        values(f"{PRIVATE}&profile=work", kinds)
    found = values(f"{PRIVATE}&profile=work&access_key_id=AKIAGIVEN", kinds)
    assert (found["region"], found["access_key_id"]) == ("eu-central-1", "AKIAGIVEN")


def test_a_file_that_anyone_may_change_or_nobody_can_read_is_named(home: Path, kinds: Any) -> None:
    file = home / ".aws" / "credentials"
    file.chmod(0o666)
    with pytest.raises(ConfigError, match="Anyone may change"):
        values(f"{PRIVATE}&profile=work", kinds)
    file.chmod(0o600)
    file.write_text("[work]\naws_secret_access_key w0rk\n")
    with pytest.raises(ConfigError, match="credentials cannot be used") as caught:
        values(f"{PRIVATE}&profile=work", kinds)
    assert "w0rk" not in str(caught.value)


def test_other_files_may_be_named_by_awss_own_variables(
    home: Path, kinds: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.write_text("[profile work]\nregion = sa-east-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(other))
    assert values(f"{PRIVATE}&profile=work", kinds)["region"] == "sa-east-1"


def test_the_shell_command_asks_for_nothing_that_a_profile_has(
    home: Path, redshift: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal nobody can be asked: the profile's keys are all there is."""
    monkeypatch.setenv("AISER_STORE", str(home / "store"))
    key, (secret, _) = next(iter(KEYS.items()))
    text = f"[work]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\nregion = {REGION}\n"
    (home / ".aws" / "credentials").write_text(text)
    (home / "ca.pem").write_text(redshift.authority.pem)
    url = f"redshift://127.0.0.1:{redshift.port}/shop?cluster_identifier={CLUSTER}&db_user=ann"
    url += f"&endpoint_url={redshift.api}&profile=work"
    code = main(["connections", "add", url, "--alias", "shop", "--ca", str(home / "ca.pem")])
    out, error = capsys.readouterr()
    assert (code, out) == (0, "shop works and is saved.\n")
    assert secret not in error


def test_a_request_reads_no_file(home: Path) -> None:
    services = build()
    try:
        with pytest.raises(ConfigError, match="'profile' is not allowed"):
            services.connections.draft("shop", "redshift", {}, f"{PRIVATE}&profile=work")
    finally:
        services.close()


def test_a_database_without_keys_of_aws_has_no_profile(home: Path, kinds: Any) -> None:
    with pytest.raises(ConfigError, match="'profile' is not allowed"):
        values("postgresql://ann@db.example.org/shop?profile=work", kinds)
