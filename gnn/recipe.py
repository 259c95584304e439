"""The recipe: what one training step does. Everything that can be varied is on this screen.

1. A part of each buyer's purchases is hidden: these pairs are to be predicted, and no message
   flows along them in either direction, so that the answer cannot be read off the graph.
2. Some offers lose their identity, half of those their buyers too, some their categories or
   vendor: features must carry them, where there are any, as they carry what nobody has dealt with
   yet. Some buyers lose all their evidence: kind and country must carry them.
3. One pass of GraphSAGE over everything that is left, up to the vectors of the buyers asked.
4. Sampled softmax on cosine / temperature: each hidden pair against offers drawn uniformly and
   shared by all buyers of the step; what the buyer has dealt with is no negative.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils.extmath import randomized_svd
from torch import Tensor

from gnn.graph import Links, TrainingGraph
from gnn.model import Asked, Layers, Messages
from gnn.softmax import log_sum_exp


@dataclass(frozen=True, slots=True)
class Recipe:
    """What is varied; figures of matching.md unless measured better (docs/model.md)."""

    dimension: int = 64
    temperature: float = 0.1
    learning_rate: float = 0.003
    identity_rate: float = 0.02
    buyers_per_step: int = 2048
    negatives: int = 8192
    hidden_share: float = 0.5
    identity_dropout: float = 0.15
    evidence_dropout: float = 0.05
    link_dropout: float = 0.3
    gain_exponent: float = 0.25
    relu: bool = False


# Tried for a few epochs each; what suits the data is learned by. Many sparse buyers let identities
# move far, few dense ones overfit by that within an epoch.
RECIPES = (Recipe(), Recipe(temperature=0.12, identity_rate=0.001, hidden_share=0.3))


@dataclass(frozen=True, slots=True)
class Step:
    """One draw: messages that flow, pairs (P,) to predict as rows of ``asked``, negatives (M,)."""

    messages: Messages
    asked: Asked
    pair_row: Tensor
    pair_offer: Tensor
    negatives: Tensor
    known_row: Tensor
    known_column: Tensor


def initial_identities(graph: TrainingGraph, dimension: int, seed: int) -> Tensor:
    """Offers (N, d): truncated SVD of the adjacency, normalised by both degrees; rms .1."""
    rows = graph.to_buyer.target.numpy()
    columns = graph.to_buyer.source.numpy()
    buyer_degree = np.bincount(rows, minlength=graph.buyers)[rows]
    offer_degree = np.bincount(columns, minlength=graph.offers)[columns]
    values = (1.0 / np.sqrt(buyer_degree * offer_degree)).astype(np.float32)
    adjacency = sp.csr_matrix((values, (rows, columns)), shape=(graph.buyers, graph.offers))
    rank = min(dimension, min(adjacency.shape) - 1)
    noise = np.random.default_rng(seed).normal(0, 0.01, (graph.offers, dimension))
    identities: np.ndarray = noise.astype(np.float32)
    if rank > 0 and len(rows):
        _, size, directions = randomized_svd(adjacency, rank, n_iter=4, random_state=seed)
        start = directions.T * np.sqrt(size)
        identities[:, :rank] += (0.1 * start / max(np.sqrt((start**2).mean()), 1e-9)).astype(
            np.float32
        )
    return torch.from_numpy(identities)


def gains(graph: TrainingGraph, recipe: Recipe) -> Tensor:
    """Offers (N,): the weight of an offer in a buyer's mean; popular offers say less."""
    return graph.degree.clamp_min(1).float() ** -recipe.gain_exponent


def all_messages(graph: TrainingGraph, recipe: Recipe) -> Messages:
    """Everything flows: what the served model is read from."""
    to_buyer = graph.weight * gains(graph, recipe)[graph.to_buyer.source]
    return Messages(
        graph.to_buyer.means(to_buyer),
        graph.to_offer.means(graph.weight[graph.by_offer]),
        graph.category_to_offer.equal_means(),
        graph.vendor_to_offer.equal_means(),
        graph.is_known.float()[:, None],
    )


def draw_step(graph: TrainingGraph, recipe: Recipe, random: torch.Generator) -> Step:
    """Choose buyers, what is hidden of them, what is dropped, and the negatives."""
    target, source = graph.to_buyer.target, graph.to_buyer.source
    count = min(recipe.buyers_per_step, graph.buyers)
    buyers = torch.randperm(graph.buyers, generator=random)[:count].sort().values
    row_of = torch.full((graph.buyers,), -1)
    row_of[buyers] = torch.arange(count)
    row = row_of[target]
    blind = torch.rand(graph.buyers, generator=random) < recipe.evidence_dropout
    coin = torch.rand(len(target), generator=random) < recipe.hidden_share
    predicted = graph.is_target & (row >= 0) & (coin | blind[target])
    flows = (~predicted & ~(blind[target] & (row >= 0))).float()
    fate = torch.rand(graph.offers, generator=random)
    dropout = recipe.identity_dropout if graph.describes_offers else 0.0
    anonymous = (fate < dropout) | ~graph.is_known
    flow_to_offer = flows * (fate >= dropout / 2)[source]
    negatives = _negatives(graph, recipe, random)
    column_of = torch.full((graph.offers,), -1)
    column_of[negatives] = torch.arange(len(negatives))
    known = (row >= 0) & (column_of[source] >= 0)
    weight = graph.weight * flows * gains(graph, recipe)[source]
    offer_weight = (graph.weight * flow_to_offer)[graph.by_offer]
    to_buyer = graph.to_buyer.means(weight)
    links, places = graph.to_buyer.into(buyers)
    return Step(
        messages=Messages(
            to_buyer,
            graph.to_offer.means(offer_weight),
            _thinned(graph.category_to_offer, anonymous, recipe, random),
            _thinned(graph.vendor_to_offer, anonymous, recipe, random),
            (~anonymous).float()[:, None],
        ),
        asked=Asked(buyers, links, to_buyer[places]),
        pair_row=row[predicted],
        pair_offer=source[predicted],
        negatives=negatives,
        known_row=row[known],
        known_column=column_of[source][known],
    )


def loss_of(layers: Layers, step: Step, recipe: Recipe) -> Tensor:
    """Mean over pairs of -log softmax(positive | positive and negatives), a buyer's by sqrt."""
    buyers = layers.buyer_z / recipe.temperature
    against = layers.offer_z[step.negatives]
    rest = log_sum_exp(buyers, against, step.known_row, step.known_column)
    positive = (buyers[step.pair_row] * layers.offer_z[step.pair_offer]).sum(dim=1)
    per_pair = torch.nn.functional.softplus(rest[step.pair_row] - positive)
    share = torch.bincount(step.pair_row, minlength=len(buyers)).float() ** -0.5
    weight = share[step.pair_row]
    return (per_pair * weight).sum() / weight.sum()


def _thinned(to_offer: Links, anonymous: Tensor, recipe: Recipe, random: torch.Generator) -> Tensor:
    cut = anonymous & (torch.rand(len(anonymous), generator=random) < recipe.link_dropout)
    return to_offer.equal_means() * ~cut[to_offer.target]


def _negatives(graph: TrainingGraph, recipe: Recipe, random: torch.Generator) -> Tensor:
    if graph.offers <= recipe.negatives:
        return torch.arange(graph.offers)
    return torch.randperm(graph.offers, generator=random)[: recipe.negatives].sort().values
