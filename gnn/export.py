"""The trained model as the arrays that scoring reads; nothing of torch is left in them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gnn.fitting import read_layers
from gnn.graph import TrainingGraph
from gnn.model import OfferSage
from gnn.recipe import Recipe, gains
from scoring.corpus import Corpus
from scoring.offer_features import PREFIX, FeatureSpec

Arrays = dict[str, NDArray[np.float32]]


def tower_arrays(model: OfferSage, graph: TrainingGraph, recipe: Recipe) -> Arrays:
    """The arrays of scoring.artifact.TOWER_SHAPES, and the encoder's."""
    layers = read_layers(model, graph, recipe)
    rows = {
        "offer_z": layers.offer_z,
        "offer_p1": layers.offer0 @ model.buyer1.lin_l.weight.T,
        "offer_p2": layers.offer1 @ model.buyer2.lin_l.weight.T,
        "offer_gain": gains(graph, recipe),
        "kind_h0": model.kind,
        "country_h0": model.country,
        "a1": model.buyer1.lin_r.weight,
        "a2": model.buyer2.lin_r.weight,
        "c1": model.buyer1.lin_l.bias,
        "c2": model.buyer2.lin_l.bias,
        "layer_weights": model.layer_weights,
    }
    encoder = {
        "w1": model.features[0].weight,
        "b1": model.features[0].bias,
        "w2": model.features[2].weight,
        "b2": model.features[2].bias,
        "category_h0": layers.category0,
        "category_h1": layers.category1,
        "vendor_h0": layers.vendor0,
        "vendor_h1": layers.vendor1,
        "root1": model.offer1.lin_r.weight,
        "root2": model.offer2.lin_r.weight,
        "bias1": model.offer1.lin_l.bias,
        "bias2": model.offer2.lin_l.bias,
        "buyer1": model.offer1.lin_l.weight,
        "buyer2": model.offer2.lin_l.weight,
        "category1": model.by_category1.lin_l.weight,
        "category2": model.by_category2.lin_l.weight,
        "vendor1": model.by_vendor1.lin_l.weight,
        "vendor2": model.by_vendor2.lin_l.weight,
        "p1": model.buyer1.lin_l.weight,
        "p2": model.buyer2.lin_l.weight,
    }
    rows |= {PREFIX + name: value for name, value in encoder.items()}
    return {name: _array(value) for name, value in rows.items()}


def feature_arrays(spec: FeatureSpec) -> Arrays:
    """What turns a new offer into features, as arrays of the artifact."""
    return {
        f"{PREFIX}text_idf": spec.text.idf,
        f"{PREFIX}text_components": spec.text.components,
        f"{PREFIX}price": spec.price,
    }


def manifest_of(corpus: Corpus, spec: FeatureSpec, recipe: Recipe) -> dict[str, Any]:
    """The vocabularies and switches that the arrays need to be read."""
    return {
        "kinds": corpus.kinds,
        "countries": corpus.countries,
        "activation": "relu" if recipe.relu else "none",
        "encoder": {
            "currencies": list(spec.currencies),
            "reference": spec.reference,
            "spacing": spec.spacing,
            "categories": corpus.categories.ids,
            "vendors": corpus.vendor_ids,
            "gain_exponent": recipe.gain_exponent,
        },
    }


def _array(value: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(value.detach().cpu().numpy(), dtype=np.float32)
