"""Rankings equal what plain loops over the rows say, in both directions."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from core.snapshot import GraphSnapshot
from matching.ranking import items_of, rank_buyer_rows, rank_offer_rows
from matching.state import MatcherState, build_state
from scoring import tower as tower_module
from scoring.artifact import Model
from tests.matching.markets import NOW, varied_snapshot
from tests.matching.random_requests import random_buyer_request, random_offer_request
from tests.oracles.matching_oracle import MatchingOracle
from tests.scoring.snapshots import random_model

REQUESTS = 500
Answer = list[tuple[str, float, bool]]


class NoEncoder:
    """Stands for an encoder where every offer is in the model."""

    @classmethod
    def from_arrays(cls, *_: Any) -> NoEncoder:
        return cls()


@pytest.fixture(params=["walk", "trained"])
def model_kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(tower_module, "OfferEncoder", NoEncoder)
    return str(request.param)


def oracle_of(snapshot: GraphSnapshot, state: MatcherState, model: Model | None) -> MatchingOracle:
    """An oracle that asks for one pair at a time."""
    known: dict[tuple[str, str], float] = {}

    def score(buyer_id: str, offer_id: str) -> float:
        if (buyer_id, offer_id) not in known:
            buyer = state.buyer_state(buyer_id)
            assert buyer is not None
            row = state.corpus.offers.index[offer_id]
            found = state.scorer.score_pairs(buyer, np.array([row], np.int32))
            known[buyer_id, offer_id] = float(found[0])
        return known[buyer_id, offer_id]

    vectors = {}
    if model is not None:
        rows = model.arrays["offer_z"].astype(np.float64).tolist()
        vectors = dict(zip(model.offer_ids, rows, strict=True))
    return MatchingOracle(snapshot, score, vectors)


def test_offers_for_buyers_equal_the_oracle(model_kind: str) -> None:
    snapshot = varied_snapshot()
    model = random_model(snapshot) if model_kind == "trained" else None
    state = build_state(snapshot, model)
    oracle = oracle_of(snapshot, state, model)
    rng = random.Random(11)
    lengths = set()
    for _ in range(REQUESTS):
        request = random_offer_request(rng, snapshot, strangers=True)
        buyer_id = rng.choice(state.corpus.buyers.ids)
        buyer = state.buyer_state(buyer_id)
        assert buyer is not None
        items = items_of(rank_offer_rows(state, buyer, request, NOW), state.corpus.offers.ids)
        answer = [(item.id, item.score, item.pinned) for item in items]
        assert answer == oracle.offers_for(buyer_id, request, NOW), request
        assert [item.rank for item in items] == list(range(1, len(items) + 1))
        lengths.add(len(items))
    assert len(lengths) > 20


def test_buyers_for_offers_equal_the_oracle(model_kind: str) -> None:
    snapshot = varied_snapshot()
    model = random_model(snapshot) if model_kind == "trained" else None
    state = build_state(snapshot, model)
    oracle = oracle_of(snapshot, state, model)
    rng = random.Random(12)
    lengths = set()
    for _ in range(REQUESTS):
        request = random_buyer_request(rng, snapshot)
        offer_id = rng.choice(state.corpus.offers.ids)
        offer = state.corpus.offers.index[offer_id]
        items = items_of(rank_buyer_rows(state, offer, request), state.buyer_table.ids)
        answer = [(item.id, item.score, item.pinned) for item in items]
        assert answer == oracle.buyers_for(offer_id, request), request
        lengths.add(len(items))
    assert len(lengths) > 20


def test_rankings_beyond_a_thousand_are_cut_exactly() -> None:
    snapshot = varied_snapshot(buyers=12, offers=6_000)
    state = build_state(snapshot, None)
    oracle = oracle_of(snapshot, state, None)
    rng = random.Random(13)
    for _ in range(8):
        request = random_offer_request(rng, snapshot, strangers=True)
        # Many offers score alike here, so the cut falls into a tie that ids decide.
        buyer_id = rng.choice(state.corpus.buyers.ids)
        buyer = state.buyer_state(buyer_id)
        assert buyer is not None
        request = replace(request, diversity=0.0)
        items = items_of(rank_offer_rows(state, buyer, request, NOW), state.corpus.offers.ids)
        answer = [(item.id, item.score, item.pinned) for item in items]
        assert answer == oracle.offers_for(buyer_id, request, NOW), request
