"""A sign-in with the browser as it crosses to the panel."""

from __future__ import annotations

from typing import Any

from .answers import error_json, instant

__all__ = ["sign_in_json"]


def sign_in_json(found: Any) -> dict[str, Any]:
    """Return where a sign-in is, from a ``SignIn``."""
    return {
        "id": found.id,
        "state": str(found.state),
        "url": found.url,
        "expires_at": instant(found.expires_at),
        "redirect": "paste" if found.pasted else "callback",
        "connection_id": None if found.connection is None else found.connection.id,
        "error": None if found.error is None else error_json(found.error),
    }
