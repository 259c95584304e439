"""Batched reads: one read of the graph for all that one level of a query asks of a kind.

Nothing is remembered between batches, so that a connection that lives long, and a mutation's
payload, always show what the graph holds now.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from strawberry.dataloader import DataLoader

from core.entities import Buyer, BuyerProfile, Category, Offer, Vendor

if TYPE_CHECKING:
    from api.context import Services
    from matching.answers import Explanation

V = TypeVar("V")
Pair = tuple[str, str]


class Loaders:
    """The batches of one request."""

    def __init__(self, services: Services) -> None:
        store = services.store
        self._services = services
        self._explanations: dict[int, DataLoader[Pair, tuple[Explanation, ...]]] = {}
        self.buyers: DataLoader[str, Buyer | None] = _by_id(store.get_buyers)
        self.vendors: DataLoader[str, Vendor | None] = _by_id(store.get_vendors)
        self.categories: DataLoader[str, Category | None] = _by_id(store.get_categories)
        self.offers: DataLoader[str, Offer | None] = _by_id(store.get_offers)
        self.profiles: DataLoader[str, BuyerProfile | None] = _by_id(store.read_buyer_profiles)
        self.children: DataLoader[str, list[str] | None] = _by_id(store.category_children)

    def explanations(self, first: int) -> DataLoader[Pair, tuple[Explanation, ...]]:
        """The batch of pairs to explain with their ``first`` strongest pieces of evidence."""
        if first not in self._explanations:

            async def load(pairs: list[Pair]) -> Sequence[tuple[Explanation, ...]]:
                return await self._services.matching.explanations(pairs, first)

            self._explanations[first] = DataLoader(load, cache=False)
        return self._explanations[first]


def _by_id(
    read: Callable[[Sequence[str]], Awaitable[Mapping[str, V]]],
) -> DataLoader[str, V | None]:
    async def load(ids: list[str]) -> list[V | None]:
        found = await read(list(dict.fromkeys(ids)))
        return [found.get(id_) for id_ in ids]

    return DataLoader(load, cache=False)
