"""The real data sets come in by their shipped mappings, and every line is accounted for."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from graph.embedded_engine import EmbeddedEngine
from graph.store import GraphStore
from loaders.importer import OnError, import_files
from loaders.report import ImportReport, Outcome, write_report

pytestmark = [pytest.mark.real, pytest.mark.timeout(900)]
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def real_data(name: str) -> Path:
    """A folder of the real data; fails (never skips) where it is not there."""
    default = Path(__file__).parents[3] / "shared" / "data"
    folder = Path(os.environ.get("OFFERPATH_DATA", default)) / name
    assert folder.is_dir(), f"{folder} is not there: set OFFERPATH_DATA to the folder of the data"
    return folder


async def run(store: GraphStore, name: str, home: Path, *, again: bool = False) -> ImportReport:
    return await import_files(
        store, real_data(name), home=home, now=NOW, on_error=OnError.REJECT_ALL, again=again
    )


async def test_every_line_of_online_retail_is_accounted_for(
    embedded_engine: EmbeddedEngine, tmp_path: Path
) -> None:
    store = await GraphStore.open(embedded_engine)
    report = await run(store, "online-retail", tmp_path)
    assert report.outcome is Outcome.IMPORTED
    assert report.lines == sum(report.dispositions.values()) == 541_909
    assert report.dispositions == {
        "imported": 391_150,
        "filtered: without-customer": 135_080,
        "cancellation matched": 7_397,
        "duplicate dropped": 5_220,
        "not an offer": 1_913,
        "cancellation unmatched": 1_054,
        "cancellation partly matched": 55,
        "filtered: without-price": 40,
    }
    assert report.tallies["without-customer"] == 135_080
    assert report.tallies["cancellation"] == 9_288
    assert report.tallies["exact duplicate"] == 5_268
    assert report.overlaps["without-customer + cancellation"] == 383
    # The same counted straight from the source.
    lines = pl.read_parquet(real_data("online-retail") / "online_retail.parquet")
    assert lines.height - lines.n_unique() == 5_268
    snapshot = await store.read_snapshot()
    assert snapshot.buyers.height == 4_362
    assert snapshot.offers.height == 3_812
    assert snapshot.purchases["quantity"].min() == 1
    page = write_report(report, tmp_path / "report")
    assert page.read_text(encoding="utf-8").count("<svg") >= 4
    assert (await run(store, "online-retail", tmp_path)).outcome is Outcome.UNCHANGED
    again = await run(store, "online-retail", tmp_path, again=True)
    assert again.outcome is Outcome.UNCHANGED
    assert again.dispositions["already there"] == 391_150 + 7_397 + 1_054 + 55


async def test_the_complete_journey_comes_in_without_a_rejection(
    embedded_engine: EmbeddedEngine, tmp_path: Path
) -> None:
    store = await GraphStore.open(embedded_engine)
    report = await run(store, "complete-journey", tmp_path)
    assert report.outcome is Outcome.IMPORTED
    assert report.lines == sum(report.dispositions.values()) == 293_054
    assert report.problems.height == 0
    new = {table: counts.new for table, counts in report.tables.items() if counts.new}
    assert new == {
        "buyers": 2_374,
        "vendors": 6_346,
        "categories": 4_165,
        "offers": 92_885,
        "purchases": 73_633,
        "interactions": 2_102,
    }
    snapshot = await store.read_snapshot()
    coupons = snapshot.offers.filter(pl.col("valid_to").is_not_null())
    assert coupons["id"].str.starts_with("coupon ").all()
    assert (coupons["valid_to"] > coupons["valid_from"]).all()
