"""A table ten times as large does not need ten times the memory: it is streamed, or kept and spilled."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.server import Server

WORKER = """
import json, resource, sys
from traitlets.config import Config
from aiser_jupyter.config import Settings
from aiser_jupyter.models import ConnectionConfig, Query
from aiser_jupyter.services import build

given = json.load(sys.stdin)
settings = Settings(Config({"AiserDuckDB": {"memory_limit": 256 * 1024**2}}))
services = build(settings)
services.connections.create(ConnectionConfig("mysql", "warehouse", given["values"]))
peaks = []
for text in given["texts"]:
    result = services.queries.run(Query(text, max_bytes=8 * 1024**3))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    peaks.append([result.table.column(0)[0].as_py(), peak])
services.close()
print(json.dumps(peaks))
"""


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "text",
    [
        "SELECT count(*), sum(id), max(s) FROM warehouse.{}",
        "SELECT count(*), max(a.s) FROM warehouse.{} a JOIN range(50) r(n) ON a.id % 50 = r.n",
    ],
    ids=["streamed", "kept"],
)
def test_ten_times_the_rows(mysql_data: Server, tmp_path: Path, text: str) -> None:
    with mysql_data.connect() as connection, connection.cursor() as cursor:
        for name, rows in (("fed_small", 500_000), ("fed_large", 5_000_000)):
            cursor.execute(f"CREATE TABLE IF NOT EXISTS {name} (id INT, s VARCHAR(120)) ENGINE=MyISAM")
            cursor.execute(f"SELECT count(*) FROM {name}")
            if cursor.fetchone() == (0,):
                padded = "CONCAT(REPEAT(MD5(seq), 3), seq)"
                cursor.execute(f"INSERT INTO {name} SELECT seq, {padded} FROM seq_1_to_{rows}")
    values = {
        "host": "127.0.0.1",
        "port": mysql_data.port,
        "username": mysql_data.user,
        "password": mysql_data.password,
        "database": mysql_data.database,
        "ssl_ca": mysql_data.authority.pem,
    }
    texts = [text.format("fed_small"), text.format("fed_large")]
    done = subprocess.run(
        [sys.executable, "-c", WORKER],
        input=json.dumps({"values": values, "texts": texts}),
        capture_output=True,
        text=True,
        cwd=tmp_path,
        check=True,
    )
    (small, before), (large, after) = json.loads(done.stdout)
    assert (small, large) == (500_000, 5_000_000)
    print(f"peak {before / 1e6:.0f} MB, then {after / 1e6:.0f} MB")
    assert after - before < 350e6  # the large table is some 550 MB
