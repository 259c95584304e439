"""The face of the matcher: ranks, explains, and tells how it is.

Everything is answered from an immutable state in memory that follows the event log; ranking and
explaining run off the event loop. No answer reads the graph.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from core.settings import Settings
from matching.answers import (
    Explanation,
    LiveMatch,
    MatchingHealth,
    ModelInfo,
    PairExplanation,
    Ranking,
    SimilarOffer,
)
from matching.requests import BuyerMatchRequest, OfferMatchRequest

if TYPE_CHECKING:
    from graph.store import GraphStore

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of the service outside of tests."""
    return datetime.now(UTC)


class MatchingService:
    """Ranks offers for buyers and buyers for offers, with the same score for a pair."""

    @classmethod
    async def open(
        cls, store: GraphStore, settings: Settings, clock: Clock = utc_now
    ) -> MatchingService:
        """Build or load the state, connect the cache and start to follow the log.

        Returns once it can answer. Call close() in the end.
        """
        raise NotImplementedError

    async def close(self) -> None:
        """Stop following the log; running rankings finish."""
        raise NotImplementedError

    async def refresh(self) -> int:
        """Catch up with the log now; call it after a write of this process. Returns the seq."""
        raise NotImplementedError

    async def wait_for(self, seq: int, timeout_seconds: float = 2.0) -> None:
        """Wait until the state has caught up to ``seq`` of the log (a request's atLeastSeq).

        Raises:
            InputError: when it has not within the time.
        """
        raise NotImplementedError

    async def rank_offers(self, buyer_id: str, request: OfferMatchRequest) -> Ranking:
        """The offers for a buyer, best first, by the newest state; kept for following pages.

        Raises:
            NotFoundError: when there is no such buyer.
            InputError: when the request cannot be meant (see requests.check_request).
        """
        raise NotImplementedError

    async def rank_buyers(self, offer_id: str, request: BuyerMatchRequest) -> Ranking:
        """The buyers for an offer, best first, by the newest state; kept for following pages.

        A withdrawn offer has none.

        Raises:
            NotFoundError: when there is no such offer.
            InputError: when the request cannot be meant.
        """
        raise NotImplementedError

    async def resume_offers(
        self, buyer_id: str, request: OfferMatchRequest, ranking_id: str
    ) -> Ranking:
        """A ranking made before, with what has become stale since marked.

        Raises:
            CursorExpiredError: when the stored ranking is gone.
            CursorInvalidError: when it was made for another buyer or with other arguments.
        """
        raise NotImplementedError

    async def resume_buyers(
        self, offer_id: str, request: BuyerMatchRequest, ranking_id: str
    ) -> Ranking:
        """As resume_offers, in the other direction."""
        raise NotImplementedError

    async def explanations(
        self, pairs: Sequence[tuple[str, str]], first: int = 3
    ) -> list[tuple[Explanation, ...]]:
        """Why each (buyer id, offer id) scores as it does: the ``first`` strongest, in order.

        A pair of which either is gone has none.
        """
        raise NotImplementedError

    async def explain(
        self, buyer_id: str, offer_id: str, request: OfferMatchRequest | None = None, top: int = 20
    ) -> PairExplanation:
        """Why a pair matches or, if it is not among the first ``top`` of the request, why not.

        Never raises for ids that are not there: the stage says NOT_FOUND.

        Raises:
            InputError: when the request cannot be meant.
        """
        raise NotImplementedError

    async def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[float | None]:
        """The score of each (buyer id, offer id); None where either is not there."""
        raise NotImplementedError

    async def similar_offers(self, offer_id: str, first: int = 20) -> list[SimilarOffer]:
        """The offers closest to one, closest first; only active ones, without itself.

        Raises:
            NotFoundError: when there is no such offer.
        """
        raise NotImplementedError

    def new_matches(
        self, buyer_ids: Sequence[str], top: int = 20, threshold: float = 0.0
    ) -> AsyncIterator[LiveMatch]:
        """Offers that enter the ``top`` places of these buyers from now on, as it happens.

        Ends when the iterator is closed. A reader that is slow loses the oldest, never memory.

        Raises:
            NotFoundError: at the first step, naming a buyer that is not there.
        """
        raise NotImplementedError

    def model_info(self) -> ModelInfo:
        """The model that scores now."""
        raise NotImplementedError

    def health(self) -> MatchingHealth:
        """How far the state has caught up, and what went wrong last."""
        raise NotImplementedError
