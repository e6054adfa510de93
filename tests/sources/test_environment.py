from __future__ import annotations

import pytest

from aiser_jupyter.sources.environment import environment_connections


@pytest.fixture
def toml(tmp_path):
    path = tmp_path / "shop.toml"
    secret = tmp_path / "password"
    secret.write_text("s3cret\n")
    path.write_text(f'type = "mariadb"\nhost = "db"\nusername = "ann"\npassword_file = "{secret}"\n')
    return path


def test_a_variable_names_the_file_of_a_connection(toml, monkeypatch, kinds):
    monkeypatch.setenv("AISER_CONNECTION_SHOP", str(toml))
    (shop,) = environment_connections(kinds=kinds)
    assert (shop.id, shop.name, shop.type, shop.owner) == ("environment-shop", "shop", "mysql", "")
    assert (shop.source, shop.problem) == ("environment", "")
    assert shop.config.values["password"].reveal() == "s3cret"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("mysql://ann:canary@db/shop", "AISER_CONNECTION_SHOP looks like a URL"),
        ("ann:canary@db/shop", "AISER_CONNECTION_SHOP looks like a URL"),
        ("file:///canary.toml", "AISER_CONNECTION_SHOP looks like a URL"),
        ("canary", "AISER_CONNECTION_SHOP needs the absolute path of a file."),
        ("", "AISER_CONNECTION_SHOP needs the absolute path of a file."),
        ("~canary/x", "AISER_CONNECTION_SHOP needs the absolute path of a file."),
        ("/nowhere/canary.toml", "AISER_CONNECTION_SHOP names a file that is not there."),
    ],
)
def test_a_value_is_a_path_and_is_never_shown(kinds, value, reason):
    (found,) = environment_connections({"AISER_CONNECTION_SHOP": value}, kinds)
    assert (found.name, found.problem[: len(reason)]) == ("shop", reason)
    assert "canary" not in repr(found)
    assert found.config.values == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("type = ", "The file of AISER_CONNECTION_SHOP is not TOML"),
        ('host = "canary"', "It has no type."),
        ('type = "mysql"\nhost = "db"\nusername = "a"\npassword = "canary"', "'password' stands in the file"),
        ('[shop]\ntype = "duckdb"', "It has no type."),
    ],
)
def test_what_is_wrong_in_the_file_is_the_problem(tmp_path, kinds, text, reason):
    path = tmp_path / "shop.toml"
    path.write_text(text)
    (found,) = environment_connections({"AISER_CONNECTION_SHOP": str(path)}, kinds)
    assert found.problem.startswith(reason)
    assert "canary" not in repr(found)


def test_names(toml, kinds):
    names = ("AISER_CONNECTION_SHOP", "AISER_CONNECTION_Shop", "AISER_CONNECTION_", "AISER_CONNECTION_LOCAL")
    environ = {**dict.fromkeys([*names, "AISER_CONNECTION_1-A"], str(toml)), "AISER_STORE": "x"}
    found = environment_connections(environ, kinds)
    assert [(c.name, bool(c.problem)) for c in found] == [
        ("_1-a", True),
        ("connection", True),
        ("local_2", True),
        ("shop", False),
        ("shop_2", True),
    ]
