"""The graded test of a connection to a server: name, port, encryption, login, database, rights, a row.

Each step fails alone, says what is wrong in words that tell where to look, and ends in time: a person who
sees that "tls" failed knows that name and port are right, and that no password was sent.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from typing import TYPE_CHECKING, Any

from ..errors import (
    AiserError,
    ConnectError,
    ConnectionLost,
    DataError,
    EngineUnavailable,
    NotPermitted,
    UnknownDatabase,
)
from .base import Stage
from .proxy import dial_https
from .sockets import reach, resolve
from .tls import context_of, require_tls, translate_tls

if TYPE_CHECKING:
    from ..models import ConnectionConfig
    from ..run import Run
    from .network import NetworkConnector, NetworkSession

__all__ = ["probe"]


def probe(kind: NetworkConnector, config: ConnectionConfig, run: Run) -> Generator[Stage]:
    """Yield the steps in order; the session they share is closed with the iterator."""
    values = config.values
    host, _ = kind.address(values)
    limit = float(values.get("timeout", 10))
    opened: list[NetworkSession] = []
    late: list[AiserError] = []

    def login() -> str:
        try:
            opened.append(kind.fresh(config, read_only=kind.capabilities.read_only))
        except (UnknownDatabase, NotPermitted) as exc:
            late.append(exc)  # the login itself was accepted
        return f"as {kind.login_name(values)}"

    def database() -> str:
        if late:
            raise late[0]
        return ".".join(str(values[part]) for part in kind.url_parts[1:] if values.get(part)) or "none named"

    def sample() -> str:
        try:
            return _within(opened[0], run, limit, kind.sample, host)
        except DataError as exc:  # the connection works; this table has to be read in another way
            return f"a row came, and it has a value that cannot be shown: {exc.message}"

    yield Stage("driver", lambda: _driver(kind))
    yield Stage("name", lambda: _name(kind, values, limit))
    yield Stage("tcp", lambda: _tcp(kind, values, limit))
    yield Stage("tls", lambda: _tls(kind, config, limit))
    try:
        yield Stage("login", login)
        yield Stage("database", database)
        yield Stage("rights", lambda: _within(opened[0], run, limit, kind.rights, host))
        yield Stage("sample", sample)
    finally:
        for session in opened:
            session.close()


def _driver(kind: NetworkConnector) -> str:
    available = kind.available()
    if not available.ok:
        raise EngineUnavailable(available.reason, hint=available.hint)
    return available.reason


def _name(kind: NetworkConnector, values: Mapping[str, Any], limit: float) -> str:
    if proxy := kind.proxy(values):
        return f"left to the proxy {proxy}"
    return ", ".join(str(each[0]) for _, each in resolve(*kind.address(values), limit))


def _tcp(kind: NetworkConnector, values: Mapping[str, Any], limit: float) -> str:
    host, port = kind.address(values)
    if proxy := kind.proxy(values):
        dial_https(host, port, limit).close()
        return f"port {port} answers through the proxy {proxy}"
    reach(resolve(host, port, limit), host, limit).close()
    return f"port {port} answers"


def _tls(kind: NetworkConnector, config: ConnectionConfig, limit: float) -> str:
    host, port = kind.address(config.values)
    if context_of(config.values) is None:
        require_tls(config.values, resolve(host, port, limit), host)
        return "off: nothing is encrypted"
    began = time.monotonic()
    try:
        return kind.start_tls(config, limit)
    except Exception as exc:
        if isinstance(exc, AiserError) and not isinstance(exc, ConnectionLost):
            raise
        if time.monotonic() - began >= limit - 0.05:
            raise ConnectError(
                f"{host} did not answer the offer of TLS within {limit:g} s.",
                hint="It accepts connections and is silent: it may be overloaded, or another kind of server.",
            ) from exc
        raise translate_tls(exc, host) or ConnectError(
            f"{host} broke off at the offer of TLS.",
            hint="Another kind of server may listen on this port.",
        ) from exc


def _within(
    session: NetworkSession, run: Run, limit: float, step: Callable[[NetworkSession], str], host: str
) -> str:
    began = time.monotonic()
    try:
        with run.on_cancel(session.cancel), session.limited(limit):
            return step(session)
    except ConnectionLost as exc:
        if time.monotonic() - began < limit - 0.05:
            raise
        raise ConnectError(
            f"{host} accepted the login, and did not answer within {limit:g} s.",
            hint="It may be overloaded, or something on the way drops what is large or slow.",
        ) from exc
