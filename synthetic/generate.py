"""Generate a marketplace: canonical files and the truth behind them."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import polars as pl

from core.errors import InputError
from core.progress import SILENT, Progress
from synthetic.interactions import draw_interactions
from synthetic.purchases import draw_purchases
from synthetic.spec import MarketplaceSpec
from synthetic.tables import (
    buyer_ids,
    interaction_table,
    node_tables,
    offer_ids,
    preference_table,
    purchase_table,
)
from synthetic.truth import (
    TRUTH_FILE,
    Truth,
    offer_season,
    relevance_of,
    relevant_of,
    save_truth,
)
from synthetic.world import draw_world, random_for

Format = Literal["parquet", "csv", "jsonl"]

ISO_TIME = "%Y-%m-%dT%H:%M:%S%.6fZ"


@dataclass(frozen=True, slots=True)
class Marketplace:
    """A generated marketplace in memory: canonical tables by name, and the truth."""

    tables: dict[str, pl.DataFrame]
    truth: Truth


@dataclass(frozen=True, slots=True)
class GeneratedMarketplace:
    """What ``generate`` wrote.

    Args:
        folder: where everything lies.
        files: canonical files by table name.
        truth: the truth file (synthetic.truth.load_truth).
        rows: rows of each canonical file.
    """

    folder: Path
    files: dict[str, Path]
    truth: Path
    rows: dict[str, int]


def build(spec: MarketplaceSpec, progress: Progress = SILENT) -> Marketplace:
    """Build the marketplace in memory.

    The same spec gives the same tables and truth in any process with the same versions of numpy,
    polars and Faker.
    """
    world = draw_world(spec)
    relevance = relevance_of(world, progress)
    live = world.catalogue.live(world.calendar.days)
    lines = draw_purchases(world, relevance, live, random_for(spec, "purchases"), progress)
    interactions = draw_interactions(
        world, relevance, live, lines, random_for(spec, "interactions"), progress
    )
    tables = {
        **node_tables(world),
        "purchases": purchase_table(world, lines),
        "interactions": interaction_table(world, interactions),
        "preferences": preference_table(world),
    }
    truth = Truth(
        buyer_ids=buyer_ids(spec.buyers).to_numpy().astype(str),
        offer_ids=offer_ids(spec.offers).to_numpy().astype(str),
        relevance=relevance,
        relevant=relevant_of(relevance),
        appeal=world.catalogue.appeal.astype("float32"),
        season=offer_season(world).astype("float32"),
    )
    return Marketplace(tables, truth)


def generate(
    spec: MarketplaceSpec, out: Path, format: Format = "parquet", progress: Progress = SILENT
) -> GeneratedMarketplace:
    """Build the marketplace and write it into ``out``, which is made when absent.

    Writes buyers, vendors, categories, offers, purchases, interactions and preferences in the
    format, and ``truth.npz``. The same spec and format give the same bytes. In CSV, lists are
    separated by ``|`` and times are ISO 8601 in UTC, as in JSONL. The truth file is put in place
    last: where it is, everything is whole.

    Raises:
        InputError: when the format is unknown, or ``out`` is a file or holds the canonical files
            of another format, which an import would read as well.
    """
    _check_target(out, format)
    market = build(spec, progress)
    files = {name: out / f"{name}.{format}" for name in market.tables}
    target = out.resolve()
    staging = target.with_name(f".{target.name}.new")
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(parents=True)
    with progress.task("Writing", len(files) + 1) as task:
        for name, table in market.tables.items():
            _write(table, staging / files[name].name, format)
            task.advance()
        save_truth(staging / TRUTH_FILE, market.truth)
        task.advance()
    _move_into(target, staging, [path.name for path in files.values()])
    rows = {name: table.height for name, table in market.tables.items()}
    return GeneratedMarketplace(out, files, out / TRUTH_FILE, rows)


def _check_target(out: Path, format: str) -> None:
    if format not in get_args(Format):
        known = ", ".join(get_args(Format))
        raise InputError(
            f"{format!r} is no format.", mend=f"Use one of {known}.", field=("format",)
        )
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file.", mend="Name a folder.", field=("out",))
    others = [name for name in get_args(Format) if name != format]
    clash = [path for name in others if (path := out / f"purchases.{name}").exists()]
    if clash:
        raise InputError(
            f"{out} holds a marketplace in another format ({clash[0].name}).",
            mend="Name an empty folder.",
            field=("out",),
        )


def _move_into(target: Path, staging: Path, names: list[str]) -> None:
    target.mkdir(exist_ok=True)
    (target / TRUTH_FILE).unlink(missing_ok=True)
    for name in [*names, TRUTH_FILE]:
        (staging / name).replace(target / name)
    staging.rmdir()


def _write(table: pl.DataFrame, path: Path, format: Format) -> None:
    if format == "parquet":
        table.write_parquet(path, compression="zstd", row_group_size=250_000)
        return
    times = [name for name, kind in table.schema.items() if isinstance(kind, pl.Datetime)]
    plain = table.with_columns(pl.col(times).dt.strftime(ISO_TIME)) if times else table
    if format == "jsonl":
        plain.write_ndjson(path)
        return
    if "category_ids" in plain.columns:
        plain = plain.with_columns(pl.col("category_ids").list.join("|"))
    plain.write_csv(path)
