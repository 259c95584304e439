"""Backup and restore, from each engine to each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.entities import ApiKey, IdempotencyKey, MatchTop, Role
from core.errors import ConflictError, DamagedError
from graph.backup import dump_query
from graph.embedded_engine import EmbeddedEngine
from graph.engine import GraphEngine
from graph.imports import ImportState
from graph.store import GraphStore
from graph.tables import DELIVERY, MATCH_STATE, MATCHED, TABLES, WEBHOOK_ENDPOINT
from tests.graph.stores import BUYER, OFFER, OTHER_OFFER, ROOT, SetClock, day, purchase
from tests.servers.engines import empty, open_neo4j
from tests.servers.neo4j import Neo4jServer

BATCH = "a-pending-import-batch"


async def fill(store: GraphStore) -> None:
    """Something of every kind, a pending import and the service's own books with it."""
    await store.record_purchases([purchase("p1", day(1), 3), purchase("p2", day(2))])
    await store.cancel_purchases([{"id": "x1", "purchase_id": "p1", "quantity": 1}])
    kinds = ("VIEWED", "CLICKED", "ADDED_TO_CART", "INQUIRED_ABOUT", "DISMISSED")
    await store.record_interactions(
        [{"buyer_id": BUYER, "offer_id": OFFER, "kind": kind} for kind in kinds]
    )
    await store.set_preferences(BUYER, [{"category_id": ROOT}])
    key = IdempotencyKey("scope", "kept key")
    await store.upsert_vendors([{"id": "vendor-by-key"}], idempotency=key)
    await store.create_api_key(ApiKey("k", "n", Role.ADMIN, "s", "h" * 64, day(1)))
    await store.record_model("m", day(1), {"a": 1}, "0" * 64)
    state = {"id": "s", "buyerId": BUYER, "offerId": OFFER, "announcedAt": day(3), "lastScore": 0.5}
    await store.engine.bulk_insert(MATCH_STATE, pl.DataFrame([state]))
    await store.engine.bulk_insert(WEBHOOK_ENDPOINT, pl.DataFrame([{"id": "w", "position": 3}]))
    await store.engine.bulk_insert(DELIVERY, pl.DataFrame([{"id": "d", "endpointId": "w"}]))
    lease = await store.take_lease("announcer", "process-number-0001", 5)
    assert lease is not None
    await store.begin_announcing(lease, 3, [MatchTop(BUYER, ((OFFER, 0.1 + 0.2),))])
    match = {"from_id": BUYER, "to_id": OTHER_OFFER, "score": 0.5, "rank": 1, "at": day(3)}
    await store.engine.bulk_insert(MATCHED, pl.DataFrame([match]))
    await store.open_import(BATCH, "f", "m")
    await store.insert_rows("Buyer", pl.DataFrame({"id": ["hidden"], "batchId": [BATCH]}))
    await store.purge_events(day(30), keep=5)


async def contents(store: GraphStore) -> dict[str, list[tuple[Any, ...]]]:
    tables = {}
    for table in TABLES.values():
        if table.name == "Lease":
            continue  # it is the running processes', and is not restored
        frame = await store.engine.read_frame(dump_query(table))
        drop = ["graphId", "appliedAt"] if table.name == "SchemaVersion" else []
        tables[table.name] = sorted((row for row in frame.drop(drop).rows()), key=str)
    return tables


@pytest.mark.parametrize("target", ["embedded", "neo4j"])
async def test_everything_comes_back_on_either_engine(
    market: GraphStore,
    target: str,
    tmp_path: Path,
    clock: SetClock,
    neo4j_server: Neo4jServer,
) -> None:
    await fill(market)
    before = await contents(market)
    assert all(before.values()), [name for name, rows in before.items() if not rows]
    folder = await market.backup(tmp_path / "backup")
    seq, graph_id = await market.last_seq(), market.graph_id
    engine: GraphEngine
    if target == "embedded":
        engine = await EmbeddedEngine.open(tmp_path / "restored.lbug")
    else:
        engine = await open_neo4j(neo4j_server)
        await empty(engine)
    other = await GraphStore.open(engine, clock)
    try:
        # A graph that was served, with nothing in it, is empty.
        lease = await other.take_lease("announcer", "process-number-0002", 5)
        assert lease is not None
        await other.begin_announcing(lease, 0, [])
        assert await other.restore(tmp_path / "backup") == seq
        assert await contents(other) == before
        assert other.graph_id != graph_id
        assert await other.announced_position() == 3
        assert await other.last_seq() == seq
        assert await other.open_import(BATCH, "f", "m") is ImportState.PENDING
        assert "hidden" not in await other.get_buyers(["hidden"])
        key = IdempotencyKey("scope", "kept key")
        again = await other.upsert_vendors([{"id": "vendor-by-key"}], idempotency=key)
        assert again.replayed
        await other.upsert_vendors([{"id": "after the restore"}])
        assert [event.seq for event in await other.read_events(seq)] == [seq + 1]
        with pytest.raises(ConflictError, match="not empty"):
            await other.restore(folder)
    finally:
        await other.close()


async def test_a_damaged_backup_is_refused(
    store: GraphStore, market: GraphStore, tmp_path: Path
) -> None:
    folder = await market.backup(tmp_path / "backup")
    file = folder / "Offer.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(DamagedError, match="Offer"):
        await store.restore(tmp_path / "backup")
    with pytest.raises(DamagedError):
        await store.restore(tmp_path / "nothing")
    assert not list((tmp_path / "backup").glob(".*backup*"))


async def test_a_position_that_a_backup_does_not_know_is_forgotten(
    market: GraphStore, tmp_path: Path, clock: SetClock
) -> None:
    await market.backup(tmp_path / "backup")
    other = await GraphStore.open(await EmbeddedEngine.open(tmp_path / "restored.lbug"), clock)
    try:
        lease = await other.take_lease("announcer", "process-number-0002", 5)
        assert lease is not None
        await other.begin_announcing(lease, 0, [])
        await other.restore(tmp_path / "backup")
        assert await other.announced_position() is None
    finally:
        await other.close()
