"""The variables, DataFrames and saved queries that one use of the magic means, and what it says of others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aiser_jupyter.errors import UnknownTable, UsageError, nearest


def test_a_call_in_a_function_sees_the_variables_of_the_function(run: Any) -> None:
    run("k = 1\npeople = None")
    run("import pandas as pd")
    run(
        "def total(k):\n"
        "    people = pd.DataFrame({'n': [k, k]})\n"
        "    found = %aiser --quiet SELECT sum(n) + {{ k }} AS total FROM people\n"
        "    return found.df().total[0]"
    )
    assert run("total(10)") == 30


def test_a_saved_query_that_reads_a_table_of_its_name_is_applied_once(run: Any) -> None:
    run("import pandas as pd\nt = pd.DataFrame({'n': [1]})")
    for _ in range(2):
        assert run("%aiser --save t SELECT n + 1 AS n FROM t").df().n.tolist() == [2]
    assert run("%aiser SELECT n FROM t").df().n.tolist() == [2]


def test_what_fails_is_not_saved_and_replaces_nothing(run: Any) -> None:
    run("%aiser --save base SELECT 1 AS n")
    with pytest.raises(UnknownTable):
        run("%aiser --save base SELECT n + 1 AS n FROM base")
    run("%aiser --save upper SELECT n FROM base")
    with pytest.raises(UsageError, match="base → upper → base"):
        run("%aiser --save base SELECT n FROM upper")
    assert run("%aiser SELECT n FROM upper").df().n.tolist() == [1]


def test_an_index_that_is_not_read_is_said(run: Any) -> None:
    run("import pandas as pd\nprices = pd.DataFrame({'v': [1]}, index=pd.Index(['p'], name='key'))")
    (notice,) = run("%aiser SELECT * FROM prices").notices
    assert "prices.reset_index()" in notice.message
    run("prices = prices.reset_index()")
    assert run("%aiser SELECT * FROM prices").notices == ()


def test_a_frame_that_is_named_in_a_text_is_not_called_unknown(run: Any) -> None:
    run("import pandas as pd\npeople = pd.DataFrame({'n': [1]})")
    with pytest.raises(UnknownTable) as failed:
        run("%aiser SELECT * FROM query_table('people')")
    assert failed.value.hint.endswith("FROM people.")
    with pytest.raises(UnknownTable) as failed:
        run("%aiser SELECT * FROM peopel")
    assert failed.value.hint == "Did you mean 'people'?"


def test_an_unknown_table_says_where_to_look() -> None:
    where = "In a notebook, %aiser tables lists what there is."
    assert UnknownTable("There is no table 'zzz'.").hint == where
    many = nearest("zzz", [f"t{i}" for i in range(20)], noun="tables")
    assert UnknownTable("There is no table 'zzz'.", hint=many).hint == f"{many} {where}"
    assert UnknownTable("There is no table 'a'.", hint="Did you mean 'b'?").hint == "Did you mean 'b'?"


def test_a_folder_gives_the_columns_of_all_its_files(run: Any) -> None:
    Path("years").mkdir()
    pd.DataFrame({"x": [1]}).to_parquet("years/a.parquet")
    pd.DataFrame({"x": [2], "y": [3]}).to_parquet("years/b.parquet")
    rows = run("%aiser SELECT x, y FROM 'years' ORDER BY x").table.to_pylist()
    assert rows == [{"x": 1, "y": None}, {"x": 2, "y": 3}]


def test_a_folder_of_folders_says_how_to_name_its_files(run: Any) -> None:
    Path("hive/year=2024").mkdir(parents=True)
    pd.DataFrame({"x": [1]}).to_parquet("hive/year=2024/a.parquet")
    with pytest.raises(UnknownTable) as failed:
        run("%aiser SELECT * FROM 'hive'")
    assert "'hive/**/*.parquet'" in failed.value.hint
    assert run("%aiser SELECT year FROM 'hive/**/*.parquet'").row_count == 1


def test_a_file_that_is_not_utf8_says_how_to_read_it(run: Any) -> None:
    Path("latin.csv").write_bytes("name,v\nJosé,1\n".encode("latin-1"))
    with pytest.raises(Exception, match="not UTF-8") as failed:
        run("%aiser SELECT * FROM 'latin.csv'")
    call = "read_csv('latin.csv', encoding='latin-1')"
    assert call in str(failed.value)
    assert run(f"%aiser SELECT name FROM {call}").df().name.tolist() == ["José"]


def test_profile_says_where_it_cannot(run: Any) -> None:
    run(
        "import sqlite3\ncrm = sqlite3.connect(':memory:', check_same_thread=False)\n"
        "crm.execute('CREATE TABLE c (i INTEGER)')"
    )
    with pytest.raises(UsageError, match="crm cannot summarise"):
        run("%aiser profile c --connection crm")


def test_a_plan_is_shown_whole(run: Any, shell: Any) -> None:
    result = run("%aiser EXPLAIN SELECT count(*) FROM range(10)")
    formats, _ = shell.display_formatter.format(result)
    for text in formats.values():
        assert "RANGE" in text.upper()
        assert len(text.splitlines()) > 5


def test_cancelling_an_unknown_run_names_it(run: Any) -> None:
    assert "No run zzz" in repr(run("%aiser cancel zzz"))
