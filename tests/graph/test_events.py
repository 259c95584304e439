"""The event log, on both engines."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from core.entities import EventType
from core.errors import CursorExpiredError, CursorInvalidError
from graph.store import GraphStore
from tests.graph.stores import SetClock


async def test_an_empty_log(store: GraphStore) -> None:
    assert await store.last_seq() == 0
    assert await store.read_events(0) == []


async def test_the_log_is_read_in_order_from_a_position(store: GraphStore) -> None:
    await store.upsert_buyers([{"id": f"buyer-{n}"} for n in range(5)])
    await store.append_event(EventType.MODEL_PUBLISHED, payload={"modelId": "m-1", "epochs": [1]})
    await store.upsert_vendors([{"id": "vendor-1"}])
    assert await store.last_seq() == 7
    assert [event.seq for event in await store.read_events(0)] == [1, 2, 3, 4, 5, 6, 7]
    assert [event.seq for event in await store.read_events(2, limit=3)] == [3, 4, 5]
    assert await store.read_events(7) == []
    types = [EventType.VENDOR_UPSERTED, EventType.MODEL_PUBLISHED]
    chosen = await store.read_events(0, types=types)
    assert [event.seq for event in chosen] == [6, 7]
    assert chosen[0].payload == {"modelId": "m-1", "epochs": [1]}
    assert await store.read_events(0, types=[EventType.BUYER_ERASED]) == []
    with pytest.raises(CursorInvalidError):
        await store.read_events(8)


async def test_seqs_have_no_gaps_under_writes_at_once(store: GraphStore) -> None:
    results = await asyncio.gather(
        *(store.upsert_vendors([{"id": f"v-{n}-{m}"} for m in range(3)]) for n in range(6)),
        *(store.upsert_vendors([{"id": " bad "}]) for _ in range(3)),
    )
    events = await store.read_events(0)
    assert [event.seq for event in events] == list(range(1, 19))
    assert len({event.id for event in events}) == 18
    for result in results[:6]:
        own = [event.vendor_id for event in events[result.seq - 3 : result.seq]]
        assert own == [row.id for row in result.rows]


async def test_a_purged_log_answers_old_positions_with_a_typed_error(
    store: GraphStore, clock: SetClock
) -> None:
    start = clock.now
    for n in range(6):
        await store.upsert_vendors([{"id": f"vendor-{n}"}])
        clock.now += timedelta(days=1)
    assert await store.purge_events(start + timedelta(days=3, hours=1), keep=1) == 4
    assert [event.seq for event in await store.read_events(4)] == [5, 6]
    with pytest.raises(CursorExpiredError):
        await store.read_events(3)
    assert await store.purge_events(clock.now, keep=1) == 5
    assert await store.purge_events(start, keep=0) == 5
    assert await store.purge_events(clock.now, keep=0) == 6
    assert await store.last_seq() == 6
    assert await store.read_events(6) == []
    with pytest.raises(CursorExpiredError):
        await store.read_events(5)
    await store.upsert_vendors([{"id": "one more vendor"}])
    assert [event.seq for event in await store.read_events(6)] == [7]
