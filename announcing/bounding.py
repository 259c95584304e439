"""One offer held against all buyers at once: a score that each pair's score does not exceed.

The components are read from a Crowd's sums instead of each buyer's evidence, and the scorer's
network is computed for all buyers side by side in single precision. What rounding can add is laid
on top, so a bound lies a hair above the score, and whom it leaves out needs no exact score.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from announcing.crowd import Crowd, Floats, Lists, Rows, Singles
from core.entities import EvidenceKind
from scoring.again import LEAST
from scoring.combination import Combination
from scoring.components import (
    CATEGORY,
    COSINE,
    DENSITY_QUARTER,
    EVIDENCE,
    INTEREST,
    INTEREST_LATELY,
    KIND_POPULARITY,
    LINKS,
    LOCAL_POPULARITY,
    LOW_RANK,
    LOW_RANK_LOG,
    NEAR_QUARTER,
    PLACE,
    POPULARITY,
    PREFERENCE,
    PRICE,
    REACH,
    SLIM,
    SLIM_LOG,
    SLIM_ROOT,
    SLIM_SQUARES,
    TREND,
    VENDOR,
    WALK,
)
from scoring.corpus import KINDS, PURCHASED
from scoring.grid import unit_vectors
from scoring.kernels import OfferSide
from scoring.pair_kernels import EARTH_RADIUS_KM, FINE, HALF_NEAR_KM
from scoring.rows import OfferRows

DISMISSED = KINDS.index(EvidenceKind.DISMISSED)
UNIT = 2.0**-24
# A root of what nearly cancels out errs by the root of a double's rounding.
ROOT_OF_DOUBLE = 1e-6
# Buyers whose columns lie in the processor's nearest cache together.
BLOCK = 256
# From these log odds on a score is 1 but for rounding.
CERTAIN = 20.0


class Neighbours(NamedTuple):
    """The offers that link to one offer, by the walk and by what was learned, with their weights.

    ``cells`` are its cells in the crowd's numbers, -1 where nobody of the crowd is near.
    """

    walk: Rows
    walk_weight: Singles
    slim: Rows
    slim_weight: Singles
    cells: Rows


def neighbours_of(walk: OfferRows, slim: OfferRows, offer: int, cells: Rows) -> Neighbours:
    """Columns (rows transposed) of the walk and of the learned links -> those of one offer."""
    near, learned = (slice(rows.ptr[offer], rows.ptr[offer + 1]) for rows in (walk, slim))
    return Neighbours(
        walk.offer[near], walk.weight[near], slim.offer[learned], slim.weight[learned], cells
    )


def odds_of(scores: Floats) -> Floats:
    """Scores (n,) -> the log odds that a bound must reach; those of certainty are CERTAIN."""
    inside = np.clip(scores, 1e-300, 1.0 - 1e-12)
    odds: Floats = np.minimum(np.log(inside) - np.log1p(-inside), CERTAIN)
    odds[scores <= 0.0] = -np.inf
    odds[scores == np.inf] = np.inf
    return odds


def upper_odds(
    crowd: Crowd, side: OfferSide, by: Combination, offer: int, near: Neighbours
) -> Singles:
    """Upper bounds (B,) of the log odds of one offer with all buyers of a crowd, without context.

    Buyers who bought or dismissed the offer have -inf: it is no match of theirs.

    Args:
        crowd: of buyers whose evidence is on offers that are as they were when it was made.
        side: the offers as they are now.
        by: the scorer's combination.
        offer: the row of the offer, which need not have been there when the crowd was made.
        near: its neighbours.
    """
    columns = {
        COSINE: _cosines(crowd.z, side.z[offer]),
        **_low_rank(crowd, side, offer),
        EVIDENCE: crowd.evidence,
        REACH: crowd.reach,
        **_shared(crowd, side, offer, near.cells),
        **_linked(crowd, side, near),
        **_interested(crowd, offer),
    }
    present = list(columns)
    start = by.bias + sum(by.weights[k] * value for k, value in _constant(side, offer).items())
    hidden = by.inner_bias + sum(by.inner[k] * value for k, value in _constant(side, offer).items())
    steep = _steepness(by)
    margin = _margin(by, steep, columns, float(start), hidden, side.z.shape[1])
    odds: Singles = _combined(
        np.stack(list(columns.values())),
        by.weights[present].astype(np.float32),
        by.inner[present].astype(np.float32),
        by.outer.astype(np.float32),
        hidden.astype(np.float32),
        float(start),
        margin + _low_rank_margin(steep, crowd, side, offer),
        (float(by.knee), float(by.above)),
    )
    if offer < len(crowd.piece.ptr) - 1:
        own = slice(crowd.piece.ptr[offer], crowd.piece.ptr[offer + 1])
        dealt = np.isin(crowd.piece_kind[own], (PURCHASED, DISMISSED))
        odds[crowd.piece.row[own][dealt]] = -np.inf
    return odds


def _constant(side: OfferSide, offer: int) -> dict[int, float]:
    """The components that are the same for every buyer."""
    density = {DENSITY_QUARTER + k: float(value) for k, value in enumerate(side.density[offer])}
    return density | {
        POPULARITY: float(side.popularity[offer]),
        TREND: float(side.trend[offer]),
    }


def _margin(
    by: Combination,
    steepness: Floats,
    columns: dict[int, Singles],
    start: float,
    hidden: Floats,
    dimension: int,
) -> float:
    """How far rounding can lift a pair's log odds above those computed here.

    A component changes the log odds by at most its steepness, and everything that is added up is at
    most ``size``. A component is within a few units of rounding; the cosine of unit vectors within
    one for each dimension.
    """
    size = abs(start) + float(np.abs(hidden) @ np.abs(by.outer))
    size += sum(
        steepness[k] * max(float(column.max(initial=0)), -float(column.min(initial=0)))
        for k, column in columns.items()
    )
    steps = len(columns) + len(by.outer) + 16
    error = steps * UNIT * size + steepness[COSINE] * (dimension + 8) * UNIT
    return float(error + steepness[SLIM_ROOT] * ROOT_OF_DOUBLE + UNIT)


def _steepness(by: Combination) -> Floats:
    """By how much each component (K,) changes the log odds at most; they are linear in pieces."""
    found: Floats = np.abs(by.weights) + np.abs(by.inner) @ np.abs(by.outer)
    return found


def _low_rank_margin(steep: Floats, crowd: Crowd, side: OfferSide, offer: int) -> float:
    """How far rounding of the products of low rank can lift a pair's log odds."""
    length = crowd.length * float(np.linalg.norm(side.low_rank[offer]))
    error = 4 * UNIT * length * abs(float(side.low_rank_out[offer]))
    return float((steep[LOW_RANK] + FINE * steep[LOW_RANK_LOG]) * error)


