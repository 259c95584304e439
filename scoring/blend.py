"""How the components become one score: weights, a small network, and what they mean untrained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import DamagedError
from scoring.combination import Combination
from scoring.components import COMPONENTS

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Blend:
    """A Combination, and whether its score is a probability (``calibrated``) or only an order."""

    combination: Combination
    calibrated: bool = False

    @classmethod
    def of(cls, weights: Mapping[str, float], bias: float, *, calibrated: bool = False) -> Blend:
        """A weighted sum from weights by component name; those not named are 0.

        Raises:
            DamagedError: for a name that is no component.
        """
        _refuse_unknown(weights)
        values = np.array([float(weights.get(name, 0.0)) for name in COMPONENTS])
        none = np.zeros(0)
        inner = np.zeros((len(COMPONENTS), 0))
        return cls(Combination(values, float(bias), inner, none, none), calibrated)

    @classmethod
    def from_mapping(cls, kept: Mapping[str, Any]) -> Blend:
        """A blend from what ``as_mapping`` made.

        Raises:
            DamagedError: when a part is missing or has a name that is no component.
        """
        try:
            plain = cls.of(kept["weights"], kept["bias"], calibrated=kept["calibrated"])
            for part in ("inner", "own"):
                _refuse_unknown(kept[part])
            size = len(kept["outer"])
            rows = [kept["inner"].get(name, [0.0] * size) for name in COMPONENTS]
            network = plain.combination._replace(
                inner=np.array(rows, dtype=np.float64).reshape(len(COMPONENTS), size),
                inner_bias=np.array(kept["inner_bias"], dtype=np.float64),
                outer=np.array(kept["outer"], dtype=np.float64),
                own=np.array([float(kept["own"].get(name, 0.0)) for name in COMPONENTS]),
                own_share=float(kept["own_share"]),
                own_bias=float(kept["own_bias"]),
                knee=np.inf if kept["knee"] is None else float(kept["knee"]),
                above=float(kept["above"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedError(
                f"The model's blend is incomplete: {error}.", mend="Train again: offerpath train."
            ) from error
        return cls(network, plain.calibrated)

    def as_mapping(self) -> dict[str, Any]:
        """Plain values: ``weights``, ``inner`` and ``own`` by component name, the rest as lists.

        ``knee`` is None where nothing is bent.
        """
        by = self.combination
        return {
            "weights": {n: float(w) for n, w in zip(COMPONENTS, by.weights, strict=True)},
            "bias": by.bias,
            "inner": {n: row.tolist() for n, row in zip(COMPONENTS, by.inner, strict=True)},
            "inner_bias": by.inner_bias.tolist(),
            "outer": by.outer.tolist(),
            "own": {n: float(w) for n, w in zip(COMPONENTS, by.own, strict=True)},
            "own_share": by.own_share,
            "own_bias": by.own_bias,
            "knee": by.knee if np.isfinite(by.knee) else None,
            "above": by.above,
            "calibrated": self.calibrated,
        }

    def rescaled(self, slope: float, shift: float) -> Blend:
        """The same order with log odds ``slope * logit + shift``, calibrated; slope > 0."""
        by = self.combination
        return Blend(
            by._replace(
                weights=by.weights * slope,
                bias=by.bias * slope + shift,
                outer=by.outer * slope,
                own=by.own * slope,
                own_bias=by.own_bias * slope + shift * (1.0 - by.own_share),
                knee=by.knee * slope + shift,
            ),
            calibrated=True,
        )


def _refuse_unknown(names: Mapping[str, Any]) -> None:
    unknown = set(names) - set(COMPONENTS)
    if unknown:
        raise DamagedError(
            f"The model weighs unknown components: {', '.join(sorted(unknown))}.",
            mend="It was trained by another version; train again.",
        )


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
        "again": 1.0,
        "interest": 0.5,
    },
    bias=-5.0,
)
POPULARITY_ONLY = Blend.of({"popularity": 1.0}, bias=-5.0)
WALK_ONLY = Blend.of({"walk": 1.0}, bias=-5.0)
SLIM_ONLY = Blend.of({"slim": 20.0}, bias=-5.0)
LOW_RANK_ONLY = Blend.of({"low_rank": 20.0}, bias=-5.0)
COSINE_ONLY = Blend.of({"cosine": 5.0}, bias=-5.0)
