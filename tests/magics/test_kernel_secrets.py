"""A password leaves no trace: in what a front end receives, in what is kept, in what a process shows."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from jupyter_client.manager import KernelManager

from tests.magics.front import Front
from tests.servers.mariadb import MariaDB
from tests.servers.postgresql import PostgreSQL
from tests.servers.server import Server

CANARY = 'c4nary "of/the?coal&mine" 7f3e'


@pytest.fixture(params=["mariadb", "postgresql"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with a user whose password is the canary."""
    found: Server = request.getfixturevalue(request.param)
    if isinstance(found, MariaDB):
        found.admin("CREATE OR REPLACE USER bird@'%%' IDENTIFIED BY %s", CANARY)
        found.admin(f"GRANT ALL ON {found.database}.* TO bird@'%'")
        yield found
        found.admin("DROP USER bird@'%'")
    else:
        assert isinstance(found, PostgreSQL)
        found.admin("CREATE ROLE bird LOGIN PASSWORD '" + CANARY.replace("'", "''") + "'")
        found.admin("CREATE TABLE hidden_twigs (n int)", database=found.database)  # bird may not read it
        found.admin("CREATE TABLE twigs (n int)", database=found.database)
        found.admin("GRANT SELECT ON twigs TO bird", database=found.database)
        yield found
        found.admin("DROP TABLE twigs, hidden_twigs", database=found.database)
        found.admin("DROP ROLE bird")


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    manager = KernelManager(kernel_name="python3")
    places = {"AISER_STORE": str(tmp_path / "store"), "IPYTHONDIR": str(tmp_path / "ipython")}
    manager.start_kernel(cwd=str(tmp_path), env={**os.environ, **places})
    front = Front(manager)
    yield front
    front.client.stop_channels()
    manager.shutdown_kernel(now=True)
    manager.cleanup_resources()


def spellings(secret: str) -> list[str]:
    """The forms in which it could stand somewhere."""
    return [
        secret,
        quote(secret),
        quote(secret, safe=""),
        json.dumps(secret)[1:-1],
        base64.b64encode(secret.encode()).decode().rstrip("="),
        secret.encode().hex(),
    ]


def test_a_password_is_in_nothing_that_is_shown_or_kept(front: Front, server: Server, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text(server.authority.pem)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "password").write_text(CANARY)  # where the notebook got it from
    scheme = "mysql" if isinstance(server, MariaDB) else "postgresql"
    url = f"{scheme}://bird@localhost:{server.port}/{server.database}"
    shown = ""
    for cell in (
        "%load_ext aiser_jupyter",
        "mine = open('elsewhere/password').read(); wrong = mine[::-1]",
        f"%aiser connect {url} --alias nest --ca ca.pem --secret password=mine",
        f"%aiser connect {url} --alias other --ca ca.pem --secret password=wrong",
        "%aiser connections",
        "%aiser test nest",
        "%aiser nest SELECT 1 AS n",
        "%aiser nest SELECT nothing FROM nowhere",
        "%xmode Verbose",
        "%aiser nest SELECT nothing FROM nowhere",
        "%aiser nest SELEC",
        "%aiser history",
        "%aiser last",
        "%aiser tables nest",
        "%aiser forget nest",
    ):
        reply, published = front.run(cell)
        shown += repr(reply) + repr(published)
    front.run("get_ipython().history_manager.writeout_cache()")
    assert "'n'" in shown  # the query ran, with that password
    kept = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    del kept[tmp_path / "elsewhere" / "password"]
    assert any(path.name == "history.sqlite" for path in kept)
    assert any((tmp_path / "store") in path.parents for path in kept)
    pid = front.manager.provisioner.pid
    process = b"".join(Path(f"/proc/{pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    for secret in (CANARY, CANARY[::-1]):
        for form in spellings(secret):
            assert form not in shown
            assert form.encode() not in process
            assert [path for path, content in kept.items() if form.encode() in content] == []
