"""The root of subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated

import strawberry

from api.connections import page_size
from api.context import ApiInfo
from api.ids import Label, external_ids_of
from api.permissions import Requires, anyone, check, may_watch_buyer
from api.scalars import BigInt
from api.types.buyer import Buyer
from api.types.offer import Offer
from core import entities
from core.errors import InputError, UnauthenticatedError
from matching.answers import LiveMatch

MOST_BUYERS = 100


@strawberry.input(description="Which new matches to tell of; all conditions hold.")
class MatchEventFilter:
    """Conditions on the offer and the score."""

    vendors: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Offers of any of these: id or externalId."
    )
    categories: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description="Offers right in any of these, without sub-categories: id or externalId.",
    )
    min_score: float = strawberry.field(default=0.0, description="At least this; in [0, 1].")

    def passes(self, offer: entities.Offer) -> bool:
        """Whether an offer is one of those asked for."""
        vendors = external_ids_of(self.vendors, Label.VENDOR)
        categories = external_ids_of(self.categories, Label.CATEGORY)
        return (self.vendors is None or offer.vendor_id in vendors) and (
            self.categories is None or bool(set(categories) & set(offer.category_ids))
        )


@strawberry.type(description="An offer that has entered a buyer's first matches.")
class MatchEvent:
    """One new match."""

    id: strawberry.ID = strawberry.field(
        description="The same whenever the same entry is told again."
    )
    score: float = strawberry.field(description="Of the pair, in (0, 1].")
    rank: int = strawberry.field(description="Place among the buyer's matches, from 1.")
    model_version: str = strawberry.field(description='What scored it; "walk" without a model.')
    seq: BigInt = strawberry.field(description="Of the event log, at which it entered.")
    at: datetime = strawberry.field(description="When it was noticed.")
    offer: Offer = strawberry.field(description="The offer.")
    buyer: Buyer = strawberry.field(
        description="The buyer; who may not see all of it sees its ids, kind and country."
    )

    @classmethod
    def from_domain(
        cls, event: LiveMatch, offer: entities.Offer, buyer: entities.Buyer
    ) -> MatchEvent:
        """Translate the event."""
        return cls(
            id=strawberry.ID(event.event_id),
            score=event.score,
            rank=event.rank,
            model_version=event.model_version,
            seq=BigInt(event.seq),
            at=event.at,
            offer=Offer.from_domain(offer),
            buyer=Buyer.from_domain(buyer),
        )


BuyersArgument = Annotated[
    list[strawberry.ID],
    strawberry.argument(description="Whose: ids or externalIds, 100 at most."),
]
FilterArgument = Annotated[
    MatchEventFilter | None, strawberry.argument(description="Which of them to tell of.")
]
TopArgument = Annotated[
    int, strawberry.argument(description="How many places count as first; 20 unless said.")
]


@strawberry.type(description="Everything that can be followed.")
class Subscription:
    """The root of subscriptions."""

    @strawberry.subscription(
        description="New matches of these buyers from now on: offers that enter their first "
        "places. For the buyer itself, partners, analysts and admins.",
        extensions=[Requires(anyone)],
    )
    async def match_events(
        self,
        info: ApiInfo,
        buyers: BuyersArgument,
        filter: FilterArgument = None,
        top: TopArgument = 20,
    ) -> AsyncGenerator[MatchEvent, None]:
        """New matches of these buyers."""
        buyer_ids = external_ids_of(buyers, Label.BUYER)
        # Checked here and not in the generator, so that a refusal is the operation's own error.
        _check_buyers(info, buyer_ids)
        return _follow(info, buyer_ids, filter, page_size(top))


async def _follow(
    info: ApiInfo, buyer_ids: tuple[str, ...], filter_: MatchEventFilter | None, top: int
) -> AsyncGenerator[MatchEvent, None]:
    threshold = filter_.min_score if filter_ else 0.0
    events = info.context.services.matching.new_matches(buyer_ids, top, threshold)
    async with aclosing(events):
        async for event in events:
            await _check_still_allowed(info, event.buyer_id)
            told = await _read(info, event, filter_)
            if told is not None:
                yield told


def _check_buyers(info: ApiInfo, buyer_ids: tuple[str, ...]) -> None:
    if not 0 < len(buyer_ids) <= MOST_BUYERS:
        raise InputError(f"Name 1 to {MOST_BUYERS} buyers.", field=("buyers",))
    principal = info.context.require_principal()
    for buyer_id in buyer_ids:
        check(may_watch_buyer(principal, buyer_id), "follow this buyer", "buyers")


async def _check_still_allowed(info: ApiInfo, buyer_id: str) -> None:
    """A key may have been revoked, or a token expired, since the subscription began."""
    await info.context.identify_again()
    principal = info.context.principal
    if principal is None:
        raise UnauthenticatedError("The credential is not valid any more.")
    check(may_watch_buyer(principal, buyer_id), "follow this buyer", "buyers")


async def _read(
    info: ApiInfo, event: LiveMatch, filter_: MatchEventFilter | None
) -> MatchEvent | None:
    """The event with its offer and buyer; None when it was not asked for, or either is gone."""
    offer = await info.context.loaders.offers.load(event.offer_id)
    if offer is None or (filter_ is not None and not filter_.passes(offer)):
        return None
    buyer = await info.context.loaders.buyers.load(event.buyer_id)
    return MatchEvent.from_domain(event, offer, buyer) if buyer else None
