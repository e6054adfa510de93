"""Signing in with the browser: from the form of a connection to the vendor's page, and back to what is saved.

A person may sit before another machine than this one. Where the vendor sends their browser back is either our
callback, or a place of their own machine that leads nowhere: then they paste the address of that place.

- What is pending is in this process's memory, the verifier of PKCE with it, and for ten minutes.
- A ``state`` is one sign-in's of one person, and holds once. Another person's is like one that never was.
- Nothing is saved before the vendor gave tokens and the connection works with them.
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from ..errors import AiserError, AuthenticationFailed, ConfigError, NotFound, UsageError
from ..models import Connection, ConnectionConfig
from ..secret import Secret
from .tokens import REQUEST_SECONDS, SIGNED_IN

if TYPE_CHECKING:
    from ..connectors.oauth import OAuth
    from . import Services

__all__ = ["Returned", "SignIn", "SignInService", "SignInState"]

SECONDS = 600.0
"""How long a sign-in waits for its person; then it is shown as expired for as long again."""
MOST = 16
"""Sign-ins of one person at a time; a further one ends the oldest."""
_REACH_SECONDS = 10.0


class SignInState(StrEnum):
    """Where a sign-in is."""

    WAITING = "waiting"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in as it is shown.

    Attributes
    ----------
    url : str
        The vendor's page, to be opened for the person.
    pasted : bool
        Whether the address that they end on has to be pasted.
    connection : Connection, optional
        Once it is saved; ``again`` is true where it was there before.
    error : AiserError, optional
        Why it failed.
    """

    id: str
    state: SignInState
    url: str
    expires_at: datetime
    pasted: bool
    again: bool = False
    connection: Connection | None = None
    error: AiserError | None = None


@dataclass(frozen=True, slots=True)
class Returned:
    """What the vendor gave the browser along: a code, or an error."""

    state: str
    code: Secret | None
    error: str = ""
    issuer: str = ""

    @staticmethod
    def of(query: Mapping[str, str]) -> Returned:
        """Read it from the parameters of an address."""
        code, said = query.get("code"), query.get("error_description") or query.get("error") or ""
        return Returned(query.get("state", ""), Secret(code) if code else None, said, query.get("iss", ""))


@dataclass(slots=True)
class _Pending:
    """One sign-in. Guarded by the service's lock; ``used`` once somebody came back with its state."""

    id: str
    application: OAuth
    redirect: str
    save: Callable[[Secret], Connection]
    again: bool
    state: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    verifier: Secret = field(default_factory=lambda: Secret(secrets.token_urlsafe(48)))
    began: float = field(default_factory=time.monotonic)
    expires_at: datetime = field(default_factory=lambda: datetime.now(UTC) + timedelta(seconds=SECONDS))
    used: bool = False
    connection: Connection | None = None
    error: AiserError | None = None

    @property
    def where(self) -> SignInState:
        if self.connection is not None:
            return SignInState.DONE
        if self.error is not None:
            return SignInState.FAILED
        late = time.monotonic() - self.began > SECONDS
        return SignInState.EXPIRED if late and not self.used else SignInState.WAITING

    @property
    def open(self) -> bool:
        """Whether somebody may come back with its state."""
        return not self.used and self.where is SignInState.WAITING

    def shown(self) -> SignIn:
        return SignIn(
            self.id,
            self.where,
            self.application.url(self.redirect, self.state, self.verifier),
            self.expires_at,
            bool(self.application.loopback),
            self.again,
            self.connection,
            self.error,
        )


