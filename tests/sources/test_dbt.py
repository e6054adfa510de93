from __future__ import annotations

import pytest

from aiser_jupyter.sources.importing import import_connections

PROFILES = """
config:
  send_anonymous_usage_stats: false
shop:
  target: dev
  outputs:
    dev:
      type: postgres
      host: "{{ env_var('SHOP_HOST') }}"
      port: "{{ env_var('SHOP_PORT', '6000') | int }}"
      user: ann
      pass: "{{ env_var('SHOP_PASSWORD') }}"
      dbname: shop
      schema: sales
      threads: 4
      keepalives_idle: 0
      connect_timeout: 5
      sslmode: verify-full
      role:
    prod:
      type: postgres
      host: db
      user: ann
      password: "pre-{{ env_var('SHOP_PASSWORD') }}-post"
      database: shop
      schema: dbt_ann
      search_path: sales
      role: reader
    unset: {type: postgres, host: db, user: ann, password: "{{ env_var('NOT_THERE') }}"}
    template: {type: postgres, host: "{{ target.name }}", user: ann}
    filter: {type: postgres, host: "{{ env_var('SHOP_HOST') | upper }}", user: ann}
    statement: {type: postgres, host: "{% if true %}db{% endif %}", user: ann}
    number: {type: postgres, host: db, user: ann, password: 0123}
    weak: {type: postgres, host: db, user: ann, sslmode: prefer}
    certificate: {type: postgres, host: db, user: ann, sslcert: /me.pem}
    snow: {type: teradata, host: x, password: canary}
    text: canary
crm-eu:
  outputs:
    dev: {type: mysql, server: db, port: 3307, username: ann, password: x, schema: crm, ssl_disabled: true}
    old: {type: mysql5, server: db, UID: ann, PWD: x, schema: crm}
    maria: {type: mariadb, host: db, user: ann, schema: crm, charset: utf8}
files:
  outputs:
    dev: {type: duckdb, path: /data/shop.duckdb, threads: 4, extensions: [httpfs]}
    memory: {type: duckdb}
    cloud: {type: duckdb, path: "md:shop?motherduck_token=canary"}
broken: 7
"""


@pytest.fixture
def found(tmp_path, monkeypatch, kinds):
    path = tmp_path / "profiles.yml"
    path.write_text(PROFILES)
    path.chmod(0o600)
    monkeypatch.setenv("SHOP_HOST", "db.example.com")
    monkeypatch.setenv("SHOP_PASSWORD", "{{ env_var('HOME') }}")
    monkeypatch.delenv("NOT_THERE", raising=False)
    return {entry.config.name: entry for entry in import_connections(path, kinds=kinds)}


def test_every_target_of_every_profile_is_there(found):
    good = {name: entry.config.type for name, entry in found.items() if not entry.problem}
    assert good == {
        "shop_dev": "postgresql",
        "shop_prod": "postgresql",
        "crm-eu_dev": "mysql",
        "crm-eu_old": "mysql",
        "crm-eu_maria": "mysql",
        "files_dev": "duckdb",
    }
    assert "config" not in found
    assert "canary" not in repr(found)


def test_variables_are_read_once_and_named(found):
    values = found["shop_dev"].config.values
    wanted = {
        "host": "db.example.com",
        "port": 6000,
        "username": "ann",
        "database": "shop",
        "schema": "sales",
    }
    assert {name: values[name] for name in wanted} == wanted
    assert (values["timeout"], values["ssl_enabled"]) == (5, True)
    assert values["password"].reveal() == "{{ env_var('HOME') }}"
    assert found["shop_dev"].notices == (
        "Read from the environment: SHOP_HOST, SHOP_PORT, SHOP_PASSWORD.",
        "Not used: keepalives_idle, threads.",
    )
    assert found["shop_prod"].config.values["password"].reveal() == "pre-{{ env_var('HOME') }}-post"


def test_a_search_path_is_stronger_than_the_schema_that_dbt_writes_to(found):
    values = found["shop_prod"].config.values
    assert (values["schema"], values["role"]) == ("sales", "reader")


def test_mysql_and_its_relatives(found):
    dev = found["crm-eu_dev"].config.values
    wanted = {"host": "db", "port": 3307, "username": "ann", "database": "crm", "ssl_enabled": False}
    assert {name: dev[name] for name in wanted} == wanted
    assert found["crm-eu_old"].config.values["password"].reveal() == "x"
    assert found["crm-eu_maria"].notices == ("Not used: charset.",)


def test_duckdb(found):
    assert found["files_dev"].config.values == {"database": "/data/shop.duckdb"}
    assert found["files_dev"].notices == ("Not used: extensions, threads.",)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("shop_unset", "The variable 'NOT_THERE' of 'password' is not set."),
        ("shop_template", "'host' is a template that is not understood."),
        ("shop_filter", "'host' is a template that is not understood."),
        ("shop_statement", "'host' is a template that is not understood."),
        ("shop_number", "'password' is not text. Write it in quotes."),
        ("shop_weak", "sslmode=prefer is not supported"),
        ("shop_certificate", "The option 'sslcert' is not allowed"),
        ("shop_snow", "The adapter 'teradata' is not supported yet."),
        ("shop_text", "The target is not what dbt expects"),
        ("files_memory", "':memory:' is not a file."),
        ("files_cloud", "Its path is not a file of this machine."),
        ("broken", "The profile is not what dbt expects"),
    ],
)
def test_what_cannot_be_imported_says_why(found, name, reason):
    assert found[name].problem.startswith(reason)
    assert found[name].config.values == {}
