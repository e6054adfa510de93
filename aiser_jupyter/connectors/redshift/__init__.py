"""Redshift, through redshift-connector for the login and PostgreSQL's reading of rows.

The driver is a fork of pg8000, but makes its socket and its TLS context by itself. It is given ours
(`login`), so that every wait can be ended and a certificate authority belongs to one connection.
From the login on the session is that of PostgreSQL's protocol, in Redshift's words (`session`).
"""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, cast

from ...errors import AiserError, ConfigError, HostUnreachable
from ...models import ConnectionConfig, Estimate
from ...secret import Secret
from ..base import Capabilities, Field, Parameters, Session
from ..catalog import Catalog
from ..fields import network_fields
from ..hosts import require_allowed, require_vendor
from ..postgresql import PostgreSQLConnector
from ..proxy import dial_https, proxy_for, vendor_addresses
from ..sockets import Address, Cut
from ..tls import context_of
from . import catalog
from .errors import translate
from .estimate import expect
from .iam import API_DOMAINS, Login, api_address, region_of, temporary_login
from .session import RedshiftSession

__all__ = ["RedshiftConnector"]

_REGION = re.compile(r"[a-z]{2,4}(-[a-z]+)+-\d{1,2}")
_IAM = ("sign_in", "iam", "serverless")
_PASSWORD = ("sign_in", "password")


def _fields() -> tuple[Field, ...]:
    """The common fields of a database behind a network, and those of AWS's keys."""
    own = (
        Field("db_user", "Database user", required=True, when=_IAM[:2], help="Whom AWS signs in."),
        Field("cluster_identifier", "Cluster", required=True, routing=True, when=_IAM[:2]),
        Field("workgroup", "Workgroup", required=True, routing=True, when=("sign_in", "serverless")),
        Field("access_key_id", "Access key id", required=True, when=_IAM),
        Field("secret_access_key", "Secret access key", required=True, secret=True, when=_IAM),
        Field("session_token", "Session token", secret=True, when=_IAM, help="Of temporary keys."),
        Field("region", "Region", routing=True, when=_IAM, help="Read from the host where that names it."),
        Field(
            "endpoint_url",
            "AWS API endpoint",
            routing=True,
            when=_IAM,
            help="Where AWS is reached through a private link; its own address else.",
        ),
        Field("schema", "Schema", help="Where names without a schema are looked up; the user's rule else."),
    )
    choice = Field(
        "sign_in",
        "Sign in with",
        "choice",
        default="password",
        choices={
            "password": "Password",
            "iam": "AWS keys, of a cluster",
            "serverless": "AWS keys, of a serverless workgroup",
        },
    )
    fields: list[Field] = []
    for field in network_fields(5439, *own):
        if field.name == "database":
            field = replace(field, default="dev")
        if field.name in ("username", "password"):
            field = replace(field, when=_PASSWORD)
        fields += [choice, field] if field.name == "username" else [field]
    return tuple(fields)


class RedshiftConnector(PostgreSQLConnector):
    """Opens a database of Amazon Redshift.

    Examples
    --------
    >>> RedshiftConnector().validate({"host": "127.0.0.1", "username": "ann"})["port"]
    5439
    """

    type = "redshift"
    label = "Redshift"
    dialect = "redshift"
    module = "redshift_connector"
    distribution = "redshift-connector"
    extra = "redshift"
    catalog: ClassVar[Catalog] = catalog
    fields = _fields()
    aliases: ClassVar[Mapping[str, str]] = {
        "user": "username",
        "cluster": "cluster_identifier",
        "serverless_work_group": "workgroup",
    }
    capabilities = Capabilities(paramstyle="named", read_only=True, catalogs=True)
    domains: ClassVar[tuple[str, ...]] = (
        ".redshift.amazonaws.com",
        ".redshift-serverless.amazonaws.com",
        ".redshift.amazonaws.com.cn",
        ".redshift-serverless.amazonaws.com.cn",
    )

    # -- connecting -----------------------------------------------------------------------------------

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        checked = super().validate(values)
        if checked["sign_in"] != "password":
            region = checked.get("region") or region_of(str(checked["host"]))
            if not _REGION.fullmatch(region):
                raise ConfigError(
                    f"{self.label} needs the region of AWS.",
                    hint="Give it as region, such as eu-central-1: the host does not name it.",
                )
            checked["region"] = region
            api_address(checked)
            if not checked.get("ssl_enabled", True):
                raise ConfigError("AWS keys sign in over TLS alone.", hint="Turn TLS on (ssl_enabled).")
        return checked

    def login_name(self, values: Mapping[str, Any]) -> str:
        return str(values.get("username") or values.get("db_user") or values.get("workgroup"))

    def connect(self, config: ConnectionConfig, *, read_only: bool, seconds: float) -> RedshiftSession:
        from .login import log_in

        end = time.monotonic() + seconds
        login = self._login_of(config.values, end)
        sock: Any = self.dial(config, max(0.05, end - time.monotonic()))
        cut = Cut(sock)
        try:
            with cut.after(end - time.monotonic()):
                if context_of(config.values) is not None:
                    sock = self.encrypted(sock, config, end)
                    sock.settimeout(None)  # from here on it is ended from outside
                core = log_in(sock, login, str(config.values["database"]))
                return RedshiftSession(self, config, cut, core, read_only=read_only)
        except BaseException:
            cut.cut()
            cut.close()
            sock.close()
            raise

    def _login_of(self, values: Mapping[str, Any], end: float) -> Login:
        if values["sign_in"] == "password":
            return Login(str(values["username"]), values.get("password") or Secret(""))
        host, port = api_address(values)
        if values.get("endpoint_url"):
            vendor_addresses(host, port, end - time.monotonic(), API_DOMAINS)
        else:
            require_allowed(host)  # it is Amazon's
        if proxy_for(host) is not None:  # the driver does not tell what is wrong with a proxy
            dial_https(host, port, max(0.05, end - time.monotonic())).close()
        return temporary_login(values, max(0.05, end - time.monotonic()))

    def dial(self, config: ConnectionConfig, seconds: float) -> socket.socket:
        try:
            return super().dial(config, seconds)
        except HostUnreachable as exc:
            exc.hint = (
                f"{exc.hint} A cluster is silent while it is paused, and to whom its VPC does not let in."
            )
            raise

    def require_own_host(self, host: str, addresses: Sequence[Address]) -> None:
        require_vendor(host, [str(address[0]) for _, address in addresses], self.domains)

    def ask_to_stop(self, config: ConnectionConfig, handle: str, seconds: float) -> bool:
        found = re.fullmatch(r"(\d{1,10}):([0-9a-f]{8})", handle)
        if found is None:
            return False
        session = cast(RedshiftSession, self.fresh(config, seconds=max(seconds, config.values["timeout"])))
        try:
            return session.stop(int(found[1]), found[2], seconds)
        finally:
            session.close()

    # -- the catalog ----------------------------------------------------------------------------------

    def expect(self, session: Session, sql: str, parameters: Parameters) -> Estimate | None:
        return expect(session, sql, parameters)

    def state_is_free(self, config: ConnectionConfig) -> bool:
        """`Connector.state_is_free`: a serverless workgroup is started, and billed, by any query."""
        host = str(config.values.get("host"))
        return config.values.get("sign_in") != "serverless" and ".redshift-serverless." not in host

    def translate(self, exc: Exception, sql: str = "") -> AiserError:
        return translate(exc, sql)
