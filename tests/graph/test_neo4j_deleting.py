"""Rows of nulls, which Neo4j gives of what is deleted while it is read, reach nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from graph import neo4j_frames
from graph.engine import Transaction
from graph.neo4j_engine import Neo4jEngine
from graph.queries import Query, load_query, parse_query

STATES = load_query("dump_match_state")
CREATED = 400
PAGE = parse_query(
    "page",
    "// The first of what an offer has.\n// parameters: limit\n// returns: id, status!\n"
    "MATCH (m:MatchState) RETURN m.id AS id, m.status AS status ORDER BY id LIMIT $limit",
)


async def run(engine: Neo4jEngine, text: str, **parameters: Any) -> None:
    async def work(tx: Transaction) -> None:
        await tx.run(Query("work", text), parameters)

    await engine.write(work)


async def states_read_while_deleted(engine: Neo4jEngine, query: Query) -> pl.DataFrame:
    """What a stream gives whose first rows come before, and the others after a deletion."""
    await run(
        engine,
        "UNWIND range(1, $n) AS i CREATE (:MatchState {id: toString(i), buyerId: 'b', "
        "offerId: 'o', status: 'ANNOUNCED', lastScore: .5})",
        n=CREATED,
    )
    frames: list[pl.DataFrame] = []
    async for frame in engine.stream(query, batch_rows=10):
        if not frames:
            await run(engine, "MATCH (m:MatchState) DELETE m")
        frames.append(frame)
    return pl.concat(frames, how="vertical_relaxed")


async def test_a_stream_leaves_out_what_was_deleted_meanwhile(
    neo4j_engine: Neo4jEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that rows come as they are asked for; packed, all are read at once.
    monkeypatch.setattr(neo4j_frames, "PACKED_ROWS", 0)
    unmarked = await states_read_while_deleted(neo4j_engine, replace(STATES, never_null=()))
    assert unmarked["status"].null_count() > 0
    read = await states_read_while_deleted(neo4j_engine, STATES)
    assert 10 <= read.height < CREATED
    assert read["status"].null_count() == read["id"].null_count() == 0


async def test_a_page_that_met_a_deletion_is_read_again(
    neo4j_engine: Neo4jEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run(
        neo4j_engine,
        "CREATE (:MatchState {id: '1'}), (:MatchState {id: '2', status: 'ANNOUNCED'}), "
        "(:MatchState {id: '3', status: 'WITHDRAWN'})",
    )
    read = neo4j_engine._read

    async def read_and_finish_deleting(
        query: Query, parameters: Mapping[str, Any] | None
    ) -> tuple[tuple[str, ...], list[list[Any]]]:
        found = await read(query, parameters)
        await run(neo4j_engine, "MATCH (m:MatchState {id: '1'}) DELETE m")
        return found

    monkeypatch.setattr(neo4j_engine, "_read", read_and_finish_deleting)
    rows = await neo4j_engine.read(PAGE, {"limit": 2})
    assert [row["id"] for row in rows] == ["2", "3"]


async def test_what_stays_without_its_properties_is_left_out(neo4j_engine: Neo4jEngine) -> None:
    await run(neo4j_engine, "CREATE (:MatchState {id: '1'}), (:MatchState {id: '2', status: 'X'})")
    whole = [{"id": "2", "status": "X"}]
    assert await neo4j_engine.read(PAGE, {"limit": 9}) == whole
    frame = await neo4j_engine.read_frame(PAGE, {"limit": 9})
    assert frame.to_dicts() == whole

    async def work(tx: Transaction) -> list[dict[str, Any]]:
        return await tx.run(PAGE, {"limit": 9})

    assert await neo4j_engine.write(work) == whole


async def test_evidence_counts_nothing_that_is_gone_but_for_its_reference(
    neo4j_engine: Neo4jEngine,
) -> None:
    await run(
        neo4j_engine,
        "CREATE (b:Buyer {id: 'b'}), (o:Offer {id: 'o'}), (b)-[:VIEWED {id: '1'}]->(o), "
        "(b)-[:VIEWED {id: '2', at: datetime('2024-01-03T12:00:00Z')}]->(o)",
    )
    (row,) = await neo4j_engine.read(load_query("buyer_evidence"), {"ids": ["b"]})
    assert row["count"] == 1
