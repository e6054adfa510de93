"""Who is asking, as far as the server can be sure of it.

Jupyter Server's own providers (token, password) invent a user name per browser and, for a bare token, per
request. Such a name must never own anything. Only a provider that somebody configured names a person; without
one, whoever holds the token acts as the account the server runs under. On a JupyterHub that account is the
person whom the server was started for, whatever the Hub calls them: their kernels know themselves by it.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from ..models import Identity
from ..services import os_identity

if TYPE_CHECKING:
    from jupyter_server.auth import IdentityProvider, User

__all__ = ["identity_of", "names_several"]


def identity_of(provider: IdentityProvider, user: User) -> Identity:
    """Return the identity that owns what ``user`` makes.

    Parameters
    ----------
    provider : IdentityProvider
        The server's. Its ``user.username`` counts where its own code, not Jupyter Server's, says who it is.
    """
    package = _package(provider)
    theirs = package == "jupyterhub" and user.username == os.environ.get("JUPYTERHUB_USER")
    if theirs or package == "jupyter_server":
        return os_identity()
    return Identity(user.username, "hub" if package == "jupyterhub" else "configured")


def names_several(provider: IdentityProvider) -> bool:
    """Say whether several persons, who need not trust each other, use the server.

    A server of JupyterHub is one person's, and of those whom that person lets in.
    """
    return _package(provider) not in ("jupyter_server", "jupyterhub")


def _package(provider: IdentityProvider) -> str:
    """Return whose code says who a user is."""
    return type(provider).get_user.__module__.partition(".")[0]
