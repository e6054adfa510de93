"""Numbers of the configuration: traitlets takes ``true`` for 1, and NaN for a number. These do not."""

from __future__ import annotations

import math
from typing import Any

from traitlets import Float, Int

__all__ = ["Count", "Number"]


class Count(Int[int, Any]):
    """A whole number; ``true`` is none."""

    def validate(self, obj: Any, value: Any) -> Any:
        if isinstance(value, bool):
            self.error(obj, value)
        return super().validate(obj, value)


class Number(Float[float, Any]):
    """A finite number; ``true`` is none."""

    def validate(self, obj: Any, value: Any) -> Any:
        if isinstance(value, bool) or (isinstance(value, float) and not math.isfinite(value)):
            self.error(obj, value)
        return super().validate(obj, value)
