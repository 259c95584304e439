"""The bend of the log odds: the order stays, and the score is as often right as it says."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gnn.bending import FEWEST_ABOVE, bent
from gnn.blending import Examples, calibrated, logits_of
from scoring.blend import Blend
from scoring.components import COMPONENTS, WALK

# Log odds above the knee count less, in what is planted.
KNEE, ABOVE = -2.5, 0.3
RAW = Blend.of({"walk": 1.0}, 0.0)


def planted(above: float = ABOVE, weight: float = 1.0, knee: float = KNEE) -> Examples:
    """200,000 pairs taken as often as by the walk, bent; every other one weighs ``weight``."""
    random = np.random.default_rng(0)
    logits = random.normal(-4.0, 1.5, 200_000)
    truth = np.where(logits > knee, knee + above * (logits - knee), logits)
    taken = random.random(len(logits)) < 1.0 / (1.0 + np.exp(-truth))
    phi = np.zeros((len(logits), len(COMPONENTS)), dtype=np.float32)
    phi[:, WALK] = logits
    importance = np.where(np.arange(len(logits)) % 2, weight, 1.0)
    return Examples(phi, taken, importance, np.array([0, len(logits)]))


def bent_line(examples: Examples) -> Blend:
    line = calibrated(RAW, examples)
    return bent(line, [(line, examples)])


def probabilities(blend: Blend, examples: Examples) -> np.ndarray:
    score: np.ndarray = 1.0 / (1.0 + np.exp(-logits_of(blend, examples)))
    return score


def furthest_off(blend: Blend, examples: Examples) -> float:
    """Of ten bins from the least to the likeliest, the most that taken / said is away from 1."""
    said = probabilities(blend, examples)
    bins = np.array_split(np.argsort(said), 10)
    bins += [bins[-1][-2000:]]
    off = [abs(examples.taken[b].mean() / said[b].mean() - 1.0) for b in bins[3:]]
    return float(max(off))


def test_the_likeliest_are_as_likely_as_is_said() -> None:
    examples = planted()
    line = calibrated(RAW, examples)
    bend = bent_line(examples)
    assert furthest_off(line, examples) > 0.4
    assert furthest_off(bend, examples) < 0.12
    assert bend.calibrated
    assert bend.combination.above == pytest.approx(ABOVE, abs=0.08)
    assert bend.combination.knee == pytest.approx(KNEE, abs=0.4)


def test_the_order_stays() -> None:
    examples = planted()
    order = np.argsort(examples.phi[:, WALK], kind="stable")
    assert (np.diff(probabilities(bent(RAW, [(RAW, examples)]), examples)[order]) >= 0).all()
    distinct = np.diff(examples.phi[order, WALK]) > 1e-4
    assert (np.diff(logits_of(bent(RAW, [(RAW, examples)]), examples)[order])[distinct] > 0).all()


def test_what_is_straight_stays_straight() -> None:
    examples = planted(above=1.0)
    bend = bent_line(examples)
    assert bend.combination.above == pytest.approx(1.0, abs=0.1)
    assert bend.combination.weights[WALK] == pytest.approx(1.0, abs=0.05)


def test_what_is_not_sure_enough_is_bent_upwards() -> None:
    examples = planted(above=2.0, knee=-1.0)
    bend = bent_line(examples)
    assert bend.combination.above > 1.5
    assert furthest_off(bend, examples) < 0.12


def test_a_pair_weighs_as_many_as_it_stands_for() -> None:
    examples = planted(weight=5.0)
    doubled = np.repeat(np.arange(len(examples.phi)), np.where(examples.importance > 1, 5, 1))
    spelt_out = Examples(
        examples.phi[doubled], examples.taken[doubled], np.ones(len(doubled)),
        np.array([0, len(doubled)]),
    )  # fmt: skip
    # Not of the same pairs: the odd ones are taken half as often.
    examples.taken[1::4] = False
    spelt_out.taken[:] = examples.taken[doubled]
    one, other = (bent(RAW, [(RAW, known)]).combination for known in (examples, spelt_out))
    assert one.weights[WALK] == pytest.approx(other.weights[WALK], rel=0.05)
    assert one.bias == pytest.approx(other.bias, rel=0.05)


def test_it_is_bent_as_others_were_found_on_buyers_not_their_own() -> None:
    # Surer than the truth, as what is fitted to its own examples is.
    sure = RAW.rescaled(3.0, 8.0)
    strangers = planted()
    bend = bent(sure, [(sure, strangers), (sure, strangers)])
    assert furthest_off(bend, strangers) < 0.12
    # Moved just as the other was: what another blend made alike is told is taken over.
    itself = bent(sure, [(RAW, strangers)])
    assert logits_of(itself, strangers).max() > logits_of(bend, strangers).max() + 1.0


@pytest.mark.parametrize("taken", [False, True])
def test_it_is_left_as_it_was_where_all_is_the_same(taken: bool) -> None:
    examples = planted()
    examples.taken[:] = taken
    assert bent(RAW, [(RAW, examples)]) is RAW


def test_few_that_were_taken_tell_nothing() -> None:
    examples = planted()
    examples.taken[np.flatnonzero(examples.taken)[2 * FEWEST_ABOVE :]] = False
    assert bent(RAW, [(RAW, examples)]) is not RAW
    examples.taken[np.flatnonzero(examples.taken)[-1]] = False
    assert bent(RAW, [(RAW, examples)]) is RAW


def test_it_is_kept_with_the_blend() -> None:
    bend = bent(RAW, [(RAW, planted())])
    kept = Blend.from_mapping(json.loads(json.dumps(bend.as_mapping())))
    assert (kept.combination.knee, kept.combination.above) == (
        bend.combination.knee, bend.combination.above,
    )  # fmt: skip
    assert Blend.from_mapping(json.loads(json.dumps(RAW.as_mapping()))).combination.knee == np.inf


def test_calibrating_what_is_bent_moves_its_knee_along() -> None:
    examples = planted()
    bend = bent(RAW, [(RAW, examples)])
    moved = bend.rescaled(2.0, 1.0)
    assert logits_of(moved, examples) == pytest.approx(2.0 * logits_of(bend, examples) + 1.0)
