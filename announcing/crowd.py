"""Buyers laid out so that one offer can be held against all of them: by what they have in common.

Scoring sums a buyer's evidence up for any offer; here the sums are made once, by category, vendor,
place and price, so that an offer reads only those that concern it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from scoring.again import INTERESTED, LATELY, own_of
from scoring.buyers_kernel import vectors_of_buyers
from scoring.corpus import BuyerColumns
from scoring.grid import unit_vectors
from scoring.scorer import Scorer
from scoring.states import LOOKS, WEIGHT_OF_KIND, BuyerState

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Rows = NDArray[np.int32]


class Lists(NamedTuple):
    """What lies in group g: rows of buyers (ascending) and values, in [ptr[g], ptr[g + 1])."""

    ptr: NDArray[np.int64]
    row: Rows
    value: Floats


class Pieces(NamedTuple):
    """Buyers (B,) with their evidence (E,) and preferences (P,), as scoring.corpus has them.

    ``latitude`` and ``longitude`` in degrees, nan unknown; ``kind`` and ``country`` -1 unknown.
    """

    ptr: NDArray[np.int64]
    offer: Rows
    evidence_kind: NDArray[np.int8]
    counts: Rows
    first_at: NDArray[np.int64]
    last_at: NDArray[np.int64]
    preference_ptr: NDArray[np.int64]
    preference_category: Rows
    preference_weight: Floats
    kind: Rows
    country: Rows
    latitude: Floats
    longitude: Floats


@dataclass(frozen=True)
class Crowd:
    """B buyers and their sums.

    Attributes:
        z: (B, d) their unit vectors.
        low_rank: (B, r) their evidence in the low rank, see scoring.kernels.fill_vector.
        length: that of the longest of these.
        kind: (B,) row of the offers' ``by_kind``; ``country`` that of ``local``.
        country: see ``kind``.
        evidence: (B,) the component of that name, as is ``reach``.
        reach: see ``evidence``.
        place: (B, 3) the unit vector of where they are, nan unknown.
        category: the share of their evidence in each category.
        vendor: the share of their evidence with each vendor.
        liking: their preferences, by category.
        price: the log of what they usually pay, by currency.
        cell: their evidence in each cell of the grids.
        piece: the weights of their evidence, by offer.
        piece_kind: (E,) the kinds of evidence of ``piece``.
        interest: what they did with an offer short of buying it, by offer, see scoring.again.
        interest_lately: the same, faded.
    """

    z: Singles
    low_rank: Singles
    length: float
    kind: Rows
    country: Rows
    evidence: Singles
    reach: Singles
    place: Floats
    category: Lists
    vendor: Lists
    liking: Lists
    price: Lists
    cell: Lists
    piece: Lists
    piece_kind: NDArray[np.int8]
    interest: Lists
    interest_lately: Lists

    def __len__(self) -> int:
        return len(self.kind)


def pieces_of(buyers: BuyerColumns) -> Pieces:
    """The snapshot's buyers."""
    return Pieces(
        buyers.ptr, buyers.offer, buyers.evidence_kind, buyers.count, buyers.first_at,
        buyers.last_at, buyers.preference_ptr, buyers.preference_category,
        buyers.preference_weight, buyers.kind, buyers.country, buyers.latitude, buyers.longitude,
    )  # fmt: skip


def pieces_of_states(states: Sequence[BuyerState]) -> Pieces:
    """Buyers as they are now, in the order given."""

    def joined(name: str, kind: type[Any]) -> NDArray[Any]:
        parts = [getattr(state, name) for state in states]
        return np.concatenate([np.zeros(0, kind), *parts]).astype(kind)

    def ends(name: str) -> NDArray[np.int64]:
        return np.cumsum([0, *(len(getattr(state, name)) for state in states)], dtype=np.int64)

    def column(name: str, kind: type[Any]) -> NDArray[Any]:
        return np.array([getattr(state, name) for state in states], dtype=kind)

    return Pieces(
        ptr=ends("offers"),
        offer=joined("offers", np.int32),
        evidence_kind=joined("evidence_kinds", np.int8),
        counts=joined("counts", np.int32),
        first_at=joined("first_at", np.int64),
        last_at=joined("last_at", np.int64),
        preference_ptr=ends("preference_categories"),
        preference_category=joined("preference_categories", np.int32),
        preference_weight=joined("preference_weights", np.float64),
        kind=column("kind", np.int32),
        country=column("country", np.int32),
        latitude=column("latitude", np.float64),
        longitude=column("longitude", np.float64),
    )


