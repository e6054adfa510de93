"""Sealing: one secret, encrypted for one field of one record of one person, going to one destination.

AES-256-GCM. A token is the base64 of version (1 byte), key id (8), nonce (12), ciphertext and tag (16).
What the token is sealed *for* is authenticated and not stored in it: a token that is moved to another field,
record, owner or user, or whose record now says another host, does not open. The values of the record
are part of it, so that a host that was changed in the file is seen without asking what its connector calls
a destination.

Nothing here ever answers with less than the whole secret: what does not open is a `SecretError`.
"""

from __future__ import annotations

import json
import os
import secrets as random
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..errors import SecretError
from ..secret import Secret
from .ring import Ring

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

__all__ = ["Binding", "key_id", "seal", "unseal"]

VERSION = 1
HEADER = 9  # bytes of version and key id
NONCE = 12
TAG = 16
AGAIN = "Give it again: remove the connection and save it anew, or change it with the secret."


@dataclass(frozen=True, slots=True)
class Binding:
    """What a secret is sealed for. ``name`` is for messages only: a connection may be renamed.

    ``destination`` is where its connector says that ``values`` lead, and ``values`` is their JSON as saved.
    """

    name: str
    connection: str
    field: str
    owner: str
    type: str
    destination: str
    values: str

    def data(self, header: bytes) -> bytes:
        """Return the associated data: a JSON list, so that no two bindings have the same."""
        parts = (self.connection, self.field, os.geteuid(), self.owner)
        return header + json.dumps([*parts, self.destination, self.type, self.values]).encode()


def seal(ring: Ring, binding: Binding, secret: Secret) -> str:
    """Seal a secret with the current key. Twice the same secret gives two different tokens.

    Examples
    --------
    >>> ring = Ring.new()
    >>> shop = Binding("shop", "1", "password", "ann", "mysql", "db:3306", "{}")
    >>> token = seal(ring, shop, Secret("correct horse"))
    >>> unseal(ring, shop, token)
    'correct horse'
    """
    header = bytes([VERSION]) + bytes.fromhex(ring.current)
    nonce = random.token_bytes(NONCE)
    # A lone surrogate is a character of a password like any other.
    sealed = _cipher(ring, ring.current).encrypt(
        nonce, secret.reveal().encode("utf-8", "surrogatepass"), binding.data(header)
    )
    return b64encode(header + nonce + sealed).decode()


def unseal(ring: Ring, binding: Binding, token: str) -> str:
    """Open a token.

    Raises
    ------
    SecretError
        It was altered, it was sealed for something else, or its key is not in the ring.
    """
    from cryptography.exceptions import InvalidTag

    what = f"The saved {binding.field} of the connection {binding.name!r}"
    raw = _raw(token)
    id = raw[1:HEADER].hex() if len(raw) >= HEADER else "unknown"
    if len(raw) < HEADER + NONCE + TAG or raw[0] != VERSION:
        raise SecretError(f"{what} is damaged (key {id}).", hint=AGAIN)
    if id not in ring.keys:
        raise SecretError(f"{what} was sealed with the key {id}, which is not here.", hint=AGAIN)
    header, nonce, sealed = raw[:HEADER], raw[HEADER : HEADER + NONCE], raw[HEADER + NONCE :]
    try:
        return _cipher(ring, id).decrypt(nonce, sealed, binding.data(header)).decode("utf-8", "surrogatepass")
    except InvalidTag as exc:
        raise SecretError(
            f"{what} does not open with the key {id}: it, or the record that it belongs to, was altered "
            "outside aiser, or another user saved it.",
            hint=AGAIN,
        ) from exc


def key_id(token: str) -> str:
    """Return the id of the key that a token was sealed with, or "" for what is no token."""
    return _raw(token)[1:HEADER].hex()


def _raw(token: str) -> bytes:
    try:
        raw = b64decode(token, validate=True)
    except ValueError:
        return b""
    return raw if b64encode(raw).decode() == token else b""  # base64 has spellings that mean the same


def _cipher(ring: Ring, id: str) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(b64decode(ring.keys[id].reveal()))
