"""Mutations of interactions and preferences. A buyer may only speak for itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import strawberry

from api.context import ApiInfo
from api.ids import Label, external_id_of
from api.mutations.context_input import with_context
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
from api.types.buyer import Buyer
from api.types.context_value import ContextValueInput
from api.types.enums import InteractionKind
from core.entities import IdempotencyKey, Role, WriteResult


@strawberry.input(description="Something a buyer did with an offer.")
class RecordInteractionInput:
    """One interaction."""

    buyer_id: strawberry.ID = strawberry.field(description="Who, by id or externalId.")
    offer_id: strawberry.ID = strawberry.field(description="With what, by id or externalId.")
    kind: InteractionKind = strawberry.field(description="What it did.")
    external_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="The interaction's own identifier; made of its content when absent.",
    )
    at: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="When; now when absent."
    )
    value: float | None = strawberry.field(
        default=strawberry.UNSET, description="Such as seconds viewed."
    )
    context: str | None = strawberry.field(
        default=strawberry.UNSET, description="Whatever else the source says."
    )
    context_values: list[ContextValueInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Under which circumstances, 8 at most; kept as the context, in its place.",
    )

    def to_row(self) -> dict[str, Any]:
        """The row that the store takes.

        Raises:
            InputError: when a circumstance is malformed.
        """
        row = with_context(renamed(given_fields(self), external_id="id"))
        if row.get("id") is None:
            row.pop("id", None)
        row["buyer_id"] = external_id_of(self.buyer_id, Label.BUYER)
        row["offer_id"] = external_id_of(self.offer_id, Label.OFFER)
        row["kind"] = self.kind.value
        return row


@strawberry.input(description="A liking of a category.")
class PreferenceInput:
    """One preference."""

    category_id: strawberry.ID = strawberry.field(description="By id or externalId.")
    weight: float = strawberry.field(default=1.0, description="From -1 (not at all) to 1.")
    source: str | None = strawberry.field(default=None, description="Where it was stated.")

    def to_row(self) -> dict[str, Any]:
        """The row that the store takes."""
        return {
            "category_id": external_id_of(self.category_id, Label.CATEGORY),
            "weight": self.weight,
            "source": self.source,
        }


@strawberry.input(description="All that a buyer likes; replaces what it liked before.")
class SetPreferencesInput:
    """A buyer's preferences."""

    buyer_id: strawberry.ID = strawberry.field(description="Whose, by id or externalId.")
    preferences: list[PreferenceInput] = strawberry.field(description="Each category once.")


@strawberry.type(description="What recordInteraction answers.")
class RecordInteractionPayload(RowPayload):
    """The interaction as it is kept."""

    interaction_id: strawberry.ID | None = strawberry.field(
        description="Its identifier; null when it failed."
    )


@strawberry.type(description="What setPreferences answers.")
class SetPreferencesPayload(RowPayload):
    """The buyer as it is now."""

    buyer: Buyer | None = strawberry.field(description="As it is now; null when it failed.")


@strawberry.type
class InteractionMutations:
    """What can be done with interactions and preferences."""

    @strawberry.mutation(
        description="Record a view, click, cart, inquiry or dismissal. For admins, and buyers for "
        "themselves.",
        extensions=[Requires(buying)],
    )
    async def record_interaction(
        self,
        info: ApiInfo,
        input: Annotated[RecordInteractionInput, ROW],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> RecordInteractionPayload:
        """Record an interaction."""
        written = await carry_out(
            info, "recordInteraction", idempotency_key, lambda key: _record(info, [input], key)
        )
        done = written.done_id()
        return RecordInteractionPayload(
            errors=written.row_errors(),
            seq=written.seq,
            status=written.status,
            interaction_id=strawberry.ID(done) if done is not None else None,
        )

    @strawberry.mutation(
        description="Record up to 1,000 interactions; a row that fails fails alone. For admins, "
        "and buyers for themselves.",
        extensions=[Requires(buying)],
    )
    async def record_interactions(
        self,
        info: ApiInfo,
        input: Annotated[list[RecordInteractionInput], ROWS],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> BulkPayload:
        """Record many interactions."""
        written = await carry_out(
            info,
            "recordInteractions",
            idempotency_key,
            lambda key: _record(info, input, key),
            rows=input,
        )
        return bulk_payload(written)

    @strawberry.mutation(
        description="Replace all that a buyer likes, or nothing of it. For admins, and buyers for "
        "themselves.",
        extensions=[Requires(buying)],
    )
    async def set_preferences(
        self,
        info: ApiInfo,
        input: Annotated[SetPreferencesInput, ROW],
        idempotency_key: IdempotencyKeyArgument = None,
    ) -> SetPreferencesPayload:
        """Replace all that a buyer likes."""
        written = await carry_out(
            info,
            "setPreferences",
            idempotency_key,
            lambda key: _prefer(info, input, key),
            rows=input.preferences,
        )
        done = written.done_id()
        found = await info.context.loaders.buyers.load(done) if done is not None else None
        return SetPreferencesPayload(
            errors=written.row_errors(),
            seq=written.seq,
            status=written.status,
            buyer=Buyer.from_domain(found) if found else None,
        )


async def _record(
    info: ApiInfo, inputs: Sequence[RecordInteractionInput], key: IdempotencyKey | None
) -> WriteResult:
    rows = [input_.to_row() for input_ in inputs]
    for index, row in enumerate(rows):
        _check_speaks_for(info, row["buyer_id"], str(index), "buyer_id")
    return await info.context.services.store.record_interactions(rows, idempotency=key)


async def _prefer(
    info: ApiInfo, input_: SetPreferencesInput, key: IdempotencyKey | None
) -> WriteResult:
    buyer_id = external_id_of(input_.buyer_id, Label.BUYER)
    _check_speaks_for(info, buyer_id, "buyer_id")
    rows = [preference.to_row() for preference in input_.preferences]
    return await info.context.services.store.set_preferences(buyer_id, rows, idempotency=key)


def _check_speaks_for(info: ApiInfo, buyer_id: str, *field: str) -> None:
    principal = info.context.require_principal()
    own = principal.role is not Role.BUYER or principal.subject == buyer_id
    check(own, "speak for another buyer", *field)
