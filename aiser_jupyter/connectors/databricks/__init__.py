"""Databricks, by databricks-sql-connector: SQL warehouses and clusters, over Thrift and https.

- Signed in with a personal access token, as a service principal (OAuth, machine to machine), or as a person
  with the browser (see `oauth`): nothing here waits for one.
- A connection leads to Databricks' own hosts, and only to a warehouse or a cluster of one: ``http_path`` is
  held to their form.
- A session starts a warehouse that is stopped, and a running one is paid for: what it does is asked of the
  workspace, without a session.
"""

from __future__ import annotations

import ipaddress
import re
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, ClassVar, cast

from ...errors import AiserError, ConfigError, QuerySyntaxError
from ...models import ConnectionConfig, Estimate
from ...run import Run
from ..base import Capabilities, Field, Parameters, Session
from ..catalog import Catalog
from ..driver_thread import DriverThread
from ..fields import sign_in_fields, warehouse_fields
from ..oauth import OAuth, SignsIn
from ..pool import rows
from ..proxy import dial_https
from ..state import SLEEPING, WarehouseState
from ..warehouse import WarehouseConnector, WarehouseSession, telling
from . import catalog
from .driver import beside, connect, load, operation
from .errors import asleep, translate
from .estimate import estimate_asleep, estimate_of
from .session import DatabricksSession
from .sign_in import application
from .state import state_of

__all__ = ["DatabricksConnector"]

_ASLEEP_SECONDS = 1.0
_EXPLAIN = "EXPLAIN COST "
_NO_PLAN = "Error occurred during query planning:"

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?\Z")
_PATH = re.compile(
    r"/sql/(1\.0/(warehouses|endpoints)/[A-Za-z0-9_-]+|protocolv1/o/\d+/[A-Za-z0-9_-]+)(\?o=\d+)?\Z"
)


class DatabricksConnector(SignsIn, WarehouseConnector):
    """A SQL warehouse of Databricks, or a cluster."""

    type = "databricks"
    label = "Databricks"
    dialect = "databricks"
    module = "databricks.sql"
    distribution = "databricks-sql-connector"
    extra = "databricks"
    domains = (
        ".cloud.databricks.com",
        ".azuredatabricks.net",
        ".gcp.databricks.com",
        ".databricks.azure.us",
        ".databricks.azure.cn",
        ".cloud.databricks.us",
        ".cloud.databricks.mil",
    )
    url_parts = ("server_hostname", "catalog", "schema")
    catalog: ClassVar[Catalog] = catalog
    fields = warehouse_fields(
        Field(
            "server_hostname",
            "Server hostname",
            required=True,
            routing=True,
            help="dbc-a1b2c3d4-e5f6.cloud.databricks.com; under Connection details of the warehouse.",
        ),
        Field(
            "http_path",
            "HTTP path",
            required=True,
            routing=True,
            help="/sql/1.0/warehouses/a1b234c567d8e9fa; under Connection details of the warehouse.",
        ),
        Field(
            "auth_type",
            "Sign in with",
            "choice",
            default="pat",
            choices={
                "pat": "Personal access token",
                "oauth_m2m": "Service principal",
                "oauth_u2m": "The browser",
            },
        ),
        Field(
            "access_token",
            "Access token",
            required=True,
            secret=True,
            when=("auth_type", "pat"),
            help="Kept sealed; never shown again.",
        ),
        Field(
            "client_id",
            "Client id",
            required=True,
            when=("auth_type", "oauth_m2m"),
            help="The service principal's application id.",
        ),
        Field(
            "client_secret",
            "Client secret",
            required=True,
            secret=True,
            when=("auth_type", "oauth_m2m"),
            help="The service principal's OAuth secret. Kept sealed; never shown again.",
        ),
        *sign_in_fields("auth_type", "oauth_u2m"),
        Field("catalog", "Catalog", help="Where names without one are looked up; the workspace's default."),
        Field("schema", "Schema", help="Where names without one are looked up; default."),
        Field("port", "Port", "integer", routing=True, default=443, help="Another one only on this machine."),
        Field(
            "cloud_fetch",
            "Fetch large results from cloud storage",
            "boolean",
            default=True,
            help="Off where this machine does not reach the workspace's storage; it is slower then.",
        ),
    )
    aliases = {  # noqa: RUF012 - as the base has it
        "host": "server_hostname",
        "token": "access_token",
        "password": "access_token",
        "database": "catalog",
    }
    capabilities = Capabilities(paramstyle="qmark", catalogs=True, wakes=True)

    # -- the connection -------------------------------------------------------------------------------

    def address(self, values: Mapping[str, Any]) -> tuple[str, int]:
        return str(values["server_hostname"]), int(values.get("port", 443))

    def login_name(self, values: Mapping[str, Any]) -> str:
        return str(values.get("client_id") or "the token's owner")

    def sign_in(self, values: Mapping[str, Any]) -> OAuth:
        host, port = self.address(values)
        return application(values, host, port, self.domains)

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        given = self.renamed(values)
        for name, normal in (("server_hostname", _host), ("http_path", _path)):
            if isinstance(given.get(name), str) and given[name]:
                given[name] = normal(given[name])
        checked = super().validate(given)
        if checked["port"] != 443 and not _is_here(checked["server_hostname"]):
            raise ConfigError("Databricks: 'port' is 443, but on this machine.", hint="Leave it out.")
        return checked

    def connect(self, config: ConnectionConfig, *, read_only: bool, seconds: float) -> WarehouseSession:
        load()
        return super().connect(config, read_only=read_only, seconds=seconds)

    def log_in(
        self, config: ConnectionConfig, thread: DriverThread, *, read_only: bool, seconds: float
    ) -> DatabricksSession:
        end = time.monotonic() + seconds
        if self.proxy(config.values) is not None:  # the driver does not tell what is wrong with a proxy
            dial_https(*self.address(config.values), seconds).close()
        connection = thread.call(lambda: _connected(config.values, end), undo=lambda made: made.close())
        thread.at_end = connection.close
        return DatabricksSession(self, config, thread, connection)

    def ask_to_stop(self, config: ConnectionConfig, handle: str, seconds: float) -> bool:
        """Cancel an operation beside its session, and wait until the warehouse says that it has ended."""
        load()
        thread = DriverThread("aiser-databricks-stop")
        try:
            with thread.after(seconds):
                return thread.call(lambda: _stop(config.values, handle, seconds))
        except AiserError:
            raise
        except Exception as exc:
            raise self.translate(exc) from exc
        finally:
            thread.cut()

    def state(self, config: ConnectionConfig, seconds: float) -> WarehouseState:
        self.require_secrets(config.values)
        self.require_reachable(config, seconds)
        return state_of(config.values, seconds)

    def waiting(self, config: ConnectionConfig, run: Run) -> AbstractContextManager[None]:
        return telling(self, config, run)

    def translate(self, exc: Exception, sql: str = "") -> AiserError:
        return translate(exc, sql)

    # -- what there is --------------------------------------------------------------------------------

    def expected(self, config: ConnectionConfig, sql: str, parameters: Parameters) -> Estimate | None:
        state = self.state(config, float(config.values.get("timeout", 30)))
        if state.activity in SLEEPING:
            return estimate_asleep(state)
        return super().expected(config, sql, parameters)

    def expect(self, session: Session, sql: str, parameters: Parameters) -> Estimate:
        try:
            ((plan,),) = rows(session, _EXPLAIN + sql, parameters)
        except QuerySyntaxError as exc:
            if exc.line == 1 and exc.column is not None:
                exc.column = max(1, exc.column - len(_EXPLAIN))
            raise
        if (said := str(plan)).startswith(_NO_PLAN):
            raise translate(_driver_error(said.removeprefix(_NO_PLAN).strip()), sql)
        return estimate_of(said)


