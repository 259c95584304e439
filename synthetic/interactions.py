"""Views, clicks, carts, inquiries and dismissals: what buyers do besides buying."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.entities import EvidenceKind
from core.progress import SILENT, Progress
from synthetic.calendar import DAY_US
from synthetic.draws import draw_live, draw_offers, first_live, slot_factors
from synthetic.purchases import CLOSING_SECOND, OPENING_SECOND, Lines
from synthetic.world import World

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

KINDS = (
    EvidenceKind.VIEWED,
    EvidenceKind.CLICKED,
    EvidenceKind.ADDED_TO_CART,
    EvidenceKind.INQUIRED_ABOUT,
    EvidenceKind.DISMISSED,
)
PRECEDING_SHARE = 0.45
"""Share of interactions that lead up to a purchase."""

DISMISSED_SHARE = 0.07
BEFORE_PURCHASE = np.array([0.50, 0.27, 0.17, 0.06, 0.0])
WHILE_BROWSING = np.array([0.68, 0.22, 0.06, 0.04, 0.0])
HOURS_BEFORE = np.array([60.0, 36.0, 2.0, 48.0, 1.0])
"""Mean time between an interaction of each kind and the purchase it leads to."""

BROWSING_EXPONENT = 0.6
"""Browsing is less choosy than buying: relevance is flattened by this power."""


@dataclass(frozen=True, slots=True)
class Interactions:
    """Interactions sorted by time.

    Args:
        buyer, offer: rows of the world (n,).
        kind: index into KINDS (n,).
        at_us: microseconds since 1970 in UTC (n,).
        value: seconds looked at for a view, units for a cart, NaN for the others (n,).
    """

    buyer: Integers
    offer: Integers
    kind: Integers
    at_us: Integers
    value: Floats


def draw_interactions(
    world: World,
    relevance: npt.NDArray[np.float32],
    live: Flags,
    lines: Lines,
    random: np.random.Generator,
    progress: Progress = SILENT,
) -> Interactions:
    """Draw exactly ``spec.interactions``, none before the buyer joined or the offer was listed."""
    total = world.spec.interactions
    leading = round(total * PRECEDING_SHARE) if lines.buyer.size else 0
    dismissed = round(total * DISMISSED_SHARE)
    factors = slot_factors(world, live)
    parts = [
        _leading_up(world, lines, leading, random),
        _browsing(world, relevance, live, factors, total - leading - dismissed, random, progress),
        _dismissing(world, relevance, live, factors, dismissed, random),
    ]
    buyer, offer, kind, at_us, value = (
        np.concatenate(column) for column in zip(*parts, strict=True)
    )
    sorting = np.lexsort((kind, offer, buyer, at_us))
    return Interactions(
        buyer[sorting], offer[sorting], kind[sorting], at_us[sorting], value[sorting]
    )


_Part = tuple[Integers, Integers, Integers, Integers, Floats]


def _leading_up(world: World, lines: Lines, count: int, random: np.random.Generator) -> _Part:
    line = random.integers(0, max(1, lines.buyer.size), count)
    buyer, offer = lines.buyer[line], lines.offer[line]
    kind = random.choice(len(KINDS), count, p=BEFORE_PURCHASE)
    ahead_us = (random.exponential(HOURS_BEFORE[kind]) * 3600 + 20).astype(np.int64) * 1_000_000
    since = np.maximum(world.buyers.joined_day[buyer], world.catalogue.created_day[offer])
    # Both were created before opening on that day, so a purchase is later than this moment.
    floor = world.calendar.start_us + np.maximum(since, 0) * DAY_US + 6 * 3600 * 1_000_000
    at_us = np.maximum(lines.at_us[line] - ahead_us, floor)
    return buyer, offer, kind, at_us, _values(kind, lines.quantity[line], random)


def _browsing(
    world: World,
    relevance: npt.NDArray[np.float32],
    live: Flags,
    factors: Floats,
    count: int,
    random: np.random.Generator,
    progress: Progress,
) -> _Part:
    buyer, slot, day, at_us = _visits(world, count, random)
    drawn = draw_offers(
        lambda rows: rows**BROWSING_EXPONENT, relevance, factors, buyer, slot, random, progress
    )
    offer, found = first_live(drawn, live, day)
    offer[~found] = draw_live(world.catalogue.appeal, live, day[~found], random)
    kind = random.choice(len(KINDS), count, p=WHILE_BROWSING)
    return buyer, offer, kind, at_us, _values(kind, np.ones(count, dtype=np.int64), random)


def _dismissing(
    world: World,
    relevance: npt.NDArray[np.float32],
    live: Flags,
    factors: Floats,
    count: int,
    random: np.random.Generator,
) -> _Part:
    """Popular offers that the buyer has no use for."""
    buyer, slot, day, at_us = _visits(world, count, random)
    drawn = draw_offers(
        lambda rows: np.maximum(1 - 2 * rows**0.25, 0), relevance, factors, buyer, slot, random
    )
    offer, found = first_live(drawn, live, day)
    offer[~found] = draw_live(world.catalogue.appeal, live, day[~found], random)
    kind = np.full(count, KINDS.index(EvidenceKind.DISMISSED))
    return buyer, offer, kind, at_us, np.full(count, np.nan)


def _visits(
    world: World, count: int, random: np.random.Generator
) -> tuple[Integers, Integers, Integers, Integers]:
    """Who is on the market when: buyer, slot, day and time. Half of the cold buyers look too."""
    buyers, calendar = world.buyers, world.calendar
    cold = buyers.activity == 0
    joined = np.clip(buyers.joined_day, 0, calendar.days - 1)
    present = (calendar.days - joined) / calendar.days
    looks = np.where(cold, (np.arange(cold.size) % 2) * 0.2, buyers.activity * present)
    buyer = random.choice(looks.size, count, p=looks / looks.sum())
    busy = np.concatenate([[0.0], np.cumsum(calendar.weight)])
    low = busy[joined[buyer]]
    day = np.searchsorted(busy, low + random.random(count) * (busy[-1] - low), side="right") - 1
    day = np.clip(day, joined[buyer], calendar.days - 1)
    second = random.integers(OPENING_SECOND, CLOSING_SECOND, count)
    at_us = calendar.start_us + day * DAY_US + second * 1_000_000
    return buyer, calendar.slot_of_day[day], day, at_us


def _values(kind: Integers, quantity: Integers, random: np.random.Generator) -> Floats:
    seconds = np.round(random.lognormal(3.2, 0.8, kind.size))
    value = np.where(kind == KINDS.index(EvidenceKind.VIEWED), seconds, np.nan)
    return np.where(kind == KINDS.index(EvidenceKind.ADDED_TO_CART), quantity, value)
