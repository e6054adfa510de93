"""A small front end for a real kernel."""

from __future__ import annotations

import queue
import time

from jupyter_client.manager import KernelManager


class Front:
    """A small front end: runs a cell and keeps what the kernel publishes."""

    def __init__(self, manager: KernelManager) -> None:
        self.manager = manager
        self.client = manager.blocking_client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)

    def run(self, code: str, interrupt_after: float | None = None) -> tuple[dict, list[dict]]:
        """Return the reply and the messages; ``interrupt_after`` seconds the kernel is interrupted."""
        began = time.monotonic()
        request = self.client.execute(code)
        published = []
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=0.1)
            except queue.Empty:
                assert time.monotonic() - began < 60, published
            else:
                if message["parent_header"].get("msg_id") == request:
                    published.append(message)
                    if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
                        break
            if interrupt_after is not None and time.monotonic() - began > interrupt_after:
                self.manager.interrupt_kernel()
                interrupt_after = None
        return self.reply(request), published

    def reply(self, request: str) -> dict:
        """Return the answer to one request; answers to others are dropped."""
        while True:
            message = self.client.get_shell_msg(timeout=30)
            if message["parent_header"].get("msg_id") == request:
                return message["content"]

    def comm(self, comm_id: str, kind: str, **content: object) -> None:
        message = self.client.session.msg(kind, {"comm_id": comm_id, **content})
        self.client.shell_channel.send(message)

    def comm_messages(self, comm_id: str, count: int) -> list[dict]:
        found: list[dict] = []
        deadline = time.monotonic() + 30
        while len(found) < count and time.monotonic() < deadline:
            message = self.client.get_iopub_msg(timeout=30)
            if message["msg_type"] == "comm_msg" and message["content"]["comm_id"] == comm_id:
                found.append(message["content"]["data"])
        return found
