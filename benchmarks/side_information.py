"""What each kind of side information brings: the same training without it.

Run: ``python benchmarks/side_information.py [--seed 0] [--threads 2] [--without KIND ...]
[--json FILE]``.

On the generated marketplace of default size, split by time: the last fifth of the purchases is
predicted, a tenth of the offers is unknown before it, and everything is learned anew for each kind
left out. Printed for each: NDCG@10 over all first purchases, over the same when nothing is known
that a buyer has done, and over those of the unknown offers, ranked among themselves; the difference
to all being known with its standard error over buyers, and the CPU seconds of the training.
``everything`` leaves purchases alone, as matrices do.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from cli.console import Terminal
from cli.train import train_settings
from core.snapshot import SCHEMAS, GraphSnapshot
from evaluation.costs import cpu_seconds
from evaluation.evaluate import measure
from evaluation.rankings import served_scores
from evaluation.views import View, rank_blocks
from gnn.split import Split, split_snapshot
from gnn.train import TrainSettings, train
from gnn.walk_tuning import rows_of
from graph.frames import conform
from scoring.corpus_building import build_corpus
from scoring.metrics import measure_top, restricted
from scoring.scorer import build_scorer
from synthetic.generate import build
from synthetic.spec import MarketplaceSpec
from synthetic.truth import Truth

NOW = datetime(2026, 1, 1, tzinfo=UTC)
K = 10
UNKNOWN = 10

Figures = dict[str, NDArray[np.float64]]


def main() -> None:
    """Train with everything, then without each kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--without", nargs="*", choices=list(KINDS), default=list(KINDS))
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    settings = train_settings(seed=asked.seed, threads=asked.threads)
    split = marketplace()
    whole, seconds = measured(split, settings)
    rows = [row("nothing", whole, whole, seconds)]
    print(json.dumps(rows[0]), flush=True)
    for kind in asked.without:
        figures, seconds = measured(replace(split, known=KINDS[kind](split.known)), settings)
        rows.append(row(kind, figures, whole, seconds))
        print(json.dumps(rows[-1]), flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")


def whole_marketplace() -> tuple[GraphSnapshot, Truth]:
    """The generated marketplace of default size and seed, and its truth."""
    made = build(MarketplaceSpec())
    tables = {name: conform(made.tables[name], schema) for name, schema in SCHEMAS.items()}
    tables = {name: t.sort("id") if "id" in t.columns else t for name, t in tables.items()}
    return GraphSnapshot("market00", 1, NOW, **tables), made.truth


def marketplace() -> Split:
    """The marketplace before and after the cut; every tenth offer is unknown before it."""
    split = split_snapshot(whole_marketplace()[0], 0.2, seed=0)
    unknown = split.known.offers["id"].gather_every(UNKNOWN)
    met = ~pl.col("offer_id").is_in(unknown.implode())
    known = replace(
        split.known,
        purchases=split.known.purchases.filter(met),
        interactions=split.known.interactions.filter(met),
    )
    return replace(split, known=known)


def measured(split: Split, settings: TrainSettings) -> tuple[Figures, float]:
    """NDCG@10 by buyer (B,) in each view, nan for those with nothing to find; CPU seconds."""
    start = cpu_seconds()
    trained = train(split.known, settings, Terminal().progress, now=NOW, keep_choice=False)
    seconds = cpu_seconds() - start
    made = measure(split, trained)
    buyers = np.flatnonzero(np.diff(split.fresh.ptr) + np.diff(split.repeated.ptr))
    fresh = rows_of(split.fresh, buyers)
    tops, unknown = made.rankings, np.arange(len(split.known.offers)) % UNKNOWN == 0
    scorer = build_scorer(build_corpus(split.known), trained.model)
    among = rank_blocks(
        lambda block: served_scores(scorer, block), buyers, len(unknown),
        {"unknown": View(allowed=unknown)}, K,
    )  # fmt: skip
    figures = {
        "all": measure_top(tops.new["offerpath"], fresh, K).ndcg,
        "as newcomers": measure_top(tops.blind["offerpath"], fresh, K).ndcg,
        "unknown offers": measure_top(
            among["unknown"]["offerpath"], restricted(fresh, unknown), K
        ).ndcg,
    }
    return figures, seconds


def row(kind: str, figures: Figures, whole: Figures, seconds: float) -> dict[str, Any]:
    """The line of one kind left out."""
    line: dict[str, Any] = {"without": kind, "train_seconds": round(seconds, 1)}
    for view, values in figures.items():
        lost = values - whole[view]
        lost = lost[~np.isnan(lost)]
        line[view] = {
            "ndcg@10": round(float(np.nanmean(values)), 4),
            "difference": round(float(lost.mean()), 4),
            "standard_error": round(float(lost.std(ddof=1) / np.sqrt(len(lost))), 4),
        }
    return line


def _blank(snapshot: GraphSnapshot, table: str, *columns: str) -> GraphSnapshot:
    frame = snapshot.table(table)
    empty = [pl.lit(None, dtype=frame.schema[name]).alias(name) for name in columns]
    changed: dict[str, Any] = {table: frame.with_columns(empty)}
    return replace(snapshot, **changed)


def _without_categories(snapshot: GraphSnapshot) -> GraphSnapshot:
    none = pl.lit([], dtype=pl.List(pl.String)).alias("category_ids")
    left = replace(snapshot, offers=snapshot.offers.with_columns(none))
    return replace(left, preferences=left.preferences.head(0))


def _without_vendors(snapshot: GraphSnapshot) -> GraphSnapshot:
    return _blank(snapshot, "offers", "vendor_id")


def _without_prices(snapshot: GraphSnapshot) -> GraphSnapshot:
    return _blank(snapshot, "offers", "price_minor")


def _without_places(snapshot: GraphSnapshot) -> GraphSnapshot:
    for table in ("buyers", "vendors", "offers"):
        snapshot = _blank(snapshot, table, "latitude", "longitude")
    return snapshot


def _without_text(snapshot: GraphSnapshot) -> GraphSnapshot:
    return _blank(snapshot, "offers", "title", "description")


def _without_age(snapshot: GraphSnapshot) -> GraphSnapshot:
    return _blank(snapshot, "offers", "created_at")


def _without_kinds(snapshot: GraphSnapshot) -> GraphSnapshot:
    return _blank(snapshot, "buyers", "kind", "country")


def _without_views(snapshot: GraphSnapshot) -> GraphSnapshot:
    return replace(snapshot, interactions=snapshot.interactions.head(0))


def _without_everything(snapshot: GraphSnapshot) -> GraphSnapshot:
    for leave_out in list(KINDS.values())[:-1]:
        snapshot = leave_out(snapshot)
    return snapshot


KINDS: dict[str, Callable[[GraphSnapshot], GraphSnapshot]] = {
    "categories": _without_categories,
    "vendors": _without_vendors,
    "prices": _without_prices,
    "places": _without_places,
    "text": _without_text,
    "age": _without_age,
    "kinds and countries of buyers": _without_kinds,
    "views and other dealings": _without_views,
    "everything": _without_everything,
}


if __name__ == "__main__":
    main()
