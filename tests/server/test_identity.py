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
