"""New matches as they happen: what enters the top of a buyer's ranking."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

import anyio

from core.errors import NotFoundError
from matching.answers import LiveMatch
from matching.follower import Follower
from matching.ranking import rank_offer_rows
from matching.requests import OfferMatchRequest
from matching.state import MatcherState

Top = dict[str, float]
Tops = dict[str, Top]


def new_matches(
    follower: Follower,
    buyer_ids: Sequence[str],
    request: OfferMatchRequest,
    top: int,
    clock: Callable[[], datetime],
) -> AsyncGenerator[LiveMatch, None]:
    """Offers that enter the ``top`` places of the request's rankings from this call on.

    What is in the top now is not told. Nothing is queued behind the reader but the newest state:
    while it is slow, states in between are skipped, never kept.

    Raises:
        NotFoundError: when one of the buyers is not there.
    """
    state = follower.state
    missing = next((key for key in buyer_ids if state.buyer_state(key) is None), None)
    if missing is not None:
        raise NotFoundError(f"There is no buyer {missing}.", field=("buyerIds",))
    rank = partial(_tops, buyer_ids=tuple(buyer_ids), request=request, top=top)
    return _entries(follower, state, rank, clock)


async def _entries(
    follower: Follower,
    state: MatcherState,
    rank: Callable[[MatcherState, Mapping[str, Top], MatcherState | None, datetime], Tops],
    clock: Callable[[], datetime],
) -> AsyncGenerator[LiveMatch, None]:
    known = await anyio.to_thread.run_sync(rank, state, {}, None, clock())
    while True:
        newer = await follower.wait_for_change(state)
        now = clock()
        tops = await anyio.to_thread.run_sync(rank, newer, known, state, now)
        for buyer_id, best in tops.items():
            before = known.get(buyer_id, {})
            for place, (offer_id, score) in enumerate(best.items(), start=1):
                if offer_id not in before:
                    yield _match(newer, buyer_id, offer_id, score, place, now)
        known, state = tops, newer


def _tops(
    state: MatcherState,
    known: Mapping[str, Top],
    before: MatcherState | None,
    now: datetime,
    *,
    buyer_ids: Sequence[str],
    request: OfferMatchRequest,
    top: int,
) -> Tops:
    """The best of each buyer; taken over from ``known`` where nothing it hangs on has changed."""
    same_offers = before is not None and state.scorer is before.scorer
    tops: Tops = {}
    for buyer_id in buyer_ids:
        buyer = state.buyer_state(buyer_id)
        if buyer is None:
            continue
        if same_offers and before is not None and _is_untouched(state, before, buyer_id):
            tops[buyer_id] = known.get(buyer_id, {})
            continue
        ranked = rank_offer_rows(state, buyer, request, now)
        rows = ranked.rows[:top]
        ids = state.corpus.offers.ids
        tops[buyer_id] = {ids[row]: float(ranked.scores[row]) for row in rows}
    return tops


def _is_untouched(state: MatcherState, before: MatcherState, buyer_id: str) -> bool:
    return state.changed_states.get(buyer_id) is before.changed_states.get(buyer_id)


def _match(
    state: MatcherState, buyer_id: str, offer_id: str, score: float, rank: int, at: datetime
) -> LiveMatch:
    # The same entry told by two processes has one id: both follow the same log.
    key = hashlib.sha256(f"{buyer_id}\n{offer_id}\n{state.seq}".encode()).hexdigest()[:24]
    return LiveMatch(
        event_id=key,
        buyer_id=buyer_id,
        offer_id=offer_id,
        score=score,
        rank=rank,
        seq=state.seq,
        model_version=state.model_version,
        at=at,
    )
