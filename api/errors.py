"""How failures reach the client: typed errors in payloads, masked errors at the top level."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Any
from uuid import uuid4

import strawberry
from graphql import GraphQLError, GraphQLSyntaxError

from core.entities import RowError
from core.errors import GraphUnavailableError, InputError, OfferpathError

logger = logging.getLogger("offerpath.api")

_SUGGESTION = re.compile(r" Did you mean .*\?$", re.DOTALL)
_TELLABLE = frozenset({"UNAUTHENTICATED", "FORBIDDEN"})


@strawberry.enum(description="What kind of failure a UserError is; decide by this, not by message.")
class ErrorCode(StrEnum):
    """Codes that programs may rely on."""

    BAD_INPUT = "BAD_INPUT"
    NOT_FOUND = "NOT_FOUND"
    CONFLICT = "CONFLICT"
    IDEMPOTENCY_CONFLICT = "IDEMPOTENCY_CONFLICT"
    FORBIDDEN = "FORBIDDEN"
    UNMATCHED = "UNMATCHED"


@strawberry.type(description="An expected failure of a mutation, part of its payload.")
class UserError:
    """Why a mutation, or one of its rows, was not carried out."""

    code: ErrorCode = strawberry.field(description="What kind of failure it is.")
    field: list[str] = strawberry.field(
        description="Path of the offending input field, outermost first; empty: the whole input."
    )
    message: str = strawberry.field(description="A sentence for people.")

    @classmethod
    def from_error(cls, error: InputError) -> UserError:
        """Translate a failure raised by a service."""
        return cls(code=_code(error.code), field=_camel(error.field), message=str(error))

    @classmethod
    def from_row(cls, error: RowError, index: int | None = None) -> UserError:
        """Translate the failure of one row; ``index`` leads the field path of a bulk input."""
        prefix = ["input"] if index is None else ["input", str(index)]
        return cls(
            code=_code(error.code), field=prefix + _camel(error.field), message=error.message
        )


class CostError(OfferpathError):
    """The operation would cost more than the service gives for one."""

    code = "TOO_COSTLY"


def present_errors(errors: Iterable[GraphQLError], *, hints: bool) -> list[GraphQLError]:
    """What a client may read of these errors.

    Internals become "Internal error" with an id that the log has too. Errors of the client's own
    document keep their message; without ``hints`` they lose the names they suggest.
    """
    return [_present(error, hints) for error in errors]


def _present(error: GraphQLError, hints: bool) -> GraphQLError:
    cause = _cause(error)
    if isinstance(cause, OfferpathError):
        return _present_own(error, cause)
    if isinstance(cause, TimeoutError):
        return _with(error, "The operation took too long and was stopped.", {"code": "TIMEOUT"})
    if isinstance(cause, RecursionError):
        return _with(error, "The document is nested too deeply.", {"code": "TOO_COSTLY"})
    if cause is None:
        syntax = isinstance(error, GraphQLSyntaxError)
        code = "GRAPHQL_PARSE_FAILED" if syntax else "GRAPHQL_VALIDATION_FAILED"
        message = error.message if hints else _SUGGESTION.sub("", error.message)
        return _with(error, message, {"code": code, **(error.extensions or {})})
    return _mask(error, cause)


def _present_own(error: GraphQLError, cause: OfferpathError) -> GraphQLError:
    if isinstance(cause, InputError | CostError) or cause.code in _TELLABLE:
        extensions: dict[str, Any] = {"code": cause.code}
        if cause.field:
            extensions["field"] = _camel(cause.field)
        return _with(error, str(cause), extensions)
    if isinstance(cause, GraphUnavailableError):
        logger.error("the graph is unavailable", exc_info=cause)
        return _with(error, "The graph cannot be reached right now.", {"code": cause.code})
    return _mask(error, cause)


def _mask(error: GraphQLError, cause: BaseException) -> GraphQLError:
    error_id = uuid4().hex[:12]
    logger.error("internal error %s at %s", error_id, error.path, exc_info=cause)
    return _with(error, "Internal error.", {"code": "INTERNAL", "errorId": error_id})


def _cause(error: GraphQLError) -> BaseException | None:
    """The first exception below that is not GraphQL's own."""
    cause: BaseException | None = error.original_error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause


def _with(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions=extensions,
    )


def _code(code: str) -> ErrorCode:
    return ErrorCode(code) if code in ErrorCode.__members__ else ErrorCode.BAD_INPUT


_INPUT_NAMES = {"id": "externalId", "price_minor": "price", "unit_price_minor": "unitPrice"}


def _camel(field: Iterable[str]) -> list[str]:
    """Names of the input's fields, as the schema has them."""
    return [_INPUT_NAMES.get(part) or _camel_name(part) for part in field]


def _camel_name(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)