def _low_rank(crowd: Crowd, side: OfferSide, offer: int) -> dict[int, Singles]:
    """What the product of low rank links it with; nothing for an offer that it does not know."""
    if side.low_rank_out[offer] == 0.0:
        return {}
    products = _products(crowd.low_rank, side.low_rank[offer])
    column = products * side.low_rank_out[offer]
    return {LOW_RANK: column, LOW_RANK_LOG: _log_more(np.float32(FINE) * column)}


def _shared(crowd: Crowd, side: OfferSide, offer: int, cells: Rows) -> dict[int, Singles]:
    """What the offer has in common with buyers; components that are 0 for all are left out."""
    size = len(crowd)
    closure = side.closure[side.closure_ptr[offer] : side.closure_ptr[offer + 1]]
    columns = {
        LOCAL_POPULARITY: side.local[:, offer][crowd.country],
        KIND_POPULARITY: side.by_kind[:, offer][crowd.kind],
    }
    if len(closure):
        share, liking = np.zeros(size, np.float32), np.zeros(size, np.float32)
        for c in closure.tolist():
            _add(crowd.category, c, side.category_weight[c] / len(closure), share)
            _add(crowd.liking, c, 1.0, liking)
        columns |= {CATEGORY: share, PREFERENCE: np.clip(liking, -1.0, 1.0)}
    if side.vendor[offer] >= 0:
        columns[VENDOR] = np.zeros(size, np.float32)
        _add(crowd.vendor, int(side.vendor[offer]), 1.0, columns[VENDOR])
    if side.currency[offer] >= 0 and not np.isnan(side.log_price[offer]):
        columns[PRICE] = np.zeros(size, np.float32)
        _fill_prices(crowd.price, int(side.currency[offer]), side.log_price[offer], columns[PRICE])
    if not np.isnan(side.latitude[offer]):
        place = (side.latitude[offer : offer + 1], side.longitude[offer : offer + 1])
        columns[PLACE] = _nearness(crowd.place, unit_vectors(*place)[0])
    for k in range(len(cells) // 2):
        if cells[2 * k] >= 0 or cells[2 * k + 1] >= 0:
            around = np.zeros(size, np.float32)
            _add(crowd.cell, int(cells[2 * k]), 0.5, around)
            _add(crowd.cell, int(cells[2 * k + 1]), 0.5, around)
            columns[NEAR_QUARTER + k] = _log_more(around)
    return columns


def _linked(crowd: Crowd, side: OfferSide, near: Neighbours) -> dict[int, Singles]:
    """What hangs on links: only who holds a neighbour of the offer has any."""
    columns = {}
    if len(near.walk):
        reach = np.zeros((2, len(crowd)))
        _sum_links(crowd.piece, near.walk, near.walk_weight, reach)
        columns[WALK] = _log_more((reach[0] / side.walk_scale).astype(np.float32))
        columns[LINKS] = _log_more(reach[1].astype(np.float32))
    if len(near.slim):
        reach = np.zeros((2, len(crowd)))
        _sum_learned(crowd.piece, near.slim, near.slim_weight, reach)
        learned = np.maximum(reach[0], 0.0)
        columns[SLIM] = reach[0].astype(np.float32)
        columns[SLIM_ROOT] = np.sqrt(learned).astype(np.float32)
        columns[SLIM_LOG] = _log_more((FINE * learned).astype(np.float32))
        columns[SLIM_SQUARES] = np.sqrt(reach[1]).astype(np.float32)
    return columns


def _interested(crowd: Crowd, offer: int) -> dict[int, Singles]:
    """What buyers did with that very offer, short of buying it; nothing where nobody did."""
    columns = {}
    for component, lists in ((INTEREST, crowd.interest), (INTEREST_LATELY, crowd.interest_lately)):
        if offer < len(lists.ptr) - 1 and lists.ptr[offer] < lists.ptr[offer + 1]:
            said = np.zeros(len(crowd), np.float32)
            _add(lists, offer, 1.0 / LEAST, said)
            columns[component] = _log_more(said)
    return columns


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _cosines(z: Singles, offer: Singles) -> Singles:
    """Inner products (B,) of vectors (B, d) and one (d,), on one thread: others have work too."""
    cosines = np.empty(len(z), dtype=np.float32)
    for b in range(len(z)):
        total = np.float32(0.0)
        for k in range(len(offer)):
            total += z[b, k] * offer[k]
        cosines[b] = total
    return cosines


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _products(vectors: Singles, offer: Singles) -> Singles:
    """Inner products (B,) of vectors (B, r) and one (r,): as exact as the score's own."""
    products = np.empty(len(vectors), dtype=np.float32)
    for b in range(len(vectors)):
        total = 0.0
        for k in range(len(offer)):
            total += vectors[b, k] * offer[k]
        products[b] = total
    return products


@njit(cache=True, nogil=True)
def _sum_links(piece: Lists, near: Rows, weights: Singles, sums: Floats) -> None:
    """Add up the weights of neighbours (n,), and the evidence on them, by buyer: sums (2, B)."""
    walked, linked = sums[0], sums[1]
    for n in range(len(near)):
        weight = np.float64(weights[n])
        for at in range(piece.ptr[near[n]], piece.ptr[near[n] + 1]):
            walked[piece.row[at]] += piece.value[at] * weight
            linked[piece.row[at]] += piece.value[at]


@njit(cache=True, nogil=True)
def _sum_learned(piece: Lists, near: Rows, weights: Singles, sums: Floats) -> None:
    """Add up the weights of neighbours (n,), and their squares, by buyer: sums (2, B)."""
    learned, squared = sums[0], sums[1]
    for n in range(len(near)):
        weight = np.float64(weights[n])
        for at in range(piece.ptr[near[n]], piece.ptr[near[n] + 1]):
            learned[piece.row[at]] += piece.value[at] * weight
            squared[piece.row[at]] += piece.value[at] * (weight * weight)


@njit(cache=True, nogil=True)
def _add(lists: Lists, group: int, factor: float, column: Singles) -> None:
    """Add a group's values to a column (B,); a group that came after the crowd has none."""
    if 0 <= group < len(lists.ptr) - 1:
        for at in range(lists.ptr[group], lists.ptr[group + 1]):
            column[lists.row[at]] += np.float32(factor * lists.value[at])


@njit(cache=True, nogil=True)
def _fill_prices(price: Lists, currency: int, log_price: float, column: Singles) -> None:
    """The component ``price`` (B,) of buyers who usually pay in the currency."""
    if currency < len(price.ptr) - 1:
        for at in range(price.ptr[currency], price.ptr[currency + 1]):
            column[price.row[at]] = np.exp(np.float32(-abs(log_price - price.value[at])))


@njit(cache=True, nogil=True)
def _log_more(values: Singles) -> Singles:
    """log(1 + value) of each (B,), none below 0; nothing for nearly everybody."""
    logs = np.zeros(len(values), dtype=np.float32)
    for b in range(len(values)):
        if values[b] > 0.0:
            logs[b] = np.log1p(values[b])
    return logs


@njit(cache=True, nogil=True)
def _nearness(places: Floats, here: Floats) -> Singles:
    """The component ``place`` (B,) of places (B, 3) and one (3,), 0 where unknown."""
    near = np.zeros(len(places), dtype=np.float32)
    for b in range(len(places)):
        chord = 0.0
        for k in range(3):
            chord += (places[b, k] - here[k]) * (places[b, k] - here[k])
        half = 0.5 * np.sqrt(chord)
        if half >= 0.0:
            far = 2.0 * EARTH_RADIUS_KM * np.arcsin(min(1.0, half))
            near[b] = 1.0 / (1.0 + far / HALF_NEAR_KM)
    return near


@njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
def _combined(
    columns: Singles,
    weights: Singles,
    inner: Singles,
    outer: Singles,
    bias: Singles,
    start: float,
    margin: float,
    bend: tuple[float, float],
) -> Singles:
    """Components (K, B) -> log odds (B,), rounded upwards; a block of buyers side by side.

    ``margin`` is added to what is added up, before it is bent at ``bend``: a Combination's knee
    and above.
    """
    knee, above = bend
    size = columns.shape[1]
    odds = np.empty(size, dtype=np.float32)
    total = np.empty(BLOCK, dtype=np.float32)
    unit = np.empty(BLOCK, dtype=np.float32)
    for first in range(0, size, BLOCK):
        count = min(BLOCK, size - first)
        total[:] = np.float32(start)
        for k in range(len(weights)):
            column = columns[k, first : first + count]
            for b in range(count):
                total[b] += weights[k] * column[b]
        for h in range(len(outer)):
            unit[:] = bias[h]
            for k in range(len(weights)):
                column = columns[k, first : first + count]
                weight = inner[k, h]
                for b in range(count):
                    unit[b] += weight * column[b]
            for b in range(count):
                total[b] += outer[h] * max(unit[b], np.float32(0.0))
        for b in range(count):
            log_odds = total[b] + margin
            if log_odds > knee:
                log_odds = knee + above * (log_odds - knee)
            odds[first + b] = np.float32(log_odds + 2.0 * UNIT * abs(log_odds))
    return odds
