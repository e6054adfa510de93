"""Saved connections: how to reach a database, with each secret sealed.

Rules:

- A secret is sealed for its record, field, owner, operating-system user, destination and values (`seal`).
  It is opened when it is revealed, and not before: listing needs no key.
- Changing where a connection leads needs its secrets again; otherwise one who may edit it would be sent them.
- What changes by itself, as the tokens of a sign-in do, is replaced by one process at a time, and is no new
  version of the connection.
- Whoever seals reads the key ring inside the write transaction, and a rotation begins, re-seals and ends
  inside one: no token is sealed with a key that a rotation is about to drop.
"""

from __future__ import annotations

import os
import secrets as random
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import astuple, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, SecretError, StoreError, UnknownConnection, nearest
from ..models import Connection, ConnectionConfig
from ..secret import Secret
from . import files, records, rotation
from .records import NAME, Record
from .ring import Ring
from .rotation import Rotation

if TYPE_CHECKING:
    from .database import Store
    from .keys import Keys

__all__ = ["NAME", "ConnectionRecords"]


class ConnectionRecords:
    """The saved connections of every owner in one store. An owner sees only their own.

    Parameters
    ----------
    store : Store
    keys : Keys
        Where the key ring is; read when a secret is saved or revealed.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC
    >>> from pathlib import Path
    >>> from aiser_jupyter.store.database import Store
    >>> from aiser_jupyter.store.keys import KeyFile
    >>> folder = Path(tempfile.mkdtemp()) / "aiser"
    >>> records = ConnectionRecords(Store(folder), KeyFile(folder / "key"))
    >>> config = ConnectionConfig("mysql", "shop", {"host": "db", "password": Secret("correct horse")})
    >>> saved = records.add("ann", config, "db:3306", {"password"}, datetime.now(UTC))
    >>> records.get("ann", "shop") == saved, records.get("bob", "shop")
    (True, None)
    >>> saved.config.values["password"]
    ***
    """

    def __init__(self, store: Store, keys: Keys) -> None:
        self._store = store
        self._keys = keys

    def list(self, owner: str) -> list[Connection]:
        """Return the owner's connections by name; none while the store cannot be used.

        One whose row is damaged is among them, without values, and its ``problem`` says so.
        """
        found = (Record(*row) for row in self._store.read(records.LIST, (owner,)))
        return [self._shown(record) for record in found]

    def get(self, owner: str, name: str) -> Connection | None:
        """Return one connection, or None where the owner has none of that name.

        Raises
        ------
        StoreError
            The store cannot be used: whether there is such a connection is not known. Or its row is damaged.
        """
        self._require_store()
        found = self._store.read(records.ONE, (owner, name))
        return Record(*found[0]).connection(self._keys.load) if found else None

    def add(
        self,
        owner: str,
        config: ConnectionConfig,
        destination: str,
        secrets: Set[str],
        created_at: datetime,
    ) -> Connection:
        """Save a connection under a new id, as version 1. The first secret makes the key.

        Parameters
        ----------
        config : ConnectionConfig
            Its name is unique among the owner's, whatever the case. Values of secret fields are `Secret`; one
            that is None or "" is left out.
        destination : str
            Where its connector says that it leads.
        secrets : set of str
            Names of the secret fields of its type.

        Raises
        ------
        ConfigError
            A malformed or taken name, a secret that is no `Secret`, a value that JSON does not have.
        SecretError
            There is no key that may be used.
        StoreError
        """
        records.check(config)
        values, given, _ = records.split(config, frozenset(secrets))
        record = Record(
            random.token_hex(16),
            owner,
            config.name,
            config.type,
            values,
            created_at.isoformat(),
            1,
            destination,
        )
        with self._saving(config.name) as connection:
            record = self._sealed(connection, record, given, {})
            connection.execute(records.ADD, astuple(record))
        return record.connection(self._keys.load)

    def change(
        self, owner: str, name: str, config: ConnectionConfig, destination: str, secrets: Set[str]
    ) -> Connection:
        """Replace name and values of a connection, all or nothing; its version grows by one.

        A `Secret` replaces the saved one; None or "" removes it. A secret field that is absent keeps what is
        saved, sealed again for the new values, but only where the destination is the same.

        Parameters
        ----------
        name : str
            What it is called now; ``config.name`` is what it is called then.
        config, destination, secrets
            As in `add`.

        Raises
        ------
        UnknownConnection
        ConfigError
            It would lead elsewhere with a secret that was not given again; or as in `add`.
        SecretError
            A secret that is kept cannot be opened, or there is no key that may be used.
        StoreError
        """
        records.check(config)
        values, given, cleared = records.split(config, frozenset(secrets))
        with self._saving(config.name) as connection:
            found = connection.execute(records.ONE, (owner, name)).fetchone()
            if found is None:
                raise self._unknown(owner, name)
            old = Record(*found)
            new = replace(
                old,
                name=config.name,
                type=config.type,
                values=values,
                version=old.version + 1,
                destination=destination,
            )
            tokens = {} if old.secrets == "{}" else old.tokens()
            kept = {field: tokens[field] for field in tokens if field not in given.keys() | cleared}
            _require_same_destination(old, new, kept)
            if (old.type, old.values) != (new.type, new.values):
                opened = old.opened(self._keys.load)
                given, kept = {**{field: opened[field] for field in kept}, **given}, {}
            new = self._sealed(connection, new, given, kept)
            connection.execute(records.CHANGE, (*astuple(new), old.id))
        return new.connection(self._keys.load)

    def renew(
        self,
        id: str,
        field: str,
        make: Callable[[Secret], Secret | None],
        *,
        meant: Callable[[ConnectionConfig], bool],
        timeout: float,
    ) -> Secret:
        """Replace a saved secret by what ``make`` returns for it; None keeps it. Return what is saved then.

        One process at a time calls ``make`` for a connection, outside of any transaction, and sees what the
        one before it saved. What somebody saved meanwhile in another way is not replaced.

        Parameters
        ----------
        meant : callable
            Whether what is saved is still what the caller has: the secret is for there, and not for where the
            connection leads by now.
        timeout : float
            Seconds to wait for others.

        Raises
        ------
        UnknownConnection
            The connection, or its secret, is gone, or is not the one that was meant.
        SecretError, StoreError
            Also where others take longer.
        """
        with files.folder_lock(self._store.folder, timeout, f"renew-{id}.lock"):
            self._require_store()
            (found,) = self._store.read(records.WITH_ID, (id,)) or [()]
            before = self._secret(found, field, meant)
            made = make(before)
            if made is None:
                return before
            with self._store.write() as connection:
                found = connection.execute(records.WITH_ID, (id,)).fetchone()
                now = self._secret(found, field, meant)
                if now != before:
                    return now
                record = Record(*found)
                kept = {name: token for name, token in record.tokens().items() if name != field}
                record = self._sealed(connection, record, {field: made}, kept)
                connection.execute(records.RESEAL, (record.secrets, id))
            return made

    def _require_store(self) -> None:
        state = self._store.state
        if not state.ok:
            raise StoreError(state.message, hint=state.hint)

    def _secret(
        self, row: tuple[Any, ...] | None, field: str, meant: Callable[[ConnectionConfig], bool]
    ) -> Secret:
        config = Record(*row).connection(self._keys.load).config if row else None
        if config is None or field not in config.values:
            raise UnknownConnection("The connection, or its secret, is gone.", hint="Save it again.")
        if not meant(config):
            raise UnknownConnection(f"{config.name} leads somewhere else by now.", hint="Run it again.")
        return Secret(config.values[field].reveal())  # opened now: its key may be dropped meanwhile

    def delete(self, owner: str, name: str) -> None:
        """Forget a connection and its secrets.

        Raises
        ------
        UnknownConnection
        StoreError
        """
        with self._store.write() as connection:
            gone = connection.execute(records.DELETE, (owner, name)).rowcount
        if not gone:
            raise self._unknown(owner, name)

    def rotate(self) -> Rotation:
        """Seal every secret of every owner with a new key, and drop the old one.

        The old key stays while a secret could not be opened with it. A rotation that did not end, for that
        reason or because its process died, is taken up again instead of beginning another.

        Raises
        ------
        SecretError
            There is no key that may be used, or its file cannot be written.
        StoreError
        """
        with self._store.write():
            ring = self._keys.load()
            if not ring.pending:
                self._keys.save(ring.with_new_key())
        return self.reseal()

    def reseal(self) -> Rotation:
        """Seal with the current key what is not, and drop the older keys where that is everything.

        A second time it changes nothing. Raises as `rotate`.
        """
        try:
            # The older keys must not be gone before what replaces their tokens is on the disk.
            self._store.read("PRAGMA synchronous = FULL")
            with self._store.write() as connection:
                ring = self._keys.load()
                done = rotation.reseal(connection, ring)
            if ring.pending and not done.failed and self._renew_backup():
                self._drop_older_keys()
                return replace(done, finished=True)
            return replace(done, finished=not ring.pending)
        finally:
            self._store.close()  # the next use opens it with the usual settings

    def _drop_older_keys(self) -> None:
        with self._store.write() as connection:
            ring = self._keys.load()
            # Another process may have ended this rotation, and begun the next.
            if ring.pending and rotation.all_current(connection, ring):
                self._keys.save(ring.with_current_only())

    def _renew_backup(self) -> bool:
        """Make the backup now: the one that is there needs the older keys."""
        with suppress(FileNotFoundError):
            os.utime(self._store.backup_path, (0, 0), follow_symlinks=False)
        self._store.close()
        state = self._store.state
        return state.ok and not state.message

    def _sealed(
        self,
        connection: sqlite3.Connection,
        record: Record,
        given: Mapping[str, Secret],
        kept: Mapping[str, str],
    ) -> Record:
        if not given:
            return record.sealed(_NO_RING, {}, kept)
        return record.sealed(self._ring(connection), given, kept)

    def _ring(self, connection: sqlite3.Connection) -> Ring:
        """Return the ring, made with the first secret of the store and never afterwards."""
        if not connection.execute(rotation.ANY).fetchone():
            return self._keys.make()
        try:
            return self._keys.load()
        except SecretError as exc:
            hint = f"{exc.hint} Secrets in the store are sealed with that key."
            raise SecretError(exc.message, hint=hint) from exc

    def _shown(self, record: Record) -> Connection:
        try:
            return record.connection(self._keys.load)
        except StoreError as exc:
            config = ConnectionConfig(record.type, record.name)
            return Connection(record.id, record.owner, config, problem=exc.message)

    def _unknown(self, owner: str, name: str) -> UnknownConnection:
        known = [found.name for found in self.list(owner)]
        hint = nearest(name, known, noun="connections")
        return UnknownConnection(f"There is no saved connection {name!r}.", hint=hint)

    @contextmanager
    def _saving(self, name: str) -> Iterator[sqlite3.Connection]:
        try:
            with self._store.write() as connection:
                yield connection
        except StoreError as exc:
            if isinstance(exc.__cause__, sqlite3.IntegrityError):
                raise ConfigError(
                    f"There is a connection {name!r} already.",
                    hint="Choose another name, or remove that one first.",
                ) from exc
            raise


_NO_RING = Ring("", {})  # seals nothing


def _require_same_destination(old: Record, new: Record, kept: Mapping[str, str]) -> None:
    if kept and (old.destination, old.type) != (new.destination, new.type):
        fields = ", ".join(sorted(kept))
        raise ConfigError(
            f"{old.name} would lead somewhere else: give the password again ({fields}).",
            hint="A saved secret is sent only to where it was saved for.",
        )
