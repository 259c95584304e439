"""Which places of a kept ranking would not be there any more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from matching.answers import Ranking, Stage
from matching.filters import Condition, buyer_conditions, offer_conditions
from matching.requests import BuyerMatchRequest, OfferMatchRequest
from matching.state import MatcherState

# What happens to an offer or a buyer; that a changed price now fails a filter is not staleness.
HAPPENED = frozenset(
    {
        Stage.NOT_FOUND,
        Stage.WITHDRAWN,
        Stage.NOT_VALID_NOW,
        Stage.OUT_OF_STOCK,
        Stage.ALREADY_BOUGHT,
        Stage.DISMISSED,
    }
)
# A pinned place does not mind what the buyer did before; it does mind being off offer.
HAPPENED_TO_PINS = HAPPENED - {Stage.ALREADY_BOUGHT, Stage.DISMISSED}


def with_stale_offers(
    state: MatcherState, ranking: Ranking, request: OfferMatchRequest, now: datetime
) -> Ranking:
    """A buyer's ranking, its places marked by the state as it is now."""
    buyer = state.buyer_state(ranking.subject_id)
    if buyer is None:
        return _all_stale(ranking)
    conditions = offer_conditions(state, buyer, request, now)
    return _marked(ranking, state.corpus.offers.index, conditions)


def with_stale_buyers(state: MatcherState, ranking: Ranking, request: BuyerMatchRequest) -> Ranking:
    """An offer's ranking, its places marked by the state as it is now."""
    offer = state.corpus.offers.index.get(ranking.subject_id)
    if offer is None or not state.corpus.offers.active[offer]:
        return _all_stale(ranking)
    return _marked(ranking, state.buyer_table.index, buyer_conditions(state, offer, request))


def _marked(ranking: Ranking, index: dict[str, int], conditions: Iterable[Condition]) -> Ranking:
    telling = [condition for condition in conditions if condition.stage in HAPPENED]
    items = []
    for item in ranking.items:
        row = index.get(item.id)
        counts = HAPPENED_TO_PINS if item.pinned else HAPPENED
        stale = row is None or any(not c.passes[row] for c in telling if c.stage in counts)
        items.append(item._replace(stale=True) if stale else item)
    return replace(ranking, items=tuple(items))


def _all_stale(ranking: Ranking) -> Ranking:
    return replace(ranking, items=tuple(item._replace(stale=True) for item in ranking.items))
