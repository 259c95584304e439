"""Every failure that Offerpath names, typed once.

Raised deep, translated at the edge: the API turns ``code`` into a GraphQL error code, the command
line prints ``message`` and ``mend`` and exits with ``exit_code``.
"""

from __future__ import annotations

from typing import ClassVar


class OfferpathError(Exception):
    """A failure with a code for programs, a sentence for people and the mend.

    Args:
        message: what is wrong, naming the thing (file, row, id) it is about.
        mend: what the reader can do about it; empty when there is nothing to do.
        field: path of the offending input field, outermost first.
    """

    code: ClassVar[str] = "INTERNAL"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, mend: str = "", field: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend
        self.field = field

    def __str__(self) -> str:
        return f"{self.message} {self.mend}".strip()


class InputError(OfferpathError):
    """The caller's input is not usable as it stands."""

    code = "BAD_INPUT"
    exit_code = 2


class NotFoundError(InputError):
    """No entity has the identifier that was asked for."""

    code = "NOT_FOUND"


class ConflictError(InputError):
    """The write contradicts what the graph holds (a category cycle, a second parent)."""

    code = "CONFLICT"


class IdempotencyConflictError(InputError):
    """An idempotency key came again with another body."""

    code = "IDEMPOTENCY_CONFLICT"


class CursorInvalidError(InputError):
    """A cursor cannot be read, or was made for other arguments."""

    code = "CURSOR_INVALID"


class CursorExpiredError(InputError):
    """The ranking or the log position behind a cursor is gone; start again without it."""

    code = "CURSOR_EXPIRED"


class ShapeError(InputError):
    """Arrays that must agree in shape do not."""

    code = "SHAPE"


class SettingsError(InputError):
    """A setting is missing or malformed."""

    code = "SETTINGS"


class UnauthenticatedError(OfferpathError):
    """No usable credential came with the request."""

    code = "UNAUTHENTICATED"
    exit_code = 2


class ForbiddenError(OfferpathError):
    """The principal may not see or do this."""

    code = "FORBIDDEN"
    exit_code = 2


class GraphUnavailableError(OfferpathError):
    """The graph engine cannot be reached or refused the connection."""

    code = "GRAPH_UNAVAILABLE"


class GraphBusyError(OfferpathError):
    """Another process owns the embedded graph file; ``url`` is where it serves it, if it does."""

    code = "GRAPH_BUSY"
    exit_code = 2

    def __init__(self, message: str, *, mend: str = "", url: str | None = None) -> None:
        super().__init__(message, mend=mend)
        self.url = url


class LeaseLostError(OfferpathError):
    """Another process has taken the lease under which this write was to happen."""

    code = "LEASE_LOST"


class SchemaVersionError(OfferpathError):
    """The graph was written by a newer Offerpath than this one."""

    code = "SCHEMA_VERSION"


class DamagedError(OfferpathError):
    """A published folder (model, snapshot, backup) fails its checksums or its format."""

    code = "DAMAGED"
