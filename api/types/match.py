"""Match: one place of a ranking, in either direction."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from api.connections import After, First, PageInfo, page_size
from api.context import ApiInfo
from api.cursors import RankingCursor
from api.ids import parse_global_id
from api.loaders import RankingKey
from api.permissions import Requires, anyone
from api.scalars import BigInt
from api.types import buyer as buyer_types
from api.types import offer as offer_types
from api.types.explanation import Explanation
from core.context import Context
from core.entities import Role
from core.errors import CursorInvalidError, InputError
from matching.answers import ExplanationKind, PathKind, RankedItem, Ranking
from matching.requests import (
    BuyerMatchRequest,
    MatchRequest,
    OfferMatchRequest,
    request_fingerprint,
)

if TYPE_CHECKING:
    from api.types.buyer import Buyer
    from api.types.offer import Offer

MOST_EXPLANATIONS = 10
OFFER = PathKind.OFFER

ExplanationCount = Annotated[
    int, strawberry.argument(description="How many, the strongest first; 10 at most.")
]


@strawberry.type(description="A buyer and an offer that fit, at one place of a ranking.")
class Match:
    """One place of a ranking."""

    score: float = strawberry.field(
        description="In (0, 1]; the same in both directions, whatever filter or page asks. A "
        "context is part of what is scored."
    )
    rank: int = strawberry.field(description="Place in the whole ranking, from 1.")
    model_version: str = strawberry.field(description='What scored it; "walk" without a model.')
    pinned: bool = strawberry.field(description="Stands here because the request pinned it.")
    stale: bool = strawberry.field(
        description="Would not be in a ranking made now: bought or sold out since, and the like."
    )
    buyer_id: strawberry.Private[str]
    offer_id: strawberry.Private[str]
    context: strawberry.Private[Context]

    @strawberry.field(description="The offer.", extensions=[Requires(anyone)])
    async def offer(self, info: ApiInfo) -> Annotated[Offer, strawberry.lazy("api.types.offer")]:
        """The offer; offers are withdrawn, never deleted."""
        found = await info.context.loaders.offers.load(self.offer_id)
        assert found is not None
        return offer_types.Offer.from_domain(found)

    @strawberry.field(
        description="The buyer; null when it was erased since. Who may not see all of it sees "
        "its ids, kind and country.",
        extensions=[Requires(anyone)],
    )
    async def buyer(
        self, info: ApiInfo
    ) -> Annotated[Buyer, strawberry.lazy("api.types.buyer")] | None:
        """The buyer."""
        found = await info.context.loaders.buyers.load(self.buyer_id)
        return buyer_types.Buyer.from_domain(found) if found else None

    @strawberry.field(
        description="Why, the strongest evidence first. A vendor is told only what does not "
        "lead over other vendors' offers.",
        extensions=[Requires(anyone)],
    )
    async def explanations(self, info: ApiInfo, first: ExplanationCount = 3) -> list[Explanation]:
        """Why the pair scores as it does."""
        if not 0 <= first <= MOST_EXPLANATIONS:
            raise InputError(
                f"first is {first}; it lies in [0, {MOST_EXPLANATIONS}].", field=("first",)
            )
        pair = (self.buyer_id, self.offer_id)
        found = await info.context.loaders.explanations(first, self.context).load(pair)
        told = [Explanation.from_domain(explanation) for explanation in found]
        return await _tellable(info, told)

    @classmethod
    def from_domain(
        cls,
        item: RankedItem,
        ranking: Ranking,
        *,
        buyer_id: str,
        offer_id: str,
        context: Context,
    ) -> Match:
        """One place of a ranking, as a pair."""
        return cls(
            score=item.score,
            rank=item.rank,
            model_version=ranking.model_version,
            pinned=item.pinned,
            stale=item.stale,
            buyer_id=buyer_id,
            offer_id=offer_id,
            context=context,
        )


@strawberry.type(description="A match in a ranking.")
class MatchEdge:
    """Relay's edge."""

    node: Match = strawberry.field(description="The match.")
    cursor: str = strawberry.field(description="To continue the same ranking after it.")


