"""The warehouses' own files: what is in them, and what cannot be taken over, each with a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.errors import ConfigError
from aiser_jupyter.secret import Secret
from aiser_jupyter.sources.importing import Imported, import_connections
from aiser_jupyter.sources.url import parse_url

SNOWFLAKE = """
default_connection_name = "prod"
[cli.logs]
level = "info"
[prod]
account = "xy12345.eu-central-1"
user = "ann"
password = "correct horse"
warehouse = "COMPUTE_WH"
database = "SHOP"
client_session_keep_alive = true
[pat]
accountname = "xy12345"
username = "ann"
authenticator = "PROGRAMMATIC_ACCESS_TOKEN"
token = "t0ken"
[browser]
account = "xy12345"
user = "ann"
authenticator = "externalbrowser"
[key]
account = "xy12345"
user = "ann"
authenticator = "SNOWFLAKE_JWT"
private_key_file = "~/.ssh/key.p8"
"""
DATABRICKS = """
[DEFAULT]
host = https://dbc-1.cloud.databricks.com/
token = dapi123
warehouse_id = abc
[m2m]
host = https://adb-1.2.azuredatabricks.net
client_id = me
client_secret = s3cret
http_path = /sql/1.0/warehouses/def
account_id = 7
[nowhere]
host = https://dbc-1.cloud.databricks.com
token = dapi123
[browser]
host = https://dbc-1.cloud.databricks.com
warehouse_id = abc
auth_type = databricks-cli
[browser2]
host = https://dbc-1.cloud.databricks.com
warehouse_id = abc
auth_type = external-browser
token = dapi-of-another-way
[azure]
host = https://dbc-1.cloud.databricks.com
warehouse_id = abc
auth_type = azure-cli
[__settings__]
default_profile = m2m
"""


def imported(path: Path, text: str, kinds: Any, format: str | None = None) -> dict[str, Imported]:
    path.write_text(text)
    path.chmod(0o600)
    return {each.config.name: each for each in import_connections(path, format, kinds)}


def test_snowflakes_connections(tmp_path: Path, kinds: Any) -> None:
    found = imported(tmp_path / "connections.toml", SNOWFLAKE, kinds)
    assert list(found) == ["prod", "pat", "browser", "key"]
    values = found["prod"].config.values
    assert (values["user"], values["warehouse"], values["database"]) == ("ann", "COMPUTE_WH", "SHOP")
    assert (values["authenticator"], values["password"]) == ("snowflake", Secret("correct horse"))
    assert found["prod"].notices == ("Not used: client_session_keep_alive.",)
    assert found["pat"].config.values["token"] == Secret("t0ken")
    assert "externalbrowser" in found["browser"].problem
    assert "paste the content" in found["key"].problem
    nested = "\n".join(line.replace("[prod]", "[connections.prod]") for line in SNOWFLAKE.splitlines()[4:11])
    assert list(imported(tmp_path / "config.toml", nested, kinds)) == ["prod"]


def test_databricks_profiles(tmp_path: Path, kinds: Any) -> None:
    found = imported(tmp_path / ".databrickscfg", DATABRICKS, kinds)
    assert list(found) == ["DEFAULT", "m2m", "nowhere", "browser", "browser2", "azure"]
    values = found["DEFAULT"].config.values
    assert values["server_hostname"] == "dbc-1.cloud.databricks.com"
    assert values["http_path"] == "/sql/1.0/warehouses/abc"
    assert (values["auth_type"], values["access_token"]) == ("pat", Secret("dapi123"))
    assert found["m2m"].config.values["client_secret"] == Secret("s3cret")
    assert found["m2m"].notices == ("Not used: account_id.",)
    assert "names no warehouse" in found["nowhere"].problem
    for name in ("browser", "browser2"):
        values = found[name].config.values
        assert (values["auth_type"], found[name].problem) == ("oauth_u2m", "")
        assert not any(isinstance(value, Secret) for value in values.values())  # no token is taken over
        assert found[name].notices[0].startswith("Sign in with the browser once")
    assert "not supported here" in found["azure"].problem


def test_gclouds_project(tmp_path: Path, kinds: Any) -> None:
    text = "[core]\nproject = my-shop-1\naccount = ann@example.com\n"
    (only,) = imported(tmp_path / "config_default", text, kinds).values()
    assert only.config.values["project"] == "my-shop-1"
    assert only.config.values["sign_in"] == "application_default"
    assert only.notices[0] == "Signs in with the application default, not as ann@example.com."
    (nothing,) = imported(tmp_path / "config_default", "[core]\naccount = a\n", kinds).values()
    assert "gcloud config set project" in nothing.problem


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("connections.toml", 'password = "s3cret'),
        (".databrickscfg", "token = s3cret"),
        (".databrickscfg", "[a]\ntoken s3cret"),
        ("config_default", "token = s3cret"),
    ],
)
def test_a_file_that_cannot_be_read_shows_nothing_of_itself(
    tmp_path: Path, kinds: Any, name: str, text: str
) -> None:
    with pytest.raises(ConfigError, match="The file is not") as caught:
        imported(tmp_path / name, text, kinds)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


DBT = """
shop:
  outputs:
    snow: {type: snowflake, account: xy12345, user: ann, password: s3cret, database: SHOP, threads: 4}
    key: {type: snowflake, account: xy12345, user: ann, private_key_path: keys/key.p8}
    big: {type: bigquery, method: oauth, project: my-shop-1, dataset: sales}
    robot: {type: bigquery, method: service-account, project: my-shop-1, keyfile: keys/key.json}
    impersonated: {type: bigquery, method: external, project: my-shop-1}
    red: {type: redshift, host: c.x.eu-west-1.redshift.amazonaws.com, user: ann, pass: s3cret, dbname: a}
    bricks: {type: databricks, host: d.cloud.databricks.com, http_path: /sql/1.0/warehouses/abc, token: dapi}
