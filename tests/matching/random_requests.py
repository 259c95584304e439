"""Random requests that use every argument there is, and often several at once."""

from __future__ import annotations

import random
from datetime import timedelta

from core.snapshot import GraphSnapshot
from matching.requests import (
    Bought,
    BuyerFilter,
    BuyerMatchRequest,
    Near,
    OfferFilter,
    OfferMatchRequest,
    PriceRange,
    Seen,
)
from tests.matching.markets import NOW

WORDS = ("thing", "FINE", "sort 3", "1", "a fine thing", "no such word", "SORT", "straße")


def random_offer_request(
    rng: random.Random, snapshot: GraphSnapshot, *, strangers: bool = False
) -> OfferMatchRequest:
    """``strangers`` lets categories and vendors in that are not there, as the service does not."""
    strange = ["unknown"] if strangers else []
    categories = snapshot.categories["id"].to_list() + strange
    vendors = snapshot.vendors["id"].to_list() + strange
    offers = [*snapshot.offers["id"].to_list(), "unknown"]
    return OfferMatchRequest(
        filter=OfferFilter(
            categories=_some(rng, categories, 0.25, 3),
            vendors=_some(rng, vendors, 0.2, 4),
            price=_price(rng) if rng.random() < 0.25 else None,
            near=_near(rng) if rng.random() < 0.25 else None,
            in_stock=rng.random() < 0.6,
            valid_now=rng.random() < 0.7,
            valid_at=NOW + timedelta(days=rng.randint(-30, 30)) if rng.random() < 0.3 else None,
            text=rng.choice(WORDS) if rng.random() < 0.2 else None,
            bought=rng.choice(list(Bought)),
            seen=rng.choice([Seen.INCLUDE, *Seen]),
            dismissed=rng.random() < 0.5,
            min_score=rng.choice([0.0, 0.0, 0.05, 0.2, 0.6]),
        ),
        diversity=rng.choice([0.0, 0.0, rng.random(), 0.5, 1.0]),
        max_per_vendor=rng.choice([None, None, 1, 2, 5]),
        max_per_category=rng.choice([None, None, 1, 3]),
        pinned=_some(rng, offers, 0.2, 4),
        excluded=_some(rng, offers, 0.3, 20),
    )


def random_buyer_request(rng: random.Random, snapshot: GraphSnapshot) -> BuyerMatchRequest:
    buyers = [*snapshot.buyers["id"].to_list(), "unknown"]
    return BuyerMatchRequest(
        filter=BuyerFilter(
            kinds=_some(rng, ["grocer", "chemist", "unknown"], 0.3, 2),
            countries=_some(rng, ["DE", "FR", "GB", "unknown"], 0.3, 2),
            near=_near(rng) if rng.random() < 0.25 else None,
            bought=rng.choice(list(Bought)),
            seen=rng.choice([Seen.INCLUDE, *Seen]),
            dismissed=rng.random() < 0.5,
            min_score=rng.choice([0.0, 0.0, 0.05, 0.2, 0.6]),
        ),
        diversity=rng.choice([0.0, 0.0, rng.random(), 0.5, 1.0]),
        max_per_kind=rng.choice([None, None, 1, 5, 20]),
        max_per_country=rng.choice([None, None, 1, 3, 10]),
        pinned=_some(rng, buyers, 0.2, 4),
        excluded=_some(rng, buyers, 0.3, 20),
    )


def _some(rng: random.Random, ids: list[str], chance: float, most: int) -> tuple[str, ...]:
    if not ids or rng.random() >= chance:
        return ()
    return tuple(rng.choice(ids) for _ in range(rng.randint(1, most)))


def _price(rng: random.Random) -> PriceRange:
    low = rng.choice([None, 0, rng.randint(0, 2000)])
    high = rng.choice([None, (low or 0) + rng.randint(0, 4000)])
    return PriceRange(rng.choice(["EUR", "GBP", "JPY"]), low, high)


def _near(rng: random.Random) -> Near:
    radius = rng.choice([0.0, 50.0, 300.0, 700.0, 20_000.0])
    return Near(rng.uniform(45, 55), rng.uniform(0, 10), radius)
