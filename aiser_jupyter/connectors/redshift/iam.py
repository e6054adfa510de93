"""Signing in with AWS keys: the driver's own code asks AWS for a password that holds for 15 minutes.

What is kept out of it: AWS's files and profiles (``~/.aws``), keys and addresses from the environment, the
driver's cache of passwords, and retries without end. The keys are those of the connection, and nothing else.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from ...errors import ConfigError
from ...secret import Secret
from ..driver_thread import DriverThread
from ..proxy import proxy_for
from ..tls import authority_file

if TYPE_CHECKING:
    import boto3

__all__ = ["API_DOMAINS", "Login", "api_address", "region_of", "temporary_login"]

API_DOMAINS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")
_HOST = re.compile(r".+\.([a-z0-9-]+)\.redshift(?:-serverless)?\.amazonaws\.com(?:\.cn)?", re.IGNORECASE)


class Login(NamedTuple):
    """Whom the driver logs in as; for the moment of the login only."""

    user: str
    password: Secret


def region_of(host: str) -> str:
    """Return the region that a host of Amazon's names; "" for any other host."""
    found = _HOST.fullmatch(host.strip().rstrip("."))
    return found[1].lower() if found else ""


def api_address(values: Mapping[str, Any]) -> tuple[str, int]:
    """Return the host and the port of AWS's API that ``values`` lead to.

    Raises
    ------
    ConfigError
        ``endpoint_url`` is no address of https.
    """
    if not (url := values.get("endpoint_url")):
        service = "redshift-serverless" if values["sign_in"] == "serverless" else "redshift"
        end = ".cn" if str(values["region"]).startswith("cn-") else ""
        return f"{service}.{values['region']}.amazonaws.com{end}", 443
    try:
        parts = urlsplit(str(url))
        host, port = parts.hostname, parts.port or 443
    except ValueError:
        host = None
    if host is None or parts.scheme != "https" or "@" in parts.netloc or parts.query or parts.fragment:
        raise ConfigError(
            "endpoint_url takes an address such as https://vpce-….redshift.eu-central-1.vpce.amazonaws.com",
            hint="It begins with https://, and has no user and no query.",
        )
    return host, port


def temporary_login(values: Mapping[str, Any], seconds: float) -> Login:
    """Ask AWS for a user and a password, within ``seconds``.

    Raises
    ------
    ConnectionLost
        AWS did not answer in time.
    Exception
        What the driver, or AWS's own library, raises.
    """
    thread = DriverThread("aiser-redshift-iam")
    try:
        with thread.after(seconds):
            return thread.call(lambda: _ask(values, seconds))
    finally:
        thread.close()


def _ask(values: Mapping[str, Any], seconds: float) -> Login:
    """The driver's own way from keys to a password."""
    from redshift_connector.auth.aws_credentials_provider import AWSCredentialsProvider
    from redshift_connector.credentials_holder import AWSDirectCredentialsHolder
    from redshift_connector.iam_helper import IamHelper
    from redshift_connector.redshift_property import RedshiftProperty

    session = _session(values, seconds)

    class Keys(AWSCredentialsProvider):
        """The connection's keys, in a session that reads no file."""

        def get_credentials(self) -> AWSDirectCredentialsHolder:
            return AWSDirectCredentialsHolder(**_keys(values), session=session)

    info = RedshiftProperty()
    info.put("iam", True)
    info.put("iam_disable_cache", True)
    info.put("host", values["host"])
    info.put("port", values["port"])
    info.put("db_name", values["database"])
    info.put("db_user", values.get("db_user"))
    info.put("region", values["region"])
    info.put("cluster_identifier", values.get("cluster_identifier"))
    info.put("is_serverless", values["sign_in"] == "serverless")
    info.put("serverless_work_group", values.get("workgroup"))
    info.put("endpoint_url", values.get("endpoint_url"))
    IamHelper.set_cluster_credentials(Keys(), info)
    return Login(info.user_name, Secret(info.password))


def _keys(values: Mapping[str, Any]) -> dict[str, Any]:
    token = values.get("session_token")
    return {
        "access_key_id": values["access_key_id"],
        "secret_access_key": values["secret_access_key"].reveal(),
        "session_token": token.reveal() if token is not None else None,
    }


def _session(values: Mapping[str, Any], seconds: float) -> boto3.Session:
    """A session of AWS's library that knows the connection's keys alone."""
    import boto3
    from botocore.config import Config
    from botocore.session import Session

    # At that level it writes answers, with the password in them, and requests, with the session token.
    logger = logging.getLogger("botocore")
    if logger.level < logging.INFO:
        logger.setLevel(logging.INFO)
    core = Session(session_vars={"profile": (None, None, None, None)})
    core.set_config_variable("config_file", os.devnull)
    core.set_config_variable("credentials_file", os.devnull)
    if values.get("endpoint_url") and values.get("ssl_ca"):
        core.set_config_variable("ca_bundle", str(authority_file(values["ssl_ca"])))
    proxy = proxy_for(api_address(values)[0])
    core.set_default_client_config(
        Config(
            proxies={} if proxy is None else {"https": proxy.url.reveal()},
            connect_timeout=seconds,
            read_timeout=seconds,
            retries={"total_max_attempts": 2, "mode": "standard"},
            ignore_configured_endpoint_urls=True,
        )
    )
    keys = {f"aws_{name}": value for name, value in _keys(values).items()}
    return boto3.Session(botocore_session=core, region_name=values["region"], **keys)
