"""`offerpath bench`: measure how good the matches are, on data that is not in the graph."""

from __future__ import annotations

import json as json_text
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from cli.bench_purchases import purchases_view, read_purchases
from cli.bench_tables import models_table, name_of
from cli.console import Terminal
from cli.session import Session, now, session_of
from cli.train import Device, train_settings
from cli.training import prepare_to_train
from core.errors import InputError

if TYPE_CHECKING:
    from evaluation.exam import Conduct
    from evaluation.matrices import MatrixData

app = typer.Typer(help="Measure how good the matches are.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure how good the matches are."""


@app.command("quality")
def quality(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="A folder with train.npz and test.npz."),
    ] = None,
    purchases: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Instead: purchases with times, or a folder of them."),
    ] = None,
    mapping: Annotated[
        str | None, typer.Option(help="Of the purchases, as for offerpath import.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same figures.")] = 0,
    threads: Annotated[int, typer.Option(min=1, help="Of training and of scoring.")] = 2,
    json: Annotated[
        Path | None,
        typer.Option("--json", metavar="FILE", help="Write the JSON there; - for stdout alone."),
    ] = None,
    cold: Annotated[
        bool, typer.Option("--cold/--no-cold", help="Hold offers out entirely as well.")
    ] = True,
    dimension: Annotated[int | None, typer.Option(min=2, max=1024, help="Of embeddings.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="At most; stops early.")] = None,
    device: Annotated[Device, typer.Option(help="auto: a GPU when there is one.")] = Device.AUTO,
    ease_memory: Annotated[
        int, typer.Option(min=1, metavar="MB", help="EASE is skipped above it.")
    ] = 2000,
) -> None:
    """Train by the usual recipe on data that is not in the graph, and measure on its last part.

    Beside popularity, ItemKNN, RP3beta, EASE, the walk and GraphSAGE alone. The graph and
    the served model are not touched. Matrices hold their own test; of purchases the last
    fifth by time is held out, what is bought again and what is new apart.

    Example: offerpath bench quality --data DIR --seed 1 --json figures.json
    """
    session = session_of(context)
    _refuse_unclear(data, purchases, mapping)
    _refuse_unwritable(json)
    prepare_to_train()
    if data is not None:
        matrices = read_matrices(session.terminal, data)
        conduct = conduct_of(session, seed, threads, dimension, epochs, device, ease_memory)
        from evaluation.quality import measure_quality

        figures = measure_quality(matrices, conduct, with_cold=cold).as_json()
        answer(session.terminal, figures, quality_view(figures), json)
    elif purchases is not None:
        snapshot = read_purchases(session, purchases, mapping)
        conduct = conduct_of(session, seed, threads, dimension, epochs, device, ease_memory)
        from evaluation.purchases import measure_purchases

        figures = measure_purchases(snapshot, conduct).as_json()
        answer(session.terminal, figures, purchases_view(figures), json)


def conduct_of(
    session: Session,
    seed: int,
    threads: int,
    dimension: int | None,
    epochs: int | None,
    device: Device,
    ease_memory: int,
) -> Conduct:
    """How to measure, by what the options say."""
    settings = train_settings(seed=seed, threads=threads, epochs=epochs, device=device.value)
    if dimension is not None:
        settings = replace(settings, dimension=dimension)
    from evaluation.exam import Conduct

    return Conduct(settings, ease_memory * 10**6, session.terminal.progress, now())


def read_matrices(terminal: Terminal, folder: Path) -> MatrixData:
    """The matrices of a folder; says what of them is no test.

    Raises:
        InputError: when a part of the folder is missing or malformed.
    """
    from evaluation import matrices

    data = matrices.read_matrices(folder)
    if data.known_test_pairs:
        terminal.say(
            f"{data.known_test_pairs:,} pairs of test.npz are in train or tune as well; they are "
            "known, so they are left out of the test."
        )
    return data


def answer(
    terminal: Terminal, figures: dict[str, Any], view: RenderableType, file: Path | None
) -> None:
    """Print the table and the JSON, or write the JSON into ``file`` ("-": print nothing else)."""
    if file is not None and str(file) == "-":
        terminal.answer_json(figures)
        return
    terminal.out.print(view)
    if file is None:
        terminal.answer_json(figures)
    else:
        file.write_text(json_text.dumps(figures, indent=2) + "\n", encoding="utf-8")
        terminal.say(f"The figures: {file}")


def quality_view(figures: dict[str, Any]) -> RenderableType:
    """The report on matrices for people."""
    data, settings = figures["data"], figures["settings"]
    remark = (
        f"{data['train']:,} interactions of {data['buyers']:,} buyers with {data['offers']:,} "
        f"offers known; {data['test']:,} of the test to be found. All metrics at 20.\n"
        f"On the validation slice {name_of(settings['served'])} was best: it is what is served as "
        "Offerpath."
    )
    return Group(models_table(figures["models"]), Text(remark, style="dim"), *cold_view(figures))


def cold_view(figures: dict[str, Any]) -> list[RenderableType]:
    """What was found of offers that nobody had taken."""
    cold = figures["cold"]
    if "skipped" in cold:
        return [Text(f"Cold offers: {cold['skipped']}.", style="dim")]
    warm = cold["warm"]
    ratio = f"{cold['ratio']:.2f} times" if cold["ratio"] is not None else "beside nothing of"
    best = name_of(cold["best_substitute"])
    words = (
        f"{cold['offers']:,} offers held out entirely, {cold['test_pairs']:,} test pairs: ranked "
        f"among themselves, Offerpath's recall is {ratio} that of {best}."
        f"\nThe other offers' Recall@20: {warm['learnt_from_everything']['recall@20']:.4f} when "
        f"all was learnt from, {warm['held_out']['recall@20']:.4f} without the held-out offers, "
        f"{warm['held_out_ranked_among_them']['recall@20']:.4f} with these in the ranking."
    )
    return [Text(), models_table(cold["models"], title="Cold offers"), Text(words, style="dim")]


def _refuse_unclear(data: Path | None, purchases: Path | None, mapping: str | None) -> None:
    """Refuse to measure on nothing, on two things, or by a mapping of what needs none."""
    if (data is None) == (purchases is None):
        raise InputError(
            "Name one thing to measure on.",
            mend="Matrices: --data DIR. Purchases with times: --purchases FILE.",
        )
    if mapping is not None and purchases is None:
        raise InputError("A mapping is of purchases.", mend="Leave --mapping out.")


def _refuse_unwritable(file: Path | None) -> None:
    """Find out before an hour of work that its figures cannot be written."""
    if file is None or str(file) == "-":
        return
    if file.is_dir() or not file.resolve().parent.is_dir():
        raise InputError(f"{file} is no place for a file.", mend="Name another file.")
