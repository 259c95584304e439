"""The training graph: a Corpus as torch tensors, both directions of every relation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from scoring.corpus import PURCHASED, Corpus
from scoring.offer_features import FeatureSpec
from scoring.ragged import row_pointers
from scoring.states import WEIGHT_OF_KIND


@dataclass(frozen=True, slots=True)
class Links:
    """Edges source -> target, sorted by target, with the same edges sorted by source.

    ``pointer`` (targets + 1,) and ``source`` (E,) are the first order; ``back_pointer``
    (sources + 1,), ``back_target`` (E,) and ``back_edge`` (E,), an edge's place in the first
    order, are the second. All int64.
    """

    pointer: Tensor
    source: Tensor
    target: Tensor
    back_pointer: Tensor
    back_target: Tensor
    back_edge: Tensor

    @property
    def targets(self) -> int:
        """How many target nodes there are."""
        return len(self.pointer) - 1

    def into(self, chosen: Tensor) -> tuple[Links, Tensor]:
        """The edges into the ``chosen`` targets (n,), which are numbered anew, and their places."""
        first, count = self.pointer[chosen], torch.diff(self.pointer)[chosen]
        pointer = torch.cat([torch.zeros(1, dtype=torch.int64), count.cumsum(0)])
        target = torch.repeat_interleave(torch.arange(len(chosen)), count)
        places = torch.arange(len(target)) + (first - pointer[:-1])[target]
        source = self.source[places]
        back = torch.argsort(source, stable=True)
        sizes = torch.bincount(source, minlength=len(self.back_pointer) - 1)
        back_pointer = torch.cat([torch.zeros(1, dtype=torch.int64), sizes.cumsum(0)])
        return Links(pointer, source, target, back_pointer, target[back], back), places

    def means(self, weights: Tensor) -> Tensor:
        """Edge weights (E,) >= 0 -> weights that sum to 1 over each target (0 where all are 0)."""
        total = torch.zeros(self.targets).index_add_(0, self.target, weights)
        return weights / total.clamp_min(1e-9)[self.target]

    def equal_means(self) -> Tensor:
        """Weights (E,) that give every edge of a target the same share."""
        return 1.0 / torch.diff(self.pointer)[self.target]


def links(
    target: NDArray[np.int64], source: NDArray[np.int64], targets: int, sources: int
) -> Links:
    """Edges (E,) that are sorted by target -> Links."""
    back = np.argsort(source, kind="stable")
    return Links(
        pointer=torch.from_numpy(row_pointers(target, targets)),
        source=torch.from_numpy(source),
        target=torch.from_numpy(target),
        back_pointer=torch.from_numpy(row_pointers(source, sources)),
        back_target=torch.from_numpy(target[back]),
        back_edge=torch.from_numpy(back),
    )


@dataclass(frozen=True, slots=True)
class TrainingGraph:
    """All that the model reads.

    ``to_buyer`` edges are distinct (buyer, offer) pairs with ``weight`` (E,) the evidence and
    ``is_target`` (E,) whether the pair is one to predict; ``to_offer`` holds the same pairs by
    offer, ``by_offer`` (E,) their place in ``to_buyer``. Kinds and countries are codes + 1.
    ``describes_offers``: anything but purchases tells offers apart. ``features`` has a row for each
    offer, or one row where all have the same.
    """

    buyers: int
    offers: int
    to_buyer: Links
    to_offer: Links
    by_offer: Tensor
    weight: Tensor
    is_target: Tensor
    category_to_offer: Links
    vendor_to_offer: Links
    offer_to_category: Links
    offer_to_vendor: Links
    kind: Tensor
    country: Tensor
    kinds: int
    countries: int
    features: Tensor
    describes_offers: bool

    @property
    def degree(self) -> Tensor:
        """(offers,) int64: how many buyers have dealt with each offer."""
        return torch.diff(self.to_offer.pointer)

    @property
    def is_known(self) -> Tensor:
        """(offers,) bool: who has dealt with an offer is what its identity is learned from.

        Of one that nobody has, it would say only that it was never taken (docs/decisions/0026).
        """
        return self.degree > 0


def build_graph(corpus: Corpus, spec: FeatureSpec) -> TrainingGraph:
    """The tensors of a corpus.

    Pairs to predict are purchases; where nobody bought anything, whatever somebody did.
    """
    offers, buyers = corpus.offers, corpus.buyers
    buyer, offer, weight, bought = _pairs(corpus)
    to_buyer = links(buyer, offer, len(buyers), len(offers))
    by_offer = to_buyer.back_edge
    closure = offers.closure
    in_offer = np.repeat(np.arange(len(offers)), np.diff(closure.ptr))
    listed = np.flatnonzero(offers.vendor >= 0)
    vendor = offers.vendor[listed].astype(np.int64)
    categories, vendors = len(corpus.categories.ids), len(corpus.vendor_ids)
    category = closure.values.astype(np.int64)
    category_to_offer = links(in_offer, category, len(offers), categories)
    vendor_to_offer = links(listed, vendor, len(offers), vendors)
    features = spec.rows(offers, corpus.currencies, np.arange(len(offers)))
    if not (features != features[:1]).any():
        features = features[:1].copy()
    return TrainingGraph(
        buyers=len(buyers),
        offers=len(offers),
        to_buyer=to_buyer,
        to_offer=links(offer[by_offer], buyer[by_offer], len(offers), len(buyers)),
        by_offer=by_offer,
        weight=torch.from_numpy(weight),
        is_target=torch.from_numpy(bought if bought.any() else weight > 0),
        category_to_offer=category_to_offer,
        vendor_to_offer=vendor_to_offer,
        offer_to_category=_reversed(category_to_offer),
        offer_to_vendor=_reversed(vendor_to_offer),
        kind=torch.from_numpy(buyers.kind.astype(np.int64) + 1),
        country=torch.from_numpy(buyers.country.astype(np.int64) + 1),
        kinds=len(corpus.kinds),
        countries=len(corpus.countries),
        features=torch.from_numpy(features),
        describes_offers=bool(len(in_offer) or len(listed) or len(features) > 1),
    )


def _reversed(forward: Links) -> Links:
    target = torch.repeat_interleave(
        torch.arange(len(forward.back_pointer) - 1), torch.diff(forward.back_pointer)
    )
    return links(
        target.numpy(),
        forward.back_target.numpy(),
        len(forward.back_pointer) - 1,
        forward.targets,
    )


def _pairs(
    corpus: Corpus,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32], NDArray[np.bool_]]:
    """Distinct (buyer, offer) by buyer: their summed evidence weight, whether bought."""
    b = corpus.buyers
    width = np.int64(max(len(corpus.offers), 1))
    rows = np.repeat(np.arange(len(b), dtype=np.int64), np.diff(b.ptr))
    keys, inverse = np.unique(rows * width + b.offer, return_inverse=True)
    weight = np.bincount(inverse, weights=WEIGHT_OF_KIND[b.evidence_kind], minlength=len(keys))
    bought = np.zeros(len(keys), dtype=bool)
    bought[inverse[b.evidence_kind == PURCHASED]] = True
    kept = weight > 0
    keys, weight, bought = keys[kept], weight[kept], bought[kept]
    return keys // width, keys % width, weight.astype(np.float32), bought