class SignInService:
    """The sign-ins of one identity in this process."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._lock = Lock()
        self._pending: dict[str, _Pending] = {}

    # -- beginning ------------------------------------------------------------------------------------

    def begin(self, config: ConnectionConfig, callback: str) -> SignIn:
        """Begin for a connection that is to be saved.

        Parameters
        ----------
        config : ConnectionConfig
            Checked, without what the sign-in brings.
        callback : str
            Address of our callback, as the person's browser reaches it.

        Raises
        ------
        ConfigError
            It is not for signing in, its name is taken, or it leads to another host than the vendor's.
        HostUnreachable
        """
        connections = self._services.connections
        if (known := connections.same(config)) is not None:
            return self.begin_again(known.id, {}, callback)
        if any(each.name.casefold() == config.name.casefold() for each in connections.list()):
            raise ConfigError(
                f"There is a connection {config.name!r} already.",
                hint="Choose another name, or remove that one first.",
            )

        def save(tokens: Secret) -> Connection:
            values = {**config.values, SIGNED_IN: tokens}
            return connections.create(ConnectionConfig(config.type, config.name, values))

        return self._begin(config, callback, save, again=False)

    def begin_again(
        self, id: str, changes: Mapping[str, Any], callback: str, *, new_name: str = ""
    ) -> SignIn:
        """Begin for a saved connection, which is changed with it as `ConnectionService.change` does.

        Raises
        ------
        UnknownConnection
        ConfigError, HostUnreachable
            As `begin`.
        """
        connections = self._services.connections
        name = connections.with_id(id).name
        config = connections.changed(name, {**changes, SIGNED_IN: Secret(SIGNED_IN)}, new_name)
        kind = connections.kind(config.type)
        there = {each.name: config.values.get(each.name) for each in kind.fields if each.routing}
        wanted = {**kind.renamed(changes), **there}

        def save(tokens: Secret) -> Connection:
            """Whatever becomes of the connection meanwhile, the tokens are for where they come from."""
            name = connections.with_id(id).name
            return connections.change(name, {**wanted, SIGNED_IN: tokens}, new_name=new_name)

        return self._begin(config, callback, save, again=True)

    def _begin(
        self, config: ConnectionConfig, callback: str, save: Callable[[Secret], Connection], *, again: bool
    ) -> SignIn:
        from ..connectors.oauth import application_of

        application = application_of(config)
        application.require_vendor(_REACH_SECONDS)
        made = _Pending(secrets.token_urlsafe(16), application, application.loopback or callback, save, again)
        with self._lock:
            now = time.monotonic()
            kept = [each for each in self._pending.values() if now - each.began < 2 * SECONDS]
            self._pending = {each.id: each for each in [*kept[1 - MOST :], made]}
        return made.shown()

    # -- coming back ----------------------------------------------------------------------------------

    def state(self, id: str) -> SignIn:
        """Return where a sign-in is. Raises `NotFound`."""
        with self._lock:
            return self._find(id).shown()

    def end(self, id: str) -> None:
        """Give a sign-in up. Raises `NotFound`."""
        with self._lock:
            del self._pending[self._find(id).id]

    def paste(self, id: str, address: str) -> SignIn:
        """Finish a sign-in with the address that the person ended on.

        Raises
        ------
        NotFound
        UsageError
            It is not the address of this sign-in, or the sign-in does not wait any more.
        """
        returned = _read(address)
        with self._lock:
            found = self._find(id)
            if not found.open:
                raise UsageError("This sign-in does not wait any more.", hint="Begin again.")
            if not hmac.compare_digest(found.state.encode(), returned.state.encode()):
                raise UsageError(
                    "This is not the address of the page that this sign-in ended on.",
                    hint=f"It begins with {found.redirect}; copy all of it from the tab that was opened.",
                )
            found.used = True
        return self._finish(found, returned)

    def come_back(self, returned: Returned) -> SignIn:
        """Finish the sign-in that the vendor's answer is for.

        Raises
        ------
        UsageError
            There is none that waits: it was another person's, it ended, or there never was one.
        """
        with self._lock:
            state = returned.state.encode()
            waiting = [each for each in self._pending.values() if each.open]
            meant = [each for each in waiting if hmac.compare_digest(each.state.encode(), state)]
            if not meant:
                raise UsageError(
                    "There is no sign-in that waits for this.",
                    hint="It may have taken too long, or be finished: begin again in the Aiser panel.",
                )
            meant[0].used = True
        return self._finish(meant[0], returned)

    def _find(self, id: str) -> _Pending:
        """Lock held."""
        if id not in self._pending:
            raise NotFound("There is no such sign-in.", hint="Begin again.")
        return self._pending[id]

    def _finish(self, found: _Pending, returned: Returned) -> SignIn:
        """Exchange the code, test the connection and save it; what fails is kept for who asks."""
        try:
            connection = found.save(_tokens(found, returned))
        except AiserError as exc:
            with self._lock:
                found.error = exc
        except BaseException:
            with self._lock:
                found.error = AuthenticationFailed("The sign-in was not finished.", hint="Begin again.")
            raise
        else:
            with self._lock:
                found.connection = connection
        return found.shown()


def _tokens(found: _Pending, returned: Returned) -> Secret:
    """Return what the vendor gives for the code, as it is saved. Raises `AiserError`."""
    from ..connectors.oauth import readable

    application = found.application
    issuer = f"{application.origin}{application.issuer}"
    if returned.issuer and application.issuer and returned.issuer.rstrip("/") != issuer:
        raise AuthenticationFailed(
            f"Somebody else than {application.label} answered: {readable(returned.issuer)}.",
            hint="Begin again; do not follow links from elsewhere while you sign in.",
        )
    if returned.code is None:
        raise AuthenticationFailed(
            f"{application.label} did not sign you in: {readable(returned.error) or 'no reason given'}.",
            hint="Begin again. Where your organisation does not allow this application, its administrator can"
            " make one of your own.",
        )
    return application.exchange(returned.code, found.redirect, found.verifier, REQUEST_SECONDS).sealed()


def _read(address: str) -> Returned:
    """Take apart what was pasted. Raises `UsageError`."""
    hint = "Copy the whole address from the address bar of the tab that the sign-in opened."
    try:
        query = parse_qs(urlsplit(address.strip()).query, max_num_fields=50)
    except ValueError as exc:
        raise UsageError("This is no address.", hint=hint) from exc
    returned = Returned.of({name: values[0] for name, values in query.items() if len(values) == 1})
    if not returned.state or (returned.code is None and not returned.error):
        raise UsageError("The address has no code: the sign-in did not end there.", hint=hint)
    return returned
