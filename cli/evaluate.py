"""`offerpath evaluate`: how good the matches are, on purchases held out."""

from __future__ import annotations

import json as json_text
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.console import Terminal
from cli.session import now, session_of
from cli.train import train_settings
from cli.training import prepare_to_train, read_training_snapshot

if TYPE_CHECKING:
    from core.settings import Settings
    from core.snapshot import GraphSnapshot
    from gnn.train import TrainSettings

Figures = Mapping[str, Mapping[str, float]]
COLUMNS = {
    "ndcg@10": "NDCG@10",
    "recall@10": "Recall@10",
    "precision@10": "Precision@10",
    "f1@10": "F1@10",
    "hit_rate@10": "Hit rate@10",
    "coverage@10": "Coverage@10",
}
NAMES = {
    "popularity": "Popularity",
    "item_knn": "ItemKNN",
    "rp3beta": "RP3beta",
    "ease": "EASE",
    "walk": "Walk",
    "slim": "Learned links",
    "low_rank": "Low rank",
    "graphsage": "GraphSAGE",
    "offerpath": "Offerpath",
}


def run(
    context: typer.Context,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same figures.")] = 0,
    dimension: Annotated[int, typer.Option(min=2, max=1024, help="Of the embeddings.")] = 64,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most; stops early.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Train on all but the last fifth of the purchases and measure on that fifth.

    Beside popularity, ItemKNN and the walk. The served model is not touched.

    Leaves evaluation.json and a page with plots in the home's reports.

    Example: offerpath evaluate --json > figures.json
    """
    session = session_of(context)
    settings = session.settings()
    prepare_to_train()
    snapshot = read_training_snapshot(settings, session.terminal)
    chosen = train_settings(seed=seed, dimension=dimension, epochs=epochs, threads=threads)
    figures = evaluate_and_report(settings, session.terminal, snapshot, chosen)
    if json:
        session.terminal.answer_json(figures)
    else:
        session.terminal.out.print(evaluation_view(figures))
        session.terminal.say(f"The page with plots: {settings.reports_dir / 'evaluation.html'}")


def evaluate_and_report(
    settings: Settings, terminal: Terminal, snapshot: GraphSnapshot, chosen: TrainSettings
) -> dict[str, Any]:
    """Evaluate, write evaluation.json and evaluation.html into the reports; returns the JSON."""
    from evaluation.evaluate import evaluate
    from evaluation.evaluation_page import write_evaluation_page

    evaluation = evaluate(snapshot, chosen, terminal.progress, now=now())
    figures = evaluation.as_json()
    write_evaluation_page(settings.reports_dir / "evaluation.html", evaluation)
    report = settings.reports_dir / "evaluation.json"
    report.write_text(json_text.dumps(figures, indent=2), encoding="utf-8")
    return figures


def read_evaluation(report: Path) -> dict[str, Any] | None:
    """The figures of an evaluation made before; None when there are none that can be read."""
    try:
        figures = json_text.loads(report.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return figures if isinstance(figures, dict) and "models" in figures else None


def evaluation_view(figures: Mapping[str, Any]) -> RenderableType:
    """The figures for people: new purchases by model, then NDCG by slice."""
    return Group(models_table(figures), Text(), _slices_table(figures["slices"]))


def models_table(figures: Mapping[str, Any]) -> RenderableType:
    """One row a model on purchases of offers that were new to the buyer."""
    models: Figures = figures["models"]
    shown = [name for name in COLUMNS if all(name in row for row in models.values())]
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("Model")
    for name in shown:
        table.add_column(COLUMNS[name], justify="right")
    for model, row in models.items():
        style = "bold" if model == figures["served"] else ""
        table.add_row(NAMES.get(model, model), *(f"{row[name]:.4f}" for name in shown), style=style)
    data = figures["data"]
    remark = (
        f"{data['new_pairs']:,} first purchases of {data['testers']:,} buyers, held out; "
        f"{data['offers']:,} offers to choose from."
    )
    return Group(table, Text(remark, style="dim"))


def _slices_table(slices: Mapping[str, Figures]) -> RenderableType:
    models = list(next(iter(slices.values()), {}))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("NDCG@10 of")
    for model in models:
        table.add_column(NAMES.get(model, model), justify="right")
    for name, figures in slices.items():
        table.add_row(name, *(_ndcg(figures[model]) for model in models))
    return table


def _ndcg(row: Mapping[str, float]) -> str:
    return f"{row['ndcg@10']:.4f}" if row.get("buyers") else "none"
