"""The face of the matcher: ranks, explains, and tells how it is.

Everything is answered from an immutable state in memory that follows the event log; ranking and
explaining run off the event loop. No answer reads the graph.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import anyio

from core.context import Context
from core.errors import CursorInvalidError, NotFoundError
from core.progress import SILENT, Progress
from core.settings import Settings
from graph.store import GraphStore
from matching import lookups
from matching.answers import (
    Explanation,
    MatchingHealth,
    ModelInfo,
    PairExplanation,
    RankedItem,
    Ranking,
    SimilarOffer,
)
from matching.filters import check_known
from matching.follower import Follower
from matching.ranking import items_of, rank_buyer_rows, rank_offer_rows
from matching.ranking_cache import RankingCache
from matching.requests import (
    BuyerMatchRequest,
    MatchRequest,
    OfferMatchRequest,
    check_request,
    check_top,
    request_fingerprint,
)
from matching.single_flight import SingleFlight
from matching.staleness import with_stale_buyers, with_stale_offers
from matching.state import WALK_VERSION, MatcherState
from matching.why_not import explain_pair

Clock = Callable[[], datetime]
T = TypeVar("T")


def utc_now() -> datetime:
    """The clock of the service outside of tests."""
    return datetime.now(UTC)


class MatchingService:
    """Ranks offers for buyers and buyers for offers, with the same score for a pair."""

    def __init__(self, follower: Follower, cache: RankingCache, clock: Clock = utc_now) -> None:
        self._follower = follower
        self._cache = cache
        self._clock = clock
        self._flights: SingleFlight[Ranking] = SingleFlight()

    @classmethod
    async def open(
        cls,
        store: GraphStore,
        settings: Settings,
        clock: Clock = utc_now,
        progress: Progress = SILENT,
    ) -> MatchingService:
        """Build or load the state, connect the cache and start to follow the log.

        Returns once it can answer. Call close() in the end.
        """
        cache = RankingCache(settings.cache_url)
        follower = Follower(store, settings.models_dir, settings.snapshots_dir, progress)
        await follower.start()
        return cls(follower, cache, clock)

    async def close(self) -> None:
        """Stop following the log; running rankings finish."""
        await self._follower.stop()
        await self._cache.close()

    async def refresh(self) -> int:
        """Catch up with the log now; call it after a write of this process. Returns the seq."""
        return await self._follower.refresh()

    async def wait_for(self, seq: int, timeout_seconds: float = 2.0) -> None:
        """Wait until the state has caught up to ``seq`` of the log (a request's atLeastSeq).

        Raises:
            InputError: when it has not within the time.
        """
        await self._follower.wait_for(seq, timeout_seconds)

    async def wait_beyond(self, seq: int, timeout_seconds: float) -> None:
        """Wait until the state holds more of the log than ``seq``, at most so long.

        Returns in both cases, without asking the graph: see ``state.seq``.
        """
        await self._follower.wait_beyond(seq, timeout_seconds)

    async def rank_offers(self, buyer_id: str, request: OfferMatchRequest) -> Ranking:
        """The offers for a buyer, best first, by the newest state; kept for following pages.

        Raises:
            NotFoundError: when there is no such buyer, category or vendor.
            InputError: when the request cannot be meant (see requests.check_request).
        """
        return await self._ranked(buyer_id, request, _ranked_offers)

    async def rank_buyers(self, offer_id: str, request: BuyerMatchRequest) -> Ranking:
        """The buyers for an offer, best first, by the newest state; kept for following pages.

        A withdrawn offer has none.

        Raises:
            NotFoundError: when there is no such offer.
            InputError: when the request cannot be meant.
        """
        return await self._ranked(offer_id, request, _ranked_buyers)

    async def resume_offers(
        self, buyer_id: str, request: OfferMatchRequest, ranking_id: str
    ) -> Ranking:
        """A ranking made before, with what has become stale since marked.

        Raises:
            CursorExpiredError: when the stored ranking is gone.
            CursorInvalidError: when it was made for another buyer or with other arguments.
        """
        ranking = await self._recalled(buyer_id, request, ranking_id)
        mark = partial(with_stale_offers, self.state, ranking, request, self._clock())
        return await _in_thread(mark)

    async def resume_buyers(
        self, offer_id: str, request: BuyerMatchRequest, ranking_id: str
    ) -> Ranking:
        """As resume_offers, in the other direction."""
        ranking = await self._recalled(offer_id, request, ranking_id)
        return await _in_thread(partial(with_stale_buyers, self.state, ranking, request))

    async def explanations(
        self, pairs: Sequence[tuple[str, str]], first: int = 3, context: Context = ()
    ) -> list[tuple[Explanation, ...]]:
        """Why each (buyer id, offer id) scores as it does: the ``first`` strongest, in order.

        A pair of which either is gone has none. ``context`` is that of the scores.
        """
        return await _in_thread(partial(lookups.explanations, self.state, pairs, first, context))

    async def explain(
        self, buyer_id: str, offer_id: str, request: OfferMatchRequest | None = None, top: int = 20
    ) -> PairExplanation:
        """Why a pair matches or, if it is not among the first ``top`` of the request, why not.

        Never raises for ids that are not there: the stage says NOT_FOUND.

        Raises:
            InputError: when the request cannot be meant; NotFoundError when its filter names a
                category or a vendor that is not there.
        """
        request = request or OfferMatchRequest()
        check_request(request)
        check_top(top)
        check_known(self.state, request.filter)
        work = partial(explain_pair, self.state, buyer_id, offer_id, request, top, self._clock())
        return await _in_thread(work)

    async def score_pairs(
        self, pairs: Sequence[tuple[str, str]], context: Context = ()
    ) -> list[float | None]:
        """The score of each (buyer id, offer id); None where either is not there."""
        return await _in_thread(partial(lookups.score_pairs, self.state, pairs, context))

    async def similar_offers(self, offer_id: str, first: int = 20) -> list[SimilarOffer]:
        """The offers closest to one, closest first; only active ones, without itself.

        Raises:
            NotFoundError: when there is no such offer.
        """
        return await _in_thread(partial(lookups.similar_offers, self.state, offer_id, first))

    def model_info(self) -> ModelInfo:
        """The model that scores now."""
        return lookups.model_info(self.state)

    def health(self) -> MatchingHealth:
        """How far the state has caught up, and what went wrong last."""
        if not self._follower.is_ready:
            return MatchingHealth(False, -1, WALK_VERSION, 0, 0, 0, False, None)
        return replace(
            lookups.health(self.state),
            rebuilding=self._follower.is_rebuilding,
            last_error=self._follower.last_error,
        )

    @property
    def state(self) -> MatcherState:
        """The immutable state that answers now."""
        return self._follower.state

    async def _ranked(
        self, subject_id: str, request: MatchRequest, rank: Callable[..., tuple[RankedItem, ...]]
    ) -> Ranking:
        check_request(request)
        state, fingerprint = self.state, request_fingerprint(subject_id, request)

        async def work() -> Ranking:
            now = self._clock()
            items = await _in_thread(partial(rank, state, subject_id, request, now))
            ranking = Ranking(
                id=uuid.uuid4().hex,
                subject_id=subject_id,
                items=items,
                seq=state.seq,
                model_version=state.model_version,
                arguments_hash=fingerprint,
                made_at=now,
            )
            await self._cache.keep(ranking)
            return ranking

        # The state is part of the key: a ranking of an older state is no answer to a new request.
        return await self._flights.run((fingerprint, id(state)), work)

    async def _recalled(self, subject_id: str, request: MatchRequest, ranking_id: str) -> Ranking:
        check_request(request)
        ranking = await self._cache.recall(ranking_id)
        if ranking.arguments_hash != request_fingerprint(subject_id, request):
            raise CursorInvalidError(
                "The cursor belongs to another list: its arguments were others.",
                mend="Keep every argument but first and after, or start without the cursor.",
                field=("after",),
            )
        return ranking


def _ranked_offers(
    state: MatcherState, buyer_id: str, request: OfferMatchRequest, now: datetime
) -> tuple[RankedItem, ...]:
    buyer = state.buyer_state(buyer_id)
    if buyer is None:
        raise NotFoundError(f"There is no buyer {buyer_id}.", field=("buyer",))
    check_known(state, request.filter)
    return items_of(rank_offer_rows(state, buyer, request, now), state.corpus.offers.ids)


def _ranked_buyers(
    state: MatcherState,
    offer_id: str,
    request: BuyerMatchRequest,
    now: datetime,  # noqa: ARG001 - one signature for both directions
) -> tuple[RankedItem, ...]:
    offer = state.corpus.offers.index.get(offer_id)
    if offer is None:
        raise NotFoundError(f"There is no offer {offer_id}.", field=("offer",))
    return items_of(rank_buyer_rows(state, offer, request), state.buyer_table.ids)


async def _in_thread(work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work)
