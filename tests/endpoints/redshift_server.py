"""Redshift's front door before a PostgreSQL, and AWS's front door beside it.

``python redshift_server.py PORT CERTIFICATE KEY`` with POSTGRESQL_PORT, POSTGRESQL_FOLDER (of its socket) and
API_PORT in the environment.

On PORT it ends TLS and relays PostgreSQL's protocol, with what differs at Redshift:

- start-up parameters of the driver's own are taken away, and any that Redshift does not know is refused;
- the server calls itself 8.0.2, and knows the base version of the protocol, whatever the driver offers;
- ``SET query_group`` labels the session (its ``application_name``), ``CANCEL pid`` cancels, and ``DISCARD``
  is no statement.

On API_PORT it answers ``GetClusterCredentials`` and the serverless ``GetCredentials`` by https. A request
whose signature (AWS's version 4) does not hold is refused in AWS's words; else a user of the database is
made, with a password that holds for 15 minutes. ``GET /seen`` says with which start-up parameters clients
came.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
import re
import secrets
import ssl
import struct
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

import pg8000.dbapi

SSL_REQUEST, STARTUP = 80877103, 196608
PLAIN = {"user", "database", "application_name"}
"""Start-up parameters that both databases know."""
REDSHIFT = {
    "client_protocol_version",
    "driver_version",
    "os_version",
    "driver_discovery_version",
    "plugin_name",
    "provider_name",
    "idp_type",
}
"""Those that Redshift alone knows."""
RULES = [
    (re.compile(rb"^\s*set\s+query_group\s+to\s+", re.I), b"set application_name to "),
    (re.compile(rb"^\s*reset\s+query_group", re.I), b"reset application_name"),
    (re.compile(rb"^\s*cancel\s+(\d+)(\s+'[^']*')?\s*;?\s*$", re.I), rb"select pg_cancel_backend(\1)"),
    (re.compile(rb"^\s*discard\b", re.I), b"discard_is_no_statement_of_redshift"),
]
KEYS = {
    "AKIAENDPOINTLONGTERM": ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYENDPOINTKEY", None),
    "ASIAENDPOINTTEMPORAR": ("temporary/K7MDENG/bPxRfiCYENDPOINTKEY0000", "FwoGZXIvYXdzEndpointToken"),
    "ASIAENDPOINTEXPIREDX": ("expired/K7MDENG/bPxRfiCYENDPOINTKEY000000", "FwoGZXIvYXdzExpiredToken"),
}
"""AWS's keys: the secret of each, and the session token that must come with a temporary one."""
EXPIRED = {"ASIAENDPOINTEXPIREDX"}
CLUSTER, WORKGROUP, REGION = "shop-cluster", "shop-workgroup", "eu-central-1"

seen: list[dict[str, str]] = []


def rewritten(sql: bytes) -> bytes:
    """Return a statement of Redshift's as PostgreSQL understands it."""
    for pattern, replacement in RULES:
        sql = pattern.sub(replacement, sql)
    return sql


def packed(code: bytes, body: bytes) -> bytes:
    return code + struct.pack("!i", len(body) + 4) + body


