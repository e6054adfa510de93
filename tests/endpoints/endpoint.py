"""What the endpoints have in common: a process of their own on loopback, with TLS from a throw-away CA."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from tests.servers.server import Server

HERE = Path(__file__).parent
VENDORS = (
    *("*.snowflakecomputing.com", "*.cloud.databricks.com", "*.googleapis.com"),
    *("*.s3.amazonaws.com", "redshift.eu-central-1.amazonaws.com"),
)
"""Names that an endpoint has behind a proxy (see `connect_proxy`), besides those of this machine."""


class Endpoint(Server):
    """A program of this folder that speaks a warehouse's protocol.

    It is started as ``python PROGRAM PORT CERTIFICATE KEY``, and listens on 127.0.0.1 alone.
    """

    program = ""
    """File name of the program in this folder."""
    python = sys.executable
    """The interpreter that runs it; an endpoint may need an environment of its own."""
    environment: Mapping[str, str] = {}

    def __init__(self) -> None:
        super().__init__()
        self.certificate = self.authority.issue("server", ("localhost", "127.0.0.1", *VENDORS))

    def prepare(self) -> None:
        self.start()

    def command(self) -> list[str]:
        settings = [f"{name}={value}" for name, value in self.environment.items()]
        words = [self.python, str(HERE / self.program), str(self.port)]
        words += [str(self.certificate.certificate), str(self.certificate.key)]
        return ["env", *settings, *words]

    def ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1):
                return True
        except OSError:
            return False

    def ask(self, path: str, body: Any = None) -> Any:
        """Ask the endpoint itself, past the driver: what it saw, or to behave in a way; return its JSON."""
        context = ssl.create_default_context(cadata=self.authority.pem)
        data = None if body is None else json.dumps(body).encode()
        request = Request(f"https://127.0.0.1:{self.port}{path}", data, {"Content-Type": "application/json"})
        opener = build_opener(ProxyHandler({}), HTTPSHandler(context=context))
        with opener.open(request, timeout=10) as answer:
            return json.load(answer)
