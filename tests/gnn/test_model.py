"""The torch model, the convolution it is made of, and the numpy tower that serves it."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch_geometric.nn import SAGEConv

from core.progress import SILENT
from core.snapshot import GraphSnapshot
from gnn.choosing import link_arrays, with_links
from gnn.conv import NeighbourSage
from gnn.export import feature_arrays, manifest_of, tower_arrays
from gnn.fitting import Fitted, Schedule, fit, read_layers
from gnn.graph import TrainingGraph, build_graph, links
from gnn.low_rank import LowRank
from gnn.recipe import Recipe, draw_step
from scoring.artifact import Model
from scoring.blend import UNTRAINED
from scoring.corpus import Corpus
from scoring.corpus_building import build_corpus
from scoring.offer_features import FirstBuyers, OfferEncoder, fit_features
from scoring.rows import no_rows
from scoring.scorer import build_scorer
from scoring.states import state_of
from tests.gnn.planted import snapshot_of
from tests.scoring.snapshots import random_snapshot

RECIPES = [Recipe(dimension=12, gain_exponent=0.3), Recipe(dimension=12, relu=True)]


class Trained:
    """A short training on a graph with every kind of gap."""

    def __init__(self, recipe: Recipe) -> None:
        self.recipe = recipe
        self.corpus: Corpus = build_corpus(random_snapshot())
        self.spec = fit_features(self.corpus, 1_750_000_000_000_000, seed=0)
        self.graph: TrainingGraph = build_graph(self.corpus, self.spec)
        self.fitted: Fitted = fit(
            self.graph, recipe, Schedule(epochs=2), seed=0, threads=1, progress=SILENT
        )
        self.layers = read_layers(self.fitted.model, self.graph, recipe)
        arrays = tower_arrays(self.fitted.model, self.graph, recipe) | feature_arrays(self.spec)
        manifest = manifest_of(self.corpus, self.spec, recipe)
        self.model = Model("v", self.corpus.offers.ids, arrays, manifest)


@pytest.fixture(scope="module", params=RECIPES, ids=["linear", "relu"])
def short(request: pytest.FixtureRequest) -> Trained:
    return Trained(request.param)


def test_the_convolution_equals_sage_conv_forwards_and_backwards() -> None:
    rng = np.random.default_rng(0)
    edges = np.unique(rng.integers(0, [[9], [14]], (2, 60)), axis=1)
    target, source = edges[0], edges[1]
    torch.manual_seed(0)
    ours, theirs = NeighbourSage(5), SAGEConv((5, 5), 5)
    theirs.load_state_dict(ours.state_dict())
    rows = torch.randn(14, 5, requires_grad=True)
    again = rows.detach().clone().requires_grad_(True)
    own = torch.randn(9, 5)
    ordered = links(target, source, 9, 14)
    out = ours((rows, own), ordered, ordered.equal_means())
    expected = theirs((again, own), torch.tensor(np.stack([source, target])), size=(14, 9))
    assert torch.allclose(out, expected, atol=1e-6)
    weights = torch.randn_like(out)
    (out * weights).sum().backward()
    (expected * weights).sum().backward()
    assert rows.grad is not None
    assert again.grad is not None
    assert torch.allclose(rows.grad, again.grad, atol=1e-6)


def test_the_serving_tower_equals_the_torch_model(short: Trained) -> None:
    count = len(short.corpus.offers)
    nothing = np.zeros(count, np.float32)
    no_product = LowRank(nothing[:, None][:, :0], nothing, nothing)
    model = with_links(short.model, link_arrays(no_rows(count), no_product))
    scorer = build_scorer(short.corpus, model, blend=UNTRAINED)
    vectors = np.stack(
        [scorer.read(state_of(short.corpus, b)).z for b in range(len(short.corpus.buyers))]
    )
    assert np.abs(vectors - short.layers.buyer_z.numpy()).max() < 1e-5
    assert np.array_equal(scorer.side.z, short.layers.offer_z.numpy())
    assert np.ptp(vectors, axis=0).max() > 0.1


def test_the_offer_encoder_equals_the_torch_model_for_known_offers(short: Trained) -> None:
    """An offer whose identity is zero is the same to the encoder as to the model."""
    graph, recipe = short.graph, short.recipe
    with torch.no_grad():
        short.fitted.model.identity.zero_()
    layers = read_layers(short.fitted.model, graph, recipe)
    arrays = tower_arrays(short.fitted.model, graph, recipe)
    encoder = OfferEncoder.from_arrays(short.model.arrays | arrays, short.model.manifest)
    chosen = np.arange(graph.offers)
    buyers = graph.to_offer.source.numpy()
    first = FirstBuyers(
        ptr=graph.to_offer.pointer.numpy(),
        weight=graph.weight[graph.by_offer].numpy(),
        h0=layers.buyer0.numpy()[buyers],
        h1=layers.buyer1.numpy()[buyers],
    )
    encoded = encoder.encode(short.corpus, chosen, first)
    assert np.abs(encoded.z - layers.offer_z.numpy()).max() < 1e-5
    assert np.abs(encoded.p1 - arrays["offer_p1"]).max() < 1e-5
    assert np.abs(encoded.p2 - arrays["offer_p2"]).max() < 1e-5
    assert np.abs(encoded.gain - arrays["offer_gain"]).max() < 1e-6
    alone = encoder.encode(short.corpus, chosen)
    assert np.abs(alone.z - encoded.z).max() > 1e-3


def test_what_nobody_has_dealt_with_is_what_its_features_say(planted: GraphSnapshot) -> None:
    """In training as in serving, where the model never saw it."""
    corpus = build_corpus(planted)
    spec = fit_features(corpus, 0, seed=0)
    graph = build_graph(corpus, spec)
    recipe = Recipe(dimension=12, identity_dropout=0.0)
    messages = draw_step(graph, recipe, torch.Generator().manual_seed(0)).messages
    assert torch.equal(messages.has_identity[:, 0] == 1.0, graph.is_known)
    fitted = fit(graph, recipe, Schedule(epochs=2), seed=0, threads=1, progress=SILENT)
    layers = read_layers(fitted.model, graph, recipe)
    arrays = tower_arrays(fitted.model, graph, recipe) | feature_arrays(spec)
    encoder = OfferEncoder.from_arrays(arrays, manifest_of(corpus, spec, recipe))
    unknown = np.flatnonzero(~graph.is_known.numpy())
    assert len(unknown) >= 6
    encoded = encoder.encode(corpus, unknown)
    assert np.abs(encoded.z - layers.offer_z.numpy()[unknown]).max() < 1e-5
    assert np.abs(encoded.p1 - arrays["offer_p1"][unknown]).max() < 1e-5


def test_no_message_flows_along_a_pair_that_is_to_be_predicted(short: Trained) -> None:
    graph = short.graph
    step = draw_step(graph, short.recipe, torch.Generator().manual_seed(4))
    asked = step.asked.buyers[step.pair_row]
    pairs = set(zip(asked.tolist(), step.pair_offer.tolist(), strict=True))
    assert pairs
    for ends, weights in (
        ((graph.to_buyer.target, graph.to_buyer.source), step.messages.to_buyer),
        ((graph.to_offer.source, graph.to_offer.target), step.messages.to_offer),
    ):
        flowing = weights > 0
        assert flowing.any()
        along = set(zip(ends[0][flowing].tolist(), ends[1][flowing].tolist(), strict=True))
        assert not along & pairs


def test_the_vectors_of_those_asked_are_what_they_are_among_all(short: Trained) -> None:
    graph = short.graph
    step = draw_step(graph, replace(short.recipe, buyers_per_step=50), torch.manual_seed(4))
    assert 0 < len(step.asked.buyers) < graph.buyers
    found = []
    for asked in (step.asked, None):
        model = copy.deepcopy(short.fitted.model)
        z = model(graph, step.messages, asked).buyer_z
        z = z if asked else z[step.asked.buyers]
        (z * torch.linspace(-1, 1, z.numel()).reshape(z.shape)).sum().backward()
        assert model.identity.grad is not None
        found.append((z.detach(), model.identity.grad))
    for some, whole in zip(*found, strict=True):
        assert whole.abs().max() > 1e-3
        assert (some - whole).abs().max() < 1e-5


def test_what_a_buyer_has_dealt_with_is_no_negative(short: Trained) -> None:
    step = draw_step(short.graph, short.recipe, torch.Generator().manual_seed(4))
    asked, taken = step.asked.buyers[step.known_row], step.negatives[step.known_column]
    known = set(zip(asked.tolist(), taken.tolist(), strict=True))
    graph = short.graph
    assert known == set(
        zip(graph.to_buyer.target.tolist(), graph.to_buyer.source.tolist(), strict=True)
    )


def test_identities_are_dropped_only_where_something_else_tells_of_offers(
    planted: GraphSnapshot,
) -> None:
    pairs = planted.purchases.select("buyer_id", "offer_id")
    unsaid = snapshot_of(
        buyers={"id": planted.buyers["id"].to_list()},
        offers={"id": planted.offers["id"].to_list()},
        purchases={
            **pairs.to_dict(as_series=False),
            "at": planted.purchases["at"].to_list(),
            "quantity": [1] * len(pairs),
        },
    )
    for snapshot, least, most in ((unsaid, 0.0, 0.0), (planted, 0.05, 0.3)):
        corpus = build_corpus(snapshot)
        graph = build_graph(corpus, fit_features(corpus, 0, seed=0))
        messages = draw_step(graph, Recipe(), torch.Generator().manual_seed(0)).messages
        dropped = 1 - float(messages.has_identity[graph.is_known].mean())
        assert least <= dropped <= most


def test_training_puts_torchs_settings_back(planted: GraphSnapshot) -> None:
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    state = torch.random.get_rng_state()
    corpus = build_corpus(planted)
    graph = build_graph(corpus, fit_features(corpus, 0, seed=0))
    fit(graph, Recipe(dimension=4), Schedule(epochs=1), seed=0, threads=1, progress=SILENT)
    assert before == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    assert torch.equal(state, torch.random.get_rng_state())
