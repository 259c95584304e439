"""How the ten components become one score: weights, a bias, and what they mean untrained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import DamagedError
from scoring.kernels import COMPONENTS


@dataclass(frozen=True)
class Blend:
    """score = logistic(weights . components + bias); weights (10,) in the order of COMPONENTS."""

    weights: NDArray[np.float64]
    bias: float
    calibrated: bool = False

    @classmethod
    def of(cls, weights: Mapping[str, float], bias: float, *, calibrated: bool = False) -> Blend:
        """A blend from weights by component name; those not named are 0.

        Raises:
            DamagedError: for a name that is no component.
        """
        unknown = set(weights) - set(COMPONENTS)
        if unknown:
            raise DamagedError(
                f"The model weighs unknown components: {', '.join(sorted(unknown))}.",
                mend="It was trained by another version; train again.",
            )
        values = np.array([float(weights.get(name, 0.0)) for name in COMPONENTS])
        return cls(values, float(bias), calibrated)

    def as_mapping(self) -> dict[str, float]:
        """The weights by component name."""
        return {name: float(w) for name, w in zip(COMPONENTS, self.weights, strict=True)}


# What serves a graph without a trained model: the walk leads, attributes and popularity fill in.
# Not calibrated: the order means something, the number is no probability.
UNTRAINED = Blend.of(
    {
        "walk": 1.0,
        "category": 1.0,
        "preference": 2.0,
        "vendor": 0.5,
        "price": 0.3,
        "place": 0.5,
        "local_popularity": 0.5,
        "popularity": 1.0,
        "kind_popularity": 0.5,
    },
    bias=-5.0,
)
POPULARITY_ONLY = Blend.of({"popularity": 1.0}, bias=-5.0)
WALK_ONLY = Blend.of({"walk": 1.0}, bias=-5.0)
COSINE_ONLY = Blend.of({"cosine": 5.0}, bias=-5.0)
