"""``AiserExtension``: loads the services into Jupyter Server and holds the threads they block.

The event loop belongs to every kernel and every user of the server, so no service is called on it.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from jupyter_server.extension.application import ExtensionApp
from tornado.ioloop import PeriodicCallback
from traitlets import Float, Int

from ..services import os_identity
from .handlers import routes

if TYPE_CHECKING:
    from ..models import Identity
    from ..services import Services

__all__ = ["AiserExtension"]


class AiserExtension(ExtensionApp):
    """Answers below ``<base_url>aiser``; configured with ``c.AiserExtension``."""

    name = "aiser_jupyter"
    app_name = "AISER"
    load_other_extensions = True

    threads = Int(8, min=1, help="Calls to the store and to databases that may wait at the same time.").tag(
        config=True
    )

    reap_seconds = Float(
        10.0,
        min=0.1,
        help="Seconds between two looks for runs whose kernel died, to stop them at their database.",
    ).tag(config=True)

    def initialize_settings(self) -> None:
        self.executor = ThreadPoolExecutor(self.threads, thread_name_prefix="aiser-server")
        self._services: dict[Identity, Services] = {}
        self._reaper = PeriodicCallback(self._reap, self.reap_seconds * 1000)
        self._reaper.start()

    def initialize_handlers(self) -> None:
        self.handlers.extend(routes())

    def services_for(self, identity: Identity) -> Services:
        """Return the services of one person, built on their first call. Called on the event loop only, so
        that no two calls build them twice; building opens nothing."""
        if (services := self._services.get(identity)) is None:
            from ..services import build

            services = self._services[identity] = build(identity=identity)
        return services

    async def _reap(self) -> None:
        """Look for runs that a dead kernel left, of all who were here and of the server's own account."""
        self.services_for(os_identity())
        for services in tuple(self._services.values()):
            await asyncio.get_running_loop().run_in_executor(self.executor, services.queries.reap)

    async def stop_extension(self) -> None:
        self._reaper.stop()
        for services in self._services.values():
            await asyncio.get_running_loop().run_in_executor(self.executor, services.close)
        self.executor.shutdown(wait=False, cancel_futures=True)
