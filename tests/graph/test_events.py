"""The event log, on both engines."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from core.entities import EventType
from core.errors import CursorExpiredError, CursorInvalidError
from graph import events
from graph.engine import GraphEngine
from graph.events import EventLog
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


async def test_a_log_of_several_pages_is_read_whole(
    store: GraphStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_PAGE", 5)
    await store.upsert_vendors([{"id": f"vendor-{n:03}"} for n in range(62)])
    await store.append_event(EventType.MODEL_PUBLISHED)
    seqs = list(range(1, 64))
    assert [event.seq for event in await store.read_events(0)] == seqs
    assert [event.seq for event in await store.read_events(3, limit=7)] == seqs[3:10]
    # Fifty rows are looked up by their ids; what is behind them by a scan.
    for after in (0, 12, 13, 61, 62):
        chosen = await store.read_events(after, types=[EventType.MODEL_PUBLISHED])
        assert [event.seq for event in chosen] == [63]
    many = await store.read_events(0, limit=57, types=[EventType.VENDOR_UPSERTED])
    assert [event.seq for event in many] == seqs[:57]
    assert await store.read_events(0, types=[]) == []


async def test_a_stretch_says_how_far_the_log_was_read(
    store: GraphStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_PAGE", 5)
    await store.upsert_vendors([{"id": f"vendor-{n:02}"} for n in range(12)])
    await store.append_event(EventType.MODEL_PUBLISHED)
    await store.append_event(EventType.IMPORT_FINISHED)
    types = [EventType.MODEL_PUBLISHED]
    for limit, to in ((1, 13), (2, 14)):
        stretch = await store.read_stretch(3, limit, types)
        assert [event.seq for event in stretch.events] == [13]
        assert stretch.to == to
    assert (await store.read_stretch(13, 5, types)) == events.Stretch([], 14)
    assert (await store.read_stretch(14, 5, types)) == events.Stretch([], 14)
    assert (await store.read_stretch(2, 4)).to == 6


async def test_rows_of_another_graph_are_read_where_they_lie(
    store: GraphStore, engine: GraphEngine, clock: SetClock
) -> None:
    await store.upsert_vendors([{"id": f"vendor-{n}"} for n in range(4)])
    # As after a restore: the rows have kept their ids, the graph has one of its own.
    restored = GraphStore(engine, clock, "another-graph-id")
    await restored.upsert_vendors([{"id": f"vendor-{n}"} for n in range(4, 8)])
    for types in (None, [EventType.VENDOR_UPSERTED]):
        for after in range(9):
            found = await restored.read_events(after, limit=6, types=types)
            assert [event.seq for event in found] == list(range(after + 1, 9))[:6]


async def test_the_log_is_kept_to_a_number_of_rows(
    store: GraphStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "_PURGED_AT_ONCE", 4)
    await store.upsert_vendors([{"id": f"vendor-{n}"} for n in range(30)])
    assert await store.purge_events(clock.now, keep=3, most=40) == 0
    assert await store.purge_events(clock.now, keep=3, most=12) == 18
    assert await store.purge_events(clock.now, keep=9, most=5) == 21
    assert [event.seq for event in await store.read_events(21)] == list(range(22, 31))
    with pytest.raises(CursorExpiredError):
        await store.read_events(20)


async def test_a_reader_that_is_overtaken_by_a_purge_is_told(
    store: GraphStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.upsert_vendors([{"id": f"vendor-{n}"} for n in range(9)])
    rows_behind = EventLog._rows_behind

    async def purged_first(self: EventLog, *rest: Any) -> list[dict[str, Any]]:
        await self.purge_events(clock.now, keep=0, most=3)
        return await rows_behind(self, *rest)

    monkeypatch.setattr(EventLog, "_rows_behind", purged_first)
    with pytest.raises(CursorExpiredError):
        await store.read_events(2)
