"""BigQuery, by google-cloud-bigquery and its Storage Read API.

- It leads to Google, to this machine, or to what the administrator lists; so does the address that a
  credential's own JSON names (see `login`).
- A login is a dry run of ``SELECT 1``: it costs nothing, and shows that the token, the project and the right
  to run queries are there.
- BigQuery knows no session that only reads. Where one is asked for, BigQuery itself says what each statement
  is, in a dry run, and anything but a query is refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import closing
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar

from ...errors import AiserError, ConfigError
from ...models import ConnectionConfig, Estimate
from ...secret import Secret
from ..base import Capabilities, Field, Parameters, Session
from ..catalog import Catalog
from ..causes import bare
from ..driver_thread import DriverThread
from ..fields import warehouse_fields
from ..hosts import require_allowed
from ..network import STOP_SECONDS
from ..pool import PooledSession
from ..proxy import vendor_addresses
from ..tls import require_tls
from ..warehouse import WarehouseConnector, WarehouseSession
from . import catalog
from .errors import translate
from .login import API, DATASET, PROJECT, STORAGE, clients, endpoint, read_key

__all__ = ["BigQueryConnector"]

_LOCATION = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,40}")
_FORMS = (("project", PROJECT), ("dataset", DATASET), ("location", _LOCATION))


class BigQueryConnector(WarehouseConnector):
    """Google's BigQuery."""

    type = "bigquery"
    label = "BigQuery"
    dialect = "bigquery"
    module = "google.cloud.bigquery"
    distribution = "google-cloud-bigquery"
    extra = "bigquery"
    domains = (API, STORAGE, ".rep.googleapis.com")  # the last are Google's own, by region
    aliases: ClassVar[Mapping[str, str]] = {"database": "project", "schema": "dataset"}
    url_parts = ("project", "dataset")
    catalog: ClassVar[Catalog] = catalog
    fields = warehouse_fields(
        Field("project", "Project", required=True, help="Its id: where queries run, and who pays for them."),
        Field("dataset", "Dataset", help="Where a table that is named without one is looked for."),
        Field("location", "Location", help="US, EU, europe-west3; found by BigQuery where it is empty."),
        Field(
            "sign_in",
            "Sign in with",
            "choice",
            default="service_account",
            choices={
                "service_account": "Key of a service account",
                "application_default": "Application default credentials",
                "access_token": "Access token",
            },
            help="Application default is what gcloud auth application-default login left on this machine.",
        ),
        Field(
            "credentials_json",
            "Key of the service account",
            "document",
            required=True,
            secret=True,
            help="The text of the JSON file that Google gives for a key; not its name.",
            when=("sign_in", "service_account"),
        ),
        Field(
            "token",
            "Access token",
            required=True,
            secret=True,
            help="What gcloud auth print-access-token prints; it holds for an hour.",
            when=("sign_in", "access_token"),
        ),
        Field("api_endpoint", "Address of the API", routing=True, help="Google's own where it is empty."),
        Field(
            "storage_endpoint",
            "Address of the Storage API",
            routing=True,
            help="Google's own where both are empty; without it, rows of another API come as JSON.",
        ),
        Field("maximum_bytes_billed", "Bytes billed at most", "integer", help="A query over it fails."),
        Field("price_per_tib", "Price of a TiB", help="For estimates: 6.25."),
        Field("currency", "Currency of the price", default="USD"),
    )
    capabilities = Capabilities(paramstyle="qmark", catalogs=True)

    # -- where it leads ---------------------------------------------------------------------------------

    def address(self, values: Mapping[str, Any]) -> tuple[str, int]:
        _, host, port = endpoint(values, "api_endpoint", API)
        return host, port

    def login_name(self, values: Mapping[str, Any]) -> str:
        if values.get("sign_in") != "service_account":
            return str(values.get("sign_in", "")).replace("_", " ")
        return read_key(values["credentials_json"], values, "service_account")["client_email"]

    def require_reachable(self, config: ConnectionConfig, seconds: float) -> None:
        super().require_reachable(config, seconds)
        values = config.values
        scheme, host, port = endpoint(values, "storage_endpoint", STORAGE)
        require_allowed(host)
        if values.get("storage_endpoint"):
            https = scheme == "https"
            addresses = vendor_addresses(host, port, seconds, self.domains, https=https)
            require_tls(values, addresses, host)

    def validate(self, values: Mapping[str, Any]) -> dict[str, Any]:
        values = {name: self._sealed(name, value) for name, value in values.items()}
        checked = super().validate(values)
        endpoint(checked, "storage_endpoint", STORAGE)
        for name, form in _FORMS:
            if name in checked and not form.fullmatch(checked[name]):
                raise ConfigError(f"BigQuery: {name!r} is no {name}.", hint="Give its id as Google shows it.")
        if "credentials_json" in checked:
            read_key(checked["credentials_json"], checked, "service_account")
        if checked.get("maximum_bytes_billed", 1) < 1:
            raise ConfigError("BigQuery: 'maximum_bytes_billed' is at least 1.")
        if "price_per_tib" in checked and not _is_price(checked["price_per_tib"]):
            raise ConfigError("BigQuery: 'price_per_tib' is a number, such as 6.25.")
        return checked

    def _sealed(self, name: str, value: Any) -> Any:
        """Wrap a secret before anything is raised beside it."""
        return Secret(value) if name in self.secret_fields and isinstance(value, str) and value else value

    # -- sessions ---------------------------------------------------------------------------------------

    def log_in(
        self, config: ConnectionConfig, thread: DriverThread, *, read_only: bool, seconds: float
    ) -> WarehouseSession:
        from .session import BigQuerySession

        made = thread.call(lambda: clients(config.values, seconds), undo=lambda late: late.close())
        thread.at_end = made.close
        session = BigQuerySession(self, config, thread, made, read_only=read_only)
        try:
            session.greet(seconds)
        except BaseException:
            made.wire.cut()
            raise
        return session

    def ask_to_stop(self, config: ConnectionConfig, handle: str, seconds: float) -> bool:
        """Cancel the job on a connection of its own; no session is needed for it."""
        from .jobs import stop

        self.require_reachable(config, seconds)
        thread = DriverThread("aiser-bigquery-stop")
        try:
            # The first use of the driver in a process takes its time, and a token has to be fetched.
            with thread.after(seconds + float(config.values.get("timeout", 30))):
                made = thread.call(lambda: clients(config.values, seconds), undo=lambda late: late.close())
                thread.at_end = made.close
                return thread.call(lambda: stop(made, handle, seconds))
        except AiserError:
            raise
        except Exception as exc:
            raise self.translate(exc) from bare(exc)
        finally:
            thread.finish(STOP_SECONDS)
            thread.cut()

    def state(self, config: ConnectionConfig, seconds: float) -> None:
        """`Connector.state`, by a dry run, which is not billed; there is no warehouse that could sleep."""
        with closing(self.open(config, read_only=self.capabilities.read_only)) as session:
            own: Any = session._session if isinstance(session, PooledSession) else session
            own.ask(lambda: own.greet(seconds))

    def translate(self, exc: Exception, sql: str = "") -> AiserError:
        return translate(exc, sql)

    def expect(self, session: Session, sql: str, parameters: Parameters) -> Estimate | None:
        own: Any = session._session if isinstance(session, PooledSession) else session
        found: Estimate = own.expect(sql, parameters)
        return found

    # -- what there is ----------------------------------------------------------------------------------


def _is_price(text: str) -> bool:
    try:
        return Decimal(text).is_finite() and Decimal(text) >= 0
    except InvalidOperation:
        return False
