"""``openapi.yaml``: the contract itself."""

from __future__ import annotations

from importlib.resources import files

from jupyter_server.auth.decorator import authorized
from tornado import web

from .base import AiserHandler

__all__ = ["OpenapiHandler"]


class OpenapiHandler(AiserHandler):
    """GET: the description of every route."""

    auth_resource = "aiser:monitor"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        text = await self.blocking((files("aiser_jupyter.server") / "openapi.yaml").read_text, "utf-8")
        self.finish(text, set_content_type="application/yaml")
