"""The fields of a Snowflake connection: how an account is written, and what the driver may be told."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from aiser_jupyter.connectors.snowflake import login as snowflake_login
from aiser_jupyter.connectors.snowflake.login import account_of, host_of
from aiser_jupyter.errors import ConfigError
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from tests.connectors.snowflake_kit import KIND, config

KEY = "snowflake_jwt"
ACCOUNTS = {
    "xy12345": ("xy12345", "xy12345.snowflakecomputing.com"),
    "XY12345.EU-Central-1": ("xy12345.eu-central-1", "xy12345.eu-central-1.snowflakecomputing.com"),
    "xy.eu-central-1.snowflakecomputing.com": (
        "xy.eu-central-1",
        "xy.eu-central-1.snowflakecomputing.com",
    ),
    "myorg-my_account": ("myorg-my_account", "myorg-my-account.snowflakecomputing.com"),
    "myorg-acct.privatelink": ("myorg-acct.privatelink", "myorg-acct.privatelink.snowflakecomputing.com"),
    "xy.cn-northwest-1.aws.snowflakecomputing.cn": (
        "xy.cn-northwest-1.aws",
        "xy.cn-northwest-1.aws.snowflakecomputing.cn",
    ),
}


# -- where it leads --------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ACCOUNTS)
def test_an_account_is_written_in_many_ways(written: str) -> None:
    account, host = ACCOUNTS[written]
    values = KIND.validate({"account": written, "user": "ann", "password": "x"})
    assert values["account"] == account
    assert KIND.address(values) == (host, 443)
    assert (
        KIND.destination(values) == KIND.destination({**values, "account": account_of(host)})
        or "_" in account
    )


@pytest.mark.parametrize(
    "written",
    [
        "",
        "a b",
        "acme/../x",
        "acme@evil",
        "acme?x=1",
        "acme#",
        "-acme",
        "a..b",
        "a,b",
        "a\nb",
        "127.0.0.1:80",
    ],
)
def test_what_is_no_account_is_refused(written: str) -> None:
    with pytest.raises(ConfigError):
        KIND.validate({"account": written, "user": "ann", "password": "x"})


def test_a_host_alone_is_the_account() -> None:
    values = KIND.validate(
        {"host": "xy.eu-central-1.snowflakecomputing.com", "username": "ann", "password": "x"}
    )
    assert (values["account"], values["user"], values.get("host")) == ("xy.eu-central-1", "ann", None)
    with pytest.raises(ConfigError, match="another word"):
        KIND.validate({"account": "xy", "user": "ann", "username": "bob", "password": "x"})


def test_only_the_vendors_hosts_are_sent_a_password() -> None:
    values = {"account": "xy", "host": "192.0.2.1", "user": "ann", "password": "x"}
    refused = ConnectionConfig("snowflake", "shop", KIND.validate(values))
    with pytest.raises(ConfigError, match="vendor's hosts"):
        KIND.open(refused)


def test_a_host_in_the_open_is_refused() -> None:
    values = {"account": "xy", "host": "192.0.2.1", "user": "ann", "password": "x", "ssl_enabled": False}
    with pytest.raises(ConfigError):
        KIND.open(ConnectionConfig("snowflake", "shop", KIND.validate(values)))


@pytest.mark.parametrize("name", ["account", "host", "port", "ssl_enabled", "ssl_ca"])
def test_what_changes_where_it_leads_changes_the_destination(name: str) -> None:
    values = {"account": "xy", "port": 443, "ssl_enabled": True}
    assert KIND.destination(values) != KIND.destination({**values, name: "other"})


def test_host_and_account_agree() -> None:
    assert host_of(account_of("XY.US-East-1.snowflakecomputing.com")) == "xy.us-east-1.snowflakecomputing.com"


# -- fields ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"password": None}, "needs 'password'"),
        ({"authenticator": KEY, "password": None}, "needs 'private_key'"),
        ({"authenticator": "oauth", "password": None}, "needs 'token'"),
        ({"authenticator": KEY, "private_key": "x"}, "only for authenticator = snowflake"),
        ({"authenticator": "externalbrowser"}, "cannot be"),
        ({"private_key_file": "/etc/passwd"}, "has no field"),
        ({"token_file_path": "/etc/passwd"}, "has no field"),
        ({"connection_name": "default"}, "has no field"),
        ({"insecure_mode": True}, "has no field"),
        ({"port": 0}, "goes from 1"),
    ],
)
def test_fields_are_checked(values: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        KIND.require_secrets(KIND.validate({"account": "xy", "user": "ann", "password": "x", **values}))


OURS = "account host port user authenticator password private_key token warehouse database schema role"
OURS += " private_key_password custom_root_store_path"
"""Options of the driver that our fields lead to."""
TOLD = """
application autocommit auto_cleanup client_session_keep_alive client_store_temporary_credential
connect_timeout crl_enable_disk_caching enable_server_session_keep_alive_auto_detection
login_timeout logout_error_strategy logout_max_attempts logout_request_timeout_seconds
logout_total_timeout_seconds paramstyle
protocol request_timeout retry_backoff_base_ms retry_backoff_cap_ms retry_max_attempts retry_timeout
server_session_keep_alive session_parameters use_proxy_env
proxy_host proxy_password proxy_port proxy_user"""
"""Options with a value that is ours, whatever the connection says."""
LOOKED_AT = {
    "reads or writes files of this machine, or names some": """
        connection_diag_allowlist_path connection_diag_log_path connection_name
        connections_file_path crl_cache_dir enable_connection_diag private_key_file token_file_path
        unsafe_file_write unsafe_skip_config_file_permissions_check
        crl_unsafe_skip_file_permissions_check""",
    "turns off what protects a connection": """
        disable_saml_url_check max_tls_version min_tls_version ssl tls_skip_verify
        verify_certificates verify_hostname allow_empty_proxy preserve_underscores_in_hostname""",
    "leads somewhere else, or carries a secret there": """
        no_proxy proxy proxy_scheme server_url service_name wif_host""",
    "is of a sign-in that is not offered": """
        authentication_timeout disable_parallel_user_prompt external_session_id jwt_timeout
        master_token master_validity_in_seconds mfa_callback oauth_authorization_url oauth_client_id
        oauth_client_secret oauth_credentials_in_body oauth_disable_pkce oauth_enable_dpop
        oauth_enable_single_use_refresh_tokens oauth_redirect_uri oauth_scope
        oauth_token_request_url okta_username passcode passcode_in_password secondary_roles
        session_token workload_identity_aws_use_outbound_token workload_identity_entra_resource
        workload_identity_impersonation_path workload_identity_provider""",
    "is off, or harmless, as it is": """
        crl_allow_certificates_without_crl_url crl_cache_cleanup_interval crl_cache_start_cleanup
        crl_check_mode crl_connection_timeout crl_enable_memory_caching crl_http_timeout
        crl_max_download_size crl_on_disk_cache_removal_delay crl_validity_time client_app_id
        client_app_version client_out_of_band_telemetry_enabled disable_query_context_cache
        include_retry_reason log_max_query_length log_query_parameters log_query_text
        platform_detection_timeout_seconds put_get_max_attempts query_timeout retry_backoff_factor
        retry_backoff_jitter retry_extra_status_codes serialize_session_operations
        use_current_catalog validate_default_parameters gcs_use_downscoped_credential
        use_s3_regional_url client_session_keep_alive_heartbeat_frequency
        client_metadata_request_use_connection_ctx""",
    "is about reading in ways that are not used": """
        arrow_number_to_decimal client_memory_limit client_prefetch_threads
        client_timestamp_type_mapping force_microsecond_precision interpolate_empty_sequences numpy
        reuse_results use_core_arrow""",
    "belongs to one statement, or to the session's owner": "query_tag timezone",
}


def test_every_option_of_the_driver_was_looked_at() -> None:
    from snowflake.connector.connection_config import ConnectionConfig as Options

    looked_at = " ".join(LOOKED_AT.values()).split()
    known = {field.name for field in fields(Options) if not field.name.startswith("_")}
    ours, told = set(OURS.split()), set(TOLD.split())
    assert known - ours - told - set(looked_at) == set(), "a new option: look at it"
    assert (ours | told) <= known


def test_nothing_but_what_was_looked_at_is_told_to_the_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:secret@proxy.example.org:3128")
    values = KIND.validate({"account": "xy", "user": "ann", "password": "x", "warehouse": "w"})
    told = snowflake_login._options(values, "h", 443, 30) | snowflake_login._secrets(values)
    told |= snowflake_login._proxied(values, "h")
    assert set(told) <= set(OURS.split()) | set(TOLD.split())


def test_a_secret_is_revealed_to_the_driver_alone(snowflake: Any) -> None:
    made = config(snowflake)
    assert isinstance(made.values["password"], Secret)
    assert snowflake.password not in repr(made)
