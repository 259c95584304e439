"""How time and memory of a training grow with the interactions.

Run: ``python benchmarks/scaling.py [--millions 1 2 4 8] [--epochs 20] [--threads 2] [--most S]
[--json FILE]``.

Graphs are drawn with the same mean degrees whatever their size: buyers and offers grow with the
interactions, degrees have heavy tails (log-normal), and each buyer belongs to two of many
communities, so that there is something to learn. Each size is trained on by default settings in a
process of its own, then 500 buyers are ranked for. Printed: CPU seconds by stage, peak resident
memory, and between neighbouring sizes the exponent of growth, 1 being linear; that of memory
without what the process holds before it reads anything. What is learned shows in NDCG@20 on the
validation slice, beside popularity. ``--most`` leaves out sizes that, by the growth so far, would
take more CPU seconds than that.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp

from cli.console import Terminal
from cli.train import train_settings
from cli.training import prepare_to_train
from evaluation.costs import ClockedProgress, cpu_seconds, forget_peak, peak_rss_mb
from evaluation.matrices import MatrixData
from evaluation.matrix_snapshot import snapshot_of
from evaluation.rankings import served_scores
from evaluation.views import View, rank_blocks
from gnn.train import train
from scoring.corpus_building import build_corpus
from scoring.scorer import build_scorer

PER_BUYER, PER_OFFER = 25.0, 20.0
# Draws for each distinct pair: some find what the buyer has already.
DRAWS = 1.18
FEWEST, MOST = 3, 2000
COMMUNITY = 300
AT_HOME = 0.8
RANKED = 500


def main() -> None:
    """Measure every size, and how it grows from one to the next."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millions", type=float, nargs="+", default=[1.0, 2.0, 4.0, 8.0])
    parser.add_argument("--epochs", type=int, help="at most; the default of offerpath train")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--most", type=float, default=float("inf"), help="CPU seconds of a size")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", action="store_true", help="a single size, in this process")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(measured(asked.millions[0], asked.epochs, asked.threads)))
        return
    # For the processes of the sizes; in this one it is too late.
    prepare_to_train()
    rows: list[dict[str, Any]] = []
    for millions in sorted(asked.millions):
        if rows and expected_seconds(rows, millions) > asked.most:
            print(f"{millions:g} M left out: it would take too long.", file=sys.stderr)
            break
        rows.append(measured_apart(millions, asked.epochs, asked.threads))
        print(table(rows), file=sys.stderr, flush=True)
    figures = {"sizes": rows, "growth": growth(rows)}
    print(table(rows))
    print(json.dumps(figures))
    if asked.json:
        asked.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


def measured_apart(millions: float, epochs: int | None, threads: int) -> dict[str, Any]:
    """The figures of one size, from a process of its own."""
    print(f"{millions:g} million interactions", file=sys.stderr, flush=True)
    words = [sys.executable, __file__, "--one", "--millions", str(millions)]
    words += ["--threads", str(threads)] + (["--epochs", str(epochs)] if epochs else [])
    told = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True).stdout
    figures: dict[str, Any] = json.loads(told.splitlines()[-1])
    return figures


def measured(millions: float, epochs: int | None, threads: int) -> dict[str, Any]:
    """Draw a graph, train on it, rank for some buyers: CPU seconds by stage and peak memory."""
    settings = train_settings(threads=threads, epochs=epochs)
    clock = ClockedProgress(Terminal().progress)
    data = drawn(round(millions * 1e6), np.random.default_rng(0))
    forget_peak()
    floor, start = peak_rss_mb(), cpu_seconds()
    snapshot = snapshot_of(data)
    trained = train(snapshot, settings, clock, now=datetime.now(UTC))
    train_seconds, middle = cpu_seconds() - start, cpu_seconds()
    corpus = build_corpus(snapshot)
    scorer = build_scorer(corpus, trained.model)
    testers = np.arange(min(RANKED, len(corpus.buyers)))
    scoring, read = cpu_seconds(), cpu_seconds() - middle
    everything = {"": View()}
    rank_blocks(
        lambda block: served_scores(scorer, block), testers, len(corpus.offers), everything, 20,
        threads=threads,
    )  # fmt: skip
    stages = dict(clock.seconds)
    stages["(the rest)"] = train_seconds - sum(stages.values())
    return {
        "millions": data.train.nnz / 1e6,
        "buyers": data.shape[0],
        "offers": data.shape[1],
        "train_seconds": train_seconds,
        "stages": stages,
        "load_seconds": read,
        "ms_per_ranked_buyer": (cpu_seconds() - scoring) / len(testers) * 1e3,
        "floor_mb": floor,
        "peak_mb": peak_rss_mb(),
        "served": trained.served,
        "ndcg": trained.validation.get(trained.served),
        "ndcg_popularity": trained.validation.get("popularity"),
    }


