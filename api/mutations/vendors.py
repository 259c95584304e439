"""Mutations of vendors."""

from __future__ import annotations

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
from api.types.vendor import Vendor


@strawberry.input(description="A vendor to create or change: absent keeps, null clears.")
class UpsertVendorInput:
    """One row."""

    external_id: strawberry.ID = strawberry.field(description="The caller's own identifier.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="For people.")
    country: str | None = strawberry.field(
        default=strawberry.UNSET, description="Two-letter code or name, kept as it is."
    )
    latitude: float | None = strawberry.field(
        default=strawberry.UNSET, description="Degrees north, in [-90, 90]."
    )
    longitude: float | None = strawberry.field(
        default=strawberry.UNSET, description="Degrees east, in [-180, 180]."
    )

    def to_row(self) -> dict[str, Any]:
        """The row that the store takes."""
        return renamed(given_fields(self), external_id="id")


@strawberry.type(description="What upsertVendor answers.")
class UpsertVendorPayload(RowPayload):
    """The vendor as it is now."""

    vendor: Vendor | None = strawberry.field(description="As it is now; null when it failed.")


@strawberry.type
class VendorMutations:
    """What can be done with vendors."""

    @strawberry.mutation(
        description="Create or change a vendor. For admins.", extensions=[Requires(admin)]
    )
    async def upsert_vendor(
        self,
        info: ApiInfo,
        input: Annotated[UpsertVendorInput, ROW],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> UpsertVendorPayload:
        """Create or change a vendor."""
        store = info.context.services.store
        written = await carry_out(
            info,
            "upsertVendor",
            idempotency_key,
            lambda key: store.upsert_vendors([input.to_row()], idempotency=key),
        )
        done = written.done_id()
        found = await info.context.loaders.vendors.load(done) if done is not None else None
        return UpsertVendorPayload(
            errors=written.row_errors(),
            seq=written.seq,
            status=written.status,
            vendor=Vendor.from_domain(found) if found else None,
        )

    @strawberry.mutation(
        description="Create or change up to 1,000 vendors; a row that fails fails alone. "
        "For admins.",
        extensions=[Requires(admin)],
    )
    async def upsert_vendors(
        self,
        info: ApiInfo,
        input: Annotated[list[UpsertVendorInput], ROWS],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> BulkPayload:
        """Create or change many vendors."""
        store = info.context.services.store
        written = await carry_out(
            info,
            "upsertVendors",
            idempotency_key,
            lambda key: store.upsert_vendors([row.to_row() for row in input], idempotency=key),
            rows=input,
        )
        return bulk_payload(written)

    @strawberry.mutation(
        description="Delete a vendor; its offers stay, without a vendor. For admins.",
        extensions=[Requires(admin)],
    )
    async def delete_vendor(
        self,
        info: ApiInfo,
        id: AnId,
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> DeletePayload:
        """Delete a vendor; its offers stay, without a vendor."""
        store = info.context.services.store
        ids = [external_id_of(id, Label.VENDOR)]
        written = await carry_out(
            info,
            "deleteVendor",
            idempotency_key,
            lambda key: store.delete_vendors(ids, idempotency=key),
        )
        return delete_payload(written)

    @strawberry.mutation(
        description="Delete many vendors; their offers stay. For admins.",
        extensions=[Requires(admin)],
    )
    async def delete_vendors(
        self,
        info: ApiInfo,
        ids: Ids,
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> BulkPayload:
        """Delete many vendors; their offers stay."""
        store = info.context.services.store
        keys = external_ids_of(ids, Label.VENDOR)
        written = await carry_out(
            info,
            "deleteVendors",
            idempotency_key,
            lambda key: store.delete_vendors(keys, idempotency=key),
            rows=keys,
        )
        return bulk_payload(written)
