"""Scores of one snapshot and one model: a buyer's offers, an offer's buyers, any pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from core.context import Context
from scoring.again import Fading, own_of
from scoring.artifact import Model
from scoring.blend import UNTRAINED, Blend
from scoring.buyers_kernel import empty_sums, scores_of_buyers, vectors_of_buyers
from scoring.combination import combine_rows
from scoring.constants import Constants, constants_of
from scoring.context import ContextLifts
from scoring.corpus import Corpus
from scoring.grid import cells_of, density_of
from scoring.kernels import (
    LEARNED,
    LINKED,
    REACHES,
    WALKED,
    OfferSide,
    Sums,
    Who,
    add_evidence,
    fill_vector,
)
from scoring.pair_kernels import components_of_offers
from scoring.rows import OfferRows, columns_of, extended, row_sums
from scoring.states import WEIGHT_OF_KIND, BuyerState
from scoring.tower import Tower, tower_of
from scoring.walk import WalkSettings

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
# Derived from buyers' rows and walk rows only; seconds to make on a large graph.
_KEPT = (
    "walk_columns", "slim_columns", "_vectors", "_weights", "_own", "_latitudes", "_longitudes",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """A buyer summed up for scoring: what every score of that buyer is made from.

    ``reach`` (N, REACHES) is what its evidence adds up to at every offer; ``context`` are the
    circumstances of the request, which ``who`` has the lifts of.
    """

    sums: Sums
    who: Who
    z: Singles
    reach: Floats
    context: Context = ()


@dataclass(frozen=True)
class Scorer:
    """``score(buyer, offer)``: a pure function of (snapshot, model, own rows, offer, context).

    Scores are float64 in (0, 1]. They know nothing of filters, pages or direction. The context is
    the circumstances of the request; those that were not learned count nothing. ``context_weights``
    is how much each name of them counts.
    """

    corpus: Corpus
    constants: Constants
    tower: Tower
    blend: Blend
    version: str
    context_weights: Mapping[str, float] = field(default_factory=dict)

    def score_offers(self, state: BuyerState, context: Context = ()) -> Floats:
        """Scores (N,) of every offer for one buyer."""
        offers = np.arange(len(self.corpus.offers), dtype=np.int32)
        return self.score_pairs(state, offers, context)

    def score_pairs(
        self, state: BuyerState, offers: NDArray[np.int32], context: Context = ()
    ) -> Floats:
        """Scores (n,) of one buyer with the given offers (n,)."""
        phi = self.components(self.read(state, context), offers)
        return self.combine(phi)

    def score_buyers(
        self,
        offer: int,
        changed: Mapping[int, BuyerState] | None = None,
        context: Context = (),
    ) -> Floats:
        """Scores (B,) of every buyer for one offer; ``changed`` buyers are taken as given."""
        b = self.corpus.buyers
        column = np.zeros((len(self.corpus.offers), REACHES))
        walk, slim = self.walk_columns, self.slim_columns
        near = slice(walk.ptr[offer], walk.ptr[offer + 1])
        column[walk.offer[near], WALKED] = walk.weight[near]
        column[walk.offer[near], LINKED] = 1.0
        near = slice(slim.ptr[offer], slim.ptr[offer + 1])
        column[slim.offer[near], LEARNED] = slim.weight[near]
        scores: Floats = scores_of_buyers(
            self.side, offer, column, self._vectors, b.ptr, b.offer, self._weights,
            self._own, b.kind, b.country, self._latitudes, self._longitudes,
            b.preference_ptr, b.preference_category, b.preference_weight,
            self._lifted(context), self.blend.combination, self._sizes,
        )  # fmt: skip
        only = np.array([offer], dtype=np.int32)
        for row, state in (changed or {}).items():
            scores[row] = self.score_pairs(state, only, context)[0]
        return scores

    def read(self, state: BuyerState, context: Context = ()) -> Reading:
        """Sum a buyer's evidence up once, for any number of scores."""
        sums = empty_sums(self.side, self._sizes)
        reach = np.zeros((len(self.corpus.offers), REACHES))
        add_evidence(sums, self.side, state.offers, state.weights, self.own_of_pieces(state), reach)
        who = self.who(state, context)
        return Reading(sums, who, self.vector(sums, who), reach, context)

    def own_of_pieces(self, state: BuyerState) -> Floats:
        """(E, OWNS) what each of a buyer's pieces says of its own offer."""
        c, s = self.constants, state
        return own_of(s.evidence_kinds, s.counts, s.first_at, s.last_at, c.now, c.fading)

    def who(self, state: BuyerState, context: Context = ()) -> Who:
        """Everything about a buyer but its evidence, in the kernels' terms."""
        liking = np.zeros(len(self.corpus.categories.ids))
        np.add.at(liking, state.preference_categories, state.preference_weights)
        latitude, longitude = np.radians(state.latitude), np.radians(state.longitude)
        return Who(
            state.kind + 1, state.country + 1, float(latitude), float(longitude), liking,
            self._lifted(context),
        )  # fmt: skip

    def vector(self, sums: Sums, who: Who) -> Singles:
        """The buyer's vector (d + r,), from its sums."""
        z = np.empty(self.side.z.shape[1] + self.side.low_rank.shape[1], dtype=np.float32)
        fill_vector(sums, self.tower.buyer, who.kind, who.country, z)
        return z

    def components(self, reading: Reading, offers: NDArray[np.int32]) -> Floats:
        """Components (n, WIDTH) of one buyer with the given offers (n,)."""
        r = reading
        phi: Floats = components_of_offers(self.side, r.who, r.sums, r.z, r.reach, offers)
        return phi

    def combine(self, phi: Floats) -> Floats:
        """Components (n, WIDTH) -> scores (n,)."""
        scores: Floats = combine_rows(phi, self.blend.combination)
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
        for name in {"walk_columns", "slim_columns"} & made.keys():
            made[name] = extended(made[name], len(corpus.offers))
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
            low_rank=t.low_rank, low_rank_in=t.low_rank_in, low_rank_out=t.low_rank_out,
            closure_ptr=o.closure.ptr, closure=o.closure.values,
            vendor=o.vendor, log_price=np.log(priced), currency=o.currency,
            latitude=np.radians(o.latitude), longitude=np.radians(o.longitude),
            walk=c.rows, walk_scale=c.scale, walk_mass=row_sums(c.rows), slim=t.slim,
            cell=self._cells[0], density=density_of(*self._cells, c.degree),
            popularity=c.popularity, trend=c.trend, repeat_rate=c.repeat_rate,
            local=c.local, by_kind=c.by_kind, category_weight=c.category_weight,
        )  # fmt: skip

    def _lifted(self, context: Context) -> Floats:
        """What the circumstances add to the log odds of each offer (N,); read only."""
        known = tuple(sorted(value for value in context if value.name in self.context_weights))
        return self._lifts.total(known, self.context_weights) if known else self._unlifted

    @cached_property
    def _lifts(self) -> ContextLifts:
        return self.corpus.context_lifts

    @cached_property
    def _unlifted(self) -> Floats:
        return np.zeros(len(self.corpus.offers))

    @cached_property
    def walk_columns(self) -> OfferRows:
        """The walk's rows transposed: row i lists the offers that lead to i."""
        return columns_of(self.constants.rows)

    @cached_property
    def slim_columns(self) -> OfferRows:
        """The learned links transposed, as walk_columns."""
        return columns_of(self.tower.slim)

    @cached_property
    def _cells(self) -> tuple[NDArray[np.int32], int]:
        o = self.corpus.offers
        return cells_of(o.latitude, o.longitude)

    @cached_property
    def _weights(self) -> Floats:
        weights: Floats = WEIGHT_OF_KIND[self.corpus.buyers.evidence_kind]
        return weights

    @cached_property
    def _own(self) -> Floats:
        b, c = self.corpus.buyers, self.constants
        return own_of(b.evidence_kind, b.count, b.first_at, b.last_at, c.now, c.fading)

    @cached_property
    def _latitudes(self) -> Floats:
        return np.radians(self.corpus.buyers.latitude)

    @cached_property
    def _longitudes(self) -> Floats:
        return np.radians(self.corpus.buyers.longitude)

    @cached_property
    def _vectors(self) -> Singles:
        b = self.corpus.buyers
        z: Singles = vectors_of_buyers(
            self.side, self.tower.buyer, b.ptr, b.offer, self._weights, b.kind, b.country,
            self._sizes,
        )  # fmt: skip
        return z

    @property
    def _sizes(self) -> tuple[int, int, int, int]:
        c = self.corpus
        return len(c.categories.ids), len(c.vendor_ids), len(c.currencies), self._cells[1]


def build_scorer(
    corpus: Corpus,
    model: Model | None = None,
    *,
    blend: Blend | None = None,
    walk: WalkSettings | None = None,
    fading: Fading | None = None,
) -> Scorer:
    """A scorer of this corpus; without a model it answers by the walk (UNTRAINED).

    ``blend``, ``walk`` and ``fading`` win over what the model says.
    """
    manifest = model.manifest if model else {}
    if walk is None:
        walk = WalkSettings(**manifest["walk"]) if "walk" in manifest else WalkSettings()
    if fading is None:
        fading = Fading(**manifest.get("again", {}))
    if blend is None:
        fitted = manifest.get("blend")
        blend = Blend.from_mapping(fitted) if fitted else UNTRAINED
    version = model.version if model else "untrained"
    constants, weights = constants_of(corpus, walk, fading), manifest.get("context", {})
    return Scorer(corpus, constants, tower_of(corpus, model), blend, version, weights)
