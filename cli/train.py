"""`offerpath train`: learn from the graph and publish the model."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import Terminal
from cli.session import now, run_with_graph, session_of
from cli.training import (
    keep_memory_mapped,
    read_training_snapshot,
    require_torch,
    yield_while_waiting,
)
from core.errors import GraphBusyError
from core.published import MANIFEST, read_manifest, sha256_of

if TYPE_CHECKING:
    from core.settings import Settings
    from core.snapshot import GraphSnapshot
    from gnn.train import TrainSettings
    from graph.store import GraphStore


def run(
    context: typer.Context,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same model.")] = 0,
    dimension: Annotated[int, typer.Option(min=2, max=1024, help="Of the embeddings.")] = 64,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most; stops early.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 2,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Train GraphSAGE on the graph's purchases and publish the model.

    A running server notices the new model and loads it.

    Example: offerpath train --seed 7
    """
    session = session_of(context)
    settings = session.settings()
    require_torch()
    snapshot = read_training_snapshot(settings, session.terminal)
    chosen = train_settings(seed=seed, dimension=dimension, epochs=epochs, threads=threads)
    manifest = train_and_publish(settings, session.terminal, snapshot, chosen)
    if json:
        session.terminal.answer_json(manifest)
    else:
        session.terminal.say(
            f"Model {manifest['version']} is published in {settings.models_dir}.\n"
            "Next: offerpath evaluate, offerpath match BUYER, offerpath serve"
        )


def train_settings(
    *, seed: int = 0, dimension: int = 64, epochs: int | None = None, threads: int = 2
) -> TrainSettings:
    """The settings of a training by what the options name; the rest is the recipe's.

    Raises:
        OfferpathError: when torch is not installed.
    """
    require_torch()
    keep_memory_mapped()
    yield_while_waiting()
    from gnn.train import TrainSettings

    usual = TrainSettings(seed=seed, dimension=dimension, threads=threads)
    return usual if epochs is None else replace(usual, epochs=epochs)


def train_and_publish(
    settings: Settings, terminal: Terminal, snapshot: GraphSnapshot, chosen: TrainSettings
) -> dict[str, Any]:
    """Train, publish the artifact, write it into the graph's books; returns the manifest.

    A server that owns the graph notices the artifact by itself; the books stay without it then.
    """
    from gnn.train import publish, train

    trained = train(snapshot, chosen, terminal.progress, now=now())
    folder = publish(settings.models_dir, trained)
    manifest = read_manifest(folder)

    async def record(store: GraphStore) -> None:
        await store.record_model(
            manifest["version"], now(), manifest["metrics"], sha256_of(folder / MANIFEST)
        )

    try:
        run_with_graph(settings, record)
    except GraphBusyError as busy:
        terminal.say(f"{busy.message} The model is published, but not in the graph's books.")
    return manifest
