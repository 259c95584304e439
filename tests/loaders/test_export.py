"""What is exported and imported again is the same graph, from either engine into either."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from core.errors import InputError
from graph.embedded_engine import EmbeddedEngine
from graph.neo4j_engine import Neo4jEngine
from graph.store import GraphStore
from loaders.export import ExportFormat, export_files
from loaders.report import Outcome
from tests.loaders.markets import run_import, tables_of, write_csv, write_market


async def filled(store: GraphStore, data: Path) -> None:
    """A graph from an import with cancellations matched, partly matched and aimed by hand."""
    write_market(data)
    lines = [
        ("i4", "b2", "o1", "2024-01-07T10:00:00.000001Z", 9, "11.11", "GBP"),
        ("i5", "b2", "o1", "2024-01-08", -4, None, None),
        ("i6", "b2", "o2", "2024-01-08", -6, None, None),
    ]
    header = "order_id buyer_id offer_id at quantity unit_price currency"
    market = pl.read_csv(data / "purchases.csv", infer_schema=False).rows()
    write_csv(data, "purchases.csv", header, [*market, *lines])
    await run_import(store, data)
    rows = (await tables_of(store))["purchases"]
    first = next(row["id"] for row in rows if row["order_id"] == "i1")
    at = datetime(2024, 1, 9, tzinfo=UTC)
    await store.cancel_purchases([{"id": "by-hand", "purchase_id": first, "quantity": 1, "at": at}])
    await store.upsert_buyers([{"id": "b3", "name": 'Sám "the\nbuyer", 3'}])


@pytest.mark.parametrize("format", list(ExportFormat))
async def test_a_round_trip_keeps_everything(
    embedded_engine: EmbeddedEngine, data: Path, tmp_path: Path, format: ExportFormat
) -> None:
    store = await GraphStore.open(embedded_engine)
    await filled(store, data)
    out = tmp_path / "out" / "files"
    written = await export_files(store, out, format=format)
    assert written == {
        "buyers": 3, "vendors": 1, "categories": 2, "offers": 2, "purchases": 4,
        "cancellations": 3, "interactions": 1, "preferences": 1,
    }  # fmt: skip
    assert sorted(p.name for p in out.iterdir()) == sorted(f"{t}.{format.value}" for t in written)
    again = await run_import(store, out)
    assert again.outcome is Outcome.UNCHANGED
    other = await EmbeddedEngine.open(tmp_path / "other.lbug")
    copy = await GraphStore.open(other)
    report = await run_import(copy, out)
    assert report.problems.height == 0
    assert await tables_of(copy) == await tables_of(store)
    await copy.close()
    with pytest.raises(InputError, match="empty folder"):
        await export_files(store, out)


async def test_from_the_embedded_graph_to_neo4j(
    embedded_engine: EmbeddedEngine, neo4j_engine: Neo4jEngine, data: Path, tmp_path: Path
) -> None:
    store, copy = await GraphStore.open(embedded_engine), await GraphStore.open(neo4j_engine)
    await filled(store, data)
    await export_files(store, tmp_path / "out" / "files")
    await run_import(copy, tmp_path / "out" / "files")
    assert await tables_of(copy) == await tables_of(store)


async def test_csv_refuses_ids_that_it_cannot_hold(
    embedded_engine: EmbeddedEngine, tmp_path: Path
) -> None:
    store = await GraphStore.open(embedded_engine)
    await store.upsert_categories([{"id": "a|b"}])
    await store.upsert_offers([{"id": "o1", "category_ids": ["a|b"]}])
    with pytest.raises(InputError, match="parquet or jsonl"):
        await export_files(store, tmp_path / "csv", format=ExportFormat.CSV)
    assert list((tmp_path / "csv").iterdir()) == []
    await export_files(store, tmp_path / "jsonl", format=ExportFormat.JSONL)
    assert (await run_import(store, tmp_path / "jsonl")).outcome is Outcome.UNCHANGED
