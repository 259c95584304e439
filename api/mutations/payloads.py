"""What every mutation answers, and how a write is carried out for it.

Expected failures travel in the payload. After a write, matching catches up with the log before the
payload is built, so that the caller's next query knows what it has just done.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Annotated, Any

import strawberry

from api.context import ApiInfo
from api.errors import ErrorCode, UserError
from api.scalars import BigInt
from api.types.enums import RowStatus
from core.entities import IdempotencyKey, RowResult, WriteResult
from core.errors import ForbiddenError, InputError

MOST_ROWS = 1_000
_LONGEST_KEY = 200

Write = Callable[[IdempotencyKey | None], Awaitable[WriteResult]]

IdempotencyKeyArgument = Annotated[
    str | None,
    strawberry.argument(
        name="idempotencyKey",
        description="The same key with the same input is carried out once and answered alike; "
        "with other input it is an error. Kept for a week.",
    ),
]


ROW = strawberry.argument(description="What to write.")
ROWS = strawberry.argument(description="What to write, in this order; 1,000 rows at most.")
AnId = Annotated[strawberry.ID, strawberry.argument(description="Its id or externalId.")]
Ids = Annotated[
    list[strawberry.ID], strawberry.argument(description="Their ids or externalIds; 1,000 at most.")
]


@strawberry.type(description="What became of one row of a bulk mutation.")
class RowOutcome:
    """One row, in the order of the input."""

    external_id: strawberry.ID = strawberry.field(description="Of the row's entity.")
    status: RowStatus = strawberry.field(description="What was done.")
    errors: list[UserError] = strawberry.field(description="Why it failed; else empty.")

    @classmethod
    def from_domain(cls, row: RowResult, index: int) -> RowOutcome:
        """Translate the result of the row at ``index``."""
        return cls(
            external_id=strawberry.ID(row.id),
            status=row.status,
            errors=[UserError.from_row(row.error, index)] if row.error else [],
        )


@strawberry.interface(description="What every mutation answers.")
class Payload:
    """The common part of payloads."""

    errors: list[UserError] = strawberry.field(
        description="Expected failures; empty when all went well."
    )
    seq: BigInt | None = strawberry.field(
        description="The event log after the write, for atLeastSeq; null when nothing was written "
        "to it (API keys are not in it)."
    )


@strawberry.interface(description="What every mutation of one row answers.")
class RowPayload(Payload):
    """The common part of payloads of one row."""

    status: RowStatus = strawberry.field(description="What was done.")


@strawberry.type(description="What a delete answers.")
class DeletePayload(RowPayload):
    """A deleted entity."""

    deleted_external_id: strawberry.ID | None = strawberry.field(
        description="Of what is deleted now; null when that failed."
    )


@strawberry.type(description="What a bulk mutation answers: an outcome for each row.")
class BulkPayload(Payload):
    """Outcomes of many rows."""

    results: list[RowOutcome] = strawberry.field(
        description="In the order of the input; empty when the input was refused as a whole."
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Written:
    """What came of a write: its result, or why it was refused as a whole."""

    result: WriteResult | None
    errors: list[UserError]

    @property
    def seq(self) -> BigInt | None:
        """The log after the write."""
        return BigInt(self.result.seq) if self.result else None

    @property
    def row(self) -> RowResult | None:
        """The result of the first row."""
        return self.result.rows[0] if self.result and self.result.rows else None

    @property
    def status(self) -> RowStatus:
        """What was done with the first row."""
        return self.row.status if self.row else RowStatus.FAILED

    def row_errors(self) -> list[UserError]:
        """Why the only row failed, or why all was refused."""
        if self.row is not None and self.row.error is not None:
            return [UserError.from_row(self.row.error)]
        return self.errors

    def done_id(self) -> str | None:
        """The id of the only row when it did not fail."""
        row = self.row
        return row.id if row is not None and row.status is not RowStatus.FAILED else None


async def carry_out(
    info: ApiInfo,
    name: str,
    key: str | None,
    write: Write,
    *,
    rows: Sequence[object] = (),
) -> Written:
    """Write, and let matching catch up.

    Args:
        info: of the resolver.
        name: the mutation's, which its idempotency keys belong to.
        key: the idempotency key, if any.
        write: the write itself.
        rows: the input of a bulk mutation, whose number is bounded.
    """
    try:
        _check(rows, key)
        result = await write(info.context.idempotency(name, key))
    except InputError as error:
        return Written(None, [UserError.from_error(error)])
    except ForbiddenError as error:
        refusal = UserError(
            code=ErrorCode.FORBIDDEN, field=["input", *error.field], message=str(error)
        )
        return Written(None, [refusal])
    await info.context.services.matching.refresh()
    return Written(result, [])


def bulk_payload(written: Written) -> BulkPayload:
    """The payload of a bulk mutation."""
    rows = written.result.rows if written.result else ()
    results = [RowOutcome.from_domain(row, index) for index, row in enumerate(rows)]
    return BulkPayload(errors=written.errors, seq=written.seq, results=results)


def delete_payload(written: Written) -> DeletePayload:
    """The payload of a delete."""
    done = written.done_id()
    return DeletePayload(
        errors=written.row_errors(),
        seq=written.seq,
        status=written.status,
        deleted_external_id=strawberry.ID(done) if done is not None else None,
    )


def given_fields(input_: Any) -> dict[str, Any]:
    """The fields of an input object that were given, by their Python names; null stays None."""
    return {
        field.name: value
        for field in dataclasses.fields(input_)
        if (value := getattr(input_, field.name)) is not strawberry.UNSET
    }


def renamed(row: Mapping[str, Any], **names: str) -> dict[str, Any]:
    """The row with some of its keys under other names."""
    return {names.get(key, key): value for key, value in row.items()}


def _check(rows: Sequence[object], key: str | None) -> None:
    if len(rows) > MOST_ROWS:
        raise InputError(
            f"The input has {len(rows)} rows; {MOST_ROWS} are the most.",
            mend="Send it in parts.",
            field=("input",),
        )
    if key is not None and not 0 < len(key) <= _LONGEST_KEY:
        raise InputError(
            f"An idempotency key has 1 to {_LONGEST_KEY} characters.", field=("idempotencyKey",)
        )