@strawberry.type(
    description="A page of a ranking. Following pages are of the same ranking: they repeat and "
    "skip nothing while the world moves on."
)
class MatchConnection:
    """Relay's connection."""

    edges: list[MatchEdge] = strawberry.field(description="The page.")
    page_info: PageInfo = strawberry.field(description="Where it stands.")
    total: int = strawberry.field(description="Places in the ranking; 1,000 at most.")
    seq: BigInt = strawberry.field(description="How far the ranking knows the event log.")
    model_version: str = strawberry.field(description='What scored it; "walk" without a model.')


async def match_offers(
    info: ApiInfo,
    buyer_id: str,
    request: OfferMatchRequest,
    *,
    first: First,
    after: After,
    at_least_seq: int | None,
) -> MatchConnection:
    """A page of a buyer's offers: of a new ranking, or of the one that ``after`` names."""
    size = page_size(first)
    ranking, start = await _ranking(info, buyer_id, request, after, at_least_seq)
    matches = [
        Match.from_domain(
            item, ranking, buyer_id=buyer_id, offer_id=item.id, context=request.context
        )
        for item in ranking.items[start : start + size]
    ]
    return _connection(info, ranking, matches, start)


async def match_buyers(
    info: ApiInfo,
    offer_id: str,
    request: BuyerMatchRequest,
    *,
    first: First,
    after: After,
    at_least_seq: int | None,
) -> MatchConnection:
    """A page of an offer's buyers; as match_offers, in the other direction."""
    size = page_size(first)
    ranking, start = await _ranking(info, offer_id, request, after, at_least_seq)
    matches = [
        Match.from_domain(
            item, ranking, buyer_id=item.id, offer_id=offer_id, context=request.context
        )
        for item in ranking.items[start : start + size]
    ]
    return _connection(info, ranking, matches, start)


async def _ranking(
    info: ApiInfo,
    subject_id: str,
    request: MatchRequest,
    after: str | None,
    at_least_seq: int | None,
) -> tuple[Ranking, int]:
    """The ranking, and how many of its places precede the page."""
    place = _place(info, after, subject_id, request)
    if at_least_seq is not None:
        await info.context.services.matching.wait_for(at_least_seq)
    key = RankingKey(subject_id, request, place.ranking_id if place else None)
    return await info.context.loaders.rankings.load(key), place.position if place else 0


def _place(
    info: ApiInfo, after: str | None, subject_id: str, request: MatchRequest
) -> RankingCursor | None:
    if after is None:
        return None
    place = info.context.services.cursors.read_ranking(after)
    if place.arguments_hash != request_fingerprint(subject_id, request):
        raise CursorInvalidError(
            "The cursor was made with other arguments.",
            mend="Keep the arguments from page to page, or start again without it.",
            field=("after",),
        )
    return place


def _connection(
    info: ApiInfo, ranking: Ranking, matches: list[Match], start: int
) -> MatchConnection:
    cursors = info.context.services.cursors
    edges = [
        MatchEdge(
            node=match,
            cursor=cursors.ranking_cursor(ranking.id, position, ranking.arguments_hash),
        )
        for position, match in enumerate(matches, start=start + 1)
    ]
    info_ = PageInfo(
        has_next_page=start + len(matches) < len(ranking.items),
        has_previous_page=start > 0,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=edges[-1].cursor if edges else None,
    )
    return MatchConnection(
        edges=edges,
        page_info=info_,
        total=len(ranking.items),
        seq=BigInt(ranking.seq),
        model_version=ranking.model_version,
    )


async def _tellable(info: ApiInfo, explanations: list[Explanation]) -> list[Explanation]:
    """For a vendor, nothing of other vendors' offers, and not how far off the buyer is."""
    principal = info.context.require_principal()
    if principal.role is not Role.VENDOR:
        return explanations
    explanations = [one for one in explanations if one.kind is not ExplanationKind.PLACE]
    passed = [
        {parse_global_id(step.id)[1] for step in one.path if step.id and step.kind is OFFER}
        for one in explanations
    ]
    ids = sorted(set().union(*passed))
    found = await info.context.loaders.offers.load_many(ids)
    own = {offer.id for offer in found if offer and offer.vendor_id == principal.subject}
    return [one for one, offers in zip(explanations, passed, strict=True) if offers <= own]