def crowd_of(scorer: Scorer, pieces: Pieces) -> Crowd:
    """Sum these buyers' evidence up by everything that an offer may have in common with it."""
    side, corpus = scorer.side, scorer.corpus
    buyers = len(pieces.kind)
    weight = WEIGHT_OF_KIND[pieces.evidence_kind]
    owner = np.repeat(np.arange(buyers, dtype=np.int32), np.diff(pieces.ptr))
    total = np.bincount(owner, weights=weight, minlength=buyers)
    share = 1.0 / np.where(total > 0.0, total, np.inf)
    mass = np.bincount(owner, weights=weight * side.walk_mass[pieces.offer], minlength=buyers)
    held = sp.csr_array((weight, pieces.offer, pieces.ptr), shape=(buyers, len(corpus.offers)))
    cells = int(side.cell.max(initial=-1)) + 1
    sizes = len(corpus.categories.ids), len(corpus.vendor_ids), len(corpus.currencies), cells
    kind, country = pieces.kind + np.int32(1), pieces.country + np.int32(1)
    z = vectors_of_buyers(
        side, scorer.tower.buyer, pieces.ptr, pieces.offer, weight, pieces.kind, pieces.country,
        sizes,
    )  # fmt: skip
    d = side.z.shape[1]
    low_rank = np.ascontiguousarray(z[:, d:])
    order = np.argsort(pieces.offer, kind="stable")
    looks = order[np.isin(pieces.evidence_kind[order], LOOKS)]
    look_ptr = _pointers(pieces.offer[looks], len(corpus.offers))
    said = own_of(
        pieces.evidence_kind[looks], pieces.counts[looks], pieces.first_at[looks],
        pieces.last_at[looks], scorer.constants.now, scorer.constants.fading,
    )  # fmt: skip
    return Crowd(
        z=np.ascontiguousarray(z[:, :d]),
        low_rank=low_rank,
        length=float(np.sqrt(np.einsum("bk,bk->b", low_rank, low_rank).max(initial=0.0))),
        kind=kind,
        country=country,
        evidence=np.log1p(total).astype(np.float32),
        reach=np.log1p(mass / side.walk_scale).astype(np.float32),
        place=unit_vectors(np.radians(pieces.latitude), np.radians(pieces.longitude)),
        category=_grouped(held @ _closure(side.closure_ptr, side.closure, sizes[0]), share),
        vendor=_grouped(held @ _one_hot(side.vendor[:, None], sizes[1]), share),
        liking=_liking(pieces, sizes[0]),
        price=_usual_prices(owner, weight, side.log_price[pieces.offer],
                            side.currency[pieces.offer], (sizes[2], buyers)),
        cell=_grouped(held @ _one_hot(side.cell, cells)),
        piece=Lists(
            _pointers(pieces.offer, len(corpus.offers)), owner[order], weight[order]
        ),
        piece_kind=pieces.evidence_kind[order],
        interest=Lists(look_ptr, owner[looks], said[:, INTERESTED]),
        interest_lately=Lists(look_ptr, owner[looks], said[:, LATELY]),
    )  # fmt: skip


def _closure(ptr: NDArray[np.int64], values: Rows, categories: int) -> sp.csr_array:
    return sp.csr_array((np.ones(len(values)), values, ptr), shape=(len(ptr) - 1, categories))


def _one_hot(codes: Rows, size: int) -> sp.csr_array:
    """Codes (N, k), -1 none -> (N, size) with a 1 for each code."""
    rows, at = np.nonzero(codes >= 0)
    shape = (len(codes), size)
    return sp.csr_array((np.ones(len(rows)), (rows, codes[rows, at])), shape=shape)


def _grouped(sums: sp.csr_array, factor: Floats | None = None) -> Lists:
    by_group = sp.csc_array(sums)
    by_group.sort_indices()
    rows = by_group.indices.astype(np.int32)
    values = by_group.data if factor is None else by_group.data * factor[rows]
    return Lists(by_group.indptr.astype(np.int64), rows, values)


def _liking(pieces: Pieces, categories: int) -> Lists:
    rows = np.repeat(np.arange(len(pieces.kind), dtype=np.int32), np.diff(pieces.preference_ptr))
    order = np.argsort(pieces.preference_category, kind="stable")
    ptr = _pointers(pieces.preference_category, categories)
    return Lists(ptr, rows[order], pieces.preference_weight[order])


def _usual_prices(
    owner: Rows, weight: Floats, log_price: Floats, currency: Rows, shape: tuple[int, int]
) -> Lists:
    """The weighted mean of the log price (currencies x buyers) where anything has a weight."""
    counts = (currency >= 0) & ~np.isnan(log_price) & (weight > 0.0)
    key = currency[counts].astype(np.int64) * shape[1] + owner[counts]
    present, at = np.unique(key, return_inverse=True)
    mine = weight[counts]
    paid = np.bincount(at, weights=mine * log_price[counts], minlength=len(present))
    usual = paid / np.bincount(at, weights=mine, minlength=len(present))
    buyers = max(shape[1], 1)
    return Lists(_pointers(present // buyers, shape[0]), (present % buyers).astype(np.int32), usual)


def _pointers(groups: NDArray[np.integer], size: int) -> NDArray[np.int64]:
    ptr = np.zeros(size + 1, dtype=np.int64)
    np.cumsum(np.bincount(groups, minlength=size), out=ptr[1:])
    return ptr
