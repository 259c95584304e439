"""Offers as features, and the trained encoder that serves offers the model has never seen.

The encoder is the offers' side of the trained GraphSAGE in numpy: from an offer's text, price,
place and age, its vendor and categories and (when there are any) its first buyers, to the same
rows that trained offers have in the artifact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from core.errors import DamagedError
from scoring.corpus import FOREVER, Corpus, OfferColumns
from scoring.grid import unit_vectors
from scoring.pair_kernels import EARTH_RADIUS_KM
from scoring.text import BUCKETS, TextEncoder, fit_text

TEXT_DIMENSION = 32
# Wavelengths in km that places are told apart at: streets, towns, regions.
WAVES = 2.0 ** np.arange(12)
NEIGHBOURS = 8
PLAIN_FEATURES = 8
# Where the plain features and the waves begin.
PARTS = (TEXT_DIMENSION, TEXT_DIMENSION + PLAIN_FEATURES)
FEATURES = TEXT_DIMENSION + PLAIN_FEATURES + 6 * len(WAVES)
PREFIX = "encoder_"
DAY = 86_400_000_000
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class FeatureSpec:
    """What turns offers into feature rows.

    ``price`` (currencies + 1, 2) holds mean and deviation of the log price by currency, row 0
    over all; ``reference`` is the moment, in microseconds, that ages are counted to; ``spacing``
    how far, in km, a place is from its NEIGHBOURS-th other. Waves shorter than two of that are left
    out: what they tell apart are single places, to be learned by heart.
    """

    text: TextEncoder
    currencies: tuple[str, ...]
    price: Floats
    reference: int
    spacing: float

    def rows(
        self, offers: OfferColumns, currencies: Sequence[str], chosen: NDArray[np.int64]
    ) -> Floats:
        """The chosen rows of ``offers`` -> (n, FEATURES) float32, about unit scale, 0 = unknown.

        ``currencies`` is the vocabulary of ``offers.currency``.
        """
        features = np.zeros((len(chosen), FEATURES), dtype=np.float32)
        texts = [f"{offers.titles[r]} {offers.descriptions[r]}" for r in chosen]
        text, plain, waves = np.split(features, PARTS, axis=1)
        text[:] = self.text.encode(texts) * 2.0
        plain[:, 0] = np.abs(text).sum(axis=1) > 0
        price, known = self._price(offers, currencies, chosen)
        plain[:, 1], plain[:, 2] = price, known
        placed, place = _places(offers.latitude[chosen], offers.longitude[chosen])
        plain[placed, 3:6] = place
        waves[placed] = _waves(place) * np.repeat(2 * self.spacing <= WAVES, 6)
        created = offers.created_at[chosen]
        dated = created > -FOREVER
        days = np.where(dated, np.maximum(self.reference - np.where(dated, created, 0), 0), 0) / DAY
        plain[:, 6] = np.where(dated, np.log1p(days) / 3.0 - 1.0, 0.0)
        plain[:, 7] = dated
        return features

    def _price(
        self, offers: OfferColumns, currencies: Sequence[str], chosen: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        row_of = {name: row + 1 for row, name in enumerate(self.currencies)}
        table = np.array([row_of.get(name, 0) for name in currencies] + [0], dtype=np.int64)
        price = offers.price[chosen]
        known = np.isfinite(price) & (price >= 0)
        mean, deviation = self.price[table[offers.currency[chosen]]].T
        logs = np.log1p(np.where(known, price, 0.0))
        return np.where(known, np.clip((logs - mean) / deviation, -4, 4), 0.0), known


def _places(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Degrees (n,) -> which are known (n,), and the points of the unit sphere of those (m, 3)."""
    placed = ~(np.isnan(latitude) | np.isnan(longitude))
    north, east = np.radians(latitude[placed]), np.radians(longitude[placed])
    return placed, unit_vectors(north, east)


