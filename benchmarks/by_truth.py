"""How many of the ten first matches are relevant by the truth of a generated marketplace.

Run: ``python benchmarks/by_truth.py [--held-out 0.0] [--seed 0] [--threads 2] [--json FILE]``.

On the marketplace of default size and seed, everything learned from by default settings (``--seed``
is of the training): the share that is relevant of the ten first offers that a buyer has not bought,
for popularity, the walk, GraphSAGE alone, what is served, and an oracle that ranks by the truth.
``--held-out 0.2`` asks as of the day when a fifth of the purchases were still to come: at its end
the marketplace has no looks that lead to a purchase any more, which nothing told the training.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from side_information import NOW, whole_marketplace

from cli.console import Terminal
from cli.train import train_settings
from evaluation.costs import cpu_seconds
from evaluation.truth import precision_by_truth
from gnn.split import split_snapshot
from gnn.train import train
from scoring.corpus_building import build_corpus
from scoring.scorer import build_scorer


def main() -> None:
    """Train on everything, and hold the matches against the truth."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--held-out", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    snapshot, truth = whole_marketplace()
    if asked.held_out:
        snapshot = split_snapshot(snapshot, asked.held_out, seed=0).known
    start = cpu_seconds()
    settings = train_settings(seed=asked.seed, threads=asked.threads)
    trained = train(snapshot, settings, Terminal().progress, now=NOW, keep_choice=False)
    seconds = cpu_seconds() - start
    found = precision_by_truth(
        build_scorer(build_corpus(snapshot), trained.model),
        truth.buyer_ids.tolist(),
        truth.offer_ids.tolist(),
        truth.relevance,
        truth.relevant,
    )
    line = {
        "relevant": round(float(truth.relevant.mean()), 4),
        "precision@10": {name: round(value, 4) for name, value in found.items()},
        "train_seconds": round(seconds, 1),
    }
    print(json.dumps(line))
    if asked.json:
        asked.json.write_text(json.dumps(line) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
