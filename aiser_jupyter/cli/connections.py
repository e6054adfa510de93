"""``aiser connections …`` and ``aiser rotate-key``: connections from a terminal, or from a script.

A password is asked for on the terminal, or read from standard input (``--password-stdin``). There is no
option that takes one: the list of processes shows the words of a command to everybody on the machine.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import AiserError, UsageError
from ..models import ConnectionConfig
from ..secret import Secret
from .output import print_aligned

if TYPE_CHECKING:
    from ..models import Connection
    from ..services import Services

__all__ = ["add_parsers"]


def add_parsers(commands: Any) -> None:
    """Add the commands of this file to the program's own."""
    group = commands.add_parser("connections", help="list, add, test, import and remove connections")
    group.set_defaults(run=_list)
    verbs = group.add_subparsers(metavar="verb")
    verbs.add_parser("list", help="list them").set_defaults(run=_list)

    add = verbs.add_parser("add", help="test a connection and save it")
    add.add_argument("url", help="such as postgresql://ann@db.example.org/shop; no password in it")
    add.add_argument("--alias", required=True, metavar="NAME", help="its name")
    add.add_argument("--insecure", action="store_true", help="without TLS: to this machine only")
    add.add_argument("--ca", type=Path, metavar="FILE", help="certificate authority of the server")
    add.add_argument("--password-stdin", action="store_true", help="read the password from standard input")
    add.set_defaults(run=_add)

    test = verbs.add_parser("test", help="try one, step by step")
    test.add_argument("name")
    test.set_defaults(run=_test)

    remove = verbs.add_parser("remove", help="forget one, and its secrets")
    remove.add_argument("name")
    remove.set_defaults(run=_remove)

    load = verbs.add_parser("import", help="take over the connections of another tool")
    load.add_argument("file", type=Path, help="connections.ini, profiles.yml, .pgpass or my.cnf")
    formats = ("jupysql", "dbt", "pgpass", "mysql", "snowflake", "databricks", "gcloud")
    load.add_argument("--format", choices=formats, help="where the name says nothing")
    load.add_argument("--dry-run", action="store_true", help="save nothing; say what would be")
    load.set_defaults(run=_import)

    rotate = commands.add_parser("rotate-key", help="seal every saved secret with a new key")
    rotate.set_defaults(run=_rotate)


def _list(services: Services, given: argparse.Namespace) -> int:
    where = services.connections.where
    rows = [(c.name, c.type, where(c), c.source, c.problem) for c in services.connections.list()]
    print_aligned([("name", "type", "where", "source", "problem"), *rows])
    return 0


def _add(services: Services, given: argparse.Namespace) -> int:
    from ..sources.url import has_password

    if has_password(given.url):
        raise UsageError(
            "A password on the command line is seen by everybody on this machine.",
            hint="Leave it out and you will be asked for it, or use --password-stdin.",
        )
    config = services.connections.parse_url(
        given.url, given.alias, insecure=given.insecure, ca=given.ca, profiles=True
    )
    values = {**config.values, **_secrets(services, config, from_stdin=given.password_stdin)}
    saved = services.connections.create(replace(config, values=values))
    print(f"{saved.name} works and is saved.")
    return 0


def _secrets(services: Services, config: ConnectionConfig, *, from_stdin: bool) -> dict[str, Secret]:
    fields = services.connections.kind(config.type).secrets_of(config.values)
    if any(field.name in config.values for field in fields):  # a profile has given them
        return {}
    if from_stdin and fields:
        long = fields[0].kind == "document"
        text = sys.stdin.read() if long else sys.stdin.readline().rstrip("\r\n")
        return {fields[0].name: Secret(text)} if text else {}
    found = {}
    for field in fields:
        if not sys.stdin.isatty() or field.kind == "document":  # which has several lines
            raise UsageError(f"{config.name} needs a {field.label.lower()}.", hint="Use --password-stdin.")
        if answer := getpass.getpass(f"{field.label} (empty for none): "):
            found[field.name] = Secret(answer)
    return found


def _test(services: Services, given: argparse.Namespace) -> int:
    from ..render import seconds_text

    checks = services.connections.test(given.name)
    print_aligned(
        [("ok" if c.ok else "FAIL", c.name, seconds_text(c.seconds), f"{c.message} {c.hint}") for c in checks]
    )
    return 0 if all(check.ok for check in checks) else 1


def _remove(services: Services, given: argparse.Namespace) -> int:
    services.connections.delete(given.name)
    print(f"{given.name} is forgotten.")
    return 0


def _import(services: Services, given: argparse.Namespace) -> int:
    rows = list(_imported(services, given))
    print_aligned([("name", "type", "outcome", ""), *rows] if rows else [("Nothing is in it.",)])
    return 1 if any(outcome == "FAIL" for _, _, outcome, _ in rows) else 0


def _imported(services: Services, given: argparse.Namespace) -> Iterator[tuple[str, str, str, str]]:
    """Save one entry after the other; one that cannot be saved does not stop the others."""
    for entry in services.connections.read_file(given.file, given.format):
        config, remarks = entry.config, " ".join(entry.notices)
        if entry.problem:
            yield config.name, config.type, "FAIL", entry.problem
            continue
        if given.dry_run:
            yield config.name, config.type, "would be saved", remarks
            continue
        try:
            saved: Connection = services.connections.create(config, tested=False)
        except AiserError as exc:
            yield config.name, config.type, "FAIL", f"{exc.message} {exc.hint}".strip()
            continue
        remarks = f"{remarks} Try it: aiser connections test {saved.name}".strip()
        yield saved.name, saved.type, "saved", remarks


def _rotate(services: Services, given: argparse.Namespace) -> int:
    done = services.connections.rotate_key()
    print(f"{done.resealed} secrets sealed with a new key, {done.already} were already.")
    for name in done.failed:
        print(f"FAIL  {name}: its secret could not be opened", file=sys.stderr)
    if not done.finished:
        print("The older key is kept until every secret is sealed with the new one.", file=sys.stderr)
    return 0 if done.finished and not done.failed else 1
