"""A configuration of gcloud (``configurations/config_default``): its project, for BigQuery.

It holds no key. The connection signs in as the machine's application default says, where that is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import ConfigError
from .draft import Draft
from .ini import sections_of

__all__ = ["drafts"]


def drafts(text: str) -> Iterator[Draft]:
    """Yield the one connection that the file stands for.

    Raises
    ------
    ConfigError
        It is not an INI file.
    """
    parser = sections_of(text, default_section="")
    project = parser.get("core", "project", fallback="")
    if not project:
        missing = ConfigError("It names no project.", hint="gcloud config set project PROJECT")
        yield Draft("bigquery", "bigquery", problem=missing)
        return
    account = parser.get("core", "account", fallback="")
    notices = [f"Signs in with the application default, not as {account}."] if account else []
    values = {"project": project, "sign_in": "application_default"}
    yield Draft(project, "bigquery", values, notices=tuple(notices))
