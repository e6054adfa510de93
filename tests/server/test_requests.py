"""What is taken as a request at all: JSON, of a size and a depth, and nothing that another origin sends."""

from __future__ import annotations

import asyncio
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aiser_jupyter.errors import UsageError
from aiser_jupyter.wire import read_body

EXECUTE = "/data/query/execute"
QUERY = b'{"query": "SELECT 1"}'


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "text/json"],
)
async def test_a_simple_content_type_is_refused(api, kind):
    answer = await api("POST", EXECUTE, QUERY, {"Content-Type": kind})
    assert (answer.status, answer.json["error_code"]) == (415, "unsupported_media_type")
    cancel = await api("POST", "/data/query/0123456789abcdef/cancel", b"{}", {"Content-Type": kind})
    assert cancel.status == 415


async def test_json_with_a_charset_is_json(api):
    answer = await api("POST", EXECUTE, QUERY, {"Content-Type": "Application/JSON; charset=utf-8"})
    assert answer.status == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b'{"query": NaN}',
        b'{"query": 1e999}',
        b'{"query": "\\ud800"}',
        b'{"query": "\xff"}',
        b'{"query": "a", "query": "b"}',
        b'{"query": ' + b"9" * 5000 + b"}",
        b'{"params": ' + b"[" * 40 + b"]" * 40 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=range(14),
)
async def test_what_is_no_json_of_ours_is_a_400(api, body):
    answer = await api("POST", EXECUTE, body)
    assert (answer.status, answer.json["error_code"]) == (400, "usage")


async def test_depth_and_size_have_a_bound(api):
    deep = b'{"query": "SELECT 1", "params": ' + b"[" * 31 + b"]" * 31 + b"}"
    assert (await api("POST", EXECUTE, deep)).status == 400
    allowed = b'{"query": "SELECT 1", "params": {"x": ' + b"[" * 30 + b"]" * 30 + b"}}"
    assert "nested" not in (await api("POST", EXECUTE, allowed)).raw.decode()
    large = json.dumps({"query": "SELECT 1 -- " + "x" * (1024 * 1024 - 40)}).encode()
    assert len(large) <= 1024 * 1024
    assert (await api("POST", EXECUTE, large)).status == 200
    answer = await api("POST", EXECUTE, large + b" " * 100)
    assert (answer.status, answer.json["error_code"]) == (413, "request_entity_too_large")


async def test_a_body_that_says_it_is_too_long_is_refused_unread(
    api, jp_base_url, jp_auth_header, jp_http_port
):
    reader, writer = await asyncio.open_connection("127.0.0.1", jp_http_port)
    head = (
        f"POST {jp_base_url}aiser{EXECUTE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Authorization: {jp_auth_header['Authorization']}\r\nContent-Length: 100000000\r\n\r\n"
    )
    writer.write(head.encode())
    status = await asyncio.wait_for(reader.readline(), 20.0)
    assert status.split()[1] == b"413"
    writer.close()


async def test_a_body_that_does_not_say_its_size_is_held_to_it(api):
    pieces = [b'{"query": "', *[b"x" * 65536] * 20, b'"}']

    async def produce(write):
        for piece in pieces:
            await write(piece)

    answer = await api("POST", EXECUTE, None, {"Content-Type": "application/json"}, body_producer=produce)
    assert answer.status == 413


@pytest.mark.parametrize(
    "path", ["/data/query/0123456789abcdef/cancel", "/data/enterprise/connections/local/health"]
)
async def test_a_request_without_fields_takes_none(api, path):
    assert (await api("POST", path, {"force": True})).status == 400


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=20,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_any_object_of_a_sane_depth_is_read_as_it_is(value):
    assert read_body(json.dumps(value).encode()) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_an_object_or_a_typed_error(raw):
    try:
        found = read_body(raw)
    except UsageError:
        return
    assert json.loads(raw) == found


@given(st.integers(min_value=33, max_value=3000), st.sampled_from(["[", '{"a":']))
def test_what_is_too_deep_is_said_so(depth, bracket):
    closing = "]" if bracket == "[" else "}"
    text = '{"a": ' + bracket * depth + "1" + closing * depth + "}"
    with pytest.raises(UsageError) as refused:
        read_body(text.encode())
    assert "32 deep" in refused.value.message
