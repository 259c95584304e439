"""`offerpath train`: learn from the graph and publish the model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.console import Terminal
from cli.session import now, run_with_graph, session_of
from cli.training import prepare_to_train, read_training_snapshot
from core.errors import DamagedError, GraphBusyError, OfferpathError
from core.published import MANIFEST, read_manifest, sha256_of

if TYPE_CHECKING:
    from core.settings import Settings
    from core.snapshot import GraphSnapshot
    from evaluation.training_report import TrainingReport
    from gnn.checkpoints import Journal
    from gnn.train import TrainedModel, TrainSettings
    from graph.store import GraphStore
    from scoring.artifact import Model


class Device(StrEnum):
    """Where to train: AUTO takes a GPU when torch finds one."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"


def run(
    context: typer.Context,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same model.")] = 0,
    dimension: Annotated[int, typer.Option(min=2, max=1024, help="Of the embeddings.")] = 64,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most; stops early.")] = None,
    threads: Annotated[int, typer.Option(min=1, help="Threads of torch.")] = 2,
    device: Annotated[Device, typer.Option(help="auto: a GPU when there is one.")] = Device.AUTO,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew, whatever an interrupted one left.")
    ] = False,
    publish_worse: Annotated[
        bool, typer.Option("--publish-worse", help="Publish even what does worse than before.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Train on the graph's purchases, report how it went, and publish the model.

    A running server notices the new model and loads it. An interrupted training goes on when the
    same command is given again. A model that does worse than the one in service is not published.

    Example: offerpath train --seed 7
    """
    session = session_of(context)
    settings = session.settings()
    prepare_to_train()
    snapshot = read_training_snapshot(settings, session.terminal)
    chosen = train_settings(
        seed=seed, dimension=dimension, epochs=epochs, threads=threads, device=device.value
    )
    manifest = train_and_publish(
        settings, session.terminal, snapshot, chosen, restart=restart, publish_worse=publish_worse
    )
    if json:
        session.terminal.answer_json(manifest)
    else:
        session.terminal.say(
            f"Model {manifest['version']} is published in {settings.models_dir}.\n"
            f"How the training went: {settings.reports_dir / 'training.html'}\n"
            "Next: offerpath evaluate, offerpath match BUYER, offerpath serve"
        )


def train_settings(
    *,
    seed: int = 0,
    dimension: int = 64,
    epochs: int | None = None,
    threads: int = 2,
    device: str = "auto",
) -> TrainSettings:
    """The settings of a training by what the options name; the rest is the recipe's.

    Raises:
        OfferpathError: when torch is not installed.
    """
    prepare_to_train()
    from gnn.train import TrainSettings

    usual = TrainSettings(seed=seed, dimension=dimension, threads=threads, device=device)
    return usual if epochs is None else replace(usual, epochs=epochs)


def train_and_publish(
    settings: Settings,
    terminal: Terminal,
    snapshot: GraphSnapshot,
    chosen: TrainSettings,
    *,
    restart: bool = False,
    publish_worse: bool = False,
) -> dict[str, Any]:
    """Train or go on, report, publish, write it into the graph's books; returns the manifest.

    A server that owns the graph notices the artifact by itself; the books stay without it then.

    Raises:
        OfferpathError: when the model is worse than the one in service and was not to be
            published; it lies in the home's ``refused``.
    """
    from evaluation.training_report import report_training, write_training_report
    from gnn.train import publish, train

    with _kept_training(settings, terminal, snapshot, chosen, restart=restart) as journal:
        trained = train(snapshot, chosen, terminal.progress, now=now(), journal=journal)
        in_service = _model_in_service(settings, terminal)
        report = report_training(snapshot, trained, in_service, terminal.progress)
        page = write_training_report(settings.reports_dir, report)
        trained = report.with_figures()
        if not publish_worse:
            _refuse_worse(settings.home / "refused", report, trained, page)
        folder = publish(settings.models_dir, trained)
        if journal:
            journal.remove()
    _write_into_books(settings, terminal, folder)
    return read_manifest(folder)


@contextmanager
def _kept_training(
    settings: Settings,
    terminal: Terminal,
    snapshot: GraphSnapshot,
    chosen: TrainSettings,
    *,
    restart: bool,
) -> Iterator[Journal | None]:
    """Where the training is kept; tells what it goes on from, and what is kept when it stops."""
    from gnn.checkpoints import Found, Journal
    from gnn.provenance import journal_entry

    folder, about = settings.home / "training", journal_entry(snapshot, chosen)
    try:
        journal = Journal(folder, about, snapshot.taken_at, restart=restart, tell=terminal.say)
    except BlockingIOError:
        terminal.say(f"Another training is under way in {folder}; this one will not be kept.")
        yield None
        return
    remarks = {
        Found.THIS: "Going on where this training stopped; --restart would begin anew.",
        Found.ANOTHER: "What an interrupted training left is of other data or settings; it begins "
        "anew.",
        Found.DAMAGED: f"What an interrupted training left in {folder} cannot be read; it begins "
        "anew.",
    }
    if journal.found in remarks and not restart:
        terminal.say(remarks[journal.found])
    with journal:
        try:
            yield journal
        except KeyboardInterrupt:
            terminal.say(_interrupted(journal))
            raise


def _interrupted(journal: Journal) -> str:
    if not journal.kept:
        return "Interrupted before anything could be kept."
    return (
        f"Interrupted. Kept in {journal.folder}: {'; '.join(journal.kept.values())}.\n"
        "The same command goes on from there; with --restart it begins anew."
    )


def _model_in_service(settings: Settings, terminal: Terminal) -> Model | None:
    from scoring.artifact import load_model

    try:
        return load_model(settings.models_dir)
    except DamagedError as damage:
        terminal.say(f"{damage.message} The new model is not compared with it.")
        return None


def _refuse_worse(folder: Path, report: TrainingReport, trained: TrainedModel, page: Path) -> None:
    from gnn.train import publish

    if report.comparison is None or not report.comparison.is_worse:
        return
    kept = publish(folder, trained)
    raise OfferpathError(
        f"The new model is not published. {report.comparison.words()}",
        mend=f"Look at it in {kept}, and at {page}. To publish it all the same: the same command "
        "with --publish-worse, which need not train again.",
    )


def _write_into_books(settings: Settings, terminal: Terminal, folder: Path) -> None:
    manifest = read_manifest(folder)

    async def record(store: GraphStore) -> None:
        await store.record_model(
            manifest["version"], now(), manifest["metrics"], sha256_of(folder / MANIFEST)
        )

    try:
        run_with_graph(settings, record)
    except GraphBusyError as busy:
        terminal.say(f"{busy.message} The model is published, but not in the graph's books.")
