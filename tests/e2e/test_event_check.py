"""The check after the kills finds what it is there to find."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from core.entities import Event, EventType, MatchChange, MatchReason, MatchTop
from graph.embedded_engine import EmbeddedEngine
from graph.queries import Query
from graph.store import GraphStore
from tests.e2e.event_check import FAULTS, check
from tests.e2e.killed_events import BUYERS, OFFERS, Run

GONE = Query("gone", "MATCH (e:Event) WHERE e.seq = 4 DELETE e")
CREATED = MatchChange(
    EventType.MATCH_CREATED, BUYERS[0], OFFERS[0], None, (), 0.5, 1, "walk",
    MatchReason.OFFER_CHANGED, "terms",
)  # fmt: skip
ENDED = replace(
    CREATED, type=EventType.MATCH_WITHDRAWN, score=None, rank=None, reason=MatchReason.SOLD_OUT
)
TOPS = [MatchTop(BUYERS[0], ((OFFERS[0], 0.5), (OFFERS[1], 0.25)))]


async def filled(engine: EmbeddedEngine) -> tuple[GraphStore, Run]:
    """A purchase and two match events, of which one pair stands; seqs 1 to 5."""
    store = await GraphStore.open(engine)
    await store.upsert_buyers([{"id": BUYERS[0]}])
    await store.upsert_offers([{"id": OFFERS[0]}])
    lease = await store.take_lease("announcer", "test", 60)
    assert lease is not None
    await store.begin_announcing(lease, 2, [])
    await store.record_purchases([{"buyer_id": BUYERS[0], "offer_id": OFFERS[0]}])
    other = replace(CREATED, offer_id=OFFERS[1])
    await store.announce(lease, 2, 3, [CREATED, other], TOPS, now=store.clock())
    return store, Run(purchases=1)


def notes_of(events: list[Event]) -> list[str]:
    told = [event for event in events if event.type is EventType.MATCH_CREATED]
    return [json.dumps({"id": event.id, "seq": event.seq, "cursor": "c"}) for event in told]


async def faults(store: GraphStore, run: Run, notes: list[str]) -> set[str]:
    found = await check(store, run, "\n".join(notes), 0, {})
    return {name for name in FAULTS if found[name]}


async def test_nothing_is_found_where_nothing_is_wrong(embedded_engine: EmbeddedEngine) -> None:
    store, run = await filled(embedded_engine)
    first, second = notes_of(await store.read_events(0))
    assert await faults(store, run, [first, second]) == set()
    assert await faults(store, run, [first, first, second, first]) == set()


async def test_what_a_subscriber_misses_is_found(embedded_engine: EmbeddedEngine) -> None:
    store, run = await filled(embedded_engine)
    first, second = notes_of(await store.read_events(0))
    assert await faults(store, run, [second]) == {"lost"}
    assert await faults(store, run, [second, first]) == {"out of order"}
    other = json.dumps({"id": "nobody's", "seq": 9, "cursor": "c"})
    assert await faults(store, run, [first, second, other]) == {"invented"}
    refused = json.dumps({"type": "error"})
    assert await faults(store, run, [first, second, refused]) == {"other messages"}


async def test_what_the_log_lacks_is_found(embedded_engine: EmbeddedEngine) -> None:
    store, _ = await filled(embedded_engine)
    notes = notes_of(await store.read_events(0))
    assert await faults(store, Run(purchases=2), notes) == {"facts lost or doubled"}
    priced = Run(purchases=1, offers={OFFERS[0]: "7.00"})
    assert await faults(store, priced, notes) == {"offers not as acknowledged"}
    await store.record_purchases([{"buyer_id": BUYERS[0], "offer_id": OFFERS[0]}])
    assert await faults(store, Run(purchases=2), notes) == {"facts not looked at"}
    await embedded_engine.write(lambda tx: tx.run(GONE))
    found = await faults(store, Run(purchases=2), notes)
    assert {"gaps in seq", "invented", "entered and not told", "states not as told"} <= found


async def test_what_is_told_twice_is_found(embedded_engine: EmbeddedEngine) -> None:
    store, run = await filled(embedded_engine)
    lease = await store.take_lease("announcer", "test", 60)
    position = await store.announced_position()
    assert lease is not None
    assert position is not None
    later = store.clock() + timedelta(seconds=1)
    again = await store.announce(lease, position, position, [CREATED], [], now=later)
    notes = notes_of(await store.read_events(0))
    assert await faults(store, run, notes) == {"told twice"}
    await store.announce(lease, again, again, [ENDED], [], now=later)
    assert await faults(store, run, notes) == {"told twice", "lost"}
