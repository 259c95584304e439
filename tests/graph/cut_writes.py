"""Writers and an announcer on a connection that is cut again and again, and what must hold then."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from core.entities import (
    Event,
    EventType,
    IdempotencyKey,
    Lease,
    MatchChange,
    MatchReason,
    MatchTop,
)
from core.errors import GraphUnavailableError
from graph.store import GraphStore
from tests.graph.stores import BUYER, OTHER_BUYER, day
from tests.servers.bolt_proxy import BoltProxy, Cut

T = TypeVar("T")
WRITERS = 2
STOCK = 1_000_000
OFFERS = 50


@dataclass
class Record:
    """What was acknowledged, and how often a try was lost on the way."""

    lines: list[str] = field(default_factory=list)
    keyed: list[str] = field(default_factory=list)
    lost_tries: int = 0


def offer_of(number: int) -> str:
    return f"offer-number-{number % OFFERS:04}"


async def prepare(store: GraphStore) -> None:
    """Two buyers and fifty offers with a stock."""
    await store.upsert_buyers([{"id": BUYER}, {"id": OTHER_BUYER}])
    await store.upsert_offers(
        [{"id": offer_of(number), "available_quantity": STOCK} for number in range(OFFERS)]
    )


async def write_through(store: GraphStore, proxy: BoltProxy, cuts: int, seed: int) -> Record:
    """Write and announce while the proxy cuts, half of the cuts before and half after COMMIT."""
    dice = random.Random(seed)
    record = Record()
    lease = await store.take_lease("announcer", "process-number-0001", 3_600)
    assert lease is not None
    await store.begin_announcing(lease, await store.last_seq(), [])
    done = asyncio.Event()

    async def cut_on() -> None:
        orders = [Cut.BEFORE, Cut.AFTER] * ((cuts + 1) // 2)
        dice.shuffle(orders)
        for order in orders[:cuts]:
            await proxy.cut(order, dice.randrange(8))
        done.set()

    written = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(cut_on())
        group.create_task(_announce_on(store, lease, record, written, dice))
        await asyncio.gather(*(_write_on(store, n, record, done) for n in range(WRITERS)))
        written.set()
    return record


async def _write_on(store: GraphStore, writer: int, record: Record, done: asyncio.Event) -> None:
    """One order line after the other, and now and then a write under a key."""
    number = 0
    while not done.is_set():
        line = f"line-{writer}-{number:05}"
        row: dict[str, Any] = {
            "id": line, "buyer_id": BUYER, "offer_id": offer_of(number), "at": day(1),
        }  # fmt: skip

        await _until_answered(partial(store.record_purchases, [row]), record)
        record.lines.append(line)
        if number % 5 == 0:
            key = IdempotencyKey(f"writer-{writer}", f"key-{number}")
            view = {"buyer_id": OTHER_BUYER, "offer_id": offer_of(number), "kind": "VIEWED"}

            # Without an id and a time of its own, so that only the key tells a repeat.
            look = partial(store.record_interactions, [view], idempotency=key)
            await _until_answered(look, record)
            record.keyed.append(f"{key.scope}/{key.key}")
        number += 1


async def _announce_on(
    store: GraphStore, lease: Lease, record: Record, written: asyncio.Event, dice: random.Random
) -> None:
    """A match for each line of the log, told by following it; the last ones after the writers."""
    while True:
        ending = written.is_set()
        after = await _until_answered(store.announced_position, record)
        assert after is not None
        to = await _until_answered(store.last_seq, record)
        if to == after:
            if ending:
                return
            await asyncio.sleep(0.005)
            continue
        read = partial(store.read_events, after, types=[EventType.PURCHASE_RECORDED])
        lines = await _until_answered(read, record)
        changes = [_change(line_of(event)) for event in lines if event.seq <= to]
        tops = [MatchTop(change.buyer_id, ((change.offer_id, 0.5),)) for change in changes]
        announce = partial(store.announce, lease, after, to, now=datetime.now(UTC))
        if dice.random() < 0.3:
            cut = changes[: dice.randrange(len(changes) + 1)]
            await _until_answered(partial(announce, cut, tops, last=False), record)
        await _until_answered(partial(announce, changes, tops), record)


def line_of(event: Event) -> str:
    """The id of the line that an event is about."""
    assert event.payload is not None
    return str(event.payload["id"])


def _change(line: str) -> MatchChange:
    return MatchChange(
        type=EventType.MATCH_CREATED,
        buyer_id=BUYER,
        offer_id=f"match-of-{line}",
        vendor_id=None,
        category_ids=(),
        score=0.5,
        rank=1,
        model_version="walk",
        reason=MatchReason.BUYER_ACTED,
        terms="terms-0001",
    )


async def _until_answered(call: Callable[[], Awaitable[T]], record: Record) -> T:
    """Call until an answer comes, as a caller does that does not know what became of its write."""
    while True:
        try:
            return await call()
        except GraphUnavailableError:
            record.lost_tries += 1


async def check(store: GraphStore, record: Record) -> dict[str, int]:
    """Nothing that was acknowledged is lost, nothing is there twice; the counts, for the record."""
    last = await store.last_seq()
    log = await store.read_events(0, limit=last + 10)
    told = Counter(event.offer_id for event in log if event.type is EventType.MATCH_CREATED)
    lines = Counter(line_of(event) for event in log if event.type is EventType.PURCHASE_RECORDED)
    views = sum(event.type is EventType.INTERACTION_RECORDED for event in log)
    ids = [key for n in range(OFFERS) for key in await store.find_purchase_ids(BUYER, offer_of(n))]
    offers = await store.get_offers([offer_of(number) for number in range(OFFERS)])
    left = sum(offer.available_quantity or 0 for offer in offers.values())
    states = await store.match_states(buyer_ids=[BUYER])
    return {
        "lines": len(record.lines),
        "matches told": sum(told.values()),
        "tries without an answer": record.lost_tries,
        "lines lost": len(set(record.lines) - set(ids)),
        "lines doubled": len(ids) - len(set(ids)) + OFFERS * STOCK - left - len(ids),
        "line events lost": len(set(record.lines) - set(lines)),
        "line events doubled": sum(lines.values()) - len(lines),
        "views lost or doubled": abs(views - len(record.keyed)),
        "matches lost": len({f"match-of-{line}" for line in record.lines} - set(told)),
        "matches doubled": sum(told.values()) - len(told),
        "states wrong": abs(len(states) - len(told)),
        "gaps": len(set(range(1, last + 1)) ^ {event.seq for event in log}),
        "ids doubled": len(log) - len({event.id for event in log}),
    }


FAULTS = (
    "lines lost", "lines doubled", "line events lost", "line events doubled",
    "views lost or doubled", "matches lost", "matches doubled", "states wrong", "gaps",
    "ids doubled",
)  # fmt: skip
