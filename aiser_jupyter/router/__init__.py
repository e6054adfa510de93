"""Which engine runs a statement, and why."""

from .router import Router

__all__ = ["Router"]
