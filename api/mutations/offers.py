"""Mutations of offers. A vendor may only touch what it lists itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from api.context import ApiInfo
from api.ids import Label, external_id_of, external_ids_of
from api.mutations.money_input import MoneyInput, price_columns
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
from api.permissions import Requires, check, listing
from api.scalars import BigInt
from api.types.enums import OfferStatus
from api.types.offer import Offer
from core.entities import IdempotencyKey, Role, WriteResult


@strawberry.input(description="An offer to create or change: absent keeps, null clears.")
class UpsertOfferInput:
    """One row."""

    external_id: strawberry.ID = strawberry.field(description="The caller's own identifier.")
    title: str | None = strawberry.field(
        default=strawberry.UNSET, description="One line for people."
    )
    description: str | None = strawberry.field(default=strawberry.UNSET, description="More of it.")
    price: MoneyInput | None = strawberry.field(
        default=strawberry.UNSET, description="Of one unit."
    )
    available_quantity: BigInt | None = strawberry.field(
        default=strawberry.UNSET, description="What is left; null: stock is not tracked."
    )
    status: OfferStatus | None = strawberry.field(
        default=strawberry.UNSET, description="ACTIVE brings a withdrawn offer back; never null."
    )
    valid_from: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Included; null: from ever."
    )
    valid_to: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="Excluded; null: for ever."
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
    vendor_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="Who lists it, by id or externalId."
    )
    category_ids: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET, description="Replaces all of them, by id or externalId."
    )

    def to_row(self) -> dict[str, Any]:
        """The row that the store takes.

        Raises:
            InputError: when the price has more decimals than its currency.
        """
        row = renamed(given_fields(self), external_id="id")
        if "price" in row:
            row |= price_columns(row.pop("price"), "price_minor", "price")
        if self.vendor_id:
            row["vendor_id"] = external_id_of(self.vendor_id, Label.VENDOR)
        if self.category_ids:
            row["category_ids"] = list(external_ids_of(self.category_ids, Label.CATEGORY))
        return row


@strawberry.type(description="What upsertOffer answers.")
class UpsertOfferPayload(RowPayload):
    """The offer as it is now."""

    offer: Offer | None = strawberry.field(description="As it is now; null when it failed.")


@strawberry.type
class OfferMutations:
    """What can be done with offers."""

    @strawberry.mutation(
        description="Create or change an offer. For admins, and vendors for their own offers.",
        extensions=[Requires(listing)],
    )
    async def upsert_offer(
        self,
        info: ApiInfo,
        input: Annotated[UpsertOfferInput, ROW],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> UpsertOfferPayload:
        """Create or change an offer."""
        written = await carry_out(
            info, "upsertOffer", idempotency_key, lambda key: _upsert(info, [input], key)
        )
        done = written.done_id()
        found = await info.context.loaders.offers.load(done) if done is not None else None
        return UpsertOfferPayload(
            errors=written.row_errors(),
            seq=written.seq,
            status=written.status,
            offer=Offer.from_domain(found) if found else None,
        )

    @strawberry.mutation(
        description="Create or change up to 1,000 offers; a row that fails fails alone. For "
        "admins, and vendors for their own offers.",
        extensions=[Requires(listing)],
    )
    async def upsert_offers(
        self,
        info: ApiInfo,
        input: Annotated[list[UpsertOfferInput], ROWS],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> BulkPayload:
        """Create or change many offers."""
        written = await carry_out(
            info,
            "upsertOffers",
            idempotency_key,
            lambda key: _upsert(info, input, key),
            rows=input,
        )
        return bulk_payload(written)

    @strawberry.mutation(
        description="Withdraw an offer: it is matched no more, its history stays. Takes its id or "
        "externalId. For admins, and vendors for their own offers.",
        extensions=[Requires(listing)],
    )
    async def delete_offer(
        self,
        info: ApiInfo,
        id: AnId,
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> DeletePayload:
        """Withdraw an offer."""
        ids = [external_id_of(id, Label.OFFER)]
        written = await carry_out(
            info, "deleteOffer", idempotency_key, lambda key: _withdraw(info, ids, key)
        )
        return delete_payload(written)

    @strawberry.mutation(
        description="Withdraw many offers. For admins, and vendors for their own offers.",
        extensions=[Requires(listing)],
    )
    async def delete_offers(
        self,
        info: ApiInfo,
        ids: Ids,
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> BulkPayload:
        """Withdraw many offers."""
        keys = external_ids_of(ids, Label.OFFER)
        written = await carry_out(
            info,
            "deleteOffers",
            idempotency_key,
            lambda key: _withdraw(info, keys, key),
            rows=keys,
        )
        return bulk_payload(written)


async def _upsert(
    info: ApiInfo, inputs: Sequence[UpsertOfferInput], key: IdempotencyKey | None
) -> WriteResult:
    rows = [input_.to_row() for input_ in inputs]
    await _check_listed_by_caller(info, rows)
    principal = info.context.require_principal()
    lister = principal.subject if principal.role is Role.VENDOR else None
    if lister is not None:
        # Of every row, so that a row sent again is the same row: its key stands for its content.
        rows = [{**row, "vendor_id": lister} for row in rows]
    store = info.context.services.store
    return await store.upsert_offers(rows, lister=lister, idempotency=key)


async def _withdraw(info: ApiInfo, ids: Sequence[str], key: IdempotencyKey | None) -> WriteResult:
    await _check_listed_by_caller(info, [{"id": id_} for id_ in ids])
    return await info.context.services.store.delete_offers(ids, idempotency=key)


async def _check_listed_by_caller(info: ApiInfo, rows: Sequence[dict[str, Any]]) -> None:
    """For a vendor: every row is, and stays, its own, or is new.

    Raises:
        ForbiddenError: naming the row that is another's.
    """
    principal = info.context.require_principal()
    if principal.role is not Role.VENDOR:
        return
    existing = await info.context.services.store.get_offers([row["id"] for row in rows])
    for index, row in enumerate(rows):
        known = existing.get(row["id"])
        own = known is None or known.vendor_id == principal.subject
        stays = row.get("vendor_id", principal.subject) == principal.subject
        check(own and stays, "change another vendor's offers", str(index), "vendor_id")