"""


def test_dbts_targets(tmp_path: Path, kinds: Any) -> None:
    found = imported(tmp_path / "profiles.yml", DBT, kinds)
    good = {name: each.config for name, each in found.items() if not each.problem}
    assert list(good) == ["shop_snow", "shop_big", "shop_red", "shop_bricks"]
    assert good["shop_snow"].values["password"] == Secret("s3cret")
    assert good["shop_big"].values["sign_in"] == "application_default"
    assert good["shop_big"].values["dataset"] == "sales"
    assert good["shop_red"].values["port"] == 5439
    assert good["shop_bricks"].values["access_token"] == Secret("dapi")
    assert "keyfile" in found["shop_robot"].problem
    assert "private_key_path" in found["shop_key"].problem
    assert "'external'" in found["shop_impersonated"].problem


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "snowflake://ann:s3cret@xy12345.eu-central-1/SHOP/PUBLIC?warehouse=WH&role=READER",
            {"user": "ann", "password": Secret("s3cret"), "database": "SHOP", "schema": "PUBLIC"}
            | {"warehouse": "WH", "role": "READER"},
        ),
        (
            "databricks://token:dapi@d.cloud.databricks.com?http_path=/sql/1.0/warehouses/abc&catalog=main",
            {
                "server_hostname": "d.cloud.databricks.com",
                "access_token": Secret("dapi"),
                "catalog": "main",
            },
        ),
        (
            "bigquery://my-shop-1/sales?sign_in=application_default&location=EU",
            {"project": "my-shop-1", "dataset": "sales", "location": "EU"},
        ),
        (
            "redshift+redshift_connector://ann:s3cret@c.x.eu-west-1.redshift.amazonaws.com:5439/shop",
            {"host": "c.x.eu-west-1.redshift.amazonaws.com", "port": 5439, "database": "shop"},
        ),
    ],
)
def test_a_url_as_other_tools_write_it(kinds: Any, url: str, expected: dict[str, Any]) -> None:
    config = parse_url(url, "shop", kinds)
    assert config.type == url.partition(":")[0].partition("+")[0]
    assert {name: config.values[name] for name in expected} == expected


@pytest.mark.parametrize("option", ["database=X", "user=bob", "account=other", "unix_socket=/x", "schema=B"])
def test_an_option_says_nothing_that_the_url_has_said(kinds: Any, option: str) -> None:
    with pytest.raises(ConfigError):
        parse_url(f"snowflake://ann:s3cret@xy12345/SHOP/A?{option}", "shop", kinds)


def test_an_account_may_be_behind_a_host_of_its_own(kinds: Any) -> None:
    url = "snowflake://ann:s3cret@xy12345/SHOP?host=xy.private.example.com&port=8443"
    values = parse_url(url, "shop", kinds).values
    assert (values["account"], values["host"], values["port"]) == ("xy12345", "xy.private.example.com", 8443)
