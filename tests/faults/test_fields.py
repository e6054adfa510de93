"""No field leads anywhere but to the host and port that are given."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiser_jupyter.errors import AiserError
from aiser_jupyter.secret import Secret
from tests.faults.target import Target
from tests.servers.proxy import Proxy

ELSEWHERE = "127.0.0.2"
SHAPES = [
    "t?host={e}",
    "t?port={p}",
    "t&host={e}",
    "x@{e}",
    "x@{e}/",
    "x:y@{e}:{p}/z",
    "{g},{e}",
    "{e},{g}",
    "{g} {e}",
    "host={e}",
    "a host={e} port={p}",
    "{g}:{p}",
    "[{e}]",
    "[::ffff:{e}]",
    "{g}/{e}",
    "//{e}",
    "{g};{e}",
    "{g}\n{e}",
    "{g}#@{e}",
    "{g}%00{e}",
    "'; host={e}",
    "' host='{e}",
    "\\{e}",
    "{g}\t{e}",
    "-h {e}",
    "--host={e}",
    "postgresql://{e}:{p}/x",
    "mysql://{e}:{p}/x",
    "service={e}",
    "/tmp/{e}",
    "@{e}",
]
FIELDS = ["host", "database", "username", "password", "ssl_server_name", "schema", "role", "time_zone"]


@pytest.fixture
def canary(target: Target, proxy: Proxy) -> Iterator[list[Any]]:
    """Listens elsewhere: on the same port of another address, and on another port of this one."""
    came: list[Any] = []
    with contextlib.ExitStack() as open_now:
        for address in ((ELSEWHERE, proxy.port), (ELSEWHERE, target.server.port), ("127.0.0.1", 0)):
            server = open_now.enter_context(socket.create_server(address))
            thread = threading.Thread(target=listen, args=(server, came))
            thread.start()
            open_now.callback(thread.join)
            open_now.callback(server.shutdown, socket.SHUT_RDWR)
        came.append(server.getsockname()[1])
        yield came


def listen(server: socket.socket, came: list[Any]) -> None:
    with contextlib.suppress(OSError):  # shut down
        while True:
            connection, address = server.accept()
            came.append(address)
            connection.close()


def attempt(target: Target, proxy: Proxy, field: str, value: str) -> None:
    values: dict[str, Any] = {field: Secret(value) if field == "password" else value}
    if field not in {each.name for each in target.kind.fields}:
        return
    with contextlib.suppress(AiserError):
        config = target.config(**{"port": proxy.port, "timeout": 2, "ssl_enabled": False} | values)
        target.kind.fresh(config).close()


def test_the_canary_sings(target: Target, proxy: Proxy, canary: list[Any]) -> None:
    attempt(target, proxy, "host", ELSEWHERE)
    assert len(canary) == 2


@pytest.mark.parametrize("field", FIELDS)
def test_no_shape_of_a_field_leads_elsewhere(
    target: Target, proxy: Proxy, canary: list[Any], field: str
) -> None:
    for shape in SHAPES:
        attempt(target, proxy, field, shape.format(e=ELSEWHERE, g="127.0.0.1", p=canary[0]))
    assert len(canary) == 1


PIECES = st.sampled_from([ELSEWHERE, "127.0.0.1", "host", "port", *"@?/#:;,= []%&\n\t'\"\\x"])


@pytest.mark.parametrize(
    "examples", [15, pytest.param(500, marks=[pytest.mark.long, pytest.mark.timeout(600)])]
)
def test_no_text_in_a_field_leads_elsewhere(
    target: Target, proxy: Proxy, canary: list[Any], examples: int
) -> None:
    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(
        field=st.sampled_from(FIELDS),
        value=st.lists(PIECES, min_size=1, max_size=8).map("".join).filter(lambda v: v != ELSEWHERE),
    )
    def check(field: str, value: str) -> None:
        attempt(target, proxy, field, value)
        assert len(canary) == 1, (field, value)

    check()
