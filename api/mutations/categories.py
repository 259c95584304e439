"""Mutations of categories."""

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
from api.types.category import Category


@strawberry.input(description="A category to create or change: absent keeps, null clears.")
class UpsertCategoryInput:
    """One row."""

    external_id: strawberry.ID = strawberry.field(description="The caller's own identifier.")
    name: str | None = strawberry.field(default=strawberry.UNSET, description="For people.")
    parent_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The category above, by id or externalId; null makes it a root. Cycles and a "
        "ninth level are refused.",
    )

    def to_row(self) -> dict[str, Any]:
        """The row that the store takes."""
        row = renamed(given_fields(self), external_id="id")
        if self.parent_id:
            row["parent_id"] = external_id_of(self.parent_id, Label.CATEGORY)
        return row


@strawberry.type(description="What upsertCategory answers.")
class UpsertCategoryPayload(RowPayload):
    """The category as it is now."""

    category: Category | None = strawberry.field(description="As it is now; null when it failed.")


@strawberry.type
class CategoryMutations:
    """What can be done with categories."""

    @strawberry.mutation(
        description="Create or change a category. For admins.", extensions=[Requires(admin)]
    )
    async def upsert_category(
        self,
        info: ApiInfo,
        input: Annotated[UpsertCategoryInput, ROW],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> UpsertCategoryPayload:
        """Create or change a category."""
        store = info.context.services.store
        written = await carry_out(
            info,
            "upsertCategory",
            idempotency_key,
            lambda key: store.upsert_categories([input.to_row()], idempotency=key),
        )
        done = written.done_id()
        found = await info.context.loaders.categories.load(done) if done is not None else None
        return UpsertCategoryPayload(
            errors=written.row_errors(),
            seq=written.seq,
            status=written.status,
            category=Category.from_domain(found) if found else None,
        )

    @strawberry.mutation(
        description="Create or change up to 1,000 categories; a row that fails fails alone. "
        "For admins.",
        extensions=[Requires(admin)],
    )
    async def upsert_categories(
        self,
        info: ApiInfo,
        input: Annotated[list[UpsertCategoryInput], ROWS],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> BulkPayload:
        """Create or change many categories."""
        store = info.context.services.store
        written = await carry_out(
            info,
            "upsertCategories",
            idempotency_key,
            lambda key: store.upsert_categories([row.to_row() for row in input], idempotency=key),
            rows=input,
        )
        return bulk_payload(written)

    @strawberry.mutation(
        description="Delete a category; one with sub-categories is refused. For admins.",
        extensions=[Requires(admin)],
    )
    async def delete_category(
        self,
        info: ApiInfo,
        id: AnId,
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> DeletePayload:
        """Delete a category; one with sub-categories is refused."""
        store = info.context.services.store
        ids = [external_id_of(id, Label.CATEGORY)]
        written = await carry_out(
            info,
            "deleteCategory",
            idempotency_key,
            lambda key: store.delete_categories(ids, idempotency=key),
        )
        return delete_payload(written)

    @strawberry.mutation(
        description="Delete many categories, in this order. For admins.",
        extensions=[Requires(admin)],
    )
    async def delete_categories(
        self,
        info: ApiInfo,
        ids: Ids,
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> BulkPayload:
        """Delete many categories, in this order."""
        store = info.context.services.store
        keys = external_ids_of(ids, Label.CATEGORY)
        written = await carry_out(
            info,
            "deleteCategories",
            idempotency_key,
            lambda key: store.delete_categories(keys, idempotency=key),
            rows=keys,
        )
        return bulk_payload(written)
