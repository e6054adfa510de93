"""The keys of one store as a value: the current one seals, the older ones only open.

Rules:

- a key is 32 bytes of the system's random numbers; what cannot be that is refused whoever made it;
- a key lies in a `Secret` until the cipher takes it, so that no repr and no traceback shows it;
- a malformed ring is described in words of our own: an error of the JSON reader would carry its text.
"""

from __future__ import annotations

import json
import re
import secrets as random
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from typing import Any

from ..errors import SecretError
from ..secret import Secret

__all__ = ["KEY_BYTES", "KEY_ID", "Ring"]

KEY_BYTES = 32
KEY_ID = re.compile(r"[0-9a-f]{16}")
VARIETY = 16  # of 32 random bytes so few are different once in 10^14 keys
OWN_KEY = (
    "Take it out of there; `aiser` makes a key of its own when it first saves a secret. "
    "Where it did seal secrets, change those at the database."
)
# SHA-256 of keys that stand in documentation: the Fernet specification, guides and images of Airflow (two),
# the AES test vectors of NIST.
PUBLISHED = frozenset(
    {
        "cbeb362f1fa69a6691db592f4529cf6bea1ce089eb132a3350c9081279ff8f34",
        "5ca278330d08b9ce5bb4e0c8755263873be3b92f5db329c5562d445b3e022232",
        "3990442a9e73e2e289f7c0c4f1c9dc85d3d54268f208748631ecb46b1ef9f3df",
        "b93c72b74bc8487d29827005f80d635918f91bc22b14d7ed05714d58f96702dd",
    }
)


@dataclass(frozen=True, slots=True)
class Ring:
    """Keys by id, in base64. More than one means that a rotation has not ended.

    Examples
    --------
    >>> ring = Ring.new()
    >>> rotating = ring.with_new_key()
    >>> rotating.pending, ring.current in rotating.keys, rotating.with_current_only().pending
    (True, True, False)
    """

    current: str
    keys: Mapping[str, Secret]

    @classmethod
    def new(cls) -> Ring:
        """Return a ring of one new key."""
        return cls("", {}).with_new_key()

    @classmethod
    def parse(cls, text: Secret, place: str) -> Ring:
        """Read the JSON of a ring: ``{"current": id, "keys": {id: base64 of 32 bytes}}``.

        Parameters
        ----------
        text : Secret
        place : str
            Where it was found, for messages.

        Raises
        ------
        SecretError
            It is no ring, or a key of it is weak.
        """
        found = _read(text)
        # Raised here, where no local variable holds a key.
        if isinstance(found, _Problem):
            raise SecretError(f"{place} {found.text}.", hint=found.hint)
        return found

    @property
    def pending(self) -> bool:
        """Whether older keys are left, from a rotation that did not end."""
        return len(self.keys) > 1

    def with_new_key(self) -> Ring:
        """Return a ring that seals with a new key and still opens with the others."""
        id = random.token_hex(8)
        key = Secret(b64encode(random.token_bytes(KEY_BYTES)).decode())
        return Ring(id, {**self.keys, id: key})

    def with_current_only(self) -> Ring:
        """Return a ring without the older keys."""
        return Ring(self.current, {self.current: self.keys[self.current]})

    def text(self) -> Secret:
        """Return the JSON that `parse` reads."""
        keys = self.keys
        return Secret(
            lambda: json.dumps({"current": self.current, "keys": {id: keys[id].reveal() for id in keys}})
        )


@dataclass(frozen=True, slots=True)
class _Problem:
    text: str
    hint: str = "Put the right key file back; without it the saved secrets have to be given again."


def _read(text: Secret) -> Ring | _Problem:
    try:
        found = json.loads(text.reveal())
    except (ValueError, RecursionError):
        return _Problem("is not the JSON of a key ring")
    keys = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(keys, dict) or set(found) != {"current", "keys"}:
        return _Problem('is not a key ring: {"current": …, "keys": {…}}')
    if found["current"] not in list(keys):
        return _Problem("does not hold the key that it calls the current one")
    for id, key in keys.items():
        if not KEY_ID.fullmatch(id):
            return _Problem("names a key with something else than 16 hexadecimal digits")
        if weakness := _weakness(key):
            return _Problem(f"holds a key that {weakness} (key {id})", OWN_KEY)
    return Ring(found["current"], {id: Secret(key) for id, key in keys.items()})


def _weakness(text: Any) -> str:
    """Say why this cannot be a random key, or ""."""
    try:
        key = b64decode(text, validate=True)
    except (ValueError, TypeError):
        return "is not base64"
    steps = {(after - before) % 256 for before, after in pairwise(key)}
    if len(key) < KEY_BYTES:
        return f"is shorter than {KEY_BYTES} bytes"
    if len(key) > KEY_BYTES:
        return f"is longer than {KEY_BYTES} bytes"
    if sha256(key).hexdigest() in PUBLISHED:
        return "is a published example"
    if len(set(key)) <= VARIETY or len(steps) <= VARIETY:
        return "follows a pattern"
    if all(32 <= byte < 127 for byte in key):
        return "is written text and not random bytes"
    return ""
