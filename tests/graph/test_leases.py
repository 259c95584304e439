"""Leases, on both engines."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from core.entities import Lease
from graph.store import GraphStore
from tests.graph.stores import SetClock
from tests.servers.engines import open_neo4j
from tests.servers.neo4j import Neo4jServer

NAME, FIRST, SECOND = "announcer", "process-number-0001", "process-number-0002"


async def taken(store: GraphStore, holder: str = FIRST, seconds: float = 5) -> Lease:
    lease = await store.take_lease(NAME, holder, seconds)
    assert lease is not None
    return lease


async def test_a_lease_is_held_until_it_expires(store: GraphStore, clock: SetClock) -> None:
    first = await taken(store)
    assert first == Lease(NAME, FIRST, 1, clock.now + timedelta(seconds=5))
    assert await store.take_lease(NAME, SECOND, 5) is None
    assert await store.take_lease("another lease", SECOND, 5) is not None
    clock.now += timedelta(seconds=4.999999)
    assert await store.take_lease(NAME, SECOND, 5) is None
    clock.now += timedelta(microseconds=1)
    second = await taken(store, SECOND)
    assert second == Lease(NAME, SECOND, 2, clock.now + timedelta(seconds=5))
    assert await store.renew_lease(first, 5) is None
    assert await store.take_lease(NAME, FIRST, 5) is None


async def test_the_holder_keeps_its_epoch(store: GraphStore, clock: SetClock) -> None:
    first = await taken(store)
    clock.now += timedelta(seconds=3)
    renewed = await store.renew_lease(first, 5)
    assert renewed == Lease(NAME, FIRST, 1, clock.now + timedelta(seconds=5))
    assert await taken(store, seconds=9) == Lease(NAME, FIRST, 1, clock.now + timedelta(seconds=9))
    clock.now += timedelta(hours=1)
    # It has expired, but nobody took it.
    assert await store.renew_lease(first, 5) is not None


async def test_a_lease_that_is_let_go_is_free_at_once(store: GraphStore) -> None:
    first = await taken(store)
    await store.release_lease(first)
    second = await taken(store, SECOND)
    assert second.epoch == 2
    await store.release_lease(first)
    assert await store.take_lease(NAME, FIRST, 5) is None


async def test_one_of_many_gets_it(store: GraphStore) -> None:
    for epoch in range(1, 6):
        holders = [f"process-number-{epoch}-{n}" for n in range(12)]
        found = await asyncio.gather(*(store.take_lease(NAME, holder, 5) for holder in holders))
        (winner,) = [lease for lease in found if lease is not None]
        assert winner.epoch == epoch
        await store.release_lease(winner)


async def test_one_of_two_processes_gets_it(
    neo4j_engine: object, neo4j_server: Neo4jServer, clock: SetClock
) -> None:
    stores = [await GraphStore.open(await open_neo4j(neo4j_server), clock) for _ in range(2)]
    try:
        for epoch in range(1, 11):
            found = await asyncio.gather(
                stores[0].take_lease(NAME, f"{FIRST}-{epoch}", 5),
                stores[1].take_lease(NAME, f"{SECOND}-{epoch}", 5),
            )
            (winner,) = [lease for lease in found if lease is not None]
            assert winner.epoch == epoch
            clock.now += timedelta(seconds=6)
    finally:
        for store in stores:
            await store.close()
