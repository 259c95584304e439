"""Mutations of buyers."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import strawberry

from api.context import ApiInfo
from api.ids import Label, external_id_of, external_ids_of
from api.mutations.payloads import (
    ROW,
    ROWS,
    AnId,
    BulkPayload,
    DeletePayload,
    IdempotencyKeyArgument,
    Ids,
    RowPayload,
    bulk_payload,
    carry_out,
    delete_payload,
    given_fields,
    renamed,
)
from api.permissions import Requires, admin
from api.types.buyer import Buyer


@strawberry.input(description="A buyer to create or change: absent keeps, null clears.")
class UpsertBuyerInput:
    """One row."""

    external_id: strawberry.ID = strawberry.field(description="The caller's own identifier.")
    name: str | None = strawberry.field(
        default=strawberry.UNSET, description="Personal; absent keeps it, null clears it."
    )
    kind: str | None = strawberry.field(
        default=strawberry.UNSET, description="Such as the kind of retailer it is."
    )
    country: str | None = strawberry.field(
        default=strawberry.UNSET, description="Two-letter code or name, kept as it is."
    )
    latitude: float | None = strawberry.field(
        default=strawberry.UNSET, description="Degrees north, in [-90, 90]."
    )
    longitude: float | None = strawberry.field(
        default=strawberry.UNSET, description="Degrees east, in [-180, 180]."
    )
    created_at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When the source created it."
    )

    def to_row(self) -> dict[str, Any]:
        """The row that the store takes."""
        return renamed(given_fields(self), external_id="id")


@strawberry.type(description="What upsertBuyer answers.")
class UpsertBuyerPayload(RowPayload):
    """The buyer as it is now."""

    buyer: Buyer | None = strawberry.field(description="As it is now; null when it failed.")


@strawberry.type
class BuyerMutations:
    """What can be done with buyers."""

    @strawberry.mutation(
        description="Create or change a buyer. For admins.", extensions=[Requires(admin)]
    )
    async def upsert_buyer(
        self,
        info: ApiInfo,
        input: Annotated[UpsertBuyerInput, ROW],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> UpsertBuyerPayload:
        """Create or change a buyer."""
        store = info.context.services.store
        written = await carry_out(
            info,
            "upsertBuyer",
            idempotency_key,
            lambda key: store.upsert_buyers([input.to_row()], idempotency=key),
        )
        done = written.done_id()
        found = await info.context.loaders.buyers.load(done) if done is not None else None
        return UpsertBuyerPayload(
            errors=written.row_errors(),
            seq=written.seq,
            status=written.status,
            buyer=Buyer.from_domain(found) if found else None,
        )

    @strawberry.mutation(
        description="Create or change up to 1,000 buyers; a row that fails fails alone. "
        "For admins.",
        extensions=[Requires(admin)],
    )
    async def upsert_buyers(
        self,
        info: ApiInfo,
        input: Annotated[list[UpsertBuyerInput], ROWS],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> BulkPayload:
        """Create or change many buyers."""
        store = info.context.services.store
        written = await carry_out(
            info,
            "upsertBuyers",
            idempotency_key,
            lambda key: store.upsert_buyers([row.to_row() for row in input], idempotency=key),
            rows=input,
        )
        return bulk_payload(written)

    @strawberry.mutation(
        description="Erase a buyer with everything known of it. For admins.",
        extensions=[Requires(admin)],
    )
    async def delete_buyer(
        self,
        info: ApiInfo,
        id: AnId,
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> DeletePayload:
        """Erase a buyer with everything known of it."""
        store = info.context.services.store
        ids = [external_id_of(id, Label.BUYER)]
        written = await carry_out(
            info,
            "deleteBuyer",
            idempotency_key,
            lambda key: store.delete_buyers(ids, idempotency=key),
        )
        return delete_payload(written)

    @strawberry.mutation(
        description="Erase many buyers. For admins.",
        extensions=[Requires(admin)],
    )
    async def delete_buyers(
        self,
        info: ApiInfo,
        ids: Ids,
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> BulkPayload:
        """Erase many buyers."""
        store = info.context.services.store
        keys = external_ids_of(ids, Label.BUYER)
        written = await carry_out(
            info,
            "deleteBuyers",
            idempotency_key,
            lambda key: store.delete_buyers(keys, idempotency=key),
            rows=keys,
        )
        return bulk_payload(written)
