"""GraphSAGE over buyers, offers, categories and vendors.

Buyers have no identity of their own: a buyer is its kind, its country and what it has dealt with.
So a purchase recorded now changes the next answer, and a buyer made now is served at once. Offers
have an identity beside their features; identities are dropped at random while training, so that
features carry an offer that has none yet.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from gnn.conv import NeighbourSage
from gnn.graph import Links, TrainingGraph

HIDDEN = 64


class Messages(NamedTuple):
    """What flows in one pass: edge weights by relation and which offers keep their identity.

    ``to_buyer``, ``to_offer``, ``from_category`` and ``from_vendor`` (E,) sum to 1 over each target
    or are 0; ``has_identity`` (N, 1) is 0 or 1.
    """

    to_buyer: Tensor
    to_offer: Tensor
    from_category: Tensor
    from_vendor: Tensor
    has_identity: Tensor


class Asked(NamedTuple):
    """Buyers (n,) whose vectors are asked for, the links to them, and their edges' weights."""

    buyers: Tensor
    links: Links
    weights: Tensor


class Layers(NamedTuple):
    """Rows of each layer: buyers (B, d) and offers (N, d), and the unit rows that are compared.

    ``buyer_z`` has the rows of the buyers that were asked for.
    """

    buyer0: Tensor
    buyer1: Tensor
    buyer_z: Tensor
    offer0: Tensor
    offer1: Tensor
    offer_z: Tensor
    category0: Tensor
    category1: Tensor
    vendor0: Tensor
    vendor1: Tensor


class OfferSage(nn.Module):
    """Two layers of heterogeneous GraphSAGE; ``cos(buyer_z, offer_z)`` predicts a purchase."""

    def __init__(self, graph: TrainingGraph, identities: Tensor, *, relu: bool) -> None:
        """``identities`` (N, d): where the offers' identity rows start."""
        super().__init__()
        d = identities.shape[1]
        self.relu = relu
        self.identity = nn.Parameter(identities.clone())
        self.features = nn.Sequential(
            nn.Linear(graph.features.shape[1], HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, d)
        )
        self.category = nn.Parameter(_mean_of_offers(graph.offer_to_category, identities))
        self.vendor = nn.Parameter(_mean_of_offers(graph.offer_to_vendor, identities))
        self.kind = nn.Parameter(torch.randn(graph.kinds + 1, d) * 0.01)
        self.country = nn.Parameter(torch.randn(graph.countries + 1, d) * 0.01)
        self.layer_weights = nn.Parameter(torch.ones(3))
        self.buyer1, self.buyer2 = NeighbourSage(d), NeighbourSage(d)
        self.offer1, self.offer2 = NeighbourSage(d), NeighbourSage(d)
        self.by_category1, self.by_category2 = (NeighbourSage(d, root=False) for _ in range(2))
        self.by_vendor1, self.by_vendor2 = (NeighbourSage(d, root=False) for _ in range(2))
        self.category1, self.vendor1 = NeighbourSage(d), NeighbourSage(d)

    def forward(
        self, graph: TrainingGraph, messages: Messages, asked: Asked | None = None
    ) -> Layers:
        """One pass over the whole graph, up to the vectors of the buyers asked for (None: all)."""
        buyer0 = self.kind[graph.kind] + self.country[graph.country]
        offer0 = self.features(graph.features) + self.identity * messages.has_identity
        offer1 = self._offers(1, graph, messages, buyer0, offer0, self.category, self.vendor)
        within, listed = graph.offer_to_category, graph.offer_to_vendor
        category1 = self.category1((offer0, self.category), within, within.equal_means())
        vendor1 = self.vendor1((offer0, self.vendor), listed, listed.equal_means())
        buyer1 = self.buyer1((offer0, buyer0), graph.to_buyer, messages.to_buyer)
        if self.relu:
            offer1, buyer1 = offer1.relu(), buyer1.relu()
            category1, vendor1 = category1.relu(), vendor1.relu()
        offer2 = self._offers(2, graph, messages, buyer1, offer1, category1, vendor1)
        near, weights = graph.to_buyer, messages.to_buyer
        wanted = buyer0, buyer1
        if asked is not None:
            near, weights = asked.links, asked.weights
            wanted = buyer0[asked.buyers], buyer1[asked.buyers]
        buyer2 = self.buyer2((offer1, wanted[1]), near, weights)
        return Layers(
            buyer0, buyer1, self._output(*wanted, buyer2),
            offer0, offer1, self._output(offer0, offer1, offer2),
            self.category, category1, self.vendor, vendor1,
        )  # fmt: skip

    def _offers(
        self,
        layer: int,
        graph: TrainingGraph,
        messages: Messages,
        buyers: Tensor,
        offers: Tensor,
        categories: Tensor,
        vendors: Tensor,
    ) -> Tensor:
        own, by_category, by_vendor = (
            (self.offer1, self.by_category1, self.by_vendor1)
            if layer == 1
            else (self.offer2, self.by_category2, self.by_vendor2)
        )
        total: Tensor = own((buyers, offers), graph.to_offer, messages.to_offer)
        others = (
            (by_category, categories, graph.category_to_offer, messages.from_category),
            (by_vendor, vendors, graph.vendor_to_offer, messages.from_vendor),
        )
        for layer_of, rows, links, weights in others:
            # Without links a layer adds nothing, at the memory and time of all offers' rows.
            if len(links.source):
                total = total + layer_of((rows, offers), links, weights)
        return total

    def _output(self, *layers: Tensor) -> Tensor:
        total = sum(w * rows for w, rows in zip(self.layer_weights, layers, strict=True))
        assert isinstance(total, Tensor)
        return normalize(total, dim=1)


def _mean_of_offers(to_group: Links, identities: Tensor) -> Tensor:
    weights = to_group.equal_means()
    total = torch.zeros(to_group.targets, identities.shape[1])
    return total.index_add_(0, to_group.target, identities[to_group.source] * weights[:, None])
