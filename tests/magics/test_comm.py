from __future__ import annotations

import threading

import pandas as pd
import pytest
from comm.base_comm import BaseComm

from aiser_jupyter.magics.comm import CommTarget


class RecordingComm(BaseComm):
    """The kernel's side of a comm whose front end is a list."""

    def __init__(self) -> None:
        self.sent: list[dict] = []
        super().__init__(target_name=CommTarget.name, primary=False)

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        if msg_type == "comm_msg":
            self.sent.append(data)

    def ask(self, **request):
        self.handle_msg({"content": {"data": request}})
        return self.sent[-1]


@pytest.fixture
def target(magics):
    return CommTarget(magics)


@pytest.fixture
def comm(target):
    opened = RecordingComm()
    target.opened(opened, {})
    return opened


def test_tables_and_columns_of_the_kernel_are_answered(shell, comm):
    shell.user_ns["orders"] = pd.DataFrame({"id": [1, 2]})
    answer = comm.ask(id=1, request="tables")
    assert answer["id"] == 1
    assert [(table["name"], table["rows"]) for table in answer["tables"]] == [("orders", 2)]
    answer = comm.ask(id=2, request="columns", table="orders")
    assert [column["name"] for column in answer["table"]["columns"]] == ["id"]


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"request": "columns", "table": "nothing"}, "unknown_table"),
        ({"request": "tables", "connection": "nowhere"}, "unknown_connection"),
        ({"request": "sing"}, "usage"),
        ({}, "usage"),
    ],
)
def test_an_error_is_an_answer(comm, request_, code):
    answer = comm.ask(id="a", **request_)
    assert answer["id"] == "a"
    assert answer["error"]["error_code"] == code
    assert answer["error"]["error"]


@pytest.mark.parametrize("data", [None, [], "tables", 3])
def test_what_is_no_request_is_answered(comm, data):
    comm.handle_msg({"content": {"data": data}})
    (answer,) = comm.sent
    assert answer["id"] is None
    assert answer["error"]["error_code"] == "usage"
    assert type(data).__name__ in answer["error"]["error"]
    assert answer["error"]["hint"]


def test_events_reach_every_open_comm_and_no_closed_one(target, comm):
    other = RecordingComm()
    target.opened(other, {})
    target.after_cell()
    other.handle_close({})
    target.push("history")
    assert comm.sent == [{"event": "changed"}, {"event": "history"}]
    assert other.sent == [{"event": "changed"}]


def test_many_threads_may_ask(shell, comm):
    for i in range(20):
        shell.user_ns[f"frame_{i}"] = pd.DataFrame({"id": [i]})
    comm.ask(id=0, request="tables")
    threads = [threading.Thread(target=comm.ask, kwargs={"id": i, "request": "tables"}) for i in range(1, 9)]
    for thread in threads:
        thread.start()
    for i in range(200):
        shell.user_ns[f"other_{i}"] = i
    for thread in threads:
        thread.join()
    assert sorted(answer["id"] for answer in comm.sent) == list(range(9))
    assert {len(answer["tables"]) for answer in comm.sent} == {20}


class DefectiveMagics:
    """What ``CommTarget`` asks of the magics, with a defect that no error type stands for."""

    def __init__(self, services):
        self.services = services

    def frames(self):
        return 1 / 0


def test_a_defect_is_an_answer_too(magics, caplog):
    comm = RecordingComm()
    CommTarget(DefectiveMagics(magics.services)).opened(comm, {})
    answer = comm.ask(id=7, request="tables")
    assert answer["id"] == 7
    assert "ZeroDivisionError" in answer["error"]["error"]
    (record,) = [each for each in caplog.records if each.name == "aiser_jupyter.magics.comm"]
    assert record.getMessage() == "A request of the panel failed"
    assert record.exc_info[0] is ZeroDivisionError
