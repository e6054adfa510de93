"""``data/sign-ins`` and the page that a vendor sends the browser back to."""

from __future__ import annotations

import html
import os
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.auth.decorator import authorized
from tornado import web

from ... import wire
from ...errors import AiserError
from ...services import Services
from ...services.sign_in import Returned, SignIn, SignInState
from .base import AiserHandler, authorized_to
from .connections import RESOURCE

__all__ = ["CALLBACK", "CallbackHandler", "SignInHandler", "SignInsHandler"]

CALLBACK = "aiser/sign-in/callback"
_PARAMETERS = {"state": 200, "code": 4096, "error": 200, "error_description": 2000, "iss": 1000}
_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body><h1>{title}</h1><p>{text}</p></body>
</html>
"""


class _SignInHandler(AiserHandler):
    """What the handlers of sign-ins share."""

    def told(self, found: SignIn) -> SignIn:
        """Tell whoever listens that a connection was saved."""
        if found.connection is not None:
            self.app.monitoring.connection_changed("changed" if found.again else "saved", found.connection)
        return found


class SignInsHandler(_SignInHandler):
    """POST: begin to sign in."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized
    async def post(self) -> None:
        request = wire.sign_in_request(await self.body())
        found = await self.trying(_begin, self.services, request, self._callback())
        self.set_header("Location", f"{self.base_url}aiser/data/sign-ins/{found.id}")
        self.answer(wire.sign_in_json(found), 201)

    def _callback(self) -> str:
        """Return the address of our callback as this browser reaches us: behind a proxy only it knows.

        On a JupyterHub it is the Hub's, which leads everybody to a server of their own: a vendor has to be
        told of one address, not of one for each person. A wrong one does no harm: a vendor sends codes only
        to addresses that it was told before.
        """
        found = urlsplit(self.request.headers.get("Origin", ""))
        origin = f"{self.request.protocol}://{self.request.host}"
        if found.scheme in ("http", "https") and found.netloc:
            origin = f"{found.scheme}://{found.netloc}"
        hub = os.environ.get("JUPYTERHUB_BASE_URL")
        if hub and not os.environ.get("JUPYTERHUB_SERVER_NAME"):  # a named server is not where it leads
            return f"{os.environ.get('JUPYTERHUB_HOST') or origin}{hub}hub/user-redirect/{CALLBACK}"
        return f"{origin}{self.base_url}{CALLBACK}"


class SignInHandler(_SignInHandler):
    """One sign-in. GET: where it is. POST: finish it with an address. DELETE: give it up."""

    auth_resource = RESOURCE

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        self.answer(wire.sign_in_json(self.services.sign_ins.state(id)))

    @web.authenticated
    @authorized
    async def post(self, id: str) -> None:
        address = wire.address_request(await self.body())
        self.services.sign_ins.state(id)  # before a place is taken
        found = await self.trying(self.services.sign_ins.paste, id, address)
        self.answer(wire.sign_in_json(self.told(found)))

    @web.authenticated
    @authorized
    async def delete(self, id: str) -> None:
        self.services.sign_ins.end(id)
        self.set_status(204)
        self.finish()


class CallbackHandler(_SignInHandler):
    """GET: the person comes back from the vendor, in a tab of its own; what they read is a page.

    It is a navigation, and whose it is shows by its cookie alone. So it does nothing without a ``state`` that
    this person was given, and that nobody else knows.
    """

    auth_resource = RESOURCE

    @property
    def content_security_policy(self) -> str:
        return _POLICY

    @web.authenticated
    @authorized_to("execute", RESOURCE)
    async def get(self) -> None:
        try:
            texts = {name: self.query_text(name, longest) for name, longest in _PARAMETERS.items()}
            returned = Returned.of({name: text for name, text in texts.items() if text is not None})
            found = self.told(await self.trying(self.services.sign_ins.come_back, returned))
        except AiserError as exc:
            return self._show("Not signed in", exc.message, exc.hint, status=400)
        if found.state is SignInState.DONE and found.connection is not None:
            name = found.connection.name
            return self._show(
                "Signed in", f"The connection {name} works, and is saved. You can close this tab."
            )
        error = found.error
        message, hint = (error.message, error.hint) if error is not None else ("It was given up.", "")
        return self._show("The connection was not saved", message, hint, status=400)

    def _show(self, title: str, *sentences: str, status: int = 200) -> None:
        text = " ".join(each for each in sentences if each)
        self.set_status(status)
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", "no-referrer")  # the address of this page has the code
        self.finish(
            _PAGE.format(title=html.escape(title), text=html.escape(text)),
            set_content_type="text/html; charset=UTF-8",
        )


def _begin(services: Services, request: wire.SignInRequest, callback: str) -> SignIn:
    wanted: Any = request.connection
    if wanted is None:
        return services.sign_ins.begin_again(request.id, request.change, callback, new_name=request.name)
    config = services.connections.draft(wanted.name, wanted.type, wanted.values, wanted.url)
    return services.sign_ins.begin(config, callback)
