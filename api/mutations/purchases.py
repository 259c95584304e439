"""Mutations of purchases. A buyer may only buy and cancel for itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from api.context import ApiInfo
from api.ids import Label, external_id_of
from api.mutations.context_input import with_context
from api.mutations.money_input import MoneyInput, price_columns
from api.mutations.payloads import (
    ROW,
    ROWS,
    BulkPayload,
    IdempotencyKeyArgument,
    RowPayload,
    bulk_payload,
    carry_out,
    given_fields,
    renamed,
)
from api.permissions import Requires, buying, check
from api.scalars import BigInt
from api.types.context_value import ContextValueInput
from api.types.purchase import Purchase
from core.entities import IdempotencyKey, Role, WriteResult
from core.errors import InputError


@strawberry.input(description="An order line. A line is recorded once and never changed.")
class RecordPurchaseInput:
    """One line."""

    buyer_id: strawberry.ID = strawberry.field(description="Who bought, by id or externalId.")
    offer_id: strawberry.ID = strawberry.field(description="What, by id or externalId.")
    external_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The line's own identifier; made of its content when absent.",
    )
    order_id: str | None = strawberry.field(
        default=strawberry.UNSET, description="The order that it is a line of."
    )
    at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When; now when absent."
    )
    quantity: BigInt = strawberry.field(default=BigInt(1), description="Units, at least 1.")
    unit_price: MoneyInput | None = strawberry.field(
        default=strawberry.UNSET, description="Paid for one unit."
    )
    context: str | None = strawberry.field(
        default=strawberry.UNSET, description="Whatever else the source says."
    )
    context_values: list[ContextValueInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Under which circumstances, 8 at most; kept as the context, in its place.",
    )
    history: bool = strawberry.field(
        default=False,
        description="True leaves the offer's stock alone: it was counted before. For admins.",
    )

    def to_row(self) -> dict[str, Any]:
        """The row that the store takes.

        Raises:
            InputError: when the price has more decimals than its currency, or a circumstance is
                malformed.
        """
        row = with_context(_without_null_id(renamed(given_fields(self), external_id="id")))
        row["buyer_id"] = external_id_of(self.buyer_id, Label.BUYER)
        row["offer_id"] = external_id_of(self.offer_id, Label.OFFER)
        if "unit_price" in row:
            row |= price_columns(row.pop("unit_price"), "unit_price_minor", "unitPrice")
        return row


@strawberry.input(
    description="What to take back: one line by purchaseId, or a buyer's most recent lines of an "
    "offer by buyerId and offerId."
)
class CancelPurchaseInput:
    """One cancellation."""

    purchase_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The line, by id or externalId."
    )
    buyer_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Who bought, by id or externalId."
    )
    offer_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="What, by id or externalId."
    )
    external_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The cancellation's own identifier; made of its content when absent.",
    )
    at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When; now when absent."
    )
    quantity: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="Units; all that is left when absent."
    )

    def to_row(self) -> dict[str, Any]:
        """The row that the store takes.

        Raises:
            InputError: when neither the line nor buyer and offer are named.
        """
        if not self.purchase_id and not (self.buyer_id and self.offer_id):
            raise InputError(
                "Name what to cancel: purchaseId, or buyerId and offerId.", field=("input",)
            )
        row = _without_null_id(renamed(given_fields(self), external_id="id"))
        for name, label in (
            ("purchase_id", Label.PURCHASE),
            ("buyer_id", Label.BUYER),
            ("offer_id", Label.OFFER),
        ):
            if row.get(name):
                row[name] = external_id_of(row[name], label)
            else:
                row.pop(name, None)
        return row


@strawberry.type(description="What recordPurchase answers.")
class RecordPurchasePayload(RowPayload):
    """The line as it is kept."""

    purchase: Purchase | None = strawberry.field(description="The line; null when it failed.")


@strawberry.type(description="What cancelPurchase answers.")
class CancelPurchasePayload(RowPayload):
    """The cancellation as it is kept."""

    cancellation_id: strawberry.ID | None = strawberry.field(
        description="Its identifier; null when it failed. What found no earlier line is kept and "
        "reported as UNMATCHED."
    )


@strawberry.type
class PurchaseMutations:
    """What can be done with purchases."""

    @strawberry.mutation(
        description="Record an order line. It lowers the offer's stock where that is tracked. For "
        "admins, and buyers for themselves.",
        extensions=[Requires(buying)],
    )
    async def record_purchase(
        self,
        info: ApiInfo,
        input: Annotated[RecordPurchaseInput, ROW],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> RecordPurchasePayload:
        """Record an order line."""
        written = await carry_out(
            info, "recordPurchase", idempotency_key, lambda key: _record(info, [input], key)
        )
        done = written.done_id()
        found = None
        if done is not None:
            found = (await info.context.services.store.get_purchases([done])).get(done)
        return RecordPurchasePayload(
            errors=written.row_errors(),
            seq=written.seq,
            status=written.status,
            purchase=Purchase.from_domain(found) if found else None,
        )

    @strawberry.mutation(
        description="Record up to 1,000 order lines; a row that fails fails alone. For admins, "
        "and buyers for themselves.",
        extensions=[Requires(buying)],
    )
    async def record_purchases(
        self,
        info: ApiInfo,
        input: Annotated[list[RecordPurchaseInput], ROWS],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> BulkPayload:
        """Record many order lines."""
        written = await carry_out(
            info,
            "recordPurchases",
            idempotency_key,
            lambda key: _record(info, input, key),
            rows=input,
        )
        return bulk_payload(written)

    @strawberry.mutation(
        description="Take a purchase back, wholly or in part. For admins, and buyers for "
        "themselves.",
        extensions=[Requires(buying)],
    )
    async def cancel_purchase(
        self,
        info: ApiInfo,
        input: Annotated[CancelPurchaseInput, ROW],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> CancelPurchasePayload:
        """Take a purchase back."""
        written = await carry_out(
            info, "cancelPurchase", idempotency_key, lambda key: _cancel(info, input, key)
        )
        done = written.done_id()
        return CancelPurchasePayload(
            errors=written.row_errors(),
            seq=written.seq,
            status=written.status,
            cancellation_id=strawberry.ID(done) if done is not None else None,
        )


async def _record(
    info: ApiInfo, inputs: Sequence[RecordPurchaseInput], key: IdempotencyKey | None
) -> WriteResult:
    principal = info.context.require_principal()
    rows = [input_.to_row() for input_ in inputs]
    if principal.role is Role.BUYER:
        for index, row in enumerate(rows):
            own = row["buyer_id"] == principal.subject
            check(own, "buy for another buyer", str(index), "buyer_id")
            check(not row.get("history"), "record history", str(index), "history")
    return await info.context.services.store.record_purchases(rows, idempotency=key)


async def _cancel(
    info: ApiInfo, input_: CancelPurchaseInput, key: IdempotencyKey | None
) -> WriteResult:
    principal = info.context.require_principal()
    store = info.context.services.store
    row = input_.to_row()
    if principal.role is Role.BUYER:
        buyer_id = row.get("buyer_id")
        if "purchase_id" in row:
            line = (await store.get_purchases([row["purchase_id"]])).get(row["purchase_id"])
            buyer_id = line.buyer_id if line else None
        check(buyer_id == principal.subject, "cancel another buyer's purchases")
    return await store.cancel_purchases([row], idempotency=key)


def _without_null_id(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id" or value is not None}
