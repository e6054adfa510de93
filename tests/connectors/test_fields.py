"""Fields that are there for one way to sign in alone, and other words for a field."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from aiser_jupyter.connectors.base import Capabilities, Field
from aiser_jupyter.connectors.duckdb import DuckDBConnector
from aiser_jupyter.errors import ConfigError
from aiser_jupyter.secret import Secret
from aiser_jupyter.sources.values import checked


class Cloud(DuckDBConnector):
    """Checks fields, and opens nothing."""

    label = "Cloud"
    fields = (
        Field("key", "Key", "document", secret=True, required=True, when=("sign_in", "key")),
        Field("words", "Words", "document", when=("sign_in", "key", "words")),
        Field("account", "Account", required=True),
        Field("password", "Password", secret=True, when=("sign_in", "password")),
        Field(
            "sign_in",
            "Sign in with",
            "choice",
            choices={"password": "Password", "key": "Key pair", "words": "Words"},
            default="password",
        ),
    )
    aliases: ClassVar = {"host": "account", "token": "password"}
    capabilities = Capabilities()


def fields(**values: Any) -> dict[str, Any]:
    return Cloud().validate(values)


def test_a_field_is_asked_for_only_where_it_is_there() -> None:
    assert fields(account="a", password="x") == {
        "account": "a",
        "sign_in": "password",
        "password": Secret("x"),
    }
    with pytest.raises(ConfigError, match="needs 'account'"):
        fields(sign_in="words")
    assert fields(account="a", sign_in="words", words="one\ntwo")["words"] == "one\ntwo"


def test_a_secret_may_come_later_and_only_the_one_that_is_there_is_asked_for() -> None:
    kind, values = Cloud(), fields(account="a", sign_in="key")
    assert [field.name for field in kind.secrets_of(values)] == ["key"]
    with pytest.raises(ConfigError, match="needs 'key'"):
        kind.require_secrets(values)
    kind.require_secrets({**values, "key": Secret("x")})
    assert [field.name for field in kind.secrets_of(fields(account="a"))] == ["password"]
    kind.require_secrets(fields(account="a"))  # a password that is optional


def test_a_field_of_another_way_to_sign_in_is_refused_and_says_where_it_belongs() -> None:
    with pytest.raises(ConfigError, match="'words' is only for sign_in = key or words") as caught:
        fields(account="a", words="x")
    assert "choose another sign_in" in caught.value.hint
    assert "password" not in fields(account="a", sign_in="words", password=None)


def test_another_word_is_the_field() -> None:
    assert fields(host="a", token="x") == fields(account="a", password="x")
    assert fields(host="a", account="a")["account"] == "a"
    with pytest.raises(ConfigError, match=r"another word for 'account', and both are given"):
        fields(host="a", account="b")


def test_a_text_of_several_lines_is_one_only_where_it_may_be() -> None:
    assert checked(Cloud(), {"host": "a", "sign_in": "words", "words": "one\ntwo"})["words"] == "one\ntwo"
    with pytest.raises(ConfigError, match="control character"):
        checked(Cloud(), {"host": "a\nb"})
