"""Conditions on whole columns: prices, places, words, codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from matching.requests import Near, PriceRange
from scoring.corpus import Corpus
from scoring.pair_kernels import EARTH_RADIUS_KM
from scoring.ragged import Ragged

Mask = NDArray[np.bool_]


def holding(rows: Ragged, wanted: Mask) -> Mask:
    """Rows (N) of values and the wanted values -> (N,) True where a row holds one of them."""
    hits = np.concatenate([np.zeros(1, np.int64), np.cumsum(wanted[rows.values])])
    found: Mask = hits[rows.ptr[1:]] > hits[rows.ptr[:-1]]
    return found


def of_code(codes: NDArray[np.int32], wanted: Mask) -> Mask:
    """Codes (N,) and the wanted codes -> (N,); -1, the unknown, is never wanted."""
    # The extra last place is what a code of -1 falls on.
    found: Mask = np.append(wanted, False)[codes]
    return found


def priced(corpus: Corpus, asked: PriceRange) -> Mask:
    """(N,) True for offers with a price in the range, in its currency."""
    offers = corpus.offers
    if asked.currency not in corpus.currencies:
        return np.zeros(len(offers), dtype=bool)
    inside: Mask = offers.currency == corpus.currencies.index(asked.currency)
    # A comparison with the nan of an unknown price is False, as it should be.
    inside &= offers.price >= (-np.inf if asked.min_minor is None else asked.min_minor)
    inside &= offers.price <= (np.inf if asked.max_minor is None else asked.max_minor)
    return inside


def within(near: Near, latitude: NDArray[np.float64], longitude: NDArray[np.float64]) -> Mask:
    """Places in degrees (N,) -> (N,) True within the circle; an unknown place (nan) is not."""
    distance = kilometres(near.latitude, near.longitude, latitude, longitude)
    inside: Mask = distance <= near.radius_km
    return inside


def kilometres(
    latitude: float,
    longitude: float,
    to_latitude: NDArray[np.float64],
    to_longitude: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Great-circle distances (N,) from a point, all in degrees (haversine)."""
    north, east = np.radians(to_latitude), np.radians(to_longitude)
    from_north, from_east = np.radians(latitude), np.radians(longitude)
    a = np.sin((north - from_north) / 2) ** 2
    b = np.cos(from_north) * np.cos(north) * np.sin((east - from_east) / 2) ** 2
    distance: NDArray[np.float64] = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(1, a + b)))
    return distance


def containing(texts: pl.Series, words: Sequence[str]) -> Mask:
    """Casefolded texts (N,) -> (N,) True where every casefolded word is somewhere in the text."""
    found = np.ones(len(texts), dtype=bool)
    for word in words:
        found &= texts.str.contains(word, literal=True).to_numpy()
    return found
