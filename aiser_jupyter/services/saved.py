"""Saved queries: texts that later queries of this process may name like tables.

A query that is being saved reads the table of its own name, not an earlier text under that name: else running
the same cell twice would apply it twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock

from ..errors import UsageError
from ..models import Query

__all__ = ["SavedQueries"]


class SavedQueries:
    """Texts by name, for one process."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._lock = Lock()

    def all(self) -> Mapping[str, str]:
        """Return the texts by name."""
        with self._lock:
            return dict(self._texts)

    def keep(self, name: str, text: str) -> None:
        """Keep ``text`` under ``name``. Raises as `check` does, and then replaces nothing."""
        self.check(name, text)
        with self._lock:
            self._texts[name] = text

    def check(self, name: str, text: str) -> None:
        """Refuse what could not be used later.

        Raises
        ------
        UsageError
            The name is not one, or the queries would use each other in a circle.
        """
        from ..sql import needed

        if not (name.isidentifier() and name.isascii()):
            raise UsageError(f"{name!r} cannot name a query.", hint="Use letters, digits and _.")
        needed(text, {**self.all(), name: text}, (name,))

    def chained(self, query: Query, dialect: str) -> dict[str, str]:
        """Return the texts to put in front of ``query``: those asked for, and those its text names.

        Raises
        ------
        NotFound
            One that is asked for is not saved.
        UsageError
            ``query`` is to be saved, and cannot be.
        """
        from ..sql import needed

        if query.save:
            self.check(query.save, query.text)
        texts = {name: text for name, text in self.all().items() if name != query.save}
        found = needed(query.text, texts, query.with_)
        if texts:  # those that the text names are found without --with
            found |= needed(query.text, texts, dialect=dialect)
        return found
