"""``data/query/{id}/events``: a query as it goes on, told by server-sent events."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web
from tornado.iostream import StreamClosedError

from ... import wire
from ..jobs import Job
from .base import AiserHandler

__all__ = ["EventsHandler"]

HEARTBEAT_SECONDS = 15.0
"""A proxy closes a connection that is silent for long, and who left is noticed by writing."""
EVENTS = "text/event-stream"


class EventsHandler(AiserHandler):
    """GET: an event for each change, the last one named by how the query ended."""

    auth_resource = "aiser:queries"

    def initialize(self, *args: Any, **kwargs: Any) -> None:
        super().initialize(*args, **kwargs)
        self._job: Job | None = None

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if self._job is not None:
            self._job.change()  # the next write fails, and ends the stream now and not at the next heartbeat

    @web.authenticated
    @authorized
    async def get(self, id: str) -> None:
        self._job = job = self.jobs.get(id)
        self.set_header("Content-Type", EVENTS)
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Accel-Buffering", "no")
        with suppress(StreamClosedError), job.followed():
            async for changed in job.changes(HEARTBEAT_SECONDS):
                self.write(_event(job) if changed else ": still here\n\n")
                await self.flush()
        self.finish(set_content_type=EVENTS)


def _event(job: Job) -> str:
    name = str(job.state) if job.ended else "state"
    return f"event: {name}\ndata: {json.dumps(wire.state_json(job), allow_nan=False)}\n\n"
