"""Small canonical files, and what the tests ask of a graph after an import."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from graph.store import GraphStore
from loaders.importer import import_files
from loaders.report import ImportReport

NOW = datetime(2026, 1, 1, tzinfo=UTC)
Cells = Sequence[Sequence[Any]]


def write_csv(folder: Path, name: str, header: str, rows: Cells) -> Path:
    """A CSV file of these columns (separated by spaces) and rows; None is an empty cell."""
    path = folder / name
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header.split())
        writer.writerows([["" if cell is None else cell for cell in row] for row in rows])
    return path


def write_market(folder: Path) -> None:
    """Two buyers, a vendor, two categories, two offers, three order lines, a view, a liking."""
    write_csv(folder, "buyers.csv", "id name country", [("b1", "Ann", "GB"), ("b2", None, None)])
    write_csv(folder, "vendors.csv", "id name", [("v1", "Vendor")])
    write_csv(
        folder, "categories.csv", "id name parent_id", [("c2", "Lamps", "c1"), ("c1", "All", None)]
    )
    write_csv(
        folder,
        "offers.csv",
        "id title price currency vendor_id category_ids valid_from",
        [
            ("o1", "Lamp", "12.50", "GBP", "v1", "c1|c2", "2024-01-01"),
            ("o2", "Tin", None, None, None, None, None),
        ],
    )
    write_csv(
        folder,
        "purchases.csv",
        "order_id buyer_id offer_id at quantity unit_price currency",
        [
            ("i1", "b1", "o1", "2024-01-05T10:00:00Z", 5, "12.50", "GBP"),
            ("i2", "b1", "o1", "2024-01-06T10:00:00Z", 3, "12.00", "GBP"),
            ("i3", "b2", "o2", "2024-01-07T10:00:00Z", 1, None, None),
        ],
    )
    write_csv(
        folder,
        "interactions.csv",
        "buyer_id offer_id kind at",
        [("b2", "o1", "VIEWED", "2024-01-08")],
    )
    write_csv(folder, "preferences.csv", "buyer_id category_id weight", [("b1", "c2", "0.5")])


async def run_import(store: GraphStore | None, data: Path, **options: Any) -> ImportReport:
    """Import a folder with the tests' clock and a home beside it."""
    home = data.parent / "home"
    return await import_files(store, data, home=home, now=NOW, **options)


async def tables_of(store: GraphStore) -> dict[str, list[dict[str, Any]]]:
    """Every canonical table of the graph, as sorted rows."""
    names = (
        "buyers", "vendors", "categories", "offers", "purchases", "cancellations", "interactions",
        "preferences",
    )  # fmt: skip
    tables = {}
    for name in names:
        frames = [frame async for frame in store.stream_table(name)]
        rows = pl.concat(frames).to_dicts() if frames else []
        tables[name] = sorted(rows, key=str)
    return tables


async def net_quantities(store: GraphStore) -> dict[tuple[str, str], int]:
    """What is left of each buyer's purchases of each offer."""
    snapshot = await store.read_snapshot()
    rows = snapshot.purchases.group_by("buyer_id", "offer_id").agg(pl.col("quantity").sum())
    return {(buyer, offer): quantity for buyer, offer, quantity in rows.iter_rows()}
