"""How long after their commit a thousand new offers are announced, all of them.

Run: ``python benchmarks/announce_bulk.py [--home HOME] [--offers 1000] [--runs 3]``.

Without ``--home`` the demo's marketplace (2,000 buyers, 1,500 offers) is generated, imported and
trained on first; with it, the graph and the model of that folder are taken as they are. On Neo4j
set OFFERPATH_GRAPH_URI and _PASSWORD as for serving. Each run writes offers like those that are
there, under new ids, in one transaction, and waits until the announcer has settled it: every match
event is committed. ``at_rest_s`` is when everybody has read these events too. Prints one JSON
object; target: within 5 s of the commit.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from announcing.announcer import Announcer, announcing
from core.entities import MATCH_EVENTS, Offer
from core.settings import Settings, load_settings
from gnn.train import TrainSettings, publish, train
from graph.open import open_engine
from graph.store import GraphStore
from loaders.importer import import_files
from matching.service import MatchingService, utc_now
from synthetic.generate import generate
from synthetic.spec import MarketplaceSpec


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path)
    parser.add_argument("--offers", type=int, default=1_000)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = asked.home or Path(folder)
        figures = asyncio.run(measure(home, asked.home is None, asked.offers, asked.runs))
    print(json.dumps(figures, indent=2))


async def measure(home: Path, fill: bool, offers: int, runs: int) -> dict[str, Any]:
    """Figures of a home, filled first when that is asked."""
    settings = load_settings(home=home)
    store = await GraphStore.open(await open_engine(settings))
    if fill:
        await fill_demo(store, settings)
    matching = await MatchingService.open(store, settings)
    figures: dict[str, Any] = {
        "engine": store.engine.name,
        "model": matching.model_info().version,
        "buyers": len(matching.state.corpus.buyers),
        "offers": len(matching.state.corpus.offers),
    }
    started = time.perf_counter()
    async with announcing(store, matching, settings, utc_now) as announcer:
        while not announcer.status().leading:  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.01)
        figures["first_look_s"] = round(time.perf_counter() - started, 2)
        await settled(announcer, matching, store)
        figures["runs"] = [
            await one_run(store, matching, announcer, offers, number) for number in range(runs)
        ]
    await matching.close()
    await store.close()
    return figures


async def one_run(
    store: GraphStore, matching: MatchingService, announcer: Announcer, count: int, seed: int
) -> dict[str, Any]:
    """Seconds from the commit of ``count`` offers until everything of them is told."""
    rows = await newcomers(store, matching, count, seed)
    before = await store.last_seq()
    started = time.perf_counter()
    offers = await store.upsert_offers(rows)
    committed, used = time.perf_counter(), time.process_time()
    refreshed = asyncio.create_task(matching.refresh())  # as a mutation does
    while announcer.status().position < offers.seq:  # noqa: ASYNC110 - nothing to wait on
        await asyncio.sleep(0.01)
    ended, cpu = time.perf_counter(), time.process_time() - used
    await settled(announcer, matching, store)
    rested = time.perf_counter()
    await refreshed
    events = await store.read_events(before, 1_000_000, MATCH_EVENTS)
    return {
        "write_s": round(committed - started, 2),
        "announced_after_s": round(ended - committed, 2),
        "announced_cpu_s": round(cpu, 2),
        "at_rest_s": round(rested - committed, 2),
        "events": dict(Counter(event.type.value for event in events)),
        "offers_told": len({event.offer_id for event in events} & {row["id"] for row in rows}),
        "buyers_told": len({event.buyer_id for event in events}),
    }


async def settled(announcer: Announcer, matching: MatchingService, store: GraphStore) -> None:
    """Wait until the announcer has looked at the whole log, and at what it wrote itself."""
    while True:
        end = await store.last_seq()
        if matching.state.seq >= end and announcer.status().behind == 0:
            return
        await asyncio.sleep(0.02)


async def newcomers(
    store: GraphStore, matching: MatchingService, count: int, seed: int
) -> list[dict[str, Any]]:
    """Offers like some that are there."""
    rng = random.Random(seed)
    offers = matching.state.corpus.offers
    known = [key for key, active in zip(offers.ids, offers.active, strict=True) if active]
    models = await store.get_offers(rng.sample(known, min(count, len(known))))
    chosen = rng.choices(list(models.values()), k=count)
    return [newcomer(model, rng) for model in chosen]


def newcomer(model: Offer, rng: random.Random) -> dict[str, Any]:
    """An offer as the model, under an id of its own and a price a little aside."""
    row = asdict(model) | {"id": f"bulk-{uuid.uuid4().hex}", "available_quantity": None}
    if model.price_minor is not None:
        row["price_minor"] = max(1, round(model.price_minor * rng.uniform(0.9, 1.1)))
    row["category_ids"] = list(model.category_ids)
    return {
        name: value
        for name, value in row.items()
        if name not in ("status", "valid_from", "valid_to") and value is not None
    }


async def fill_demo(store: GraphStore, settings: Settings) -> None:
    """Import the demo's marketplace and publish a model trained on it."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "data"
        generate(MarketplaceSpec(), out)
        await import_files(store, out, home=settings.home, now=datetime.now(UTC))
    snapshot = await store.read_snapshot()
    now = datetime.now(UTC)
    trained = await asyncio.to_thread(lambda: train(snapshot, TrainSettings(), now=now))
    publish(settings.models_dir, trained)


if __name__ == "__main__":
    main()
