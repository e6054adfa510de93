"""Only a name that somebody vouches for owns anything."""

from __future__ import annotations

import json

import pytest
from jupyter_server.auth import IdentityProvider, User
from jupyter_server.auth.identity import PasswordIdentityProvider

from aiser_jupyter.models import Identity
from aiser_jupyter.server.identity import identity_of
from aiser_jupyter.services import os_identity

HISTORY = ("aiser", "data", "query", "history")


TRY = "/data/enterprise/connections/test"
NOWHERE = {
    "type": "postgresql",
    "host": "127.0.0.1",
    "port": 1,
    "database": "d",
    "username": "u",
    "password": "p",
}
XSRF = {"Cookie": f"_xsrf={'ab' * 16}", "X-XSRFToken": "ab" * 16}


class HeaderIdentity(IdentityProvider):
    """What a proxy in front of the server vouches for."""

    def get_user(self, handler):
        name = handler.request.headers.get("X-User")
        return User(name) if name else None


class RenamedPassword(PasswordIdentityProvider):
    """Changes nothing about who is who."""


@pytest.mark.parametrize("provider", [IdentityProvider, PasswordIdentityProvider, RenamedPassword])
def test_an_invented_name_is_the_account_of_the_server(provider):
    assert identity_of(provider(), User("anonymous-7f3a")) == os_identity()


def test_a_configured_provider_names_the_person():
    assert identity_of(HeaderIdentity(), User("ann")) == Identity("ann", "configured")


def test_whom_a_hub_started_the_server_for_is_its_account_and_a_guest_is_not(monkeypatch):
    class HubIdentity(IdentityProvider):
        def get_user(self, handler):
            raise NotImplementedError

        get_user.__module__ = "jupyterhub.singleuser.extension"

    monkeypatch.setenv("JUPYTERHUB_USER", "ann")
    assert identity_of(HubIdentity(), User("ann")) == os_identity()
    assert identity_of(HubIdentity(), User("bob")) == Identity("bob", "hub")
    monkeypatch.delenv("JUPYTERHUB_USER")
    assert identity_of(HubIdentity(), User("ann")) == Identity("ann", "hub")


async def test_one_token_is_one_person_on_every_request(jp_fetch, jp_serverapp, remember):
    remember("SELECT 1")
    for _ in range(3):
        assert json.loads((await jp_fetch(*HISTORY)).body)["count"] == 1
    app = next(iter(jp_serverapp.extension_manager.extension_apps["aiser_jupyter"]))
    assert list(app._services) == [os_identity()]


class TestConfiguredProvider:
    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["identity_provider_class"] = HeaderIdentity
        return jp_server_config

    async def test_each_person_has_services_of_their_own(self, jp_fetch, jp_serverapp):
        for name in ("ann", "bob", "ann"):
            await jp_fetch(*HISTORY, headers={"X-User": name})
        app = next(iter(jp_serverapp.extension_manager.extension_apps["aiser_jupyter"]))
        assert list(app._services) == [Identity("ann", "configured"), Identity("bob", "configured")]
        assert {s.identity.name for s in app._services.values()} == {"ann", "bob"}

    async def test_a_person_among_several_does_not_test_without_end(self, api, extension, tmp_path):
        extension.policy.limits.user_tests = 3
        wanted = {"type": "duckdb", "database": str(tmp_path / "no" / "where.duckdb")}
        test = "/data/enterprise/connections/test"
        xsrf = {"Cookie": f"_xsrf={'ab' * 16}", "X-XSRFToken": "ab" * 16}

        async def tried(name):
            return (await api("POST", test, wanted, headers={"X-User": name, **xsrf})).status

        assert [await tried("ann") for _ in range(4)] == [200, 200, 200, 429]
        assert await tried("bob") == 200
        made = await api(
            "POST",
            "/data/enterprise/connections",
            {"name": "shop", **wanted},
            headers={"X-User": "ann", **xsrf},
        )
        assert made.status == 429

    async def test_several_persons_are_not_led_into_the_servers_own_network(self, api, extension):
        answer = await api("POST", TRY, NOWHERE, headers={"X-User": "ann", **XSRF})
        (check,) = [each for each in answer.json["checks"] if not each["ok"]]
        assert "its own network" in check["message"]
        assert "AiserConnections.allowed_hosts" in check["hint"]

    async def test_but_to_where_the_administrator_allows(self, api, extension):
        extension.policy.connections.allowed_hosts = ["127.0.0.1"]
        answer = await api("POST", TRY, NOWHERE, headers={"X-User": "ann", **XSRF})
        (check,) = [each for each in answer.json["checks"] if not each["ok"]]
        assert "its own network" not in check["message"]


async def test_the_servers_own_person_goes_where_their_kernels_go(api):
    answer = await api("POST", TRY, NOWHERE)
    (check,) = [each for each in answer.json["checks"] if not each["ok"]]
    assert "its own network" not in check["message"]
