"""Snowflake, by its own driver of version 5, whose core keeps its sockets to itself.

- An account leads to its own host. Another one, as of a private link, is for the administrator to list.
- A sign-in is a password, a key pair, an OAuth token or a programmatic access token, each pasted as text; or
  it is done by the person with the browser (see `oauth`).
- Nothing is interpolated into a statement: values are bound by Snowflake.
- Snowflake has no session that only reads: what may be written is decided by the role.
- A warehouse is never started by a question: what it does is shown by Snowflake's cloud services.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any, ClassVar

from ...errors import AiserError, ConfigError
from ...models import ConnectionConfig, Estimate
from ..base import Capabilities, Field, Parameters, Session
from ..catalog import Catalog
from ..driver_thread import DriverThread
from ..fields import sign_in_fields, warehouse_fields
from ..network import STOP_SECONDS
from ..oauth import OAuth, SignsIn
from ..pool import rows
from ..state import WarehouseState
from ..warehouse import WarehouseConnector
from . import catalog
from .errors import translate
from .login import BROWSER, DOMAINS, account_of, application, connect, host_of, loaded, require_answer
from .session import SnowflakeSession

__all__ = ["SnowflakeConnector"]

_PASSWORD, _KEY_PAIR, _OAUTH, _TOKEN, _BROWSER = (
    "snowflake",
    "snowflake_jwt",
    "oauth",
    "programmatic_access_token",
    BROWSER,
)
_HANDLE = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_POLL_SECONDS = 0.05


class SnowflakeConnector(SignsIn, WarehouseConnector):
    """Snowflake, on any cloud."""

    type = "snowflake"
    label = "Snowflake"
    dialect = "snowflake"
    url_parts = ("account", "database", "schema")
    module = "snowflake.connector"
    distribution = "snowflake-connector-python"
    extra = "snowflake"
    domains = DOMAINS
    aliases: ClassVar = {"username": "user", "passphrase": "private_key_passphrase"}
    capabilities = Capabilities(paramstyle="qmark", catalogs=True, wakes=True)
    catalog: ClassVar[Catalog] = catalog
    fields = warehouse_fields(
        Field(
            "account",
            "Account",
            required=True,
            routing=True,
            help="myorg-myaccount, or xy12345.eu-central-1, or the whole name of its host.",
        ),
        Field("user", "User", required=True, help="The user at Snowflake, not Jupyter's."),
        Field(
            "authenticator",
            "Sign in with",
            "choice",
            default=_PASSWORD,
            choices={
                _PASSWORD: "Password",
                _KEY_PAIR: "Key pair",
                _OAUTH: "OAuth token",
                _TOKEN: "Programmatic access token",
                _BROWSER: "The browser",
            },
        ),
        Field(
            "password",
            "Password",
            secret=True,
            required=True,
            when=("authenticator", _PASSWORD),
            help="Kept sealed; never shown again.",
        ),
        Field(
            "private_key",
            "Private key",
            "document",
            required=True,
            secret=True,
            when=("authenticator", _KEY_PAIR),
            help="The PEM text, from -----BEGIN to -----END; kept sealed.",
        ),
        Field(
            "private_key_passphrase",
            "Passphrase of the key",
            secret=True,
            when=("authenticator", _KEY_PAIR),
            help="Where the key is sealed by one.",
        ),
        Field(
            "token",
            "Token",
            secret=True,
            required=True,
            when=("authenticator", _OAUTH, _TOKEN),
            help="Kept sealed; never shown again.",
        ),
        *sign_in_fields("authenticator", _BROWSER),
        Field("warehouse", "Warehouse", help="The user's own where it is empty."),
        Field("database", "Database"),
        Field("schema", "Schema"),
        Field("role", "Role", help="The user's own where it is empty."),
        Field(
            "host",
            "Host",
            routing=True,
            help="Only where it is not the account's own, as behind a private link.",
        ),
        Field("port", "Port", "integer", routing=True, default=443),
    )

    # -- where it is ----------------------------------------------------------------------------------

    def renamed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`Connector.renamed`; and a ``host`` without an ``account`` beside it names the account."""
        found = super().renamed(values)
        if found.get("host") and not found.get("account"):
            found["account"] = found.pop("host")
        return found

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        values = self.renamed(values)
        if isinstance(account := values.get("account"), str) and account:
            values["account"] = account_of(account)
        return super().validate(values)

    def address(self, values: Mapping[str, Any]) -> tuple[str, int]:
        host = str(values.get("host") or "").strip() or host_of(str(values["account"]))
        if re.search(r"[^A-Za-z0-9._:-]", host):
            raise ConfigError(f"{host[:255]!r} is not the name of one host.")
        return host, int(values.get("port", 443))

    def login_name(self, values: Mapping[str, Any]) -> str:
        return str(values["user"])

    def sign_in(self, values: Mapping[str, Any]) -> OAuth:
        host, port = self.address(values)
        return application(values, host, port)

    # -- sessions -------------------------------------------------------------------------------------

    def connect(self, config: ConnectionConfig, *, read_only: bool, seconds: float) -> SnowflakeSession:
        self.require_secrets(config.values)
        loaded()  # its import takes a second or more, which is not the server's fault
        session = super().connect(config, read_only=read_only, seconds=seconds)
        assert isinstance(session, SnowflakeSession)
        return session

    def log_in(
        self, config: ConnectionConfig, thread: DriverThread, *, read_only: bool, seconds: float
    ) -> SnowflakeSession:
        values = config.values
        host, port = self.address(values)
        require_answer(values, host, port, seconds)
        connection = thread.call(
            lambda: connect(values, host, port, seconds), undo=lambda late: late.close(retry=False)
        )
        thread.at_end = lambda: connection.close(retry=False)
        return SnowflakeSession(self, config, thread, connection)

    def stop(self, config: ConnectionConfig, handle: str) -> bool:
        if not _HANDLE.fullmatch(handle):
            return False
        session = self.fresh(config)
        assert isinstance(session, SnowflakeSession)
        end = time.monotonic() + STOP_SECONDS
        try:
            if not session.state(handle):
                return True
            rows(session, f"SELECT SYSTEM$CANCEL_QUERY('{handle}')")
            while session.state(handle):
                if time.monotonic() > end:
                    return False
                time.sleep(_POLL_SECONDS)
            return True
        finally:
            session.close()

    def state(self, config: ConnectionConfig, seconds: float) -> WarehouseState:
        """`Connector.state`, on an idle session where there is one: a login and SHOW start nothing."""
        with closing(self.open(config)) as session:
            return catalog.warehouse(session, str(config.values.get("warehouse") or ""), seconds)

    def translate(self, exc: Exception, sql: str = "") -> AiserError:
        return translate(exc, sql)

    # -- what there is --------------------------------------------------------------------------------

    def expect(self, session: Session, sql: str, parameters: Parameters) -> Estimate | None:
        return catalog.expect(session, sql, parameters)
