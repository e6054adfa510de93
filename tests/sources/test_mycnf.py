from __future__ import annotations

import pytest

from aiser_jupyter.sources.importing import import_connections

MY_CNF = r"""
; a comment
!includedir /etc/mysql/conf.d/
[mysqld]
port = 3307
[client]
user = "ann"
password = 'p#ss\"w\\rd\s' # a comment
loose-local-infile=1
[client-prod]
host = db.example.com
port = 6000   # other
database = shop
password = "it's \# x"
connect-timeout = 5
ssl-mode = VERIFY_IDENTITY
[client_same]
database = crm
[client-other]
host = other.example.com
skip-ssl
[client-socket]
host = db
protocol = SOCKET
[client-certificate]
host = db
password = x
ssl_cert = /etc/ssl/me.pem
[client-weak]
host = db
password = x
ssl-verify-server-cert = 0
[mysql
host = canary
[client-ask]
host = db
password: canary
password
"""


@pytest.fixture
def found(tmp_path, kinds):
    path = tmp_path / ".my.cnf"
    path.write_text(MY_CNF)
    path.chmod(0o600)
    return {entry.config.name: entry for entry in import_connections(path, kinds=kinds)}


def test_values_are_read_as_the_clients_do(found):
    values = found["prod"].config.values
    wanted = {"host": "db.example.com", "port": 6000, "database": "shop", "username": "ann", "timeout": 5}
    assert {name: values[name] for name in wanted} == wanted
    assert values["ssl_enabled"] is True
    assert values["password"].reveal() == r"it's \# x"
    assert found["client"].config.values["password"].reveal() == 'p#ss"w\\rd '


def test_what_a_group_does_not_say_is_that_of_client(found):
    same, client = found["same"].config.values, found["client"].config.values
    assert same == {**client, "database": "crm"}
    assert same["host"] == "localhost"
    assert "No host is given: localhost is asked, over TCP." in found["same"].notices


def test_a_password_does_not_go_to_another_server(found):
    other = found["other"]
    assert "password" not in other.config.values
    assert other.config.values["username"] == "ann"
    assert other.config.values["ssl_enabled"] is False
    assert "The password of [client] was not taken over: it is for another server." in other.notices
    assert "password" not in found["ask"].config.values


def test_what_is_not_used_is_said(found):
    assert "Not used: local_infile." in found["client"].notices
    assert found["line_3"].problem == "Line 3: !includedir is not followed: import that file by itself."
    assert "does not end with ]" in found["line_33"].problem
    assert found["line_37"].problem == "Line 37: It is not an option."


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("socket", "It is reached through a Unix socket"),
        ("certificate", "The option 'ssl_cert' is not allowed: a client's certificate and key are given"),
        ("weak", "The option 'ssl_verify_server_cert' cannot be off"),
    ],
)
def test_what_cannot_be_is_said(found, name, reason):
    assert found[name].problem.startswith(reason)


def test_other_groups_are_not_ours(found):
    assert "canary" not in repr(found)
    assert {name for name in found if not found[name].problem} == {"client", "prod", "same", "other", "ask"}


def test_the_authoritys_certificate_is_read(tmp_path, kinds, certificate):
    path = tmp_path / "my.cnf"
    path.write_text(
        f"port=1\n[client-a]\nhost=db\nuser=ann\nssl-ca={certificate}\n"
        f"[client-b]\nhost=db\nuser=ann\nssl-ca={tmp_path}/none.pem\n"
        "[client-c]\nhost=db\nuser=ann\nssl-ca=company.pem\n"
    )
    before, a, b, c = import_connections(path, kinds=kinds)
    assert before.problem == "Line 1: An option stands before the first group."
    assert "BEGIN CERTIFICATE" in a.config.values["ssl_ca"]
    assert "PRIVATE" not in a.config.values["ssl_ca"]
    assert b.problem.startswith("There is no file")
    assert "needs the absolute path" in c.problem


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("plain", "plain"),
        ("a b", "a b"),
        ('"a#b" # c', "a#b"),
        ("a#b", "a"),
        (r'"a\"b#c"', 'a"b#c'),
        (r"'a\nb\tc'", "a\nb\tc"),
        (r"'a\qb'", r"a\qb"),
        ("'a\"", "'a\""),
        ("a=b", "a=b"),
        ("'", "'"),
        ("密码", "密码"),
    ],
)
def test_quotes_and_escapes(tmp_path, kinds, written, read):
    path = tmp_path / "my.cnf"
    path.write_text(f"[client]\nuser = ann\npassword ={written}\n")
    (found,) = import_connections(path, kinds=kinds)
    assert found.config.values["password"].reveal() == read
