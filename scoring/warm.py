"""Compile the kernels and keep them on disk, so that no first request waits: set-up runs this."""

from __future__ import annotations

from datetime import UTC, datetime

import polars as pl

from core.snapshot import SCHEMAS, GraphSnapshot, empty_table
from scoring.corpus_building import build_corpus
from scoring.effects import effects_of_features, effects_of_pieces
from scoring.kernel_cache import forget_other_kernels
from scoring.scorer import build_scorer
from scoring.states import state_of


def compile_kernels() -> None:
    """Run every kernel once on a graph of one purchase; later processes load the machine code."""
    tables = {name: empty_table(name) for name in SCHEMAS}
    for name, ids in (("buyers", ["b"]), ("offers", ["o", "p"])):
        tables[name] = pl.DataFrame({"id": ids}, schema_overrides=SCHEMAS[name]).select(
            "id", *(pl.lit(None, dtype).alias(c) for c, dtype in SCHEMAS[name].items() if c != "id")
        )
    bought = {"buyer_id": "b", "offer_id": "o", "at": datetime(2025, 1, 1, tzinfo=UTC)}
    tables["purchases"] = pl.select(
        *(pl.lit(bought.get(c), dtype).alias(c) for c, dtype in SCHEMAS["purchases"].items())
    )
    snapshot = GraphSnapshot("warm", 0, datetime(2025, 1, 1, tzinfo=UTC), **tables)
    scorer = build_scorer(build_corpus(snapshot))
    state = state_of(scorer.corpus, 0)
    reading = scorer.read(state)
    offers = scorer.corpus.offers.categories.ptr[:2].astype("int32") * 0
    scorer.score_offers(state)
    scorer.score_buyers(0)
    effects_of_pieces(scorer, state, reading, offers, 2)
    effects_of_features(scorer, state, reading, offers)


if __name__ == "__main__":
    compile_kernels()
    forget_other_kernels()
