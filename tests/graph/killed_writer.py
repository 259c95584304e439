"""A process that writes until it is killed; it says on stdout what was acknowledged.

``python -m tests.graph.killed_writer writes|imports NAME``, the graph as the settings have it.
"""

from __future__ import annotations

import asyncio
import sys
from itertools import count
from typing import Any

import polars as pl

from core.settings import load_settings
from graph.imports import ImportState, ImportUpdates
from graph.open import open_engine
from graph.store import GraphStore
from tests.graph.stores import BUYER, OFFER, day

LINES_OF_AN_IMPORT = 40
TAKEN_BACK = 1


async def write_on(store: GraphStore, name: str) -> None:
    """Record one purchase after the other."""
    for number in count():
        key = f"line-{name}-{number:05}"
        row = {"id": key, "buyer_id": BUYER, "offer_id": OFFER, "at": day(1)}
        await store.record_purchases([row])
        print(key, flush=True)


async def import_on(store: GraphStore, name: str) -> None:
    """Run one import after the other; one that was left pending is run again first."""
    pending = [item.id for item in await store.list_imports() if item.state == ImportState.PENDING]
    batches = iter([*pending, *(f"import-{name}-{number:05}" for number in range(10_000))])
    for batch in batches:
        await run_import(store, batch)
        print(batch, flush=True)


async def run_import(store: GraphStore, batch: str) -> None:
    """A buyer and 40 lines of it, in two parts, and a change to a line that was there before."""
    await store.open_import(batch, "fingerprint", "mapping")
    await store.insert_rows("Buyer", pl.DataFrame({"id": [batch], "batchId": [batch]}))
    numbers = range(LINES_OF_AN_IMPORT)
    rows = pl.DataFrame(
        {
            "from_id": batch,
            "to_id": OFFER,
            "id": [f"{batch}-{number}" for number in numbers],
            "at": day(1),
            "quantity": 1,
            "batchId": batch,
        }
    )
    for part in (rows.head(15), rows.tail(25)):
        await store.insert_rows("PURCHASED", part)
    change: dict[str, Any] = {
        "buyer_id": BUYER, "offer_id": OFFER, "id": "line-that-was-there",
        "cancelled_quantity": TAKEN_BACK, "cancelled_at": day(2),
    }  # fmt: skip
    await store.finish_import(batch, ImportUpdates(cancelled=[change]), {"lines": len(rows)})


async def main(what: str, name: str) -> None:
    """Open the store of the settings and write until the end."""
    store = await GraphStore.open(await open_engine(load_settings()))
    await {"writes": write_on, "imports": import_on}[what](store, name)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
