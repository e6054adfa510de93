"""Re-sealing: every secret of a store under the current key, in one transaction.

A process that dies in it leaves every token as it was, and the ring with the old and the new key.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import StoreError
from . import records
from .records import Record
from .ring import Ring
from .seal import key_id

__all__ = ["ANY", "Rotation", "all_current", "reseal"]

ANY = "SELECT 1 FROM connections WHERE secrets <> '{}' LIMIT 1"


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did, counted in connections that hold a secret.

    Attributes
    ----------
    resealed, already : int
        Sealed with the current key now, or before.
    failed : tuple of str
        Names of those with a secret that could not be opened; it stays as it is, and so do the older keys.
    key : str
        Id of the current key.
    finished : bool
        The current key is the only one left.
    """

    resealed: int
    already: int
    failed: tuple[str, ...]
    key: str
    finished: bool = False


def reseal(connection: sqlite3.Connection, ring: Ring) -> Rotation:
    """Seal with the current key what is not; a record that cannot be opened is counted and left."""
    resealed = already = 0
    failed: list[str] = []
    for record in _records(connection):
        try:
            fresh = _resealed(record, ring)
        except StoreError:
            failed.append(record.name)
            continue
        if fresh == record:
            already += 1
        else:
            connection.execute(records.RESEAL, (fresh.secrets, fresh.id))
            resealed += 1
    return Rotation(resealed, already, tuple(failed), ring.current)


def all_current(connection: sqlite3.Connection, ring: Ring) -> bool:
    """Say whether no secret needs an older key."""
    tokens = (token for record in _records(connection) for token in record.tokens().values())
    return all(key_id(token) == ring.current for token in tokens)


def _records(connection: sqlite3.Connection) -> Iterator[Record]:
    found = (Record(*row) for row in connection.execute(records.ALL).fetchall())
    return (record for record in found if record.secrets != "{}")


def _resealed(record: Record, ring: Ring) -> Record:
    """Return the record with every token under the current key; those that are stay as they are."""
    tokens, opened = record.tokens(), record.opened(lambda: ring)
    kept = {field: token for field, token in tokens.items() if key_id(token) == ring.current}
    old = {field: opened[field] for field in tokens if field not in kept}
    return record.sealed(ring, old, kept) if old else record
