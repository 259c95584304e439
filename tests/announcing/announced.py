"""An announcer over a small real market, and what it tells, read back from the log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from announcing.rounds import Rounds
from announcing.transitions import Rules
from core.entities import MATCH_EVENTS, Event, Lease, MatchReason
from core.settings import load_settings
from graph.engine import GraphEngine
from graph.store import GraphStore
from matching.requests import OfferMatchRequest
from matching.service import MatchingService
from tests.matching.filling import fill_graph
from tests.matching.markets import NOW, varied_snapshot

RULES = Rules(size=5)


class Clock:
    """Stands still until a test moves it; every process may have it."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_on(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass
class Announced:
    """One announcer, driven by hand."""

    store: GraphStore
    matching: MatchingService
    lease: Lease
    rounds: Rounds
    clock: Clock
    home: Path
    rules: Rules = RULES
    read_to: int = 0

    async def settle(self) -> list[Event]:
        """Let it look until nothing is left; the match events since the last call."""
        await self._catch_up()
        while await self.rounds.turn():
            await self._catch_up()
        return await self.news()

    async def _catch_up(self) -> None:
        """Wait until matching holds the whole log: an import, say, takes it a moment."""
        async with asyncio.timeout(30):
            while self.matching.state.seq < await self.store.last_seq():
                await self.matching.refresh()
                await asyncio.sleep(0.02)

    async def news(self) -> list[Event]:
        """The match events written since the last call."""
        events = await self.store.read_events(self.read_to, 100_000, MATCH_EVENTS)
        self.read_to = events[-1].seq if events else self.read_to
        return events

    async def again(self) -> None:
        """Another process takes over where this one stands."""
        lease = await self.store.take_lease("announcer", f"after-{self.lease.epoch}", 5)
        if lease is None:
            await self.store.release_lease(self.lease)
            lease = await self.store.take_lease("announcer", f"after-{self.lease.epoch}", 5)
        assert lease is not None
        self.lease = lease
        self.rounds = Rounds(self.store, self.matching, lease, self.rules, self.clock)
        await self.rounds.begin()

    async def top(self, buyer_id: str) -> list[str]:
        """The ids of the buyer's first offers, as a query answers."""
        ranking = await self.matching.rank_offers(buyer_id, OfferMatchRequest())
        return [item.id for item in ranking.items[: self.rules.size]]


@contextlib.asynccontextmanager
async def announced(
    engine: GraphEngine, home: Path, *, rules: Rules = RULES, filled: bool = True
) -> AsyncIterator[Announced]:
    """A store with the varied market (or an empty one) whose first look is done."""
    clock = Clock()
    store = await GraphStore.open(engine, clock)
    if filled:
        await fill_graph(store, varied_snapshot())
    matching = await MatchingService.open(store, load_settings(home=home), clock)
    try:
        lease = await store.take_lease("announcer", "first", 5)
        assert lease is not None
        rounds = Rounds(store, matching, lease, rules, clock)
        await rounds.begin()
        yield Announced(store, matching, lease, rounds, clock, home, rules)
    finally:
        await matching.close()


def told(events: list[Event]) -> list[tuple[str, str, str]]:
    """Type (its last word), buyer and offer of each event."""
    return [(e.type.value.split("_")[1], e.buyer_id or "", e.offer_id or "") for e in events]


def reasons(events: list[Event]) -> set[MatchReason]:
    return {MatchReason((event.payload or {})["reason"]) for event in events}


def loved(key: str, **more: Any) -> dict[str, Any]:
    """An offer as many buyers want one: in the categories that most buy from."""
    row = {"id": key, "title": "wanted", "category_ids": ["c000", "c01"], "vendor_id": "v1"}
    return {**row, "price_minor": 1_000, "currency": "EUR", **more}


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.02)


async def until_model(matching: MatchingService, version: str) -> None:
    await until(lambda: matching.model_info().version == version)