async def message(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!i", head[1:])
    return head[:1], await reader.readexactly(length - 4)


class Front:
    """One client: TLS, the start-up, and then two relays."""

    def __init__(self, context: ssl.SSLContext, upstream: int) -> None:
        self._context, self._upstream = context, upstream

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            length, code = struct.unpack("!ii", await reader.readexactly(8))
            if code == SSL_REQUEST:
                writer.write(b"S")
                await writer.drain()
                await writer.start_tls(self._context)
                length, code = struct.unpack("!ii", await reader.readexactly(8))
            body = await reader.readexactly(length - 8)
            if code == STARTUP:
                parts = body.rstrip(b"\0").split(b"\0")
                given = dict(zip(map(bytes.decode, parts[::2]), parts[1::2], strict=False))
                seen.append({name: value.decode() for name, value in given.items()})
                if unknown := given.keys() - PLAIN - REDSHIFT:
                    return self._refuse(writer, unknown.pop())
                kept = {name: value for name, value in given.items() if name in PLAIN}
                body = b"".join(name.encode() + b"\0" + value + b"\0" for name, value in kept.items()) + b"\0"
            server, out = await asyncio.open_connection("127.0.0.1", self._upstream, limit=1 << 20)
            out.write(struct.pack("!ii", len(body) + 8, code) + body)
            await asyncio.gather(self._up(reader, out), self._down(server, writer))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    def _refuse(self, writer: asyncio.StreamWriter, name: str) -> None:
        said = f'unrecognized configuration parameter "{name}"'
        fields = b"SFATAL\0C42704\0M" + said.encode() + b"\0\0"
        writer.write(packed(b"E", fields))

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """From the client: every statement is looked at."""
        try:
            while True:
                code, body = await message(reader)
                if code == b"Q":
                    body = rewritten(body[:-1]) + b"\0"
                elif code == b"P":
                    name, rest = body.split(b"\0", 1)
                    sql, tail = rest.split(b"\0", 1)
                    body = name + b"\0" + rewritten(sql) + b"\0" + tail
                writer.write(packed(code, body))
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """From the server: the start-up is looked at, and rows pass as they are."""
        try:
            code = b""
            while code != b"Z":
                code, body = await message(reader)
                if code == b"S" and body.startswith(b"server_version\0"):
                    body = b"server_version\x008.0.2\0"
                    writer.write(packed(b"S", b"server_protocol_version\x000\0"))
                writer.write(packed(code, body))
                await writer.drain()
            while data := await reader.read(1 << 18):
                writer.write(data)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


class Refused(Exception):
    """A request that AWS refuses: its code and its message."""


def verified(method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
    """Return the access key that signed the request. Raises `Refused`."""
    found = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/([^/]+)/aws4_request, "
        r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})",
        headers.get("Authorization", ""),
    )
    if found is None:
        raise Refused("MissingAuthenticationToken", "Request is missing Authentication Token")
    key, day, region, service, signed, signature = found.groups()
    if key not in KEYS:
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.")
    secret, token = KEYS[key]
    if token is not None and headers.get("X-Amz-Security-Token") != token:
        raise Refused("InvalidClientTokenId", "The security token included in the request is invalid.")
    if key in EXPIRED:
        raise Refused("ExpiredToken", "The security token included in the request is expired")
    lines = "".join(f"{name}:{' '.join(headers[name].split())}\n" for name in signed.split(";"))
    asked = "\n".join([method, path, "", lines, signed, hashlib.sha256(body).hexdigest()])
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(asked.encode()).hexdigest()
    to_sign = f"AWS4-HMAC-SHA256\n{headers['X-Amz-Date']}\n{scope}\n{digest}"
    derived = b"AWS4" + secret.encode()
    for part in (day, region, service, "aws4_request", to_sign):
        derived = hmac.new(derived, part.encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(derived.hex(), signature):
        raise Refused("SignatureDoesNotMatch", "The request signature we calculated does not match.")
    if region != REGION:
        raise Refused("InvalidClientTokenId", f"Credential should be scoped to the region {REGION}")
    return key


def new_login(name: str) -> tuple[str, str, datetime]:
    """Make a user of the database who owns what ``ann`` owns, with a password for 15 minutes."""
    password, until = secrets.token_urlsafe(48), datetime.now(UTC) + timedelta(minutes=15)
    folder, port = os.environ["POSTGRESQL_FOLDER"], os.environ["POSTGRESQL_PORT"]
    connection = pg8000.dbapi.connect("postgres", unix_sock=f"{folder}/.s.PGSQL.{port}", database="postgres")
    connection.autocommit = True
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,))
        quoted = '"' + name.replace('"', '""') + '"'
        if not cursor.fetchall():
            cursor.execute(f"CREATE ROLE {quoted} LOGIN IN ROLE ann")
        digest = "md5" + hashlib.md5((password + name).encode(), usedforsecurity=False).hexdigest()
        cursor.execute(f"ALTER ROLE {quoted} PASSWORD '{digest}' VALID UNTIL '{until.isoformat()}'")
    finally:
        connection.close()
    return name, password, until


class API(BaseHTTPRequestHandler):
    """AWS's two ways to a password, and what this endpoint tells of itself."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(200, "application/json", json.dumps(seen))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        target = self.headers.get("X-Amz-Target", "")
        try:
            verified("POST", self.path, self.headers, body)  # type: ignore[arg-type]
            if target:
                self._serverless(target, json.loads(body))
            else:
                self._cluster({name: value[0] for name, value in parse_qs(body.decode()).items()})
        except Refused as exc:
            self._refused(target, *exc.args)

    def _serverless(self, target: str, asked: dict[str, Any]) -> None:
        if target != "RedshiftServerless.GetCredentials" or asked.get("workgroupName") != WORKGROUP:
            raise Refused("ResourceNotFoundException", "The resource you requested does not exist.")
        user, password, until = new_login("IAM:endpoint")
        answer = {"dbUser": user, "dbPassword": password, "expiration": until.timestamp()}
        self._answer(200, "application/x-amz-json-1.1", json.dumps(answer))

    def _cluster(self, asked: dict[str, str]) -> None:
        if asked.get("Action") != "GetClusterCredentials":
            raise Refused("InvalidAction", "Could not find operation")
        if asked.get("ClusterIdentifier") != CLUSTER:
            raise Refused("ClusterNotFound", f"Cluster {asked.get('ClusterIdentifier')} not found.")
        if asked.get("AutoCreate") == "true":
            raise Refused("AccessDenied", "not authorized to perform: redshift:CreateClusterUser")
        user, password, until = new_login(f"IAM:{asked['DbUser']}")
        self._answer(
            200,
            "text/xml",
            '<GetClusterCredentialsResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/">'
            f"<GetClusterCredentialsResult><DbUser>{user}</DbUser><DbPassword>{password}</DbPassword>"
            f"<Expiration>{until.isoformat()}</Expiration></GetClusterCredentialsResult>"
            "<ResponseMetadata><RequestId>1</RequestId></ResponseMetadata></GetClusterCredentialsResponse>",
        )

    def _refused(self, target: str, code: str, said: str) -> None:
        status = 404 if "NotFound" in code else 403
        if target:
            return self._answer(
                status, "application/x-amz-json-1.1", json.dumps({"__type": code, "message": said})
            )
        return self._answer(
            status,
            "text/xml",
            '<ErrorResponse xmlns="http://redshift.amazonaws.com/doc/2012-12-01/"><Error><Type>Sender</Type>'
            f"<Code>{code}</Code><Message>{said}</Message></Error><RequestId>1</RequestId></ErrorResponse>",
        )

    def _answer(self, status: int, kind: str, text: str) -> None:
        data = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: a line for each request helps nobody."""


def serve_api(port: int, context: ssl.SSLContext) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", port), API)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()


async def main(port: int, certificate: str, key: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    serve_api(int(os.environ["API_PORT"]), context)
    front = Front(context, int(os.environ["POSTGRESQL_PORT"]))
    async with await asyncio.start_server(front, "127.0.0.1", port, limit=1 << 20) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), sys.argv[2], sys.argv[3]))