def _connected(values: Mapping[str, Any], end: float) -> Any:
    """Open a session; a warehouse that is not up yet is asked again until ``end``."""
    while True:
        left = end - time.monotonic()
        try:
            return connect(values, max(0.1, left))
        except Exception as exc:
            if not asleep(exc) or end - time.monotonic() < 2 * _ASLEEP_SECONDS:
                raise
        time.sleep(_ASLEEP_SECONDS)


def _stop(values: Mapping[str, Any], handle: str, seconds: float) -> bool:
    """Cancel an operation, and say whether it has ended; what the warehouse no longer knows has."""
    from databricks.sql.exc import DatabaseError, RequestError

    command, end = operation(handle), time.monotonic() + seconds
    with beside(values, seconds) as backend:
        try:
            backend.cancel_command(command)
            while backend.get_query_state(command).name in ("PENDING", "RUNNING"):
                if time.monotonic() > end:
                    return False
        except RequestError:
            raise
        except DatabaseError:  # it has failed, or is not known any more
            return True
    return True


def _driver_error(text: str) -> Exception:
    """Return a statement's error as the driver raises it."""
    from databricks.sql import exc

    made: Any = exc.ServerOperationError
    return cast("Exception", made(text))


def _host(written: str) -> str:
    """Return a host as it is named; people paste the workspace's address. Raises `ConfigError`."""
    host = written.strip().casefold().removeprefix("https://").rstrip("/").rstrip(".")
    if not _HOST.match(host):
        raise ConfigError(
            f"Databricks: {written[:255]!r} is no host name.",
            hint="It is like dbc-a1b2c3d4-e5f6.cloud.databricks.com, without a path.",
        )
    return host


def _path(written: str) -> str:
    """Return the path of a warehouse or a cluster. Raises `ConfigError`."""
    path = "/" + written.strip().lstrip("/")
    if not _PATH.match(path):
        raise ConfigError(
            f"Databricks: {written[:255]!r} is no path of a warehouse or a cluster.",
            hint="It is like /sql/1.0/warehouses/a1b234c567d8e9fa, under the warehouse's Connection details.",
        )
    return path


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
