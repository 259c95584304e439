"""Long lists of rows, which the embedded engine is given as tables."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from graph.embedded_engine import EmbeddedEngine
from graph.embedded_rows import bind
from graph.engine import Transaction
from graph.queries import Query

CREATE = Query(
    "create",
    "UNWIND $rows AS row\n"
    "CREATE (e:Event {seq: row.seq, id: row.id, type: row.type, score: row.score,\n"
    "  categoryIds: row.categoryIds, occurredAt: row.occurredAt, rank: row.rank})",
)
READ = Query(
    "read",
    "MATCH (e:Event) WHERE e.seq >= $first RETURN e.seq AS seq, e.id AS id, e.type AS type,\n"
    "  e.score AS score, e.categoryIds AS categoryIds, e.occurredAt AS occurredAt, e.rank AS rank\n"
    "  ORDER BY e.seq",
)


def rows(first: int, count: int) -> list[dict[str, Any]]:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        {
            "seq": seq,
            "id": f"e-{seq}",
            "type": "TOLD",
            "score": seq / 3 if seq % 2 else None,
            "categoryIds": [f"c-{seq}", "ü"] if seq % 3 else [],
            "occurredAt": start + timedelta(microseconds=seq),
            "rank": None,
        }
        for seq in range(first, first + count)
    ]


@pytest.mark.parametrize("count", [63, 64, 5_000])
async def test_rows_arrive_as_they_were_given(embedded_engine: EmbeddedEngine, count: int) -> None:
    async def create(given: list[dict[str, Any]]) -> None:
        async def work(transaction: Transaction) -> None:
            await transaction.run(CREATE, {"rows": given})

        await embedded_engine.write(work)

    first, second = rows(1, count), rows(1 + count, count)
    # The same text twice: what is kept of a statement must not hold the rows of its first run.
    await create(first)
    await create(second)
    assert await embedded_engine.read(READ, {"first": 1}) == first + second


async def test_a_transaction_that_fails_leaves_none(embedded_engine: EmbeddedEngine) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.run(CREATE, {"rows": rows(1, 200)})
        raise ConnectionError

    with pytest.raises(ConnectionError):
        await embedded_engine.write(work)
    assert await embedded_engine.read(READ, {"first": 1}) == []


@pytest.mark.parametrize(
    ("text", "is_table"),
    [
        (CREATE.text, True),
        (CREATE.text + "\nRETURN e.id", False),
        ("UNWIND $rows AS row\nMERGE (e:Event {seq: row.seq})", False),
        ("UNWIND $rows AS row\nMATCH (e:Event {seq: row.seq}) SET e.rank = row.rank", False),
        ("UNWIND $rows AS row\nCREATE (e:Event {seq: row.seq, rank: size($rows)})", False),
        (
            "UNWIND $rows AS row\nMATCH (b:Buyer {id: row.id}) SET b.seen = row.seq\n"
            "CREATE (e:Event {seq: row.seq})",
            False,
        ),
    ],
)
def test_only_what_creates_and_answers_nothing_may_lose_its_order(
    text: str, is_table: bool
) -> None:
    bound_text, bound, _ = bind(Query("any", text), {"rows": rows(1, 100)})
    assert ("LOAD FROM $rows" in bound_text) == is_table
    assert isinstance(bound["rows"], list) != is_table
