"""Batched reads: one read of the graph for all that one level of a query asks of a kind.

Nothing is remembered between batches, so that a connection that lives long, and a mutation's
payload, always show what the graph holds now.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from strawberry.dataloader import DataLoader

from core.context import Context
from core.entities import Buyer, BuyerProfile, Category, Offer, Vendor
from matching.answers import Explanation, Ranking, SimilarOffer
from matching.requests import BuyerMatchRequest, MatchRequest, OfferMatchRequest

if TYPE_CHECKING:
    from api.context import Services

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")
Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RankingKey:
    """A ranking: a new one of this subject, or the stored one of that id."""

    subject_id: str
    request: MatchRequest
    ranking_id: str | None = None


class Loaders:
    """The batches of one request."""

    def __init__(self, services: Services) -> None:
        store = services.store
        self._services = services
        self._explanations: dict[
            tuple[int, Context], DataLoader[Pair, tuple[Explanation, ...]]
        ] = {}
        self.buyers: DataLoader[str, Buyer | None] = _by_id(store.get_buyers)
        self.vendors: DataLoader[str, Vendor | None] = _by_id(store.get_vendors)
        self.categories: DataLoader[str, Category | None] = _by_id(store.get_categories)
        self.offers: DataLoader[str, Offer | None] = _by_id(store.get_offers)
        self.profiles: DataLoader[str, BuyerProfile | None] = _by_id(store.read_buyer_profiles)
        self.children: DataLoader[str, list[str] | None] = _by_id(store.category_children)
        self.rankings: DataLoader[RankingKey, Ranking] = _together(self._rank)
        self.similar: DataLoader[tuple[str, int], list[SimilarOffer]] = _together(
            lambda key: services.matching.similar_offers(*key)
        )

    def explanations(
        self, first: int, context: Context
    ) -> DataLoader[Pair, tuple[Explanation, ...]]:
        """The batch of pairs to explain with their ``first`` strongest pieces of evidence."""
        key = (first, context)
        if key not in self._explanations:

            async def load(pairs: list[Pair]) -> Sequence[tuple[Explanation, ...]]:
                return await self._services.matching.explanations(pairs, first, context)

            self._explanations[key] = DataLoader(load, cache=False)
        return self._explanations[key]

    async def _rank(self, key: RankingKey) -> Ranking:
        matching = self._services.matching
        match key.request, key.ranking_id:
            case OfferMatchRequest() as request, None:
                return await matching.rank_offers(key.subject_id, request)
            case OfferMatchRequest() as request, str(ranking_id):
                return await matching.resume_offers(key.subject_id, request, ranking_id)
            case BuyerMatchRequest() as request, None:
                return await matching.rank_buyers(key.subject_id, request)
            case BuyerMatchRequest() as request, str(ranking_id):
                return await matching.resume_buyers(key.subject_id, request, ranking_id)
        raise AssertionError(key)


def _together(compute: Callable[[K], Awaitable[V]]) -> DataLoader[K, V]:
    """Compute each, and hand them out at one moment: what hangs below is then read in one batch."""

    async def load(keys: list[K]) -> list[V | BaseException]:
        return await asyncio.gather(*map(compute, keys), return_exceptions=True)

    return DataLoader(load, cache=False)


def _by_id(
    read: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]],
) -> DataLoader[str, V | None]:
    async def load(ids: list[str]) -> list[V | None]:
        found = await read(list(dict.fromkeys(ids)))
        return [found.get(id_) for id_ in ids]

    return DataLoader(load, cache=False)
