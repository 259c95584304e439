"""Contributions are what the score loses when the evidence is really gone; paths exist."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from core.snapshot import SCHEMAS, GraphSnapshot
from graph.embedded_engine import EmbeddedEngine
from graph.store import GraphStore
from matching.answers import ExplanationKind, PathKind
from matching.explanations import explain_offers
from matching.ranking import rank_offer_rows
from matching.requests import Bought, OfferFilter, OfferMatchRequest
from matching.state import MatcherState, build_state
from scoring import tower as tower_module
from synthetic.generate import build
from synthetic.spec import MarketplaceSpec
from tests.matching.filling import fill_graph
from tests.matching.masking import copied, missing_elements, score_without
from tests.matching.test_ranking_oracle import NoEncoder
from tests.scoring.snapshots import random_model

EXPLANATIONS = 1_000
ANYTHING = OfferMatchRequest(
    filter=OfferFilter(in_stock=False, valid_now=False, bought=Bought.INCLUDE, dismissed=True)
)


def generated_market(buyers: int) -> GraphSnapshot:
    """The generated marketplace as a snapshot."""
    spec = MarketplaceSpec(buyers=buyers, offers=300, purchases=12 * buyers, seed=5)
    tables = build(spec).tables
    frames: dict[str, Any] = {}
    for name, schema in SCHEMAS.items():
        frame = tables[name]
        if name == "purchases":
            frame = frame.filter(pl.col("quantity") > 0)
        frames[name] = frame.with_columns(
            pl.lit(None, kind).alias(column)
            for column, kind in schema.items()
            if column not in frame.columns
        ).select(pl.col(column).cast(kind) for column, kind in schema.items())
    return GraphSnapshot("generated", 1, datetime(2025, 1, 1, tzinfo=UTC), **frames)


@pytest.mark.parametrize("kind", ["walk", "trained"])
async def test_explanations_of_the_generated_marketplace_are_true(
    kind: str,
    embedded_engine: EmbeddedEngine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tower_module, "OfferEncoder", NoEncoder)
    market = generated_market(EXPLANATIONS // 2)
    store = await GraphStore.open(embedded_engine)
    await fill_graph(store, market)
    snapshot = await store.read_snapshot()
    model = random_model(snapshot) if kind == "trained" else None
    state = build_state(snapshot, model)
    # One explanation a buyer, so that what is deleted for one is not missed by another.
    source, target = tmp_path / "graph.lbug", tmp_path / "copy.lbug"
    async with copied(embedded_engine, source, target) as copy:
        kinds = await check_explanations(copy, state, random.Random(31), state.corpus.buyers.ids)
    assert sum(kinds.values()) == EXPLANATIONS // 2
    unasked = {ExplanationKind.SIMILAR, ExplanationKind.CONTEXT}
    assert set(kinds) >= set(ExplanationKind) - unasked, kinds


async def check_explanations(
    copy: GraphStore, state: MatcherState, rng: random.Random, buyers: list[str]
) -> Counter[str]:
    """Check one explanation of each buyer against the copy; returns how many of each kind."""
    chosen = []
    for buyer_id in buyers:
        buyer = state.buyer_state(buyer_id)
        assert buyer is not None
        ranked = rank_offer_rows(state, buyer, ANYTHING, datetime(2026, 1, 1, tzinfo=UTC))
        row = rng.choice([*ranked.rows[:20], *rng.sample(ranked.rows, 20)])
        offer_id, score = state.corpus.offers.ids[row], float(ranked.scores[row])
        told = rng.choice(explain_offers(state, buyer_id, buyer, np.array([row], np.int32), 6)[0])
        # Paths first: what is deleted below is no longer counted among the peers of others.
        assert await missing_elements(copy, buyer_id, offer_id, told) == [], told
        others = [e for e in told.path if e.kind is PathKind.BUYER and e.id != buyer_id]
        assert others == []
        assert told.summary.endswith(".")
        chosen.append((buyer_id, offer_id, score, told))
    for buyer_id, offer_id, score, told in chosen:
        without = await score_without(copy, state, buyer_id, offer_id, told)
        assert told.contribution == pytest.approx(1 - without / score, abs=1e-6), told
    return Counter(told.kind for _, _, _, told in chosen)
