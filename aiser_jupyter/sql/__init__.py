"""Text to meaning. sqlglot is imported only below this folder, and only when a text is parsed."""

from __future__ import annotations

from .compose import needed, with_queries
from .parameters import Bound, bind
from .parse import fingerprint, parse
from .redact import redact
from .rewrite import Scan, limit, pushdown, transpile
from .statement import Features, Statement

__all__ = [
    "Bound",
    "Features",
    "Scan",
    "Statement",
    "bind",
    "fingerprint",
    "limit",
    "needed",
    "parse",
    "pushdown",
    "redact",
    "transpile",
    "with_queries",
]
