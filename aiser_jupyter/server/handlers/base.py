"""What every handler shares: who may ask, what is taken, where work blocks, how an error is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar, cast

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler, stream_request_body

from ... import wire
from ...errors import AiserError, NotFound
from ...services import os_identity
from ..identity import identity_of

if TYPE_CHECKING:
    from ...models import Identity
    from ...services import Services
    from ..extension import AiserExtension
    from ..jobs import Jobs

__all__ = ["BODY_BYTES", "AiserHandler", "authorized_to"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

BODY_BYTES = 1024 * 1024
"""A longer body is refused, and not read."""
PARSED_HERE = 16 * 1024
"""A longer body is parsed in a thread."""
RETRY_SECONDS = 2
PIECE = 256 * 1024
"""Bytes of an answer that are sent at once, at least; what has fewer is sent whole."""


def authorized_to(action: str, resource: str) -> Callable[[F], F]:
    """Return jupyter_server's decorator for an action that the HTTP method does not tell."""
    return cast("Callable[[F], F]", authorized(action=action, resource=resource))


@stream_request_body
class AiserHandler(ExtensionHandlerMixin, APIHandler):
    """A handler knows HTTP; the service it calls knows the subject.

    Every verb is ``@web.authenticated`` and ``@authorized``. Both wrap a verb once, so a decorated method is
    never shared by classes with another ``auth_resource``.
    """

    auth_resource = "aiser"

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        super().initialize(*args, **kwargs)
        self._body = bytearray()
        self._too_long = False

    async def prepare(self) -> None:  # type: ignore[override]  # as jupyter_server's own does
        """Refuse who is not known, with any method, and what is too long, before its body is read."""
        await super().prepare()
        if self.request.method != "OPTIONS" and not self.current_user:
            raise HTTPError(403)
        length = self.request.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length[:20]) > BODY_BYTES:
            raise _too_long()

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body; what is too long, though it did not say so, is dropped."""
        self._too_long = self._too_long or len(self._body) + len(chunk) > BODY_BYTES
        if not self._too_long:
            self._body += chunk

    # -- what is asked --------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        """Who asks."""
        return identity_of(self.identity_provider, self.current_user)

    @property
    def app(self) -> AiserExtension:
        return cast("AiserExtension", self.extensionapp)

    @property
    def services(self) -> Services:
        """The services of the person who asks."""
        return self.app.services_for(self.identity)

    @property
    def jobs(self) -> Jobs:
        """The queries of the person who asks."""
        return self.app.jobs_for(self.identity)

    async def body(self) -> dict[str, Any]:
        """Return the JSON object that was sent.

        Only ``application/json`` is taken: a page of another origin cannot send it without being asked.
        """
        if self._too_long:
            raise _too_long()
        kind = self.request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            raise HTTPError(415, "Only application/json is taken.")
        if len(self._body) <= PARSED_HERE:
            return wire.read_body(bytes(self._body))
        return await self.blocking(wire.read_body, bytes(self._body))

    def query_text(self, name: str, longest: int) -> str | None:
        """Return a parameter of the query string, or None where it is not there."""
        found = self.get_query_argument(name, None, strip=False)
        return None if found is None else wire.text(found, name, longest=longest)

    # -- what blocks ----------------------------------------------------------------------------------

    async def blocking(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Await ``call(*args, **kwargs)``, run in a thread: for what the store or a computation takes."""
        return await asyncio.get_running_loop().run_in_executor(
            self.app.executor, lambda: call(*args, **kwargs)
        )

    async def asking(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Await a call that a database may hold up; there are so many of them at most."""
        async with self.app.questions.enter(self.identity):
            return await self.app.waiting(call, *args, **kwargs)

    async def trying(self, call: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """`asking` of a connection that is tried out: where several share the server, at their pace."""
        if self.identity == os_identity():
            return await self.asking(call, *args, **kwargs)
        with self.app.tests.step(self.identity):
            return await self.asking(call, *args, **kwargs)

    # -- what is answered -----------------------------------------------------------------------------

    def answer(self, body: dict[str, Any], status: int | None = None) -> None:
        """Finish with JSON. ``NaN`` is not JSON: a value that is one has missed ``wire``."""
        if status is not None:
            self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(body, allow_nan=False))

    async def stream(self, chunks: Iterator[bytes], content_type: str = "application/json") -> None:
        """Finish with a body that is made in a thread and sent piece by piece, no faster than it is read."""
        self.set_header("Content-Type", content_type)
        loop, encoder = asyncio.get_running_loop(), self.app.encoder
        with suppress(StreamClosedError):  # the client has left
            while len(piece := await loop.run_in_executor(encoder, _piece, chunks)) >= PIECE:
                self.write(piece)
                await self.flush()
            self.finish(piece, set_content_type=content_type)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer an error of ours with its own status, and any other without its text: a traceback or a
        driver's message may hold what the asker must not read. Both are in the server's log."""
        exc = (kwargs.get("exc_info") or (None, None, None))[1]
        if isinstance(exc, AiserError):
            # 401 would say that this server does not know the asker; it is the database that does not.
            status_code = 502 if exc.http_status == 401 else exc.http_status
        else:
            message = exc.log_message if isinstance(exc, HTTPError) and status_code < 500 else None
            exc = _HttpError(message or HTTPStatus(status_code).phrase, HTTPStatus(status_code))
        if status_code == 429:
            self.set_header("Retry-After", str(RETRY_SECONDS))
        if status_code == 405:
            self.set_header("Allow", ", ".join(self._methods()))
        self.answer(wire.error_json(exc), status_code)

    def log_exception(self, *args: Any) -> None:
        """An error of ours is an answer, not an accident of the server."""
        if not isinstance(args[1], AiserError):
            super().log_exception(*args)

    def _methods(self) -> list[str]:
        missing = RequestHandler._unimplemented_method
        return [verb for verb in self.SUPPORTED_METHODS if getattr(type(self), verb.lower()) is not missing]


def _piece(chunks: Iterator[bytes]) -> bytes:
    """Join chunks to one of at least `PIECE` bytes; what is shorter is the last one."""
    piece = bytearray()
    for chunk in chunks:
        piece += chunk
        if len(piece) >= PIECE:
            break
    return bytes(piece)


def _too_long() -> HTTPError:
    return HTTPError(413, f"The body has more than {BODY_BYTES:,} bytes.")


_NAMED_ANEW = {413: "request_entity_too_large", 414: "request_uri_too_long", 422: "unprocessable_entity"}
"""Python 3.13 has other names for these; an answer's code is the same with every Python."""


class _HttpError(AiserError):
    """An error that Jupyter Server or Tornado answered, in our shape."""

    def __init__(self, message: str, status: HTTPStatus) -> None:
        super().__init__(message, hint="The server's log says more." if status >= 500 else "")
        self.code = NotFound.code if status == 404 else _NAMED_ANEW.get(status, status.name.lower())
