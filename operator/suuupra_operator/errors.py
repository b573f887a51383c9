"""What can go wrong, told apart by what helps: trying again, or somebody changing something."""

from __future__ import annotations


class OperatorError(Exception):
    """Base of the operator's own errors; the text is fit for a condition's message."""

    reason = "Failed"


class Temporary(OperatorError):
    """Passes by itself: a server that is away, a conflict, a timeout. Tried again with growing pauses."""

    reason = "Retrying"


class Pending(Temporary):
    """Goes well and is not through yet: looked at again soon, and no reason to grow pauses."""

    reason = "Pending"


class Permanent(OperatorError):
    """Stays until somebody changes the resource or what is around it. Not tried again by itself."""

    reason = "Refused"


class Conflict(Permanent):
    """Another has what the resource asks for: one of the two gives way."""

    reason = "ResourceConflict"


class ServerMissing(Permanent):
    """The platform names no server for what the resource asks for."""

    def __init__(self, server: str, text: str) -> None:
        super().__init__(text)
        self.reason = f"{server}Missing"


class Unreachable(Temporary):
    """A backing server does not answer."""

    def __init__(self, server: str, cause: object) -> None:
        super().__init__(f"{server} does not answer: {_short(cause)}")
        self.server = server
        self.reason = f"{server}Unreachable"


class LeadershipLost(Exception):
    """This process is not, or no longer surely, the one that may write."""


class ApiError(OperatorError):
    """The API server refused a request."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message or reason)
        self.status = status
        self.reason = reason or f"Http{status}"

    @property
    def missing(self) -> bool:
        return self.status == 404

    @property
    def conflict(self) -> bool:
        return self.status == 409

    @property
    def forbidden(self) -> bool:
        return self.status == 403

    @property
    def temporary(self) -> bool:
        """Whether the same request may succeed later without anybody changing anything."""
        return self.status in (409, 429) or self.status >= 500


def _short(cause: object) -> str:
    """First line of an error, at most 200 characters: enough to act on, and free of driver chatter."""
    text = str(cause).strip() or type(cause).__name__
    return text.splitlines()[0][:200]
