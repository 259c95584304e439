"""What one answer costs: ranking a buyer's offers, and explaining the first twenty.

Run: ``python benchmarks/match_latency.py [--data DIR] [--home DIR] [--buyers 300]``.

Without ``--home`` the data (default: Online Retail under OFFERPATH_DATA or ../shared/data) is
imported into a temporary embedded graph and a model is trained on it; with ``--home`` the graph
and the model of that folder are taken as they are. Prints one JSON object: milliseconds of CPU and
of the clock for ``matches(first: 20)`` with three explanations each, through MatchingService, and
for the other direction. Target: under 5 ms of CPU in the median.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from core.settings import Settings, load_settings
from gnn.train import TrainSettings, publish, train
from graph.open import open_engine
from graph.store import GraphStore
from loaders.importer import import_files
from matching.requests import BuyerMatchRequest, OfferMatchRequest
from matching.service import MatchingService

FIRST, REASONS, WARM = 20, 3, 20


def main() -> None:
    """Measure and print."""
    shared = os.environ.get("OFFERPATH_DATA", "../shared/data")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(shared) / "online-retail")
    parser.add_argument("--home", type=Path)
    parser.add_argument("--buyers", type=int, default=300)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        home = asked.home or Path(folder)
        home.mkdir(parents=True, exist_ok=True)
        data = None if asked.home else asked.data
        print(json.dumps(asyncio.run(measure(home, data, asked.buyers)), indent=2))


async def measure(home: Path, data: Path | None, buyers: int) -> dict[str, object]:
    """Figures of a home; filled from ``data`` first when that is given."""
    settings = load_settings(home=home)
    store = await GraphStore.open(await open_engine(settings))
    if data is not None:
        await fill(store, settings, data)
    matching = await MatchingService.open(store, settings)
    rng = random.Random(7)
    corpus = matching.state.corpus
    subjects = rng.choices(corpus.buyers.ids, k=buyers + WARM)
    offers = rng.choices(corpus.offers.ids, k=buyers + WARM)

    async def offers_for(buyer: str) -> None:
        ranking = await matching.rank_offers(buyer, OfferMatchRequest())
        await matching.explanations([(buyer, i.id) for i in ranking.items[:FIRST]], REASONS)

    async def offers_alone(buyer: str) -> None:
        await matching.rank_offers(buyer, OfferMatchRequest())

    async def spread_offers(buyer: str) -> None:
        await matching.rank_offers(buyer, OfferMatchRequest(diversity=0.3, max_per_category=5))

    async def buyers_for(offer: str) -> None:
        await matching.rank_buyers(offer, BuyerMatchRequest())

    figures: dict[str, object] = {
        "model": matching.model_info().version,
        "buyers": len(corpus.buyers),
        "offers": len(corpus.offers),
        "matches_with_explanations_ms": await timed(offers_for, subjects),
        "matches_ms": await timed(offers_alone, subjects),
        "diverse_matches_ms": await timed(spread_offers, subjects),
        "buyers_of_an_offer_ms": await timed(buyers_for, offers),
    }
    await matching.close()
    await store.close()
    return figures


async def fill(store: GraphStore, settings: Settings, data: Path) -> None:
    """Import the data and publish a model trained on it."""
    now = datetime.now(UTC)
    await import_files(store, data, home=settings.home, now=now)
    snapshot = await store.read_snapshot()
    trained = await asyncio.to_thread(lambda: train(snapshot, TrainSettings(), now=now))
    publish(settings.models_dir, trained)


async def timed(work: Callable[[str], Awaitable[None]], ids: list[str]) -> dict[str, float]:
    """Milliseconds of this process's CPU and of the clock, over all but the first WARM ids."""
    cpu, clock = [], []
    for key in ids:
        before = time.process_time(), time.perf_counter()
        await work(key)
        cpu.append(time.process_time() - before[0])
        clock.append(time.perf_counter() - before[1])
    used, passed = (np.array(values[WARM:]) * 1000 for values in (cpu, clock))
    return {
        "cpu_median": round(float(np.median(used)), 2),
        "cpu_p95": round(float(np.quantile(used, 0.95)), 2),
        "clock_median": round(float(np.median(passed)), 2),
        "clock_p95": round(float(np.quantile(passed, 0.95)), 2),
    }


if __name__ == "__main__":
    main()
