"""One ranking: scores, conditions, caps, pins, diversity, in that order.

Pure functions of (state, request, now); nothing here waits, so they run in worker threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from core.context import Context
from matching.answers import RankedItem
from matching.diversity import (
    Cap,
    buyer_likeness,
    capped_rows,
    diversified,
    offer_likeness,
    single_groups,
)
from matching.filters import (
    availability,
    buyer_conditions,
    conjunction,
    mask_of,
    offer_conditions,
)
from matching.requests import RANKING_LIMIT, BuyerMatchRequest, OfferMatchRequest
from matching.state import MatcherState
from scoring.ragged import Ragged
from scoring.states import BuyerState

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]
Places = NDArray[np.int64]
# How many rows are put in order at first; more only when caps use these up.
CHUNK = 4 * RANKING_LIMIT


@dataclass(frozen=True, slots=True)
class RankedRows:
    """A ranking by row numbers.

    Attributes:
        rows: in the order of the ranking, pins first.
        pins: how many of them are pinned.
        by_score: the same without pins, before diversity.
        stopped: the cap's field for rows that a cap kept out.
        scores: (N,) of all rows.
    """

    rows: list[int]
    pins: int
    by_score: list[int]
    stopped: dict[int, str]
    scores: Floats


def rank_offer_rows(
    state: MatcherState, buyer: BuyerState, request: OfferMatchRequest, now: datetime
) -> RankedRows:
    """Rank the offers for a buyer."""
    offers = state.corpus.offers
    scores = state.scorer.score_offers(buyer, request.context)
    passes = conjunction(offer_conditions(state, buyer, request, now), len(offers))
    passes &= scores >= request.filter.min_score
    on_offer = conjunction(availability(offers, request.filter, now), len(offers))
    on_offer &= ~mask_of(offers.index, request.excluded, len(offers))
    pins = _pinned(offers.index, request.pinned, on_offer)
    caps = _caps(
        ("max_per_vendor", request.max_per_vendor, single_groups(offers.vendor)),
        ("max_per_category", request.max_per_category, offers.categories),
    )
    kept, stopped = _kept(scores, passes, state.offer_order, caps, pins)
    rows = [*pins, *kept]
    if request.diversity > 0:
        z = state.scorer.tower.z
        alike = offer_likeness(np.array(rows, np.int64), offers.vendor, offers.categories, z)
        rows = _spread(rows, scores, alike, request.diversity, len(pins))
    return RankedRows(rows, len(pins), kept, stopped, scores)


def rank_buyer_rows(state: MatcherState, offer: int, request: BuyerMatchRequest) -> RankedRows:
    """Rank the buyers for an offer (its row); a withdrawn offer has none."""
    table = state.buyer_table
    scores = score_all_buyers(state, offer, request.context)
    passes = conjunction(buyer_conditions(state, offer, request), len(table.ids))
    passes &= scores >= request.filter.min_score
    there = table.present & ~mask_of(table.index, request.excluded, len(table.ids))
    if not state.corpus.offers.active[offer]:
        passes[:], there[:] = False, False
    pins = _pinned(table.index, request.pinned, there)
    caps = _caps(
        ("max_per_kind", request.max_per_kind, single_groups(table.kind)),
        ("max_per_country", request.max_per_country, single_groups(table.country)),
    )
    kept, stopped = _kept(scores, passes, state.buyer_order, caps, pins)
    rows = [*pins, *kept]
    if request.diversity > 0:
        alike = buyer_likeness(np.array(rows, np.int64), table.kind, table.country)
        rows = _spread(rows, scores, alike, request.diversity, len(pins))
    return RankedRows(rows, len(pins), kept, stopped, scores)


def score_all_buyers(state: MatcherState, offer: int, context: Context = ()) -> Floats:
    """Scores (B,) of every buyer of the table for one offer; the erased score 0."""
    table = state.buyer_table
    size = len(state.corpus.buyers)
    known = {table.index[key]: s for key, s in state.changed_states.items()}
    scores = np.zeros(len(table.ids))
    inside = {row: s for row, s in known.items() if row < size}
    scores[:size] = state.scorer.score_buyers(offer, inside, context)
    only = np.array([offer], np.int32)
    for row, buyer in known.items():
        if row >= size:
            scores[row] = state.scorer.score_pairs(buyer, only, context)[0]
    scores[~table.present] = 0.0
    return scores


def items_of(ranked: RankedRows, ids: list[str]) -> tuple[RankedItem, ...]:
    """The ranking as items."""
    size = len(ranked.rows)
    keys, scores = map(ids.__getitem__, ranked.rows), ranked.scores[ranked.rows].tolist()
    pinned = [True] * ranked.pins + [False] * (size - ranked.pins)
    rows = zip(keys, scores, range(1, size + 1), pinned, [False] * size, strict=True)
    # A thousand items by a call each cost half as much as scoring four thousand offers.
    return tuple(map(RankedItem._make, rows))


def best_first(scores: Floats, passes: Mask, places: Places) -> Iterator[int]:
    """The rows that pass, by score downwards, equal scores by id.

    Orders only as many rows as are asked for, in growing stretches.
    """
    rows = np.flatnonzero(passes)
    done = 0
    size = CHUNK
    while done < len(rows):
        stretch = _top(rows, scores, places, min(size, len(rows)))
        yield from stretch[done:].tolist()
        done, size = len(stretch), 4 * size


def _top(rows: Places, scores: Floats, places: Places, count: int) -> Places:
    mine = scores[rows]
    if count < len(rows):
        # All that tie with the last place are kept, so that ids decide between them.
        threshold = np.partition(mine, len(rows) - count)[len(rows) - count]
        rows, mine = rows[mine >= threshold], mine[mine >= threshold]
    ordered: Places = rows[np.lexsort((places[rows], -mine))]
    return ordered


def _kept(
    scores: Floats, passes: Mask, places: Places, caps: list[Cap], pins: list[int]
) -> tuple[list[int], dict[int, str]]:
    passes[pins] = False
    limit = RANKING_LIMIT - len(pins)
    if not caps:
        rows = np.flatnonzero(passes)
        return _top(rows, scores, places, min(limit, len(rows)))[:limit].tolist(), {}
    return capped_rows(best_first(scores, passes, places), caps, pins, limit)


def _spread(
    rows: list[int], scores: Floats, likeness: Floats, diversity: float, pins: int
) -> list[int]:
    order = diversified(scores[rows], likeness, float(diversity), pins) if rows else []
    return [rows[at] for at in order]


def _pinned(index: dict[str, int], ids: tuple[str, ...], allowed: Mask) -> list[int]:
    rows = dict.fromkeys(index[key] for key in ids if key in index)
    return [row for row in rows if allowed[row]]


def _caps(*asked: tuple[str, int | None, Ragged]) -> list[Cap]:
    return [Cap(name, limit, groups) for name, limit, groups in asked if limit is not None]
