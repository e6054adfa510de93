"""The tokens of who is signed in with the browser: a connection has one that holds, whichever process asks.

They are refreshed where they are used, by whoever opens a session, in a kernel as in the server. A refresh
token may hold once, so there is one refresh at a time for a connection, among all processes, and what it
brings is saved before anybody else looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from ..models import ConnectionConfig
from ..secret import Secret

if TYPE_CHECKING:
    from ..connectors.oauth import Tokens
    from ..store.connections import ConnectionRecords

__all__ = ["REQUEST_SECONDS", "SIGNED_IN", "signed_in"]

SIGNED_IN = "signed_in"
"""The field that holds what a sign-in brought; `connectors.oauth` has it by the same name."""
REQUEST_SECONDS = 20.0
"""For one request to the vendor."""
_WAIT_SECONDS = 3 * REQUEST_SECONDS
"""For another process that refreshes, or for some of them that the vendor does not answer."""


def signed_in(config: ConnectionConfig, id: str, records: ConnectionRecords) -> ConnectionConfig:
    """Return ``config`` with tokens that are refreshed when they are read, and no longer hold.

    Reading them raises `SignInRequired` where the vendor refuses, `ConnectError` where it is not reached,
    `UnknownConnection` where the connection leads elsewhere by now: its tokens are not for ``config``.
    """
    stored = config.values.get(SIGNED_IN)
    if not isinstance(stored, Secret):
        return config

    def refreshed(tokens: Tokens) -> Tokens:
        from ..connectors.oauth import application_of

        return application_of(config).refresh(tokens, REQUEST_SECONDS)

    def meant(saved: ConnectionConfig) -> bool:
        from ..connectors.registry import connector

        kind = connector(config.type)
        return saved.type == config.type and kind.destination(saved.values) == kind.destination(config.values)

    def renew(make: Callable[[Secret], Secret | None]) -> Secret:
        return records.renew(id, SIGNED_IN, make, meant=meant, timeout=_WAIT_SECONDS)

    from ..connectors.oauth import current

    secret = current(stored, renew, refreshed)
    return replace(config, values={**config.values, SIGNED_IN: secret})
