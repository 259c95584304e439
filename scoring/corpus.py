"""A graph snapshot as arrays: offers, buyers and what buyers did, by row number.

Row numbers follow the snapshot's order of ids. Codes of -1 and coordinates of nan mean unknown.
Everything is immutable; changes since the snapshot make a new Corpus that shares most arrays.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.entities import EvidenceKind
from scoring.context import NO_CONTEXTS, ContextCounts, ContextLifts
from scoring.ragged import Ragged

FOREVER = np.iinfo(np.int64).max
KINDS: tuple[EvidenceKind, ...] = tuple(EvidenceKind)
PURCHASED = KINDS.index(EvidenceKind.PURCHASED)


@dataclass(frozen=True)
class CategoryColumns:
    """The category forest: ``parent`` (C,) int32; ``ancestors`` row c lists c and those above."""

    ids: list[str]
    names: list[str]
    parent: NDArray[np.int32]
    ancestors: Ragged

    @cached_property
    def index(self) -> dict[str, int]:
        """Row number by id."""
        return {key: row for row, key in enumerate(self.ids)}

    def with_descendants(self, rows: set[int]) -> set[int]:
        """The given categories and all that lie below them."""
        return {
            c for c in range(len(self.ids)) if not rows.isdisjoint(self.ancestors.row(c).tolist())
        }


@dataclass(frozen=True)
class OfferColumns:
    """Offers (N,): prices in minor units, quantity -1 untracked, validity in microseconds.

    ``latitude``/``longitude`` are the offer's own or else its vendor's (``inherits_place``);
    ``categories`` are those the offer is directly in, ``closure`` those and all above them.
    """

    ids: list[str]
    titles: list[str]
    descriptions: list[str]
    price: NDArray[np.float64]
    currency: NDArray[np.int32]
    quantity: NDArray[np.int64]
    active: NDArray[np.bool_]
    valid_from: NDArray[np.int64]
    valid_to: NDArray[np.int64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    inherits_place: NDArray[np.bool_]
    vendor: NDArray[np.int32]
    created_at: NDArray[np.int64]
    categories: Ragged
    closure: Ragged

    @cached_property
    def index(self) -> dict[str, int]:
        """Row number by id."""
        return {key: row for row, key in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class BuyerColumns:
    """Buyers (B,) and their evidence: piece e of buyer b lies in [ptr[b], ptr[b + 1]).

    Pieces are sorted by (offer, kind); ``kind`` is a row of KINDS, ``count`` how often between
    ``first_at`` and ``last_at``, both in microseconds.
    """

    ids: list[str]
    kind: NDArray[np.int32]
    country: NDArray[np.int32]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    ptr: NDArray[np.int64]
    offer: NDArray[np.int32]
    evidence_kind: NDArray[np.int8]
    count: NDArray[np.int32]
    first_at: NDArray[np.int64]
    last_at: NDArray[np.int64]
    preference_ptr: NDArray[np.int64]
    preference_category: NDArray[np.int32]
    preference_weight: NDArray[np.float64]

    @cached_property
    def index(self) -> dict[str, int]:
        """Row number by id."""
        return {key: row for row, key in enumerate(self.ids)}

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Corpus:
    """One snapshot as arrays, with the vocabularies of its codes; ``taken_at`` microseconds."""

    graph_id: str
    seq: int
    taken_at: int
    offers: OfferColumns
    buyers: BuyerColumns
    categories: CategoryColumns
    vendor_ids: list[str]
    vendor_names: list[str]
    vendor_latitude: NDArray[np.float64]
    vendor_longitude: NDArray[np.float64]
    kinds: list[str]
    countries: list[str]
    currencies: list[str]
    contexts: ContextCounts = NO_CONTEXTS

    @property
    def context_lifts(self) -> ContextLifts:
        """What was taken under which circumstances, for the offers as they are now."""
        offers, categories = self.offers, self.categories
        depth = np.diff(categories.ancestors.ptr) - 1
        return ContextLifts(
            self.contexts, offers.categories, offers.closure, categories.parent, depth
        )

    @cached_property
    def vendor_index(self) -> dict[str, int]:
        """Row number of a vendor by id."""
        return {key: row for row, key in enumerate(self.vendor_ids)}