def _waves(place: NDArray[np.float64]) -> Floats:
    """Points of the unit sphere (n, 3) -> sines and cosines (n, 6 * waves) along each axis.

    Near places have near rows at every scale, where the points of two streets are almost the same.
    Source: Mai et al. 2020, Multi-Scale Representation Learning for Spatial Feature Distributions
    using Grid Cells (arXiv:2003.00824), along the axes of space: the globe has no seam there.
    """
    waves = np.empty((len(place), 6 * len(WAVES)), dtype=np.float32)
    for number, length in enumerate(WAVES):
        turns = (2 * np.pi * EARTH_RADIUS_KM / length) * place
        waves[:, 6 * number : 6 * number + 6] = np.hstack([np.cos(turns), np.sin(turns)])
    return waves


def fit_features(corpus: Corpus, reference: int, seed: int) -> FeatureSpec:
    """Learn the scales and the text directions of a corpus's offers."""
    offers = corpus.offers
    texts = [f"{t} {d}" for t, d in zip(offers.titles, offers.descriptions, strict=True)]
    known = np.isfinite(offers.price) & (offers.price >= 0)
    logs = np.log1p(np.where(known, offers.price, 0.0))
    groups = [known, *(known & (offers.currency == c) for c in range(len(corpus.currencies)))]
    scales = [_scale(logs[group] if group.sum() > 1 else logs[known]) for group in groups]
    return FeatureSpec(
        text=fit_text(texts, TEXT_DIMENSION, seed),
        currencies=tuple(corpus.currencies),
        price=np.array(scales, dtype=np.float32),
        reference=reference,
        spacing=_spacing(offers),
    )


def _spacing(offers: OfferColumns) -> float:
    """Km from a place to the NEIGHBOURS-th other one, the median over the places of ``offers``."""
    places = np.unique(_places(offers.latitude, offers.longitude)[1], axis=0)
    if len(places) < 2:
        return 0.0
    nearest = cKDTree(places).query(places, k=1 + min(NEIGHBOURS, len(places) - 1))
    return EARTH_RADIUS_KM * float(np.median(np.asarray(nearest[0])[:, -1]))


def _scale(values: NDArray[np.float64]) -> tuple[float, float]:
    if len(values) == 0:
        return 0.0, 1.0
    return float(values.mean()), float(max(values.std(), 0.1))


class EncodedOffers(NamedTuple):
    """Rows for new offers, as the artifact has them: z, p1, p2 (n, d) and gain (n,) float32."""

    z: Floats
    p1: Floats
    p2: Floats
    gain: Floats


class FirstBuyers(NamedTuple):
    """The first buyers of new offers: piece e of offer n lies in [ptr[n], ptr[n + 1]).

    ``h0`` and ``h1`` (E, d) are the buyers' own layers from the tower, ``weight`` (E,) what the
    evidence weighs.
    """

    ptr: NDArray[np.int64]
    weight: Floats
    h0: Floats
    h1: Floats


