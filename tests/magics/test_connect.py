"""Connections from a cell: the password is asked for, and is in none of what a notebook keeps."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from typing import Any

import pytest

from aiser_jupyter.errors import ConfigError, SignInRequired, UsageError
from tests.endpoints.redshift import Redshift
from tests.endpoints.redshift_server import CLUSTER, KEYS, REGION
from tests.servers.postgresql import PostgreSQL

CANARY = "k4nary-9f2e correct/horse?battery"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[str]]:
    """Answer what the front end is asked; the list holds the questions."""
    questions: list[str] = []

    def answer(text: str) -> list[str]:
        def ask(prompt: str = "") -> str:
            questions.append(prompt)
            return text

        # As a kernel does: what stands behind getpass is the front end.
        monkeypatch.setattr(getpass, "getpass", ask)
        return questions

    return answer


@pytest.fixture
def url(postgresql: PostgreSQL, tmp_path: Any) -> str:
    (tmp_path / "ca.pem").write_text(postgresql.authority.pem)
    return f"postgresql://ann@localhost:{postgresql.port}/shop --ca {tmp_path / 'ca.pem'}"


def test_the_password_is_asked_for_once(
    run: Any, asked: Callable[[str], list[str]], url: str, postgresql: PostgreSQL
) -> None:
    questions = asked(postgresql.password)
    listing = run(f"%aiser connect {url} --alias warehouse")
    assert questions == ["Password of ann@localhost: "]
    assert listing.rows[0][:2] == ("warehouse", "postgresql")
    assert run("%aiser warehouse SELECT current_user AS who").arrow().to_pylist() == [{"who": "ann"}]
    run(f"%aiser connect {url} --alias warehouse")  # the notebook again, from the top
    assert len(questions) == 1


def test_what_needs_the_browser_says_where_and_saves_nothing(
    run: Any, asked: Callable[[str], list[str]]
) -> None:
    questions = asked("a secret")
    url = "databricks://x.cloud.databricks.com?http_path=/sql/1.0/warehouses/a1b2&auth_type=oauth_u2m"
    with pytest.raises(SignInRequired, match="browser") as said:
        run(f"%aiser connect {url} --alias lake")
    assert "Aiser panel" in said.value.hint
    assert questions == []
    assert [row[0] for row in run("%aiser connections").rows] == ["local"]


def test_a_profile_of_aws_has_what_is_asked_for_else(
    run: Any, asked: Callable[[str], list[str]], redshift: Redshift, tmp_path: Any, monkeypatch: Any
) -> None:
    """The profile's keys open the connection, are saved with it, and are shown nowhere."""
    questions = asked("")
    key, (secret, _) = next(iter(KEYS.items()))
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text(f"[profile work]\nregion = {REGION}\n")
    credentials = tmp_path / ".aws" / "credentials"
    credentials.write_text(f"[work]\naws_access_key_id = {key}\naws_secret_access_key = {secret}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "ca.pem").write_text(redshift.authority.pem)
    place = f"cluster_identifier={CLUSTER}&db_user=ann&endpoint_url={redshift.api}&profile=work"
    url = f"redshift://127.0.0.1:{redshift.port}/{redshift.database}?{place}"
    listing = run(f"%aiser connect {url} --alias warehouse --ca {tmp_path / 'ca.pem'}")
    credentials.unlink()  # it is read once
    (row,) = run("%aiser warehouse SELECT current_user::varchar AS who").arrow().to_pylist()
    assert (row, questions) == ({"who": "IAM:ann"}, [])
    assert secret not in repr(listing) + json.dumps(listing._repr_mimebundle_())


def test_a_variable_may_hold_it(run: Any, shell: Any, url: str, postgresql: PostgreSQL) -> None:
    shell.user_ns["mine"] = postgresql.password
    run(f"%aiser connect {url} --alias warehouse --secret password=mine")
    assert run("%aiser warehouse SELECT 1 AS n").row_count == 1


def test_a_wrong_password_saves_nothing_and_shows_nothing(
    run: Any, asked: Callable[[str], list[str]], url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(CANARY)
    with pytest.raises(ConfigError, match="login failed") as caught:
        run(f"%aiser connect {url} --alias warehouse")
    assert [name for name, *_ in run("%aiser connections")] == ["local"]
    printed = capsys.readouterr()
    assert CANARY not in printed.out + printed.err + str(caught.value)


def test_a_password_in_the_url_is_refused(run: Any) -> None:
    with pytest.raises(UsageError, match="stays in the notebook") as caught:
        run("%aiser connect postgresql://ann:hunter2@localhost/shop --alias warehouse")
    assert "hunter2" not in str(caught.value)


def test_nobody_to_ask_is_said(run: Any, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(prompt: str = "") -> str:
        raise NotImplementedError("this front end cannot be asked")

    monkeypatch.setattr(getpass, "getpass", refuse)
    with pytest.raises(UsageError, match="nobody can be asked") as caught:
        run(f"%aiser connect {url} --alias warehouse")
    assert "--secret password=VARIABLE" in caught.value.hint


def test_no_secret_is_in_what_is_listed(
    run: Any, asked: Callable[[str], list[str]], url: str, postgresql: PostgreSQL, store_directory: Any
) -> None:
    asked(postgresql.password)
    listing = run(f"%aiser connect {url} --alias warehouse")
    shown = repr(listing) + json.dumps(listing._repr_mimebundle_()) + repr(run("%aiser connections"))
    assert postgresql.password not in shown
    kept = b"".join(path.read_bytes() for path in store_directory.rglob("*") if path.is_file())
    assert postgresql.password.encode() not in kept


def test_the_catalog_is_listed_and_searched(
    run: Any, asked: Callable[[str], list[str]], url: str, postgresql: PostgreSQL
) -> None:
    asked(postgresql.password)
    for statement in (
        "CREATE SCHEMA looked_at AUTHORIZATION ann",
        "CREATE TABLE looked_at.clients (id int PRIMARY KEY, surname text)",
        "COMMENT ON COLUMN looked_at.clients.surname IS 'of the family'",
        "CREATE TABLE looked_at.bills (id int PRIMARY KEY, client int REFERENCES looked_at.clients)",
        "GRANT SELECT ON ALL TABLES IN SCHEMA looked_at TO ann",
    ):
        postgresql.admin(statement, database="shop")
    try:
        run(f"%aiser connect {url} --alias warehouse")
        assert ("looked_at",) in list(run("%aiser schemas warehouse"))
        tables = run("%aiser tables warehouse --schema looked_at")
        assert [name for name, *_ in tables] == ["bills", "clients"]
        columns = run("%aiser columns looked_at.bills --connection warehouse")
        assert [row[:4] for row in columns] == [
            ("id", "integer", False, "primary"),
            ("client", "integer", True, "→ looked_at.clients.id"),
        ]
        found = run("%aiser search family --connection warehouse")
        assert [row[:2] for row in found] == [("looked_at.clients", "surname")]
    finally:
        postgresql.admin("DROP SCHEMA looked_at CASCADE", database="shop")
