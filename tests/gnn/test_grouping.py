"""Without times, what is held out drifts as what comes later does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from gnn import grouping

BUYERS, OFFERS, CLUSTERS, EACH = 400, 120, 6, 20


def pairs() -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Buyers that take half of their offers from each of two clusters."""
    random = np.random.default_rng(3)
    members = np.arange(OFFERS).reshape(CLUSTERS, -1)
    taken = [
        np.concatenate([random.choice(members[c], EACH // 2, replace=False) for c in two])
        for two in (random.choice(CLUSTERS, 2, replace=False) for _ in range(BUYERS))
    ]
    return np.repeat(np.arange(BUYERS), EACH), np.concatenate([np.sort(row) for row in taken])


def share_from_one_cluster() -> float:
    """Of the quarter of each buyer's offers that counts as latest, the most from one cluster."""
    return float(np.mean([_share(seed) for seed in range(6)]))


def _share(seed: int) -> float:
    buyer, offer = pairs()
    late = grouping.lateness(buyer, offer, (BUYERS, OFFERS), seed).reshape(BUYERS, EACH)
    held = np.take_along_axis(offer.reshape(BUYERS, EACH), np.argsort(-late)[:, :5], axis=1)
    counts = np.stack([(held // (OFFERS // CLUSTERS) == c).sum(axis=1) for c in range(CLUSTERS)])
    return float(counts.max(axis=0).mean() / 5)


def test_what_is_held_out_of_a_buyer_that_drifts_belongs_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    half = share_from_one_cluster()
    monkeypatch.setattr(grouping, "DRIFTING", 1.0)
    assert share_from_one_cluster() > 0.74
    monkeypatch.setattr(grouping, "DRIFTING", 0.0)
    assert share_from_one_cluster() < 0.7 < half


def test_without_a_drift_it_is_a_random_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grouping, "NOISE", 1e6)
    assert share_from_one_cluster() < 0.7


def test_where_buyers_have_no_tastes_no_offer_is_held_out_more_than_others() -> None:
    random = np.random.default_rng(5)
    offer = np.concatenate([random.choice(OFFERS, EACH, replace=False) for _ in range(BUYERS)])
    buyer = np.repeat(np.arange(BUYERS), EACH)
    late = grouping.lateness(buyer, offer, (BUYERS, OFFERS), seed=0).reshape(BUYERS, EACH)
    held = np.argsort(np.argsort(-late, axis=1), axis=1).ravel() < EACH // 5
    counts, taken = np.bincount(offer[held], minlength=OFFERS), np.bincount(offer)
    deviations = (counts - taken / 5) / np.sqrt(taken * 0.2 * 0.8)
    assert deviations.std() < 1.2


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    buyer, offer = pairs()
    first, again, other = (
        grouping.lateness(buyer, offer, (BUYERS, OFFERS), seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(np.argsort(first), np.argsort(other))
