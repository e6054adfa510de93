"""Signing in with the browser, on a real server and a workspace that checks all that it is brought."""

from __future__ import annotations

import asyncio
import re

import pytest

from aiser_jupyter.errors import SignInRequired
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.services import build
from aiser_jupyter.services import sign_in as service
from tests.server.sign_in_kit import (
    CONNECTIONS,
    SELECT,
    SIGN_INS,
    begin,
    consent,
    lake,
    open_page,
    own,
    query_of,
)

__all__ = ["consent", "lake", "open_page", "own"]

# -- the way of pasting ----------------------------------------------------------------------------------


async def test_the_address_that_is_pasted_saves_a_connection_that_works(api, workspace, lake, consent):
    begun = await begin(api, lake)
    assert (begun["state"], begun["redirect"], begun["connection_id"]) == ("waiting", "paste", None)
    asked = query_of(begun["url"])
    assert begun["url"].startswith(f"https://127.0.0.1:{workspace.port}/oidc/v1/authorize?")
    assert asked["redirect_uri"] == "http://localhost:8020"
    assert asked["code_challenge_method"] == "S256"
    assert set(asked["scope"].split()) == {"sql", "offline_access"}

    address = await consent(begun["url"])
    assert address.startswith("http://localhost:8020?")
    done = (await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": f"  {address}\n"})).json
    assert (done["state"], done["error"]) == ("done", None)
    assert (await api("GET", f"{SIGN_INS}/{begun['id']}")).json == done

    shown = (await api("GET", f"{CONNECTIONS}/{done['connection_id']}")).json["connection"]
    assert shown["config"]["signed_in"] == {"set": True}
    answer = await api("POST", "/data/query/execute", SELECT)
    assert answer.json["data"] == [[42]], answer.raw
    assert workspace.seen()["authorization"]["codes"] == 1


async def test_nothing_is_saved_before_the_person_came_back(api, workspace, lake):
    begun = await begin(api, lake)
    assert (await api("GET", CONNECTIONS)).json["count"] == 1
    assert workspace.seen()["paths"] == []  # the vendor was not even asked
    assert (await api("DELETE", f"{SIGN_INS}/{begun['id']}")).status == 204
    for method, body in (("GET", None), ("DELETE", None), ("POST", {"address": "http://localhost:8020?x"})):
        gone = await api(method, f"{SIGN_INS}/{begun['id']}", body)
        assert gone.status in (400, 404), method


@pytest.mark.parametrize(
    "change",
    [
        lambda address: address.replace("state=", "state=x"),
        lambda address: "http://localhost:8020/?code=abc",
        lambda address: address.partition("&")[0],
        lambda address: "https://127.0.0.1/oidc/v1/authorize?client_id=databricks-sql-python",
        lambda address: "http://[::1",
        lambda address: "nothing",
        lambda address: f"{address}&state=another",
    ],
    ids=["another state", "no state", "no code", "the first page", "damaged", "a word", "two states"],
)
async def test_a_wrong_address_is_refused_and_the_sign_in_waits_on(api, lake, consent, change):
    begun = await begin(api, lake)
    address = await consent(begun["url"])
    refused = await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": change(address)})
    assert (refused.status, refused.json["error_code"]) == (400, "usage")
    assert (await api("GET", f"{SIGN_INS}/{begun['id']}")).json["state"] == "waiting"
    done = await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": address})
    assert done.json["state"] == "done"


async def test_an_address_holds_once(api, workspace, lake, consent):
    begun = await begin(api, lake)
    address = await consent(begun["url"])
    both = await asyncio.gather(
        *(api("POST", f"{SIGN_INS}/{begun['id']}", {"address": address}) for _ in range(3))
    )
    assert sorted(each.status for each in both) == [200, 400, 400]
    assert (await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": address})).status == 400
    assert workspace.seen()["authorization"]["codes"] == 1


async def test_a_code_of_another_sign_in_is_refused_by_the_vendor(api, workspace, lake, consent):
    """Its verifier is another one: what was stolen from a tab is of no use."""
    first, second = await begin(api, lake), await begin(api, {**lake, "name": "other"})
    code = query_of(await consent(first["url"]))["code"]
    state = query_of(second["url"])["state"]
    address = f"http://localhost:8020?state={state}&code={code}"
    failed = (await api("POST", f"{SIGN_INS}/{second['id']}", {"address": address})).json
    assert (failed["state"], failed["error"]["error_code"]) == ("failed", "authentication")
    assert workspace.seen()["authorization"]["codes"] == 0
    assert (await api("GET", CONNECTIONS)).json["count"] == 1


async def test_a_sign_in_ends_after_ten_minutes(api, lake, consent, extension, monkeypatch):
    begun = await begin(api, lake)
    address = await consent(begun["url"])
    monkeypatch.setattr(service, "SECONDS", 0.0)
    assert (await api("GET", f"{SIGN_INS}/{begun['id']}")).json["state"] == "expired"
    assert (await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": address})).status == 400


# -- the way back to this server -------------------------------------------------------------------------


async def test_the_browser_comes_back_and_the_connection_is_saved(api, workspace, own, consent, open_page):
    connection, _ = own
    begun = await begin(api, connection)
    assert begun["redirect"] == "callback"
    status, headers, page = await open_page(await consent(begun["url"]))
    assert status == 200, page
    assert "You can close this tab." in page
    assert headers["Content-Type"].startswith("text/html")
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    done = (await api("GET", f"{SIGN_INS}/{begun['id']}")).json
    assert done["state"] == "done"
    assert (await api("POST", "/data/query/execute", SELECT)).json["data"] == [[42]]


async def test_a_page_that_came_back_once_does_nothing_again(api, workspace, own, consent, open_page):
    connection, _ = own
    begun = await begin(api, connection)
    address = await consent(begun["url"])
    assert (await open_page(address))[0] == 200
    status, _, page = await open_page(address)
    assert status == 400
    assert "no sign-in that waits" in page
    assert workspace.seen()["authorization"]["codes"] == 1


async def test_a_page_that_comes_back_thrice_at_once_holds_once(api, workspace, own, consent, open_page):
    connection, _ = own
    begun = await begin(api, connection)
    address = await consent(begun["url"])
    answers = await asyncio.gather(*(open_page(address) for _ in range(3)))
    assert sorted(answer[0] for answer in answers) == [200, 400, 400]
    seen = workspace.seen()["authorization"]
    assert (seen["codes"], seen["refused"]) == (1, [])  # the vendor takes a second try for a theft


async def test_a_state_that_nobody_was_given_does_nothing(api, workspace, own, consent, open_page):
    connection, _ = own
    begun = await begin(api, connection)
    address = await consent(begun["url"])
    bare = address.partition("?")[0]
    for wrong in (address.replace("state=", "state=x"), bare, f"{bare}?state=x&code=x", f"{bare}?code=x"):
        status, _, page = await open_page(wrong)
        assert status == 400
        assert "no sign-in that waits" in page
    assert workspace.seen()["authorization"]["codes"] == 0
    assert (await api("GET", f"{SIGN_INS}/{begun['id']}")).json["state"] == "waiting"


async def test_what_the_vendor_says_is_text(api, own, consent, open_page):
    connection, behave = own
    behave(refuse="<script>alert(1)</script>\x1b[31m")
    begun = await begin(api, connection)
    status, _, page = await open_page(await consent(begun["url"]))
    assert status == 400
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    failed = (await api("GET", f"{SIGN_INS}/{begun['id']}")).json
    assert failed["state"] == "failed"
    assert "\x1b" not in failed["error"]["error"]


async def test_a_refusal_may_be_pasted_too(api, lake):
    begun = await begin(api, lake)
    state = query_of(begun["url"])["state"]
    address = f"http://localhost:8020?state={state}&error=access_denied&error_description=no%1b%5b31m+%00way"
    failed = (await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": address})).json
    assert (failed["state"], failed["connection_id"]) == ("failed", None)
    assert failed["error"]["error"] == "Databricks did not sign you in: no [31m  way."


@pytest.mark.parametrize("issuer", ["https://elsewhere.example/oidc", None], ids=["another", "the workspace"])
async def test_an_answer_of_another_issuer_is_refused(api, workspace, own, consent, open_page, issuer):
    connection, behave = own
    behave(issuer=issuer or f"https://127.0.0.1:{workspace.port}/oidc")
    begun = await begin(api, connection)
    status, _, page = await open_page(await consent(begun["url"]))
    assert status == (400 if issuer else 200), page
    assert workspace.seen()["authorization"]["codes"] == (0 if issuer else 1)


async def test_a_wrong_secret_of_the_application_says_which(api, own, consent, open_page):
    connection, _ = own
    begun = await begin(api, {**connection, "oauth_client_secret": "LEAKwrong"})
    status, _, page = await open_page(await consent(begun["url"]))
    assert status == 400
    assert "oauth_client_secret" in page
    assert "LEAK" not in page


async def test_the_callback_is_where_the_browser_reaches_us(api, own, jp_base_url, monkeypatch):
    connection, _ = own

    async def callback(**headers) -> str:
        answer = await api("POST", SIGN_INS, {"connection": connection}, headers)
        return query_of(answer.json["url"])["redirect_uri"]

    path = f"{jp_base_url}aiser/sign-in/callback"
    assert (await callback()).startswith("http://127.0.0.1:")
    for word in ("null", "file:///", ""):
        assert (await callback(Origin=word)).endswith(path)
    monkeypatch.setenv("JUPYTERHUB_BASE_URL", "/hubs/one/")  # one address for everybody
    assert (await callback()).endswith("/hubs/one/hub/user-redirect/aiser/sign-in/callback")
    monkeypatch.setenv("JUPYTERHUB_HOST", "https://hub.example")
    assert (await callback()).startswith("https://hub.example/hubs/one/")
    monkeypatch.setenv("JUPYTERHUB_SERVER_NAME", "second")
    assert (await callback()).endswith(path)


class TestTwoPersons:
    """A proxy says who asks."""

    @pytest.fixture
    def jp_server_config(self, jp_server_config):
        jp_server_config["ServerApp"]["identity_provider_class"] = "tests.servers.jupyter.NamedByProxy"
        return jp_server_config

    async def test_the_state_of_another_person_is_like_none(
        self, api, extension, workspace, own, consent, open_page
    ):
        extension.policy.connections.allowed_hosts = ["127.0.0.1"]
        connection, _ = own
        mine = {"X-User": "ann"}
        begun = (await api("POST", SIGN_INS, {"connection": connection}, mine)).json
        address = await consent(begun["url"])
        nobodys = await open_page(address.replace("state=", "state=x"), {"X-User": "bob"})
        theirs = await open_page(address, {"X-User": "bob"})
        assert (theirs[0], theirs[2]) == (nobodys[0], nobodys[2])
        for method, body in (("GET", None), ("POST", {"address": address}), ("DELETE", None)):
            path, other = f"{SIGN_INS}/{begun['id']}", f"{SIGN_INS}/another"
            answers = [await api(method, each, body, {"X-User": "bob"}) for each in (path, other)]
            assert {each.status for each in answers} == {404}
            assert answers[0].raw == answers[1].raw
        assert workspace.seen()["authorization"]["codes"] == 0
        assert (await open_page(address, mine))[0] == 200
        assert (await api("GET", CONNECTIONS, None, {"X-User": "bob"})).json["count"] == 1
        assert (await api("GET", CONNECTIONS, None, mine)).json["count"] == 2


# -- what may not be signed in to ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"auth_type": "pat"}, "not signed in to"),
        ({"server_hostname": "vendor.example", "port": 443}, "not known|vendor's hosts"),
        ({"ssl_enabled": False, "ssl_ca": None}, "needs TLS"),
        ({"signed_in": "mine"}, "comes from a sign-in"),
        ({"server_hostname": "x.databricks.azure.cn", "port": 443}, "Entra"),
        ({"type": "duckdb"}, "no field"),
    ],
    ids=["a token", "another host", "no TLS", "given tokens", "another cloud", "another database"],
)
async def test_what_cannot_be_signed_in_to_says_so(api, workspace, lake, changed, said):
    answer = await api("POST", SIGN_INS, {"connection": {**lake, **changed}})
    assert answer.status in (400, 502)
    assert re.search(said, answer.json["error"]), answer.json
    assert workspace.seen()["paths"] == []


async def test_a_taken_name_is_said_before_the_person_goes(api, consent, lake, tmp_path):
    shop = {"type": "duckdb", "name": "lake", "database": str(tmp_path / "shop.duckdb")}
    assert (await api("POST", CONNECTIONS, shop)).status == 201
    assert "already" in (await api("POST", SIGN_INS, {"connection": lake})).json["error"]


async def test_a_connection_is_not_saved_without_its_sign_in(api, lake):
    refused = await api("POST", CONNECTIONS, lake)
    assert (refused.status, refused.json["error_code"]) == (409, "sign_in")
    assert "Aiser panel" in refused.json["hint"]
    tried = (await api("POST", f"{CONNECTIONS}/test", lake)).json
    assert not tried["success"]
    assert tried["checks"][-1]["name"] == "login"
    assert (await api("GET", CONNECTIONS)).json["count"] == 1


async def test_a_kernel_says_where_to_sign_in_and_saves_nothing(lake):
    services = build()
    try:
        config = services.connections.draft(
            "lake", "databricks", {k: v for k, v in lake.items() if k != "type" and k != "name"}
        )
        with pytest.raises(SignInRequired, match="browser") as said:
            services.connections.create(config)
        assert "panel" in said.value.hint
        assert [each.name for each in services.connections.list()] == ["local"]
    finally:
        services.close()


async def test_the_form_is_told_what_needs_the_browser(api):
    kinds = {
        each["type"]: each for each in (await api("GET", "/data/enterprise/connectors")).json["connectors"]
    }
    assert kinds["databricks"]["sign_in"] == {"field": "auth_type", "values": ["oauth_u2m"]}
    assert kinds["snowflake"]["sign_in"] == {"field": "authenticator", "values": ["oauth_authorization_code"]}
    assert kinds["postgresql"]["sign_in"] is None
    assert all(field["kind"] != "sign_in" for kind in kinds.values() for field in kind["fields"])


async def test_a_connection_that_was_imported_is_signed_in_to_later(api, lake, consent):
    values = {name: value for name, value in lake.items() if name not in ("type", "name")}
    config = ConnectionConfig("databricks", "lake", values)
    services = build()
    try:
        with pytest.raises(SignInRequired):
            services.connections.create(config)
        id = services.connections.create(config, tested=False).id
    finally:
        services.close()
    refused = await api("POST", "/data/query/execute", SELECT)
    assert (refused.status, refused.json["error_code"]) == (409, "sign_in")
    begun = (await api("POST", SIGN_INS, {"connection_id": id})).json
    done = await api("POST", f"{SIGN_INS}/{begun['id']}", {"address": await consent(begun["url"])})
    assert (done.json["state"], done.json["connection_id"]) == ("done", id)
    assert (await api("POST", "/data/query/execute", SELECT)).json["data"] == [[42]]
