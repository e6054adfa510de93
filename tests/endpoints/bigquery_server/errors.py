"""An error as BigQuery answers it."""

from __future__ import annotations

from typing import Any

STATUS = {
    "accessDenied": 403,
    "accessNotConfigured": 403,
    "authError": 401,
    "backendError": 503,
    "billingNotEnabled": 403,
    "duplicate": 409,
    "internalError": 500,
    "notFound": 404,
    "quotaExceeded": 403,
    "rateLimitExceeded": 403,
    "responseTooLarge": 403,
    "stopped": 499,
}
"""HTTP status by reason; 400 for any other."""


class Refused(Exception):
    """What a request, or a job, failed with."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message
        self.status = STATUS.get(reason, 400)

    @property
    def result(self) -> dict[str, Any]:
        """As the status of a job has it."""
        return {"reason": self.reason, "message": self.message, "location": "query"}

    @property
    def body(self) -> dict[str, Any]:
        """As an answer has it."""
        error = {"domain": "global", **self.result}
        return {"error": {"code": self.status, "message": self.message, "errors": [error]}}
