"""How fast a data set comes in, beside the engine's bare bulk statement over the same rows.

Run: ``python benchmarks/import_speed.py [DATA]`` (default: Online Retail under OFFERPATH_DATA or
../shared/data). The graph is a new embedded one, or the Neo4j that OFFERPATH_GRAPH_URI, _USER and
_PASSWORD name, which must be empty: what the benchmark wrote stays in it.
Prints one JSON object: seconds of the whole import, of its writing and of the bare statement, rows
a second of both, peak resident memory in MB. Targets for Online Retail: embedded under 40 s, Neo4j
under 100 s, under 1,500 MB, at least half the bare statement's rows a second.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import ladybug
import polars as pl
from neo4j import AsyncGraphDatabase

from core.progress import SILENT, Task
from core.settings import Settings, load_settings
from graph.embedded_engine import EmbeddedEngine
from graph.open import open_engine
from graph.store import GraphStore
from graph.tables import BUYER, FROM, OFFER, PURCHASED, TO
from loaders.importer import import_files


class Stopwatch:
    """Progress that notes how long each task took."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        """Time a task."""
        start = time.perf_counter()
        with SILENT.task(label, total) as task:
            yield task
        self.seconds[label] = self.seconds.get(label, 0.0) + time.perf_counter() - start


async def _measure(data: Path, home: Path) -> dict[str, object]:
    settings = load_settings(home=home)
    store = await GraphStore.open(await open_engine(settings))
    watch = Stopwatch()
    start = time.perf_counter()
    report = await import_files(store, data, home=home, now=datetime.now(UTC), progress=watch)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = sum(counts.new for counts in report.tables.values())
    bare_rows, bare_seconds = await _bare(store, settings, home)
    await store.close()
    speed, bare = rows / watch.seconds["Writing"], bare_rows / bare_seconds
    return {
        "engine": store.engine.name,
        "lines": report.lines,
        "rows": rows,
        "seconds": round(seconds, 2),
        "parts": {label: round(taken, 2) for label, taken in watch.seconds.items()},
        "peak_mb": round(peak),
        "rows_per_second": round(speed),
        "bare_rows_per_second": round(bare),
        "share_of_bare": round(speed / bare, 2),
    }


async def _bare(store: GraphStore, settings: Settings, home: Path) -> tuple[int, float]:
    """The engine's own bulk statement over the same order lines; rows and seconds."""
    lines = pl.concat([frame async for frame in store.stream_table("purchases")])
    rows = lines.select(
        pl.col("buyer_id").alias(FROM),
        pl.col("offer_id").alias(TO),
        ("bare-" + pl.col("id")).alias("id"),
        pl.col("order_id").alias("orderId"),
        "at",
        "quantity",
        pl.col("unit_price_minor").alias("unitPriceMinor"),
        "currency",
        pl.col("cancelled_quantity").alias("cancelledQuantity"),
        pl.col("cancelled_at").alias("cancelledAt"),
        pl.lit(0).alias("stockTaken"),
        "context",
        pl.lit("bare").alias("batchId"),
    )
    if not settings.resolved_graph_uri.startswith("embedded:"):
        return rows.height, await _bare_neo4j(settings, rows)
    return rows.height, await _bare_copy(rows, home / "bare.lbug")


async def _bare_copy(rows: pl.DataFrame, path: Path) -> float:
    """COPY into a new graph that has the ends."""
    engine = await EmbeddedEngine.open(path)
    await engine.apply_schema()
    await engine.bulk_insert(BUYER, rows.select(pl.col(FROM).unique().alias("id")))
    await engine.bulk_insert(OFFER, rows.select(pl.col(TO).unique().alias("id")))
    await engine.close()
    columns = ", ".join(name for name, _ in PURCHASED.columns)
    names = [FROM, TO, *(name for name, _ in PURCHASED.columns)]
    times = pl.col("at", "cancelledAt").dt.replace_time_zone(None)
    frame = rows.select(names).with_columns(times)
    database = ladybug.Database(str(path))
    start = time.perf_counter()
    ladybug.Connection(database).execute(f"COPY PURCHASED({columns}) FROM $rows", {"rows": frame})
    seconds = time.perf_counter() - start
    database.close()
    return seconds


async def _bare_neo4j(settings: Settings, rows: pl.DataFrame) -> float:
    """UNWIND and CREATE, 10,000 rows a transaction, beside what the import left."""
    text = (
        f"UNWIND $rows AS row MATCH (a:Buyer {{id: row.{FROM}}}) MATCH (b:Offer {{id: row.{TO}}}) "
        "CREATE (a)-[r:PURCHASED]->(b) SET r = row.properties"
    )
    auth = (settings.graph_user, settings.graph_password.get_secret_value())
    start = time.perf_counter()
    async with AsyncGraphDatabase.driver(settings.resolved_graph_uri, auth=auth) as driver:
        for part in rows.iter_slices(10_000):
            ends, properties = part.select(FROM, TO).to_dicts(), part.drop(FROM, TO).to_dicts()
            records = [
                {**end, "properties": row} for end, row in zip(ends, properties, strict=True)
            ]
            await driver.execute_query(text, rows=records)
    return time.perf_counter() - start


def main() -> None:
    """Measure once and print the figures."""
    usual = Path(os.environ.get("OFFERPATH_DATA", "../shared/data")) / "online-retail"
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, nargs="?", default=usual)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        print(json.dumps(asyncio.run(_measure(asked.data, Path(home))), indent=2))


if __name__ == "__main__":
    main()
