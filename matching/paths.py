"""Paths from a buyer to an offer, made of elements that exist in the graph.

Other buyers are one element with a count; below FEW they are "a few", without a number, so that
nobody can be picked out.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from matching.answers import PathElement, PathKind
from matching.state import MatcherState, Rows
from scoring.corpus import KINDS
from scoring.states import BuyerState

Path = tuple[PathElement, ...]
FEW = 3
# By the row of KINDS.
DEEDS = tuple(PathKind(kind.value) for kind in KINDS)
BOUGHT = PathElement(PathKind.PURCHASED)
LISTS = PathElement(PathKind.LISTS)
IN_CATEGORY = PathElement(PathKind.IN_CATEGORY)
SUBCATEGORY_OF = PathElement(PathKind.SUBCATEGORY_OF)


def buyer_element(buyer_id: str) -> PathElement:
    """The buyer the path starts from; its name stays in the graph."""
    return PathElement(PathKind.BUYER, buyer_id)


def offer_element(state: MatcherState, row: int) -> PathElement:
    """An offer, labelled by its title."""
    offers = state.corpus.offers
    return PathElement(PathKind.OFFER, offers.ids[row], offers.titles[row] or None)


def vendor_element(state: MatcherState, row: int) -> PathElement:
    """A vendor, labelled by its name."""
    corpus = state.corpus
    return PathElement(PathKind.VENDOR, corpus.vendor_ids[row], corpus.vendor_names[row])


def category_element(state: MatcherState, row: int) -> PathElement:
    """A category, labelled by its name."""
    categories = state.corpus.categories
    return PathElement(PathKind.CATEGORY, categories.ids[row], categories.names[row])


def buyers_element(count: int) -> PathElement:
    """Other buyers, counted, never named."""
    if count < FEW:
        return PathElement(PathKind.BUYERS, label="a few buyers")
    return PathElement(PathKind.BUYERS, label=f"{count:,} buyers", count=count)


def dealing_path(state: MatcherState, buyer_id: str, buyer: BuyerState, piece: int) -> Path:
    """The buyer, what it did, and the offer it did it to."""
    kind = DEEDS[buyer.evidence_kinds[piece]]
    did = PathElement(kind, count=int(buyer.counts[piece]))
    return buyer_element(buyer_id), did, offer_element(state, int(buyer.offers[piece]))


def peers_path(state: MatcherState, dealing: Path, count: int, offer: int) -> Path:
    """... and the buyers who bought that, and bought the offer."""
    return *dealing, BOUGHT, buyers_element(count), BOUGHT, offer_element(state, offer)


def vendor_path(state: MatcherState, dealing: Path, vendor: int, offer: int) -> Path:
    """... and the vendor of both."""
    return *dealing, LISTS, vendor_element(state, vendor), LISTS, offer_element(state, offer)


def category_path(state: MatcherState, dealing: Path, source: int, shared: int, offer: int) -> Path:
    """... up from the source offer to the shared category, and down to the offer."""
    up = climb(state, _category_below(state, source, shared), shared)
    return *dealing, IN_CATEGORY, *up, *_down(state, shared, offer)


def preference_path(state: MatcherState, buyer_id: str, category: int, offer: int) -> Path:
    """The buyer, the category it prefers, and down to the offer."""
    prefers = PathElement(PathKind.PREFERS)
    top = category_element(state, category)
    return buyer_element(buyer_id), prefers, top, *_down(state, category, offer)


def climb(state: MatcherState, category: int, above: int) -> Path:
    """From a category up to one above it, both included."""
    path: list[PathElement] = [category_element(state, category)]
    while category != above:
        category = int(state.corpus.categories.parent[category])
        path += [SUBCATEGORY_OF, category_element(state, category)]
    return tuple(path)


def shared_category(state: MatcherState, first: int, second: int) -> int | None:
    """The rarest category that both offers are in, directly or by a sub-category."""
    closure = state.corpus.offers.closure
    both = np.intersect1d(closure.row(first), closure.row(second))
    if len(both) == 0:
        return None
    weight = state.scorer.constants.category_weight
    return int(both[np.argmax(weight[both])])


@njit(cache=True, nogil=True)
def count_common(first: Rows, second: Rows, left_out: int) -> int:
    """How many values other than ``left_out`` two rising lists share."""
    shared = at = other = 0
    while at < len(first) and other < len(second):
        if first[at] == second[other]:
            shared += first[at] != left_out
            at += 1
            other += 1
        elif first[at] < second[other]:
            at += 1
        else:
            other += 1
    return shared


def _down(state: MatcherState, category: int, offer: int) -> Path:
    """Below a category, down to an offer in it; the category itself is left out."""
    up = climb(state, _category_below(state, offer, category), category)
    return *reversed(up[:-1]), IN_CATEGORY, offer_element(state, offer)


def _category_below(state: MatcherState, offer: int, category: int) -> int:
    """The category the offer is directly in, at or below the given one."""
    ancestors = state.corpus.categories.ancestors
    direct = state.corpus.offers.categories.row(offer).tolist()
    return int(next(own for own in direct if category in ancestors.row(own)))
