"""The one error tree for talking to remote systems; each class says what to do next.

Raise and catch these, never a library's exception. `str(error)` is a sentence fit for the
people who read the outgoing-changes page: no secret and no personal data is in it.
"""

from __future__ import annotations

from backoffice.remote.redact import one_line, redact

WORDS_LENGTH = 300


class RemoteError(Exception):
    """Something between us and a remote system went wrong; the subclass says what to do."""

    def __init__(
        self,
        reason: str,
        *,
        connection: str = "",
        operation: str = "",
        status: int | None = None,
        request_id: str = "",
        excerpt: str = "",
        words: str = "",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.connection = connection
        self.operation = operation
        self.status = status
        self.keep_evidence(request_id=request_id, excerpt=excerpt, words=words)

    def keep_evidence(self, *, request_id: str, excerpt: str, words: str) -> None:
        """Stores what came back, with secrets and personal data masked."""
        self.request_id = one_line(redact(request_id))[:100]
        #: The start of the answer's body.
        self.excerpt = one_line(redact(excerpt))[:WORDS_LENGTH]
        #: The remote system's own message, to be shown beside our reason.
        self.words = one_line(redact(words))[:WORDS_LENGTH]

    def __str__(self) -> str:
        where = ", ".join(part for part in (self.connection, self.operation) if part)
        text = f"{where}: {self.reason}" if where else self.reason
        if self.status is not None:
            text += f" (HTTP {self.status})"
        if self.words:
            text += f". Its words: “{self.words}”"
        return text


class RetryLater(RemoteError):
    """Not applied for sure, or only a read: the same call may simply be made again later."""

    #: Seconds the remote system or our own limit asked us to wait, when known.
    after: float | None = None

    @classmethod
    def in_seconds(cls, reason: str, after: float | None) -> RetryLater:
        """An error that knows how long to wait; the session adds connection and operation."""
        error = cls(reason)
        error.after = after
        return error


class RateLimited(RetryLater):
    """The remote system asked us to slow down: pause the connection, count no attempt."""


class OutcomeUnknown(RemoteError):
    """A write may or may not have landed: look before sending it again."""


class Rejected(RemoteError):
    """The remote system said no: a person must change something first."""


class Gone(Rejected):
    """The record this call is about does not exist there (any more)."""


class RemoteConflict(Rejected):
    """The remote system holds something newer or already has such a record."""


class ConnectionBroken(RemoteError):
    """Wrong credentials, address or configuration: pause the connection, keep every row."""


class StaleCredential(ConnectionBroken):
    """It refused a signature or token for its age or its use, and did nothing: one made anew may pass."""


class BadResponse(RemoteError):
    """A read was answered with something that is not what this API speaks."""
