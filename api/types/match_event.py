"""Match events: what is told of a buyer and an offer, in whichever way it is read."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import strawberry

from announcing.filters import MatchEventFilter
from api.connections import PageInfo
from api.ids import Label, external_ids_of
from api.scalars import BigInt, Cursor
from api.types.buyer import Buyer
from api.types.enums import MatchEventType, MatchReason
from api.types.offer import Offer
from core import entities
from core.entities import Event, EventType


@strawberry.input(description="Which match events to tell of; all conditions hold.")
class MatchEventFilterInput:
    """Conditions on what an event names, as it was when the event was written."""

    buyers: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Of any of these buyers: id or externalId; 1 to 1,000."
    )
    vendors: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Offers of any of these: id or externalId; 1 to 1,000."
    )
    categories: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description="Offers right in any of these, without sub-categories: id or externalId; 1 to "
        "1,000.",
    )
    min_score: float = strawberry.field(
        default=0.0, description="At least this; in [0, 1]. Withdrawals always pass."
    )
    types: list[MatchEventType] | None = strawberry.field(
        default=None, description="Of any of these types."
    )

    def to_domain(self) -> MatchEventFilter:
        """The filter with external ids.

        Raises:
            InputError: naming a condition that could never hold.
        """

        def ids(given: list[strawberry.ID] | None, label: Label) -> frozenset[str] | None:
            return None if given is None else frozenset(external_ids_of(given, label))

        types = self.types
        return MatchEventFilter(
            buyers=ids(self.buyers, Label.BUYER),
            vendors=ids(self.vendors, Label.VENDOR),
            categories=ids(self.categories, Label.CATEGORY),
            types=None if types is None else frozenset(EventType(one.value) for one in types),
            min_score=self.min_score,
        )


@strawberry.interface(description="What every match event tells.")
class MatchEvent:
    """One row of the log. Ids are those of its time; ``offer`` and ``buyer`` are as of now."""

    id: strawberry.ID = strawberry.field(
        description="The same whenever and however the event is told again: the key to tell a "
        "repeat by."
    )
    seq: BigInt = strawberry.field(
        description="Of the event log: rises from event to event, not by one."
    )
    cursor: Cursor = strawberry.field(description="To go on right after this event.")
    at: datetime = strawberry.field(description="When it was noticed.")
    type: MatchEventType = strawberry.field(description="What happened.")
    reason: MatchReason | None = strawberry.field(description="Why it was told of.")
    model_version: str = strawberry.field(description='What scored it; "walk" without a model.')
    offer_id: strawberry.ID = strawberry.field(description="The offer's externalId.")
    buyer_id: strawberry.ID = strawberry.field(description="The buyer's externalId.")
    vendor_id: strawberry.ID | None = strawberry.field(
        description="externalId of who listed the offer then."
    )
    category_ids: list[strawberry.ID] = strawberry.field(
        description="externalIds of the categories that the offer stood right in then."
    )
    offer: Offer | None = strawberry.field(
        description="The offer as it is now; null when it is gone."
    )
    buyer: Buyer | None = strawberry.field(
        description="The buyer as it is now; null when it was erased. Who may not see all of it "
        "sees its ids, kind and country."
    )


@strawberry.type(description="An offer has entered a buyer's first matches.")
class MatchCreated(MatchEvent):
    """MATCH_CREATED."""

    score: float = strawberry.field(description="Of the pair, in (0, 1].")
    rank: int = strawberry.field(description="Place among the buyer's matches, from 1.")
    held_back: int = strawberry.field(
        description="How many further new matches of this buyer the day's digest left untold."
    )


@strawberry.type(description="A match that was told of has changed: its score, or what is asked.")
class MatchUpdated(MatchEvent):
    """MATCH_UPDATED."""

    score: float = strawberry.field(description="Of the pair now, in (0, 1].")
    rank: int = strawberry.field(description="Place among the buyer's matches now, from 1.")
    previous_score: float | None = strawberry.field(
        description="What was told last; null when only the offer's terms changed."
    )


@strawberry.type(description="A match that was told of stands no more.")
class MatchWithdrawn(MatchEvent):
    """MATCH_WITHDRAWN."""


@strawberry.type(
    description="The reader has fallen so far behind that it is served from the graph. Nothing is "
    "left out: the events follow."
)
class Lagged:
    """Told once each time a reader falls behind."""

    behind: BigInt = strawberry.field(description="Rows of the log between the reader and its end.")
    seq: BigInt = strawberry.field(description="Where the reader stands.")
    cursor: Cursor = strawberry.field(description="To go on there.")


@strawberry.type(
    description="Events behind the cursor are no longer kept. The stream ends with this message."
)
class CursorExpired:
    """The answer to a cursor that is too old."""

    cursor: Cursor = strawberry.field(
        description="To go on with the oldest event that is still kept."
    )
    seq: BigInt = strawberry.field(description="The seq that the new cursor stands behind.")


MatchEventMessage = Annotated[
    MatchCreated | MatchUpdated | MatchWithdrawn | Lagged | CursorExpired,
    strawberry.union("MatchEventMessage", description="What a stream of match events tells."),
]


@strawberry.type(description="A match event in a list.")
class MatchEventEdge:
    """Relay's edge."""

    node: MatchEvent = strawberry.field(description="The event.")
    cursor: Cursor = strawberry.field(description="To continue after it.")


@strawberry.type(
    description="Match events, oldest first. pageInfo.endCursor moves even when the filter lets "
    "nothing through: go on from there."
)
class MatchEventConnection:
    """Relay's connection."""

    edges: list[MatchEventEdge] = strawberry.field(description="The page.")
    page_info: PageInfo = strawberry.field(description="Where it stands.")


_TYPES: dict[EventType, type[MatchEvent]] = {
    EventType.MATCH_CREATED: MatchCreated,
    EventType.MATCH_UPDATED: MatchUpdated,
    EventType.MATCH_WITHDRAWN: MatchWithdrawn,
}


def match_event(
    event: Event, cursor: str, offer: entities.Offer | None, buyer: entities.Buyer | None
) -> MatchEvent:
    """Translate a match event of the log, with its offer and buyer as they are now."""
    payload = event.payload or {}
    told: dict[str, Any] = {
        "id": event.id,
        "seq": event.seq,
        "cursor": cursor,
        "at": event.occurred_at,
        "type": MatchEventType(event.type.value),
        "reason": MatchReason.__members__.get(str(payload.get("reason"))),
        "model_version": event.model_version or "",
        "offer_id": event.offer_id or "",
        "buyer_id": event.buyer_id or "",
        "vendor_id": event.vendor_id,
        "category_ids": list(event.category_ids),
        "offer": Offer.from_domain(offer) if offer else None,
        "buyer": Buyer.from_domain(buyer) if buyer else None,
    }
    if event.type is not EventType.MATCH_WITHDRAWN:
        told["score"], told["rank"] = event.score or 0.0, event.rank or 0
    if event.type is EventType.MATCH_CREATED:
        told["held_back"] = int(payload.get("heldBack", 0))
    elif event.type is EventType.MATCH_UPDATED:
        told["previous_score"] = payload.get("previousScore")
    return _TYPES[event.type](**told)
