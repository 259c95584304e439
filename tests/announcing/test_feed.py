"""The feed of match events over a real log, on both engines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from announcing.feed import MatchFeed
from core.entities import EventType
from core.errors import CursorExpiredError
from graph.engine import GraphEngine
from graph.events import Stretch
from graph.store import GraphStore, utc_now
from tests.announcing.log import match, tell

OTHER = EventType.BUYER_UPSERTED


@pytest.fixture
async def store(engine: GraphEngine) -> GraphStore:
    return await GraphStore.open(engine)


@pytest.fixture
async def feed(store: GraphStore) -> AsyncIterator[MatchFeed]:
    feed = MatchFeed(store, ring=10, poll_seconds=0.01)
    await feed.start()
    yield feed
    await feed.stop()


async def seen(feed: MatchFeed, seq: int) -> int:
    return await asyncio.wait_for(feed.wait_beyond(seq - 1), 10)


async def test_it_stands_at_the_end_and_follows(store: GraphStore) -> None:
    before = await tell(store, match("b-1"))
    feed = MatchFeed(store, poll_seconds=0.01)
    await feed.start()
    try:
        assert feed.position == before
        assert await feed.read(before, 10) == []
        last = await tell(store, match("b-2"), match("b-3", type=EventType.MATCH_WITHDRAWN))
        assert await seen(feed, last) == last
        assert [event.buyer_id for event in await feed.read(before, 10)] == ["b-2", "b-3"]
        assert [event.buyer_id for event in await feed.read(before, 1)] == ["b-2"]
        assert [event.buyer_id for event in await feed.read(last - 1, 10)] == ["b-3"]
    finally:
        await feed.stop()


async def test_other_events_move_it_and_are_not_told(store: GraphStore, feed: MatchFeed) -> None:
    start = feed.position
    last = await tell(store, match("b-1", type=OTHER), match("b-1"), match("b-2", type=OTHER))
    assert await seen(feed, last) == last
    assert [event.seq for event in await feed.read(start, 10)] == [last - 1]


async def test_behind_the_ring_the_graph_is_read(store: GraphStore, feed: MatchFeed) -> None:
    start = feed.position
    for number in range(8):
        last = await tell(store, *(match(f"b-{number}") for _ in range(5)))
        await seen(feed, last)
    assert feed.floor > start
    assert len(feed._events) < 20
    all_ = await feed.read(start, 100)
    assert [event.seq for event in all_] == list(range(start + 1, last + 1))
    # Wherever it begins, and whichever way it is read.
    for after in range(start, last + 1):
        assert [event.seq for event in await feed.read(after, 7)] == [
            event.seq for event in all_ if event.seq > after
        ][:7]


async def test_what_is_purged_is_not_told_as_if_it_were_all(
    store: GraphStore, feed: MatchFeed
) -> None:
    start = feed.position
    for _ in range(4):
        last = await tell(store, *(match("b-1") for _ in range(5)))
        await seen(feed, last)
    await store.purge_events(utc_now() + timedelta(days=1), keep=5)
    with pytest.raises(CursorExpiredError):
        await feed.read(start, 10)
    assert await store.log_start() == last - 5
    assert [event.seq for event in await feed.read(last - 5, 10)] == list(range(last - 4, last + 1))


async def test_it_goes_on_when_the_graph_was_away(
    store: GraphStore, feed: MatchFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> Stretch:
        raise ConnectionError("nobody there")

    real = store.read_stretch
    monkeypatch.setattr(store, "read_stretch", away)
    last = await tell(store, match("b-1"))
    for _ in range(200):
        if feed.last_error:
            break
        await asyncio.sleep(0.01)
    assert feed.last_error == "nobody there"
    monkeypatch.setattr(store, "read_stretch", real)
    assert await seen(feed, last) == last
    assert [event.seq for event in await feed.read(last - 1, 10)] == [last]


async def test_it_begins_again_where_the_log_no_longer_reaches_back(
    store: GraphStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    feed = MatchFeed(store, poll_seconds=0.01)
    await feed.start()
    start = feed.position
    real = store.read_stretch

    async def still(*_: object) -> Stretch:
        return Stretch([], feed.position)

    monkeypatch.setattr(store, "read_stretch", still)
    try:
        last = await tell(store, *(match("b-1") for _ in range(9)))
        await store.purge_events(utc_now() + timedelta(days=1), keep=2)
        monkeypatch.setattr(store, "read_stretch", real)
        assert await seen(feed, last) == last
        # Who stood before the gap is told of it, by the log.
        with pytest.raises(CursorExpiredError):
            await feed.read(start, 10)
        assert [event.seq for event in await feed.read(last - 2, 10)] == [last - 1, last]
    finally:
        await feed.stop()


async def test_a_hint_is_quicker_than_the_next_look(store: GraphStore) -> None:
    feed = MatchFeed(store, poll_seconds=3_600)
    await feed.start()
    try:
        await asyncio.sleep(0.05)
        last = await tell(store, match("b-1"))
        feed.wake()
        assert await seen(feed, last) == last
    finally:
        await feed.stop()


async def test_one_who_stops_waiting_takes_nobody_along(store: GraphStore, feed: MatchFeed) -> None:
    waiting = [asyncio.ensure_future(feed.wait_beyond(feed.position)) for _ in range(2)]
    await asyncio.sleep(0.05)
    waiting[0].cancel()
    last = await tell(store, match("b-1"))
    assert await asyncio.wait_for(waiting[1], 10) == last