def drawn(interactions: int, random: np.random.Generator) -> MatrixData:
    """A graph of about so many distinct pairs."""
    buyers, offers = round(interactions / PER_BUYER), round(interactions / PER_OFFER)
    degrees = random.lognormal(np.log(PER_BUYER * DRAWS) - 0.5, 1.0, buyers).clip(FEWEST, MOST)
    buyer = np.repeat(np.arange(buyers), degrees.astype(np.int64))
    # Offers of a community lie together, so that a draw within one is a draw from a stretch.
    weight = np.cumsum(random.lognormal(0.0, 1.5, offers))
    edges = np.append(np.arange(0, offers, COMMUNITY), offers)
    below = np.append(0.0, weight)[edges]
    homes = random.integers(0, len(edges) - 1, (buyers, 2))
    home = homes[buyer, random.integers(0, 2, len(buyer))]
    at_home = random.random(len(buyer)) < AT_HOME
    low = np.where(at_home, below[home], 0.0)
    high = np.where(at_home, below[home + 1], weight[-1])
    offer = np.searchsorted(weight, random.uniform(low, high)).clip(0, offers - 1)
    pairs = np.unique(buyer * offers + offer)
    ones = np.ones(len(pairs), dtype=np.int64)
    train_part = sp.csr_array((ones, (pairs // offers, pairs % offers)), shape=(buyers, offers))
    nowhere = np.full(offers, np.nan)
    categories = pl.DataFrame(schema={"item": pl.Int64, "category": pl.String})
    empty = sp.csr_array(train_part.shape, dtype=np.int64)
    return MatrixData(train_part, empty, None, nowhere, nowhere, categories, 0)


def growth(rows: list[dict[str, Any]]) -> list[dict[str, float]]:
    """The exponent of time and of memory between neighbouring sizes."""
    found = []
    for small, large in pairwise(rows):
        step = np.log(large["millions"] / small["millions"])
        over = [row["peak_mb"] - row["floor_mb"] for row in (small, large)]
        time = np.log(large["train_seconds"] / small["train_seconds"]) / step
        memory = np.log(over[1] / over[0]) / step
        found.append({"time": round(float(time), 2), "memory": round(float(memory), 2)})
    return found


def expected_seconds(rows: list[dict[str, Any]], millions: float) -> float:
    """CPU seconds of a training of so many, by the last two sizes, no less than linear."""
    last = rows[-1]
    exponent = max([1.0, *(step["time"] for step in growth(rows[-2:]))])
    return float(last["train_seconds"] * (millions / last["millions"]) ** exponent)


def table(rows: list[dict[str, Any]]) -> str:
    """The figures as a table of Markdown, a column for each size."""
    names = list(dict.fromkeys(name for row in rows for name in row["stages"]))
    plain = ("buyers", "offers", "train_seconds", "load_seconds", "ms_per_ranked_buyer",
             "floor_mb", "peak_mb")  # fmt: skip
    lines = [["interactions, M", *(f"{row['millions']:.2f}" for row in rows)]]
    lines += [[name, *(f"{row[name]:,.0f}" for row in rows)] for name in plain]
    lines += [["served", *(str(row["served"]) for row in rows)]]
    for name in ("ndcg", "ndcg_popularity"):
        lines.append([name, *("-" if row[name] is None else f"{row[name]:.4f}" for row in rows)])
    lines += [
        [f"- {name}, s", *(f"{r['stages'].get(name, 0.0):,.1f}" for r in rows)] for name in names
    ]
    for name in ("time", "memory"):
        lines.append([f"exponent of {name}", "", *(f"{step[name]:.2f}" for step in growth(rows))])
    lines.insert(1, ["---"] * (len(rows) + 1))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    main()