@dataclass(frozen=True)
class OfferEncoder:
    """Offers -> rows of the model, from features, vendor, categories and first buyers."""

    spec: FeatureSpec
    arrays: dict[str, Floats]
    categories: dict[str, int]
    vendors: dict[str, int]
    relu: bool
    gain_exponent: float

    @classmethod
    def from_arrays(cls, arrays: dict[str, Floats], manifest: dict[str, Any]) -> OfferEncoder:
        """Read the encoder out of an artifact's arrays and manifest.

        Raises:
            DamagedError: when a part is missing.
        """
        try:
            own = manifest["encoder"]
            parts = {k[len(PREFIX) :]: v for k, v in arrays.items() if k.startswith(PREFIX)}
            text = TextEncoder(parts["text_idf"], parts["text_components"])
            if text.idf.shape != (BUCKETS,):
                raise KeyError("text_idf")
            return cls(
                spec=FeatureSpec(
                    text,
                    tuple(own["currencies"]),
                    parts["price"],
                    int(own["reference"]),
                    float(own["spacing"]),
                ),
                arrays={name: parts[name] for name in ENCODER_PARTS}
                | {"layer_weights": arrays["layer_weights"], "p1": parts["p1"], "p2": parts["p2"]},
                categories={key: row for row, key in enumerate(own["categories"])},
                vendors={key: row for row, key in enumerate(own["vendors"])},
                relu=manifest["activation"] == "relu",
                gain_exponent=float(own["gain_exponent"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedError(
                f"The model's offer encoder is incomplete: {error}.", mend="Train again."
            ) from error

    def encode(
        self, corpus: Corpus, chosen: NDArray[np.int64], first: FirstBuyers | None = None
    ) -> EncodedOffers:
        """The chosen offers (n,) of a corpus -> their rows; their ids need not be known.

        Categories and vendors the model has not seen are left out; an offer whose own category is
        new is still read by the categories above it.
        """
        a = self.arrays
        features = self.spec.rows(corpus.offers, corpus.currencies, chosen)
        hidden = np.maximum(features @ a["w1"].T + a["b1"], 0.0)
        h0 = hidden @ a["w2"].T + a["b2"]
        category, vendor = self._neighbours(corpus, chosen)
        h1 = self._layer("1", h0, category, vendor, first.h0 if first else None, first)
        if self.relu:
            h1 = np.maximum(h1, 0.0)
        h2 = self._layer("2", h1, category, vendor, first.h1 if first else None, first)
        weights = a["layer_weights"]
        z = weights[0] * h0 + weights[1] * h1 + weights[2] * h2
        norms = np.linalg.norm(z, axis=1, keepdims=True)
        bought = np.diff(first.ptr) if first else np.zeros(len(chosen))
        return EncodedOffers(
            z=(z / np.maximum(norms, 1e-12)).astype(np.float32),
            p1=(h0 @ a["p1"].T).astype(np.float32),
            p2=(h1 @ a["p2"].T).astype(np.float32),
            gain=(np.maximum(bought, 1.0) ** -self.gain_exponent).astype(np.float32),
        )

    def _layer(
        self,
        layer: str,
        own: Floats,
        category: NDArray[np.int64],
        vendor: NDArray[np.int64],
        buyers: Floats | None,
        first: FirstBuyers | None,
    ) -> Floats:
        a = self.arrays
        near = _mean_rows(a[f"category_h{int(layer) - 1}"], category, len(own))
        listing = _mean_rows(a[f"vendor_h{int(layer) - 1}"], vendor, len(own))
        total: Floats = (
            own @ a[f"root{layer}"].T
            + near @ a[f"category{layer}"].T
            + listing @ a[f"vendor{layer}"].T
            + a[f"bias{layer}"]
        )
        if buyers is not None and first is not None:
            total = total + _weighted_means(buyers, first) @ a[f"buyer{layer}"].T
        return total

    def _neighbours(
        self, corpus: Corpus, chosen: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        known_category = np.array(
            [self.categories.get(key, -1) for key in corpus.categories.ids] + [-1], dtype=np.int64
        )
        known_vendor = np.array(
            [self.vendors.get(key, -1) for key in corpus.vendor_ids] + [-1], dtype=np.int64
        )
        closure = corpus.offers.closure
        pairs = [
            (row, code)
            for row, offer in enumerate(chosen)
            for code in known_category[closure.row(int(offer))]
            if code >= 0
        ]
        vendor = known_vendor[corpus.offers.vendor[chosen]]
        listed = np.flatnonzero(vendor >= 0)
        category = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        return category, np.stack([listed, vendor[listed]])


ENCODER_PARTS = (
    "w1", "b1", "w2", "b2", "category_h0", "category_h1", "vendor_h0", "vendor_h1",
    "root1", "root2", "category1", "category2", "vendor1", "vendor2", "buyer1", "buyer2",
    "bias1", "bias2",
)  # fmt: skip


def _mean_rows(table: Floats, pairs: NDArray[np.int64], count: int) -> Floats:
    """Pairs (2, E) of (row, table row) -> the mean of each row's table rows (count, d)."""
    total = np.zeros((count, table.shape[1]), dtype=np.float32)
    np.add.at(total, pairs[0], table[pairs[1]])
    size = np.bincount(pairs[0], minlength=count).astype(np.float32)
    return np.asarray(total / np.maximum(size, 1.0)[:, None], dtype=np.float32)


def _weighted_means(rows: Floats, first: FirstBuyers) -> Floats:
    count = len(first.ptr) - 1
    owner = np.repeat(np.arange(count), np.diff(first.ptr))
    total = np.zeros((count, rows.shape[1]), dtype=np.float32)
    np.add.at(total, owner, rows * first.weight[:, None])
    weight = np.bincount(owner, weights=first.weight, minlength=count)
    return (total / np.maximum(weight, 1e-9)[:, None]).astype(np.float32)
