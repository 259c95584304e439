"""Scores of one snapshot and one model: a buyer's offers, an offer's buyers, any pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from scoring.artifact import Model
from scoring.blend import UNTRAINED, Blend
from scoring.buyers_kernel import scores_of_buyers, vectors_of_buyers
from scoring.constants import Constants, constants_of
from scoring.corpus import Corpus
from scoring.kernels import (
    OfferSide,
    Sums,
    Who,
    add_evidence,
    combine_rows,
    components_of_offers,
    fill_vector,
)
from scoring.states import WEIGHT_OF_KIND, BuyerState
from scoring.tower import Tower, tower_of
from scoring.walk import WalkRows, WalkSettings, columns_of, extended

Floats = NDArray[np.float64]
# Derived from buyers' rows and walk rows only; seconds to make on a large graph.
_KEPT = ("_columns", "_vectors", "_weights", "_latitudes", "_longitudes")


@dataclass(frozen=True)
class Reading:
    """A buyer summed up for scoring: what every score of that buyer is made from."""

    sums: Sums
    who: Who
    z: Floats
    walk: Floats


@dataclass(frozen=True)
class Scorer:
    """``score(buyer, offer)``: a pure function of (snapshot, model, buyer's own rows, offer).

    Scores are float64 in (0, 1]. They know nothing of filters, pages or direction.
    """

    corpus: Corpus
    constants: Constants
    tower: Tower
    blend: Blend
    version: str

    def score_offers(self, state: BuyerState) -> Floats:
        """Scores (N,) of every offer for one buyer."""
        offers = np.arange(len(self.corpus.offers), dtype=np.int32)
        return self.score_pairs(state, offers)

    def score_pairs(self, state: BuyerState, offers: NDArray[np.int32]) -> Floats:
        """Scores (n,) of one buyer with the given offers (n,)."""
        phi = self.components(self.read(state), offers)
        return self.combine(phi)

    def score_buyers(self, offer: int, changed: Mapping[int, BuyerState] | None = None) -> Floats:
        """Scores (B,) of every buyer for one offer; ``changed`` buyers are taken as given."""
        b = self.corpus.buyers
        column = np.zeros(len(self.corpus.offers))
        c = self._columns
        near = slice(c.ptr[offer], c.ptr[offer + 1])
        column[c.offer[near]] = c.weight[near]
        scores: Floats = scores_of_buyers(
            self.side, offer, column, self._vectors, b.ptr, b.offer, self._weights,
            b.kind, b.country, self._latitudes, self._longitudes,
            b.preference_ptr, b.preference_category, b.preference_weight,
            (self.blend.weights, self.blend.bias), self._sizes,
        )  # fmt: skip
        only = np.array([offer], dtype=np.int32)
        for row, state in (changed or {}).items():
            scores[row] = self.score_pairs(state, only)[0]
        return scores

    def read(self, state: BuyerState) -> Reading:
        """Sum a buyer's evidence up once, for any number of scores."""
        sums = self._no_sums()
        walk = np.zeros(len(self.corpus.offers))
        add_evidence(sums, self.side, state.offers, state.weights, walk)
        who = self.who(state)
        return Reading(sums, who, self.vector(sums, who), walk)

    def who(self, state: BuyerState) -> Who:
        """Everything about a buyer but its evidence, in the kernels' terms."""
        liking = np.zeros(len(self.corpus.categories.ids))
        np.add.at(liking, state.preference_categories, state.preference_weights)
        latitude, longitude = np.radians(state.latitude), np.radians(state.longitude)
        return Who(state.kind + 1, state.country + 1, float(latitude), float(longitude), liking)

    def vector(self, sums: Sums, who: Who) -> Floats:
        """The buyer's unit vector (d,), from its sums."""
        z = np.empty(self.side.z.shape[1], dtype=np.float64)
        fill_vector(sums, self.tower.buyer, who.kind, who.country, z)
        return z

    def components(self, reading: Reading, offers: NDArray[np.int32]) -> Floats:
        """Components (n, 10) of one buyer with the given offers (n,)."""
        r = reading
        phi: Floats = components_of_offers(self.side, r.who, r.sums, r.z, r.walk, offers)
        return phi

    def combine(self, phi: Floats) -> Floats:
        """Components (n, 10) -> scores (n,)."""
        scores: Floats = combine_rows(phi, self.blend.weights, self.blend.bias)
        return scores

    def with_corpus(self, corpus: Corpus) -> Scorer:
        """The same model and constants over a corpus with offers, vendors or categories changed.

        Buyers' rows, and the numbers of the offers and categories that were there, must be the
        same: what was made from them is kept.
        """
        constants = self.constants.for_offers(len(corpus.offers))
        constants = constants.for_categories(len(corpus.categories.ids))
        tower = self.tower.for_corpus(corpus)
        other = replace(self, corpus=corpus, constants=constants, tower=tower)
        made = {name: vars(self)[name] for name in _KEPT if name in vars(self)}
        if "_columns" in made:
            made["_columns"] = extended(made["_columns"], len(corpus.offers))
        vars(other).update(made)
        return other

    def with_blend(self, blend: Blend) -> Scorer:
        """The same numbers, combined otherwise."""
        return replace(self, blend=blend)

    @cached_property
    def side(self) -> OfferSide:
        """The offers in the kernels' terms."""
        o, c, t = self.corpus.offers, self.constants, self.tower
        priced = np.where(o.price > 0, o.price, np.nan)
        return OfferSide(
            z=t.z, message1=t.message1, message2=t.message2, gain=t.gain,
            closure_ptr=o.closure.ptr, closure=o.closure.values,
            vendor=o.vendor, log_price=np.log(priced), currency=o.currency,
            latitude=np.radians(o.latitude), longitude=np.radians(o.longitude),
            walk_ptr=c.rows.ptr, walk_offer=c.rows.offer, walk_weight=c.rows.weight,
            walk_scale=c.rows.scale, popularity=c.popularity, local=c.local,
            by_kind=c.by_kind, category_weight=c.category_weight,
        )  # fmt: skip

    @cached_property
    def _columns(self) -> WalkRows:
        return columns_of(self.constants.rows)

    @cached_property
    def _weights(self) -> Floats:
        weights: Floats = WEIGHT_OF_KIND[self.corpus.buyers.evidence_kind]
        return weights

    @cached_property
    def _latitudes(self) -> Floats:
        return np.radians(self.corpus.buyers.latitude)

    @cached_property
    def _longitudes(self) -> Floats:
        return np.radians(self.corpus.buyers.longitude)

    @cached_property
    def _vectors(self) -> Floats:
        b = self.corpus.buyers
        z: Floats = vectors_of_buyers(
            self.side, self.tower.buyer, b.ptr, b.offer, self._weights, b.kind, b.country,
            self._sizes,
        )  # fmt: skip
        return z

    @property
    def _sizes(self) -> tuple[int, int, int]:
        c = self.corpus
        return len(c.categories.ids), len(c.vendor_ids), len(c.currencies)

    def _no_sums(self) -> Sums:
        d = self.side.z.shape[1]
        categories, vendors, currencies = (np.zeros(size) for size in self._sizes)
        return Sums(
            np.zeros(d), np.zeros(d), np.zeros(2), categories, vendors,
            currencies, np.zeros(len(currencies)),
        )  # fmt: skip


def build_scorer(
    corpus: Corpus,
    model: Model | None = None,
    *,
    blend: Blend | None = None,
    walk: WalkSettings | None = None,
) -> Scorer:
    """A scorer of this corpus; without a model it answers by the walk (UNTRAINED).

    ``blend`` and ``walk`` win over what the model says.
    """
    manifest = model.manifest if model else {}
    if walk is None:
        walk = WalkSettings(**manifest["walk"]) if "walk" in manifest else WalkSettings()
    if blend is None:
        fitted = manifest.get("blend")
        blend = (
            Blend.of(fitted["weights"], fitted["bias"], calibrated=True) if fitted else UNTRAINED
        )
    version = model.version if model else "untrained"
    return Scorer(corpus, constants_of(corpus, walk), tower_of(corpus, model), blend, version)
