"""Drawing offers for buyers: many weighted draws at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from core.progress import SILENT, Progress
from synthetic.truth import offer_season
from synthetic.world import World

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Relevance = npt.NDArray[np.float32]

BLOCK = 256
TRIES = 3
"""Offers drawn for a line; the first that was live that day is taken."""


def slot_factors(world: World, live: Flags) -> Floats:
    """Demand for each offer in each slot, whatever the buyer (slots, N).

    Popularity x season x the share of the slot's days on which the offer was live.
    """
    calendar = world.calendar
    days = np.add.reduceat(live.astype(np.float64), calendar.first_day[:-1], axis=0)
    share = days / np.diff(calendar.first_day)[:, None]
    return offer_season(world)[calendar.month] * world.catalogue.appeal * share


def draw_offers(
    weigh: Callable[[Relevance], Relevance],
    relevance: Relevance,
    factors: Floats,
    buyer: Integers,
    slot: Integers,
    random: np.random.Generator,
    progress: Progress = SILENT,
) -> Integers:
    """Draw TRIES offers for each (buyer, slot): (n, TRIES), with replacement.

    The weight of offer i is ``weigh(relevance[buyer])[i] * factors[slot, i]``; an offer of
    weight 0 is never drawn unless every weight is.
    """
    ticket = random.random((buyer.size, TRIES))
    drawn = np.zeros((buyer.size, TRIES), dtype=np.int64)
    block = buyer // BLOCK
    order = np.lexsort((slot, block))
    key = block[order] * factors.shape[0] + slot[order]
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    ends = np.append(starts, key.size)[1:]
    weights, held = np.empty((0, 0)), -1
    with progress.task("Drawing offers", int(buyer.size)) as task:
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            lines = order[start:end]
            number = int(block[lines[0]])
            if number != held:
                rows = relevance[number * BLOCK : (number + 1) * BLOCK]
                weights, held = weigh(rows).astype(np.float64), number
            local, row = np.unique(buyer[lines] - number * BLOCK, return_inverse=True)
            drawn[lines] = _by_weight(weights[local] * factors[slot[lines[0]]], row, ticket[lines])
            task.advance(end - start)
    return drawn


def draw_live(weights: Floats, live: Flags, day: Integers, random: np.random.Generator) -> Integers:
    """Draw one offer for each day by ``weights`` (N,) among those live that day (days, N)."""
    drawn = _by_weight(live * weights, day, random.random((day.size, 1)))
    return np.asarray(drawn[:, 0])


def first_live(candidates: Integers, live: Flags, day: Integers) -> tuple[Integers, Flags]:
    """The first candidate (n, k) that was live on the day (n,), and whether there was one."""
    usable = live[day[:, None], candidates]
    choice = np.argmax(usable, axis=1)
    rows = np.arange(day.size)
    return candidates[rows, choice], usable[rows, choice]


def _by_weight(weights: Floats, row: Integers, ticket: Floats) -> Integers:
    """Invert each row's distribution at the tickets: weights (R, N), row (n,), ticket (n, k)."""
    reach = np.cumsum(weights, axis=1)
    total = reach[:, -1:]
    reach /= np.where(total > 0, total, 1.0)
    # The last offer with any weight reaches 1 exactly; those before it stay below.
    reach += np.arange(weights.shape[0])[:, None]
    place = np.searchsorted(reach.ravel(), row[:, None] + ticket, side="right")
    column = place - row[:, None] * weights.shape[1]
    return np.asarray(np.clip(column, 0, weights.shape[1] - 1))
