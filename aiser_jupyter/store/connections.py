"""Saved connections: how to reach a database, without any secret.

Nothing here can seal a secret, so none is taken: a value for a secret field is refused.
"""

from __future__ import annotations

import json
import re
import secrets as random
import sqlite3
from collections.abc import Set
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError, StoreError, UnknownConnection, nearest
from ..models import LOCAL, Connection, ConnectionConfig

if TYPE_CHECKING:
    from .database import Store

__all__ = ["ConnectionRecords"]

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
LIST = 'SELECT id, owner, name, type, "values", created_at FROM connections WHERE owner = ? ORDER BY name'
ADD = 'INSERT INTO connections (id, owner, name, type, "values", created_at) VALUES (?, ?, ?, ?, ?, ?)'
DELETE = "DELETE FROM connections WHERE owner = ? AND name = ? COLLATE BINARY"


class ConnectionRecords:
    """The saved connections of every owner in one store. An owner sees only their own.

    Examples
    --------
    >>> import tempfile
    >>> from datetime import UTC
    >>> from pathlib import Path
    >>> from aiser_jupyter.store.database import Store
    >>> records = ConnectionRecords(Store(Path(tempfile.mkdtemp()) / "aiser"))
    >>> config = ConnectionConfig("duckdb", "shop", {"path": "shop.duckdb"})
    >>> saved = records.add("ann", config, frozenset(), datetime.now(UTC))
    >>> records.get("ann", "shop") == saved, records.get("bob", "shop")
    (True, None)
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(self, owner: str) -> list[Connection]:
        """Return the owner's connections by name; none while the store cannot be used."""
        return [_connection(row) for row in self._store.read(LIST, (owner,))]

    def get(self, owner: str, name: str) -> Connection | None:
        """Return one connection, or None where the owner has none of that name.

        Raises
        ------
        StoreError
            The store cannot be used: whether there is such a connection is not known.
        """
        state = self._store.state
        if not state.ok:
            raise StoreError(state.message, hint=state.hint)
        return next((found for found in self.list(owner) if found.name == name), None)

    def add(
        self, owner: str, config: ConnectionConfig, secrets: Set[str], created_at: datetime
    ) -> Connection:
        """Save a connection under a new id.

        Parameters
        ----------
        config : ConnectionConfig
            Its name is unique among the owner's, whatever the case.
        secrets : set of str
            Names of the secret fields of its type.

        Raises
        ------
        ConfigError
            A malformed or taken name, a value for a secret field, a value that JSON does not have.
        StoreError
        """
        _check_name(config.name)
        given = sorted(name for name in secrets if config.values.get(name) not in (None, ""))
        if given:
            raise ConfigError(
                f"{config.name}: saving a secret needs a sealed store, which this version does not have "
                f"({', '.join(given)}).",
                hint="Leave it out, or connect with a Python object that holds it (%aiser connect VARIABLE).",
            )
        id = random.token_hex(16)
        row = (id, owner, config.name, config.type, _json(config), created_at.isoformat())
        try:
            with self._store.write() as connection:
                connection.execute(ADD, row)
        except StoreError as exc:
            if isinstance(exc.__cause__, sqlite3.IntegrityError):
                raise ConfigError(
                    f"There is a connection {config.name!r} already.",
                    hint="Choose another name, or remove that one first.",
                ) from exc
            raise
        return Connection(id, owner, config, created_at=created_at)

    def delete(self, owner: str, name: str) -> None:
        """Forget a connection.

        Raises
        ------
        UnknownConnection
        StoreError
        """
        with self._store.write() as connection:
            gone = connection.execute(DELETE, (owner, name)).rowcount
        if not gone:
            known = [found.name for found in self.list(owner)]
            raise UnknownConnection(
                f"There is no saved connection {name!r}.", hint=nearest(name, known, noun="connections")
            )


def _check_name(name: str) -> None:
    if name.casefold() == LOCAL:
        raise ConfigError(f"{name!r} is the connection that is always there.", hint="Choose another name.")
    if not NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot name a connection.",
            hint="Use letters, digits, _ and -, not beginning with a digit or -, 63 characters at most.",
        )


def _json(config: ConnectionConfig) -> str:
    try:
        return json.dumps(dict(config.values), allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as exc:
        raise ConfigError(f"{config.name} holds a value that cannot be saved: {exc}.") from exc


def _connection(row: tuple[Any, ...]) -> Connection:
    id, owner, name, type, values, created_at = row
    try:
        config = ConnectionConfig(type, name, json.loads(values))
        return Connection(id, owner, config, created_at=datetime.fromisoformat(created_at))
    except ValueError as exc:
        raise StoreError(f"The saved connection {name!r} cannot be read: {exc}.") from exc
