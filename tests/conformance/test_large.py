"""A result without an end takes little memory, and is a typed error where it does not fit."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.errors import ResultTooLarge
from aiser_jupyter.execution.collect import collect
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run
from aiser_jupyter.secret import Secret

MB = 1_000_000


def used() -> int:
    """Return the bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def test_a_result_past_its_cap_is_an_error_and_takes_little_memory(
    database: Any, config: ConnectionConfig
) -> None:
    with closing(connector(config.type).open(config)) as session:
        session.execute("SELECT 1 AS x", {}, Run("first")).read_all()
        before, run = used(), Run("test", timeout=60)
        with run.on_cancel(session.cancel):
            reader = session.execute(database.endless, {}, run)
            with pytest.raises(ResultTooLarge) as caught:
                collect(reader, run, limit=None, max_bytes=25 * MB, whole=True)
        assert caught.value.rows > 50_000
        assert used() - before < 256 * MB


CHILD = """
import json, resource, sys
from contextlib import closing
from pathlib import Path

from aiser_jupyter.connectors.registry import connector
from aiser_jupyter.errors import ResultTooLarge
from aiser_jupyter.execution.collect import collect
from aiser_jupyter.models import ConnectionConfig
from aiser_jupyter.run import Run

given = json.load(sys.stdin)
kind = connector(given["type"])
values = kind.validate(given["values"]) if given["values"] else {}
config = ConnectionConfig(given["type"], given["name"], values)


def read(sql, **options):
    run = Run("test", timeout=240)
    with closing(kind.open(config)) as session, run.on_cancel(session.cancel):
        return collect(session.execute(sql, {}, run), run, limit=None, **options)


read(given["rows"], max_bytes=None, whole=True)
pages = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (pages + 2**30, pages + 2**30))
try:
    read(given["endless"], max_bytes=250_000_000, whole=True)
except ResultTooLarge as exc:
    print("too large", exc.rows, exc.bytes)
print("cut", bool(read(given["endless"], max_bytes=100_000_000, whole=False).truncated))
(found,) = read("SELECT 42 AS n", max_bytes=None, whole=True).table.column(0).to_pylist()
print("alive", int(found))
"""


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_process_with_one_more_gigabyte_survives_what_does_not_fit(
    database: Any, config: ConnectionConfig
) -> None:
    values = {
        name: value.reveal() if isinstance(value, Secret) else value for name, value in config.values.items()
    }
    given = {
        "type": config.type,
        "name": config.name,
        "values": values,
        "rows": database.rows.format(n=100_000),
        "endless": database.endless,
    }
    child = subprocess.run(
        [sys.executable, "-c", CHILD], input=json.dumps(given), capture_output=True, text=True, timeout=580
    )
    lines = child.stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["too", "cut", "alive"], child.stderr[-2000:]
    _, _, rows, size = lines[0].split()
    assert int(rows) > 500_000
    assert int(size) >= 250_000_000
    assert lines[1:] == ["cut True", "alive 42"]
