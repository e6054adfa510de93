"""A password is in no error: not in its text, not in what led to it, not in a traceback of any verbosity."""

from __future__ import annotations

import base64
import json
import traceback
from urllib.parse import quote, quote_plus

import pytest
from IPython.core.ultratb import AutoFormattedTB

from aiser_jupyter.errors import AiserError, AuthenticationFailed
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from tests.faults.target import Target
from tests.servers.proxy import Proxy

PASSWORDS = {
    "space": "LEAK ME now",
    "separators": "LEAK@:/#%?&=;,[]ME",
    "quotes": "LEAK'\"`\\ME",
    "newline": "LEAK\nME\ttoo",
    "unicode": "LÉAK\u2603🔑ME",
    "one": "\u2603",
    "large": "LEAK" + "canary" * 680,
    "url": "postgresql://ann:LEAKME@127.0.0.1/x?password=LEAKMETOO",
}
MODES = ["Plain", "Context", "Verbose", "Minimal"]


def attempt(target: Target, config: ConnectionConfig) -> AiserError:
    """Fail, and return the error with its traceback; no variable of this frame knows the password."""
    try:
        target.kind.fresh(config).close()
    except AiserError as exc:
        return exc
    raise AssertionError("it succeeded")


def shown(error: AiserError) -> str:
    """Return everything that may be shown of ``error``."""
    texts = [str(error), repr(error), repr(error.__dict__)]
    texts += traceback.format_exception(error)
    texts += traceback.TracebackException.from_exception(error, capture_locals=True).format()
    for mode in MODES:
        texts.append(AutoFormattedTB(mode=mode).text(type(error), error, error.__traceback__))
    return "\n".join(texts)


def spellings(password: str) -> set[str]:
    """Return ``password`` as it may be written."""
    return {
        password,
        quote(password),
        quote_plus(password),
        repr(password)[1:-1],
        ascii(password)[1:-1],
        repr(password.encode())[2:-1],
        json.dumps(password)[1:-1],
        base64.b64encode(password.encode()).decode().rstrip("="),
    }


@pytest.mark.parametrize(
    ("password", "tls"), [*((name, True) for name in PASSWORDS), ("separators", False), ("one", False)]
)
def test_a_refused_login_shows_no_password(target: Target, password: str, tls: bool) -> None:
    config = target.config(password=Secret(PASSWORDS[password]), ssl_enabled=tls)
    error = attempt(target, config)
    assert isinstance(error, AuthenticationFailed)
    text = shown(error)
    assert "AuthenticationFailed" in text
    assert not [each for each in spellings(PASSWORDS[password]) if each in text]


@pytest.mark.parametrize(
    ("mode", "part", "tls"),
    [("rst", part, True) for part in (0, 0.3, 0.6, 0.9)]
    + [("fin", 0.3, True), ("fin", 0.9, True), ("blackhole", 0.95, True)]
    + [("rst", 0.5, False), ("blackhole", 0.9, False)],
)
def test_a_broken_login_shows_no_password(
    target: Target, proxy: Proxy, mode: str, part: float, tls: bool
) -> None:
    config = target.config(port=proxy.port, timeout=1, ssl_enabled=tls)
    target.kind.fresh(config).close()
    proxy.set(mode, after=int(part * proxy.answered))
    text = shown(attempt(target, config))
    assert not [each for each in spellings(target.password) if each in text]


def test_what_is_looked_for_would_be_found() -> None:
    def careless(password: str) -> None:
        raise AiserError(f"{len(password)} characters")

    for password in PASSWORDS.values():
        with pytest.raises(AiserError) as caught:
            careless(password)
        assert [each for each in spellings(password) if each in shown(caught.value)]


def test_a_failed_statement_shows_no_password(target: Target) -> None:
    with pytest.raises(AiserError) as caught:
        target.ask("SELECT FROM WHERE", target.config())
    text = shown(caught.value)
    assert not [each for each in spellings(target.password) if each in text]
