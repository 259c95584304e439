"""Caps and diversity: what is done with a ranked list, never with the scores.

Two steps. Caps walk down the list and keep at most so many of one group; an item of no group is
never capped. Diversity then orders what was kept anew, without adding or dropping any: each place
goes to the item with the largest

    (1 - diversity) * score / best score - diversity * (likest of those already placed)

Source: maximal marginal relevance (Carbonell and Goldstein, 1998, doi:10.1145/290941.291025).
How alike two offers are, in [0, 1]: one half their cosine (0 when negative), one quarter the same
vendor, one quarter a category in common; without trained vectors vendor and category make a half
each. Two buyers: one half the same kind, one half the same country. Cosines are rounded to six
decimals, so that the order does not hang on how a sum was rounded. Equal items keep the order they
came in. 0 is the order of the scores.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.sparse import csr_array

from scoring.ragged import Ragged

Floats = NDArray[np.float64]
COSINE_DECIMALS = 6


class Cap(NamedTuple):
    """At most ``limit`` rows of one group; ``groups`` of a row are codes, none when it has none."""

    field: str
    limit: int
    groups: Ragged


def capped_rows(
    rows: Iterable[int], caps: Sequence[Cap], taken: Sequence[int], limit: int
) -> tuple[list[int], dict[int, str]]:
    """Walk down ``rows`` until ``limit`` are kept; ``taken`` rows count for the caps already.

    Returns the rows kept, in order, and the field of the cap that stopped each row that was
    met and not kept.
    """
    counts = [Counter[int]() for _ in caps]
    for row in taken:
        for cap, count in zip(caps, counts, strict=True):
            count.update(cap.groups.row(row).tolist())
    kept: list[int] = []
    stopped: dict[int, str] = {}
    for row in rows:
        if len(kept) >= limit:
            break
        groups = [cap.groups.row(row).tolist() for cap in caps]
        full = next(
            (
                cap.field
                for cap, count, mine in zip(caps, counts, groups, strict=True)
                if any(count[group] >= cap.limit for group in mine)
            ),
            None,
        )
        if full is not None:
            stopped[row] = full
            continue
        kept.append(row)
        for count, mine in zip(counts, groups, strict=True):
            count.update(mine)
    return kept, stopped


def single_groups(codes: NDArray[np.int32]) -> Ragged:
    """Codes (N,), -1 for no group -> one group a row, as Cap wants it."""
    ptr = np.zeros(len(codes) + 1, dtype=np.int64)
    np.cumsum(codes >= 0, out=ptr[1:])
    return Ragged(ptr, codes[codes >= 0])


def offer_likeness(
    rows: NDArray[np.int64], vendor: NDArray[np.int32], categories: Ragged, z: NDArray[np.float32]
) -> Floats:
    """How alike offers are: rows (n,) of all N -> (n, n) in [0, 1]; z (N, d) unit rows or d = 0."""
    same_vendor = _same(vendor[rows])
    same_category = _sharing(rows, categories)
    if z.shape[1] == 0:
        return 0.5 * same_vendor + 0.5 * same_category
    vectors = z[rows].astype(np.float64)
    cosine = np.round(np.clip(vectors @ vectors.T, 0.0, 1.0), COSINE_DECIMALS)
    likeness: Floats = 0.5 * cosine + 0.25 * same_vendor + 0.25 * same_category
    return likeness


def buyer_likeness(
    rows: NDArray[np.int64], kind: NDArray[np.int32], country: NDArray[np.int32]
) -> Floats:
    """How alike buyers are: rows (n,) of all B -> (n, n) in [0, 1]."""
    return 0.5 * _same(kind[rows]) + 0.5 * _same(country[rows])


@njit(cache=True, nogil=True)
def diversified(scores: Floats, likeness: Floats, diversity: float, placed: int) -> list[int]:
    """The order (n,) of items given in the order of their scores.

    scores (n,) descending from ``placed`` on, likeness (n, n); the first ``placed`` items stay.
    """
    n = len(scores)
    best = scores[placed] if placed < n else 1.0
    likest = np.zeros(n)
    waiting = np.ones(n, dtype=np.bool_)
    order = []
    for turn in range(n):
        chosen = turn
        if turn >= placed:
            top = -np.inf
            for i in range(placed, n):
                if waiting[i]:
                    value = (1.0 - diversity) * (scores[i] / best) - diversity * likest[i]
                    if value > top:
                        top, chosen = value, i
        waiting[chosen] = False
        order.append(chosen)
        for i in range(n):
            likest[i] = max(likest[i], likeness[chosen, i])
    return order


def _same(codes: NDArray[np.int32]) -> Floats:
    equal: Floats = ((codes[:, None] == codes[None, :]) & (codes >= 0)[:, None]).astype(np.float64)
    return equal


def _sharing(rows: NDArray[np.int64], groups: Ragged) -> Floats:
    lists = [groups.row(int(row)) for row in rows]
    ptr = np.concatenate([[0], np.cumsum([len(values) for values in lists])])
    values = np.concatenate(lists) if lists else np.zeros(0, np.int32)
    width = int(values.max(initial=0)) + 1
    members = csr_array((np.ones(len(values)), values, ptr), shape=(len(rows), width))
    shared: Floats = ((members @ members.T).toarray() > 0).astype(np.float64)
    return shared
