"""What the tests of the Redshift connector share: a config of the endpoint, AWS's keys, a session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from aiser_jupyter.connectors.redshift import RedshiftConnector
from aiser_jupyter.connectors.redshift.session import RedshiftSession
from aiser_jupyter.models import ConnectionConfig
from tests.conformance import redshift
from tests.endpoints.redshift_server import CLUSTER, KEYS, REGION, WORKGROUP

KIND = RedshiftConnector()
LONG_TERM, TEMPORARY, EXPIRED = KEYS


def config(server: Any, **changed: Any) -> ConnectionConfig:
    """Return the connection of the endpoint's user, with some values ``changed``."""
    return redshift.config(Path(), server, **changed)


def signed(
    server: Any, key: str = LONG_TERM, *, serverless: bool = False, **changed: Any
) -> ConnectionConfig:
    """Return a connection that signs in with one of AWS's keys."""
    secret, token = KEYS[key]
    place = {"workgroup": WORKGROUP} if serverless else {"cluster_identifier": CLUSTER, "db_user": "ann"}
    values = {
        "sign_in": "serverless" if serverless else "iam",
        "host": "127.0.0.1",
        "port": server.port,
        "database": server.database,
        "ssl_ca": server.authority.pem,
        "access_key_id": key,
        "secret_access_key": secret,
        "session_token": token,
        "region": REGION,
        "endpoint_url": server.api,
        **place,
        **changed,
    }
    return ConnectionConfig("redshift", "shop", KIND.validate(values))


@contextmanager
def session(server: Any, *, read_only: bool = False, **changed: Any) -> Iterator[RedshiftSession]:
    """A session of its own, past the pool."""
    opened = KIND.fresh(config(server, **changed), read_only=read_only)
    assert isinstance(opened, RedshiftSession)
    try:
        yield opened
    finally:
        opened.close()
