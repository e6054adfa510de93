"""A sealed secret opens for what it was sealed for, whole, and for nothing else."""

from __future__ import annotations

import json
import os
from base64 import b64decode, b64encode
from dataclasses import fields, replace
from datetime import UTC, datetime

import pytest

from aiser_jupyter.errors import SecretError
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.secret import Secret
from aiser_jupyter.store.connections import ConnectionRecords
from aiser_jupyter.store.database import Store
from aiser_jupyter.store.keys import KeyFile
from aiser_jupyter.store.ring import Ring
from aiser_jupyter.store.seal import Binding, key_id, seal, unseal

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
TEXT = "correct horse"
RING = Ring.new()
BINDING = Binding("shop", "1" * 32, "password", "ann", "mysql", "db:3306", '{"host": "db"}')
TOKEN = seal(RING, BINDING, Secret(TEXT))


def refused(ring: Ring, binding: Binding, token: str) -> SecretError:
    with pytest.raises(SecretError) as caught:
        unseal(ring, binding, token)
    shown = str(caught.value)
    assert "'shop'" in shown
    assert TEXT not in shown
    assert caught.value.hint
    return caught.value


@pytest.mark.parametrize("text", ["x", TEXT, "ü" * 2048, "\udc80", "\0\n'\"", "****"])
def test_what_was_sealed_comes_back(text: str) -> None:
    assert unseal(RING, BINDING, seal(RING, BINDING, Secret(text))) == text


def test_sealed_twice_is_not_the_same() -> None:
    tokens = {seal(RING, BINDING, Secret(TEXT)) for _ in range(50)}
    assert len(tokens) == 50
    assert {key_id(token) for token in tokens} == {RING.current}


def test_every_flipped_bit_of_it_is_seen() -> None:
    raw = b64decode(TOKEN)
    for at in range(len(raw)):
        for bit in range(8):
            flipped = bytearray(raw)
            flipped[at] ^= 1 << bit
            error = refused(RING, BINDING, b64encode(flipped).decode())
            assert f"key {flipped[1:9].hex()}" in str(error)


def test_every_flipped_bit_of_its_text_is_seen() -> None:
    for at in range(len(TOKEN)):
        for bit in range(7):
            text = TOKEN[:at] + chr(ord(TOKEN[at]) ^ (1 << bit)) + TOKEN[at + 1 :]
            refused(RING, BINDING, text)


def test_another_spelling_of_the_same_bytes_is_seen() -> None:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    assert TOKEN.endswith("=")  # two bits of the character before it mean nothing
    for step in (1, 2, 3):
        other = TOKEN[:-2] + alphabet[alphabet.index(TOKEN[-2]) + step] + "="
        assert b64decode(other, validate=True) == b64decode(TOKEN)
        refused(RING, BINDING, other)


def test_every_cut_is_seen() -> None:
    raw = b64decode(TOKEN)
    for length in range(len(raw)):
        refused(RING, BINDING, b64encode(raw[:length]).decode())
        refused(RING, BINDING, b64encode(raw[length + 1 :]).decode())
        refused(RING, BINDING, TOKEN[:length])
    for longer in (raw + b"\0", b"\0" + raw):
        refused(RING, BINDING, b64encode(longer).decode())


def test_another_key_does_not_open_it() -> None:
    other = Ring.new()
    assert RING.current in str(refused(other, BINDING, TOKEN))
    impostor = Ring(RING.current, {RING.current: other.keys[other.current]})
    assert RING.current in str(refused(impostor, BINDING, TOKEN))


@pytest.mark.parametrize("field", [field.name for field in fields(Binding) if field.name != "name"])
def test_it_opens_for_nothing_else(field: str) -> None:
    refused(RING, replace(BINDING, **{field: "2"}), TOKEN)


def test_a_renamed_connection_keeps_it() -> None:
    assert unseal(RING, replace(BINDING, name="store"), TOKEN) == TEXT


def test_two_bindings_are_never_one_text() -> None:
    left = replace(BINDING, destination='a", "b', type="c")
    right = replace(BINDING, destination="a", type='b", "c')
    assert left.data(b"") != right.data(b"")
    assert json.loads(BINDING.data(b""))[2] == os.geteuid()


@pytest.fixture
def two(records: ConnectionRecords) -> ConnectionRecords:
    for name, host in (("books", "db1"), ("shop", "db2")):
        values = {"host": host, "password": Secret(f"{TEXT} {name}"), "token": Secret(f"{TEXT} t")}
        records.add("ann", ConnectionConfig("mysql", name, values), host, {"password", "token"}, NOW)
    return records


def alter(store: Store, *statements: str) -> None:
    with store.write() as connection:
        connection.execute("CREATE TEMP TABLE before AS SELECT * FROM connections")
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        # the secrets of the other record
        "UPDATE connections AS one SET secrets = (SELECT secrets FROM before WHERE before.id <> one.id)",
        # the values of the other, of a host of one's own, of a weaker protection
        """UPDATE connections AS one SET ("values", destination) =
           (SELECT "values", destination FROM before WHERE before.id <> one.id)""",
        """UPDATE connections SET "values" = json_set("values", '$.host', 'evil')""",
        """UPDATE connections SET "values" = json_set("values", '$.host', 'evil'), destination = 'evil'""",
        """UPDATE connections SET "values" = json_set("values", '$.tls', 'off')""",
        "UPDATE connections SET destination = 'evil'",
        "UPDATE connections SET type = 'postgresql'",
        "UPDATE connections SET id = substr(id, 2) || substr(id, 1, 1)",
        # one field's in the other
        """UPDATE connections SET secrets = json_object(
           'token', secrets ->> '$.password', 'password', secrets ->> '$.token')""",
    ],
)
def test_a_record_altered_in_the_file_opens_no_secret(
    two: ConnectionRecords, store: Store, statement: str
) -> None:
    alter(store, statement)
    store.close()
    for name in ("books", "shop"):
        found = two.get("ann", name)
        assert found is not None
        for field in ("password", "token"):
            with pytest.raises(SecretError, match=rf"{field} of the connection '{name}' .* key") as caught:
                found.config.values[field].reveal()
            assert TEXT not in str(caught.value)


def test_another_owner_cannot_take_a_record_over(two: ConnectionRecords, store: Store) -> None:
    alter(store, "UPDATE connections SET owner = 'bob'")
    for found in two.list("bob"):
        with pytest.raises(SecretError, match="was altered"):
            found.config.values["password"].reveal()


def test_the_key_of_another_store_opens_nothing(two: ConnectionRecords, store: Store, keys: KeyFile) -> None:
    before = keys.load()
    keys.save(Ring.new())
    other = Ring(before.current, {before.current: Ring.new().with_new_key().keys.popitem()[1]})
    for ring in (Ring.new(), other):
        keys.save(ring)
        for found in two.list("ann"):
            with pytest.raises(SecretError, match=before.current):
                found.config.values["password"].reveal()
    keys.save(before)
    assert [found.config.values["password"].reveal() for found in two.list("ann")] == [
        f"{TEXT} books",
        f"{TEXT} shop",
    ]
