"""What every handler shares: who may ask, where blocking work goes, and how an error is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado.web import HTTPError

from ... import wire
from ...errors import AiserError
from ..identity import identity_of

if TYPE_CHECKING:
    from ...services import Services
    from ..extension import AiserExtension

__all__ = ["AiserHandler"]

T = TypeVar("T")


class AiserHandler(ExtensionHandlerMixin, APIHandler):
    """A handler knows HTTP; the service it calls knows the subject.

    Every verb is ``@web.authenticated`` and ``@authorized``. Both wrap a verb once, so a decorated method is
    never shared by classes with another ``auth_resource``.
    """

    auth_resource = "aiser"

    @property
    def services(self) -> Services:
        """The services of the person who asks."""
        app = cast("AiserExtension", self.extensionapp)
        return app.services_for(identity_of(self.identity_provider, self.current_user))

    async def blocking(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Await ``call(*args, **kwargs)``, run in a thread of the extension's pool."""
        app = cast("AiserExtension", self.extensionapp)
        return await asyncio.get_running_loop().run_in_executor(app.executor, lambda: call(*args, **kwargs))

    def answer(self, body: dict[str, Any]) -> None:
        """Finish with JSON. ``NaN`` is not JSON: a value that is one has missed ``wire``."""
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body, allow_nan=False))

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error of ours with its own status, and any other without its text: a traceback or a
        driver's message may hold what the asker must not read. Both are in the server's log."""
        exc = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(exc, AiserError):
            self.set_status(exc.http_status)
            body = wire.error_json(exc)
        else:
            message = exc.log_message if isinstance(exc, HTTPError) and status_code < 500 else None
            known = HTTPStatus(status_code)
            body = wire.error_json(_HttpError(message or known.phrase, known))
        self.answer(body)

    def log_exception(self, *args: Any) -> None:
        """An error of ours is an answer, not an accident of the server."""
        if not isinstance(args[1], AiserError):
            super().log_exception(*args)


class _HttpError(AiserError):
    """An error that Jupyter Server or Tornado answered, in our shape."""

    def __init__(self, message: str, status: HTTPStatus) -> None:
        super().__init__(message, hint="The server's log says more." if status >= 500 else "")
        self.code = status.name.lower()
