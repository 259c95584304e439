"""Ranking as plain loops over the rows of a snapshot: slow, obvious, and written apart.

Knows nothing of the product's arrays. It is given the pair score as a function, and says which
ids a request must answer with, in which order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from core.snapshot import GraphSnapshot
from matching.requests import Bought, BuyerMatchRequest, Near, OfferMatchRequest, Seen

Row = dict[str, Any]
Score = Callable[[str, str], float]
Vectors = dict[str, list[float]]
LIMIT = 1_000


class MatchingOracle:
    """Answers from the rows of one snapshot."""

    def __init__(self, snapshot: GraphSnapshot, score: Score, vectors: Vectors) -> None:
        self.score = score
        self.vectors = vectors
        self.offers: dict[str, Row] = {row["id"]: row for row in snapshot.offers.to_dicts()}
        self.buyers: dict[str, Row] = {row["id"]: row for row in snapshot.buyers.to_dicts()}
        self.vendors: dict[str, Row] = {row["id"]: row for row in snapshot.vendors.to_dicts()}
        self.parents = {row["id"]: row["parent_id"] for row in snapshot.categories.to_dicts()}
        self.bought = {(r["buyer_id"], r["offer_id"]) for r in snapshot.purchases.to_dicts()}
        self.dismissed = {
            (r["buyer_id"], r["offer_id"])
            for r in snapshot.interactions.to_dicts()
            if r["kind"] == "DISMISSED"
        }
        self.seen = {
            (r["buyer_id"], r["offer_id"])
            for r in snapshot.interactions.to_dicts()
            if r["kind"] in ("VIEWED", "CLICKED", "ADDED_TO_CART", "INQUIRED_ABOUT")
        }

    def offers_for(
        self, buyer: str, request: OfferMatchRequest, now: datetime
    ) -> list[tuple[str, float, bool]]:
        """(offer id, score, pinned) in the order of the ranking."""
        asked = request.filter
        pins = []
        for key in request.pinned:
            if key not in self.offers or key in pins or key in request.excluded:
                continue
            if self._on_offer(self.offers[key], request, now):
                pins.append(key)
        passing = []
        for key, offer in self.offers.items():
            if key in pins or key in request.excluded:
                continue
            if not self._on_offer(offer, request, now) or not self._wished(offer, request):
                continue
            if not _allowed((buyer, key) in self.bought, asked.bought):
                continue
            if not _allowed((buyer, key) in self.seen, asked.seen):
                continue
            if (buyer, key) in self.dismissed and not asked.dismissed:
                continue
            if self.score(buyer, key) >= asked.min_score:
                passing.append(key)
        passing.sort(key=lambda key: (-self.score(buyer, key), key))
        caps = []
        if request.max_per_vendor is not None:
            caps.append((request.max_per_vendor, self._vendor_groups))
        if request.max_per_category is not None:
            caps.append((request.max_per_category, self._category_groups))
        kept = _capped(pins, passing, caps)
        scores = {key: self.score(buyer, key) for key in [*pins, *kept]}
        order = _spread(pins, kept, scores, self.alike_offers, request.diversity)
        return [(key, scores[key], key in pins) for key in order]

    def buyers_for(self, offer: str, request: BuyerMatchRequest) -> list[tuple[str, float, bool]]:
        """(buyer id, score, pinned) in the order of the ranking."""
        asked = request.filter
        if self.offers[offer]["status"] != "ACTIVE":
            return []
        pins = []
        for key in request.pinned:
            if key in self.buyers and key not in pins and key not in request.excluded:
                pins.append(key)
        passing = []
        for key, buyer in self.buyers.items():
            if key in pins or key in request.excluded:
                continue
            if asked.kinds and buyer["kind"] not in asked.kinds:
                continue
            if asked.countries and buyer["country"] not in asked.countries:
                continue
            if asked.near is not None and not _is_near(asked.near, buyer):
                continue
            if not _allowed((key, offer) in self.bought, asked.bought):
                continue
            if not _allowed((key, offer) in self.seen, asked.seen):
                continue
            if (key, offer) in self.dismissed and not asked.dismissed:
                continue
            if self.score(key, offer) >= asked.min_score:
                passing.append(key)
        passing.sort(key=lambda key: (-self.score(key, offer), key))
        caps = []
        if request.max_per_kind is not None:
            caps.append((request.max_per_kind, lambda key: _some(self.buyers[key]["kind"])))
        if request.max_per_country is not None:
            caps.append((request.max_per_country, lambda key: _some(self.buyers[key]["country"])))
        kept = _capped(pins, passing, caps)
        scores = {key: self.score(key, offer) for key in [*pins, *kept]}
        order = _spread(pins, kept, scores, self.alike_buyers, request.diversity)
        return [(key, scores[key], key in pins) for key in order]

    def alike_offers(self, one: str, other: str) -> float:
        """How alike two offers are, as docs/matching.md says."""
        vendor = self.offers[one]["vendor_id"]
        same_vendor = float(vendor is not None and vendor == self.offers[other]["vendor_id"])
        mine, theirs = self._category_groups(one), self._category_groups(other)
        shared = float(not set(mine).isdisjoint(theirs))
        if not self.vectors:
            return 0.5 * same_vendor + 0.5 * shared
        pairs = zip(self.vectors[one], self.vectors[other], strict=True)
        cosine = round(min(max(sum(a * b for a, b in pairs), 0.0), 1.0), 6)
        return 0.5 * cosine + 0.25 * same_vendor + 0.25 * shared

    def alike_buyers(self, one: str, other: str) -> float:
        """How alike two buyers are, as docs/matching.md says."""
        parts = []
        for name in ("kind", "country"):
            mine = self.buyers[one][name]
            parts.append(float(mine is not None and mine == self.buyers[other][name]))
        return 0.5 * parts[0] + 0.5 * parts[1]

    def place_of(self, offer: Row) -> Row:
        """Where an offer is: its own place, else its vendor's."""
        if offer["latitude"] is not None and offer["longitude"] is not None:
            return offer
        return self.vendors.get(offer["vendor_id"], {"latitude": None, "longitude": None})

    def lineage(self, category: str) -> list[str]:
        """A category and those above it."""
        found = []
        at: str | None = category
        while at is not None:
            found.append(at)
            at = self.parents[at]
        return found

    def _on_offer(self, offer: Row, request: OfferMatchRequest, now: datetime) -> bool:
        asked = request.filter
        if offer["status"] != "ACTIVE":
            return False
        at = asked.valid_at or now
        if asked.valid_now:
            if offer["valid_from"] is not None and at < offer["valid_from"]:
                return False
            if offer["valid_to"] is not None and at >= offer["valid_to"]:
                return False
        return not (asked.in_stock and offer["available_quantity"] == 0)

    def _wished(self, offer: Row, request: OfferMatchRequest) -> bool:
        asked = request.filter
        if asked.categories:
            above = {a for key in self._category_groups(offer["id"]) for a in self.lineage(key)}
            if above.isdisjoint(asked.categories):
                return False
        if asked.vendors and offer["vendor_id"] not in asked.vendors:
            return False
        if asked.price is not None and not _is_priced(asked.price, offer):
            return False
        if asked.near is not None and not _is_near(asked.near, self.place_of(offer)):
            return False
        for word in (asked.text or "").split():
            texts = (offer["title"] or "", offer["description"] or "")
            if not any(word.casefold() in text.casefold() for text in texts):
                return False
        return True

    def _vendor_groups(self, key: str) -> list[str]:
        return _some(self.offers[key]["vendor_id"])

    def _category_groups(self, key: str) -> list[str]:
        return list(self.offers[key]["category_ids"] or [])


