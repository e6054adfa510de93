"""How a connection stands in the store: plain values as JSON, each secret as a sealed token beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import partial
from typing import Any

from ..errors import ConfigError, StoreError
from ..models import LOCAL, Connection, ConnectionConfig
from ..secret import Secret
from .ring import Ring
from .seal import Binding, seal, unseal

__all__ = ["ADD", "ALL", "CHANGE", "DELETE", "LIST", "ONE", "RESEAL", "WITH_ID", "Record", "check", "split"]

ID = re.compile(r"[0-9a-f]{32}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
TYPE = re.compile(r"[a-z][a-z0-9_-]{0,62}")


@dataclass(frozen=True, slots=True)
class Record:
    """One row. ``values`` and ``secrets`` are JSON: field to value, field to sealed token."""

    id: str
    owner: str
    name: str
    type: str
    values: str
    created_at: str
    version: int
    destination: str
    secrets: str = "{}"

    def tokens(self) -> dict[str, str]:
        """Return the sealed tokens by field. Raises `StoreError` for a damaged row."""
        try:
            found = json.loads(self.secrets)
            if isinstance(found, dict) and all(isinstance(token, str) for token in found.values()):
                return found
        except (ValueError, TypeError, RecursionError):
            pass  # it is damaged in one way or another
        raise self._damaged("its secrets are damaged")

    def binding(self, field: str) -> Binding:
        """Return what the secret of a field is sealed for."""
        return Binding(self.name, self.id, field, self.owner, self.type, self.destination, self.values)

    def opened(self, ring: Callable[[], Ring]) -> dict[str, Secret]:
        """Return the secrets by field; each asks for the ring and is opened when it is revealed."""
        return {
            field: Secret(partial(_open, ring, self.binding(field), token))
            for field, token in self.tokens().items()
        }

    def sealed(self, ring: Ring, given: Mapping[str, Secret], kept: Mapping[str, str]) -> Record:
        """Return the record with the secrets given, sealed with the current key, and the tokens kept."""
        tokens = {**kept, **{field: seal(ring, self.binding(field), given[field]) for field in given}}
        return replace(self, secrets=json.dumps(tokens, sort_keys=True))

    def connection(self, ring: Callable[[], Ring]) -> Connection:
        """Return what callers see. Raises `StoreError` for a damaged row."""
        try:
            values = json.loads(self.values)
            created_at = datetime.fromisoformat(self.created_at)
        except (ValueError, TypeError, RecursionError) as exc:
            raise self._damaged(str(exc)) from exc
        if not isinstance(values, dict) or not ID.fullmatch(self.id) or not isinstance(self.version, int):
            raise self._damaged("its values are damaged")
        config = ConnectionConfig(self.type, self.name, {**values, **self.opened(ring)})
        return Connection(self.id, self.owner, config, created_at=created_at, version=self.version)

    def _damaged(self, why: str) -> StoreError:
        return StoreError(
            f"The saved connection {self.name!r} cannot be read: {why}.",
            hint="Remove it and save it again.",
        )


def check(config: ConnectionConfig) -> None:
    """Refuse a name or a type that is not one. Raises `ConfigError`."""
    if config.name.casefold() == LOCAL:
        raise ConfigError(
            f"{config.name!r} is the connection that is always there.", hint="Choose another name."
        )
    if not NAME.fullmatch(config.name):
        raise ConfigError(
            f"{config.name!r} cannot name a connection.",
            hint="Use letters, digits, _ and -, not beginning with a digit or -, 63 characters at most.",
        )
    if not TYPE.fullmatch(config.type):
        raise ConfigError(f"{config.type!r} cannot be a type of connections.")


def split(config: ConnectionConfig, secrets: frozenset[str]) -> tuple[str, dict[str, Secret], set[str]]:
    """Part what is saved as it is from what is sealed.

    Returns
    -------
    str, dict, set
        JSON of the plain values; the secrets; the secret fields that were given as nothing.

    Raises
    ------
    ConfigError
        A secret field holds something else than a `Secret`, or an empty one; a value is none of JSON.
    """
    plain = {name: value for name, value in config.values.items() if name not in secrets}
    given = {name: value for name, value in config.values.items() if isinstance(value, Secret)}
    plain = {name: value for name, value in plain.items() if name not in given}
    cleared = {name for name in secrets if name in config.values and config.values[name] in (None, "")}
    for name in secrets & config.values.keys() - given.keys() - cleared:
        raise ConfigError(f"{config.name}: {name!r} is a secret field, and its value is not a Secret.")
    for name, secret in given.items():
        if not secret.reveal():
            raise ConfigError(f"{config.name}: {name!r} is empty.", hint="Leave it out.")
    return _json(config.name, plain), given, cleared


def _json(name: str, values: Mapping[str, Any]) -> str:
    try:
        return json.dumps(dict(values), allow_nan=False, sort_keys=True)
    except (TypeError, ValueError) as exc:
        raise ConfigError(f"{name} holds a value that cannot be saved: {exc}.") from exc


def _open(ring: Callable[[], Ring], binding: Binding, token: str) -> str:
    return unseal(ring(), binding, token)


_NAMES = [f'"{field.name}"' for field in fields(Record)]

# Only the names of our own columns are put into these texts; every value is bound.
_SELECT = f"SELECT {', '.join(_NAMES)} FROM connections "  # noqa: S608
LIST = _SELECT + "WHERE owner = ? ORDER BY name"
ONE = _SELECT + "WHERE owner = ? AND name = ? COLLATE BINARY"
WITH_ID = _SELECT + "WHERE id = ?"
ALL = _SELECT + "ORDER BY owner, name"
ADD = f"INSERT INTO connections ({', '.join(_NAMES)}) VALUES ({', '.join('?' * len(_NAMES))})"  # noqa: S608
CHANGE = f"UPDATE connections SET ({', '.join(_NAMES)}) = ({', '.join('?' * len(_NAMES))}) WHERE id = ?"  # noqa: S608
RESEAL = "UPDATE connections SET secrets = ? WHERE id = ?"
DELETE = "DELETE FROM connections WHERE owner = ? AND name = ? COLLATE BINARY"
