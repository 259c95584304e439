"""On half a million real invoice lines: explanations are true, rankings equal plain loops."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gnn.train import TrainSettings, train
from graph.embedded_engine import EmbeddedEngine
from graph.store import GraphStore
from loaders.importer import import_files
from matching.answers import ExplanationKind
from matching.ranking import items_of, rank_offer_rows
from matching.state import MatcherState, build_state
from tests.matching.masking import copied
from tests.matching.random_requests import random_offer_request
from tests.matching.test_explanations import check_explanations
from tests.matching.test_ranking_oracle import oracle_of

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EXPLANATIONS = 1_000
REPOSITORY = Path(__file__).parents[2]


def online_retail() -> Path:
    """Where the data lie; a test that cannot find them fails."""
    shared = Path(os.environ.get("OFFERPATH_DATA", REPOSITORY.parent / "shared" / "data"))
    folder = shared / "online-retail"
    assert folder.is_dir(), f"{folder} is not there: set OFFERPATH_DATA to the folder of the data"
    return folder


@pytest.fixture
async def state(embedded_engine: EmbeddedEngine, tmp_path: Path) -> AsyncIterator[MatcherState]:
    """Online Retail imported, and a model trained on it."""
    store = await GraphStore.open(embedded_engine)
    await import_files(store, online_retail(), home=tmp_path, now=NOW)
    snapshot = await store.read_snapshot()
    trained = train(snapshot, TrainSettings(epochs=6), now=NOW)
    yield build_state(snapshot, trained.model)


async def test_explanations_are_true_and_rankings_exact(
    state: MatcherState, embedded_engine: EmbeddedEngine, tmp_path: Path
) -> None:
    store = await GraphStore.open(embedded_engine)
    snapshot = await store.read_snapshot()
    oracle = oracle_of(snapshot, state, state.model)
    rng = random.Random(51)
    for _ in range(10):
        # The oracle's diversity takes cubic time; small markets are where it is held to it.
        asked = replace(random_offer_request(rng, snapshot), diversity=0.0)
        buyer_id = rng.choice(state.corpus.buyers.ids)
        buyer = state.buyer_state(buyer_id)
        assert buyer is not None
        items = items_of(rank_offer_rows(state, buyer, asked, NOW), state.corpus.offers.ids)
        expected = oracle.offers_for(buyer_id, asked, NOW)
        assert [(item.id, item.score, item.pinned) for item in items] == expected
    buyers = rng.sample(state.corpus.buyers.ids, EXPLANATIONS)
    source, target = tmp_path / "graph.lbug", tmp_path / "copy.lbug"
    async with copied(embedded_engine, source, target) as copy:
        kinds = await check_explanations(copy, state, rng, buyers)
    assert sum(kinds.values()) == EXPLANATIONS
    assert ExplanationKind.PEERS in kinds