def _some(value: str | None) -> list[str]:
    return [] if value is None else [value]


def _allowed(done: bool, asked: Bought | Seen) -> bool:
    if asked.value == "INCLUDE":
        return True
    return done is (asked.value == "ONLY")


def _is_priced(asked: Any, offer: Row) -> bool:
    if offer["price_minor"] is None or offer["currency"] != asked.currency:
        return False
    if asked.min_minor is not None and offer["price_minor"] < asked.min_minor:
        return False
    return asked.max_minor is None or offer["price_minor"] <= asked.max_minor


def _is_near(near: Near, place: Row) -> bool:
    if place["latitude"] is None or place["longitude"] is None:
        return False
    # Another formula than the product's: the angle between two unit vectors.
    first = _unit_vector(near.latitude, near.longitude)
    second = _unit_vector(place["latitude"], place["longitude"])
    cross = (
        first[1] * second[2] - first[2] * second[1],
        first[2] * second[0] - first[0] * second[2],
        first[0] * second[1] - first[1] * second[0],
    )
    dot = sum(a * b for a, b in zip(first, second, strict=True))
    return 6371.0088 * math.atan2(math.hypot(*cross), dot) <= near.radius_km


def _unit_vector(latitude: float, longitude: float) -> tuple[float, float, float]:
    north, east = math.radians(latitude), math.radians(longitude)
    return math.cos(north) * math.cos(east), math.cos(north) * math.sin(east), math.sin(north)


def _capped(
    pins: Sequence[str],
    passing: Sequence[str],
    caps: Sequence[tuple[int, Callable[[str], list[str]]]],
) -> list[str]:
    counts = [Counter(g for key in pins for g in groups(key)) for _, groups in caps]
    kept: list[str] = []
    for key in passing:
        if len(kept) + len(pins) >= LIMIT:
            break
        if any(
            counts[at][group] >= limit
            for at, (limit, groups) in enumerate(caps)
            for group in groups(key)
        ):
            continue
        kept.append(key)
        for at, (_, groups) in enumerate(caps):
            counts[at].update(groups(key))
    return kept


def _spread(
    pins: Sequence[str],
    kept: Sequence[str],
    scores: dict[str, float],
    alike: Callable[[str, str], float],
    diversity: float,
) -> list[str]:
    order, waiting = list(pins), list(kept)
    if diversity == 0:
        return [*order, *waiting]
    while waiting:
        best_key, best_value = "", -math.inf
        for key in waiting:
            likest = max((alike(key, placed) for placed in order), default=0.0)
            value = (1 - diversity) * (scores[key] / scores[kept[0]]) - diversity * likest
            if value > best_value:
                best_key, best_value = key, value
        order.append(best_key)
        waiting.remove(best_key)
    return order
