"""Figures by model as a table of 80 columns."""

from __future__ import annotations

from typing import Any

from rich.table import Table

from cli.evaluate import NAMES

METRICS = {
    "recall@20": "Recall",
    "ndcg@20": "NDCG",
    "precision@20": "Prec.",
    "f1@20": "F1",
    "hit_rate@20": "Hits",
    "coverage@20": "Cover",
}
COSTS = {"train_seconds": "Fit s", "score_seconds": "Score s", "peak_rss_mb": "Peak MB"}
LONGER = {"personal_frequency": "Most frequent, most recent"}


def models_table(models: dict[str, Any], *, title: str = "Model") -> Table:
    """One row a model; one that was left out says why."""
    shown = METRICS | COSTS
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(title, no_wrap=True)
    measured = [row for row in models.values() if isinstance(row, dict)]
    names = [name for name in shown if all(name in row for row in measured)]
    for name in names:
        table.add_column(shown[name], justify="right", no_wrap=True)
    for model, row in models.items():
        if isinstance(row, str):
            table.add_row(name_of(model), row)
            continue
        cells = [f"{row[n]:.4f}" if n in METRICS else f"{row[n]:,.1f}" for n in names]
        table.add_row(name_of(model), *cells, style="bold" if model == "offerpath" else "")
    return table


def name_of(model: str) -> str:
    """What people call a model."""
    return {**NAMES, **LONGER}.get(model, model.replace("_", " ").capitalize())
