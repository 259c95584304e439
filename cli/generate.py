"""`offerpath generate`: a made-up marketplace with known truth."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cli.session import session_of


class FileFormat(StrEnum):
    """Formats of canonical files."""

    PARQUET = "parquet"
    CSV = "csv"
    JSONL = "jsonl"


def run(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the files go; made when absent.")],
    buyers: Annotated[int, typer.Option(min=2, help="How many buyers.")] = 2_000,
    offers: Annotated[int, typer.Option(min=30, help="How many offers.")] = 1_500,
    vendors: Annotated[int, typer.Option(min=1, help="How many vendors.")] = 120,
    purchases: Annotated[int, typer.Option(min=0, help="Order lines.")] = 60_000,
    interactions: Annotated[
        int | None, typer.Option(min=0, help="Views, clicks and so on; twice the purchases.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Same seed, same bytes.")] = 7,
    file_format: Annotated[
        FileFormat, typer.Option("--format", help="Of the files.")
    ] = FileFormat.PARQUET,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Make up a B2B marketplace: canonical files, and a file with the truth behind them.

    Example: offerpath generate data/ --buyers 500 --purchases 20000
    """
    from synthetic.generate import generate
    from synthetic.spec import MarketplaceSpec

    terminal = session_of(context).terminal
    spec = MarketplaceSpec(
        buyers=buyers,
        offers=offers,
        vendors=vendors,
        purchases=purchases,
        interactions=2 * purchases if interactions is None else interactions,
        seed=seed,
    )
    made = generate(spec, folder, file_format.value, terminal.progress)
    if json:
        terminal.answer_json({"folder": folder, "seed": seed, "rows": made.rows})
    else:
        terminal.say(
            f"A marketplace of {buyers:,} buyers and {offers:,} offers with {purchases:,} "
            f"purchases is in {folder}.\nNext: offerpath import {folder}"
        )
