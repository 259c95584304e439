"""What GraphStore may expect of an engine, asked of both."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import polars as pl
import pytest

from core.errors import ConflictError, GraphUnavailableError, InputError
from graph import neo4j_frames, tables
from graph.engine import GraphEngine, Transaction
from graph.neo4j_engine import Neo4jEngine
from graph.queries import Query, QueryFailedError
from tests.servers.neo4j import Neo4jServer

AT = datetime(2026, 3, 1, 12, 30, 0, 123456, tzinfo=UTC)

WRITE_OFFERS = Query(
    "write_offers",
    "UNWIND $rows AS row MERGE (o:Offer {id: row.id}) "
    "SET o.title = row.title, o.priceMinor = row.price_minor, o.latitude = row.latitude, "
    "o.validFrom = row.valid_from RETURN o.id AS id",
    ("rows",),
    ("id",),
)
READ_OFFERS = Query(
    "read_offers",
    "MATCH (o:Offer) RETURN o.id AS id, o.title AS title, o.priceMinor AS price_minor, "
    "o.latitude AS latitude, o.validFrom AS valid_from ORDER BY id",
    (),
    ("id", "title", "price_minor", "latitude", "valid_from"),
)
WRITE_EVENTS = Query(
    "write_events",
    "UNWIND $rows AS row MERGE (e:Event {id: row.id}) "
    "SET e.seq = row.seq, e.categoryIds = row.category_ids",
    ("rows",),
)
READ_EVENTS = Query(
    "read_events",
    "MATCH (e:Event) RETURN e.id AS id, e.seq AS seq, e.categoryIds AS category_ids ORDER BY id",
    (),
    ("id", "seq", "category_ids"),
)
READ_RELATIONSHIPS = Query(
    "read_relationships",
    "MATCH (b:Buyer)-[r:PURCHASED|VIEWED]->(o:Offer) "
    "RETURN b.id AS buyer_id, type(r) AS kind, o.id AS offer_id, r.id AS id, r.at AS at "
    "ORDER BY kind, id",
    (),
    ("buyer_id", "kind", "offer_id", "id", "at"),
)
COUNT = Query("count", "MATCH (n) RETURN count(n) AS n", (), ("n",))


def offer(offer_id: str, **given: Any) -> dict[str, Any]:
    absent = {"title": None, "price_minor": None, "latitude": None, "valid_from": None}
    return {"id": offer_id, **absent, **given}


async def write(engine: GraphEngine, query: Query, **parameters: Any) -> list[dict[str, Any]]:
    return await engine.write(lambda transaction: transaction.run(query, parameters))


@pytest.mark.parametrize(
    "rows",
    [
        [offer("a")],
        [offer("a"), offer("b")],
        [offer("a", title="x", price_minor=5, latitude=1.5, valid_from=AT)],
        [offer("a"), offer("b", title="x", price_minor=2**40, latitude=-0.25, valid_from=AT)],
        [offer("a", price_minor=1, latitude=2.0), offer("b", price_minor=-(2**33), title="y")],
        [offer("a", title="t" * 40), offer("b", title=None), offer("c" * 60, title="u" * 5_000)],
        [offer("a", title=""), offer("b", title='it\'s "q", [a] {b} \\ \n ü $rows')],
    ],
)
async def test_rows_come_back_as_written(engine: GraphEngine, rows: list[dict[str, Any]]) -> None:
    # Twice with other types before, so that a statement kept from then would show.
    await write(engine, WRITE_OFFERS, rows=[offer("a", price_minor=7), offer("b", title="t")])
    await write(engine, WRITE_OFFERS, rows=[offer("a", latitude=0.5), offer("b", valid_from=AT)])
    written = await write(engine, WRITE_OFFERS, rows=rows)
    assert [row["id"] for row in written] == [row["id"] for row in rows]
    read = {row["id"]: row for row in await engine.read(READ_OFFERS)}
    assert [read[row["id"]] for row in rows] == rows


@pytest.mark.parametrize(
    "lists",
    [
        [None],
        [[]],
        [["a"]],
        [["l" * 30, "s"], None, ["m" * 300, "n" * 13]],
        [None, None],
        [None, []],
        [[], ["a", "b"]],
        [["a"], None, []],
    ],
)
async def test_lists_of_text_come_back_as_written(
    engine: GraphEngine, lists: list[list[str] | None]
) -> None:
    rows = [{"id": f"{i}", "seq": i, "category_ids": value} for i, value in enumerate(lists)]
    await write(engine, WRITE_EVENTS, rows=rows)
    assert await engine.read(READ_EVENTS) == rows


async def test_rows_of_rows_can_be_written(engine: GraphEngine) -> None:
    query = Query(
        "nested",
        "UNWIND $rows AS row MERGE (o:Offer {id: row.id}) WITH o, row UNWIND row.parts AS part "
        "MERGE (c:Category {id: part.id}) MERGE (o)-[:IN_CATEGORY]->(c) "
        "RETURN o.id AS offer_id, c.id AS id, part.name AS name ORDER BY id",
        ("rows",),
    )
    parts: list[dict[str, Any]] = [{"id": "c1", "name": None}, {"id": "c2", "name": "n"}]
    rows = await write(engine, query, rows=[{"id": "a", "parts": parts}, {"id": "b", "parts": []}])
    assert rows == [{"offer_id": "a", **part} for part in parts]


async def test_rows_need_not_have_their_keys_in_one_order(engine: GraphEngine) -> None:
    rows = [offer("a", title="x"), dict(reversed(offer("b", title="y").items()))]
    await write(engine, WRITE_OFFERS, rows=rows)
    assert [row["title"] for row in await engine.read(READ_OFFERS)] == ["x", "y"]


async def test_parameters_of_every_type_and_none(engine: GraphEngine) -> None:
    query = Query(
        "one",
        "MERGE (o:Offer {id: $id}) SET o.title = $title, o.priceMinor = $price_minor, "
        "o.latitude = $latitude, o.validFrom = $valid_from",
    )
    full = offer("a", title="x", price_minor=3_000_000_000, latitude=0.1, valid_from=AT)
    for row in (offer("a"), full, offer("a")):
        await write(engine, query, **row)
        assert await engine.read(READ_OFFERS) == [row]


async def test_a_none_can_be_compared(engine: GraphEngine) -> None:
    query = Query(
        "after",
        "MATCH (o:Offer) WHERE $after IS NULL OR o.id > $after "
        "RETURN o.id AS id ORDER BY id LIMIT $limit",
    )
    await write(engine, WRITE_OFFERS, rows=[offer("a"), offer("b"), offer("c")])
    assert await engine.read(query, {"after": None, "limit": 2}) == [{"id": "a"}, {"id": "b"}]
    assert await engine.read(query, {"after": "a", "limit": 5}) == [{"id": "b"}, {"id": "c"}]


async def test_an_empty_list_matches_nothing_and_excludes_nothing(engine: GraphEngine) -> None:
    await write(engine, WRITE_OFFERS, rows=[offer("a", title="x")])
    inside = Query("in", "MATCH (o:Offer) WHERE o.id IN $ids RETURN o.id AS id")
    outside = Query("out", "MATCH (o:Offer) WHERE NOT o.title IN $ids RETURN o.id AS id")
    assert await engine.read(inside, {"ids": []}) == []
    assert await engine.read(outside, {"ids": []}) == [{"id": "a"}]
    assert await engine.read(inside, {"ids": ("a", "z")}) == [{"id": "a"}]


async def test_unwinding_no_rows_does_nothing(engine: GraphEngine) -> None:
    counting = Query("n", "UNWIND $rows AS row MERGE (o:Offer {id: row.id}) RETURN count(*) AS n")
    assert await write(engine, counting, rows=[]) == []
    assert await engine.read(Query("u", "UNWIND $ids AS id RETURN id"), {"ids": []}) == []
    assert await engine.read(COUNT) == [{"n": 0}]


async def test_times_are_utc_whatever_zone_they_came_in(engine: GraphEngine) -> None:
    local = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    await write(engine, WRITE_OFFERS, rows=[offer("a", valid_from=local)])
    (row,) = await engine.read(READ_OFFERS)
    assert row["valid_from"] == AT
    assert row["valid_from"].utcoffset() == timedelta(0)
    since = Query("since", "MATCH (o:Offer) WHERE o.validFrom >= $at RETURN o.id AS id")
    assert await engine.read(since, {"at": local}) == [{"id": "a"}]
    assert await engine.read(since, {"at": AT + timedelta(microseconds=1)}) == []


async def test_a_time_without_a_zone_is_refused(engine: GraphEngine) -> None:
    with pytest.raises(InputError, match="valid_from"):
        await write(engine, WRITE_OFFERS, rows=[offer("a", valid_from=AT.replace(tzinfo=None))])
    assert await engine.read(COUNT) == [{"n": 0}]


async def test_sums_are_int(engine: GraphEngine) -> None:
    await write(engine, WRITE_OFFERS, rows=[offer("a", price_minor=2), offer("b", price_minor=3)])
    query = Query("sum", "MATCH (o:Offer) RETURN sum(o.priceMinor) AS total, collect(o.id) AS ids")
    (row,) = await engine.read(query)
    assert type(row["total"]) is int
    assert (row["total"], sorted(row["ids"])) == (5, ["a", "b"])
    frame = await engine.read_frame(query)
    assert dict(frame.schema) == {"total": pl.Int64, "ids": pl.List(pl.String)}


async def test_frames_have_one_schema_filled_or_not(engine: GraphEngine) -> None:
    schema = {
        "id": pl.String, "title": pl.String, "price_minor": pl.Int64, "latitude": pl.Float64,
        "valid_from": pl.Datetime("us", "UTC"),
    }  # fmt: skip
    full = offer("a", title="x", price_minor=5, latitude=1.5, valid_from=AT)
    for rows in ([], [offer("a")], [full, offer("b")]):
        await write(engine, WRITE_OFFERS, rows=rows)
        frame = await engine.read_frame(READ_OFFERS)
        assert dict(frame.schema) == schema
        assert frame.to_dicts() == rows


async def test_a_stream_hands_out_every_row_in_order(engine: GraphEngine) -> None:
    await write(engine, WRITE_OFFERS, rows=[offer(f"{i:03}") for i in range(25)])
    batches = [batch async for batch in engine.stream(READ_OFFERS, batch_rows=10)]
    assert [batch.height for batch in batches] == [10, 10, 5]
    assert pl.concat(batches)["id"].to_list() == [f"{i:03}" for i in range(25)]


@pytest.mark.parametrize("most", [25, 24, 0])
async def test_neo4j_reads_many_rows_packed_or_not(
    neo4j_engine: Neo4jEngine, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(neo4j_frames, "PACKED_ROWS", most)
    early = datetime(1960, 1, 1, 0, 0, 0, 1, tzinfo=UTC)
    times = {0: AT, 1: early, 24: AT + timedelta(microseconds=1)}
    rows = [offer(f"{i:03}", price_minor=i, valid_from=times.get(i)) for i in range(25)]
    await write(neo4j_engine, WRITE_OFFERS, rows=rows)
    assert (await neo4j_engine.read_frame(READ_OFFERS)).to_dicts() == rows
    batches = [batch async for batch in neo4j_engine.stream(READ_OFFERS, batch_rows=12)]
    assert [batch.height for batch in batches] == [12, 12, 1]
    assert pl.concat(batches).to_dicts() == rows


async def test_neo4j_reads_a_time_that_was_stored_without_a_zone(
    neo4j_engine: Neo4jEngine,
) -> None:
    text = "CREATE (:Offer {id: 'a', validFrom: localdatetime('2026-03-01T12:30:00.123456')})"
    await write(neo4j_engine, Query("local", text))
    assert (await neo4j_engine.read(READ_OFFERS))[0]["valid_from"] == AT
    assert (await neo4j_engine.read_frame(READ_OFFERS))["valid_from"].to_list() == [AT]


async def test_a_transaction_sees_its_writes_and_nobody_else_before_its_end(
    engine: GraphEngine,
) -> None:
    async def work(transaction: Transaction) -> list[dict[str, Any]]:
        await transaction.run(WRITE_OFFERS, {"rows": [offer("a")]})
        assert await engine.read(COUNT) == [{"n": 0}]
        return await transaction.run(COUNT)

    assert await engine.write(work) == [{"n": 1}]
    assert await engine.read(COUNT) == [{"n": 1}]


async def test_an_exception_rolls_everything_back(engine: GraphEngine) -> None:
    async def work(transaction: Transaction) -> None:
        await transaction.run(WRITE_OFFERS, {"rows": [offer("a")]})
        await transaction.run(WRITE_EVENTS, {"rows": [{"id": "1", "seq": 1, "category_ids": []}]})
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await engine.write(work)
    assert await engine.read(COUNT) == [{"n": 0}]
    await write(engine, WRITE_OFFERS, rows=[offer("b")])
    assert [row["id"] for row in await engine.read(READ_OFFERS)] == ["b"]


@pytest.mark.parametrize("text", ["CREATE (:Offer {id: 'old'})", "RETURN nothing AS n"])
async def test_a_failed_statement_ends_the_transaction(engine: GraphEngine, text: str) -> None:
    await write(engine, WRITE_OFFERS, rows=[offer("old")])

    async def work(transaction: Transaction) -> None:
        await transaction.run(WRITE_OFFERS, {"rows": [offer("a")]})
        with pytest.raises(QueryFailedError, match="broken"):
            await transaction.run(Query("broken", text))
        # Whoever goes on must not have this committed by itself.
        with pytest.raises(QueryFailedError):
            await transaction.run(WRITE_OFFERS, {"rows": [offer("b")]})

    with pytest.raises(QueryFailedError):
        await engine.write(work)
    assert [row["id"] for row in await engine.read(READ_OFFERS)] == ["old"]


async def test_a_failed_read_names_the_query(engine: GraphEngine) -> None:
    for read in (engine.read, engine.read_frame):
        with pytest.raises(QueryFailedError, match="wrong_name"):
            await read(Query("wrong_name", "MATCH (n:Offer) RETURN m.id AS id"))


async def test_writers_queue(engine: GraphEngine) -> None:
    await write(engine, WRITE_EVENTS, rows=[{"id": "c", "seq": 0, "category_ids": None}])
    lock = Query("lock", "MATCH (e:Event {id: 'c'}) SET e.payload = 'x' RETURN e.seq AS seq")
    bump = Query("bump", "MATCH (e:Event {id: 'c'}) SET e.seq = $seq")

    async def count_one(transaction: Transaction) -> None:
        (row,) = await transaction.run(lock)
        await asyncio.sleep(0)
        await transaction.run(bump, {"seq": row["seq"] + 1})

    await asyncio.gather(*(engine.write(count_one) for _ in range(20)))
    assert (await engine.read(READ_EVENTS))[0]["seq"] == 20


async def test_writers_that_cross_both_finish(engine: GraphEngine) -> None:
    await write(engine, WRITE_OFFERS, rows=[offer("a", price_minor=0), offer("b", price_minor=0)])
    add = Query("add", "MATCH (o:Offer {id: $id}) SET o.priceMinor = o.priceMinor + 1")

    async def both(transaction: Transaction, ids: tuple[str, str]) -> None:
        await transaction.run(add, {"id": ids[0]})
        await asyncio.sleep(0.05)
        await transaction.run(add, {"id": ids[1]})

    orders = [("a", "b"), ("b", "a")]
    await asyncio.gather(*(engine.write(partial(both, ids=ids)) for ids in orders))
    assert [row["price_minor"] for row in await engine.read(READ_OFFERS)] == [2, 2]


async def test_a_cancelled_writer_leaves_no_transaction_behind(engine: GraphEngine) -> None:
    started = asyncio.Event()

    async def endless(transaction: Transaction) -> None:
        await transaction.run(WRITE_OFFERS, {"rows": [offer("a")]})
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(engine.write(endless))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await write(engine, WRITE_OFFERS, rows=[offer("b")])
    assert [row["id"] for row in await engine.read(READ_OFFERS)] == ["b"]


async def test_writers_cancelled_at_any_step_leave_all_or_nothing(engine: GraphEngine) -> None:
    async def work(transaction: Transaction, key: str) -> None:
        await transaction.run(WRITE_OFFERS, {"rows": [offer(f"{key}-1")]})
        await transaction.run(WRITE_OFFERS, {"rows": [offer(f"{key}-2")]})

    for step in range(12):
        task = asyncio.create_task(engine.write(partial(work, key=f"{step:02}")))
        for _ in range(step):
            await asyncio.sleep(0.001)
        task.cancel()
        await asyncio.wait([task])
    await write(engine, WRITE_OFFERS, rows=[offer("z")])
    ids = [row["id"].partition("-")[0] for row in await engine.read(READ_OFFERS)]
    assert all(ids.count(key) == 2 for key in set(ids) - {"z"})


NODES = pl.DataFrame(
    {"id": ["a", "b", "c"], "createdAt": [AT, None, AT], "latitude": [1.5, None, -2.0]}
)


async def insert_ends(engine: GraphEngine) -> None:
    assert await engine.bulk_insert(tables.BUYER, NODES) == 3
    assert await engine.bulk_insert(tables.OFFER, pl.DataFrame({"id": ["o", "p"]})) == 2


async def test_bulk_inserted_nodes_come_back(engine: GraphEngine) -> None:
    await insert_ends(engine)
    query = Query(
        "buyers",
        "MATCH (b:Buyer) RETURN b.id AS id, b.createdAt AS createdAt, b.latitude AS latitude, "
        "b.name AS name ORDER BY id",
    )
    frame = await engine.read_frame(query)
    assert frame.drop("name").equals(NODES)
    assert frame["name"].to_list() == [None] * 3


async def test_bulk_insert_leaves_what_is_there_alone(engine: GraphEngine) -> None:
    await write(engine, WRITE_OFFERS, rows=[offer("o", title="kept", price_minor=1)])
    rows = pl.DataFrame({"id": ["o", "n", "n", "m"], "title": ["new", "first", "second", None]})
    assert await engine.bulk_insert(tables.OFFER, rows) == 2
    assert await engine.bulk_insert(tables.OFFER, rows) == 0
    titles = {row["id"]: row["title"] for row in await engine.read(READ_OFFERS)}
    assert titles == {"o": "kept", "n": "first", "m": None}


async def test_a_relationship_id_is_unique_whatever_its_ends(engine: GraphEngine) -> None:
    await insert_ends(engine)
    rows = pl.DataFrame(
        {"from_id": ["a", "a", "b"], "to_id": ["o", "o", "o"], "id": ["1", "2", "1"],
         "at": [AT, None, AT]}
    )  # fmt: skip
    assert await engine.bulk_insert(tables.PURCHASED, rows) == 2
    other_ends = pl.DataFrame({"from_id": ["b", "c"], "to_id": ["p", "p"], "id": ["2", "3"]})
    assert await engine.bulk_insert(tables.PURCHASED, other_ends) == 1
    assert await engine.bulk_insert(tables.VIEWED, other_ends) == 2
    assert [list(row.values()) for row in await engine.read(READ_RELATIONSHIPS)] == [
        ["a", "PURCHASED", "o", "1", AT],
        ["a", "PURCHASED", "o", "2", None],
        ["c", "PURCHASED", "p", "3", None],
        ["b", "VIEWED", "p", "2", None],
        ["c", "VIEWED", "p", "3", None],
    ]


async def test_a_relationship_without_id_is_known_by_its_ends(engine: GraphEngine) -> None:
    await insert_ends(engine)
    await engine.bulk_insert(tables.CATEGORY, pl.DataFrame({"id": ["k", "l"]}))
    rows = pl.DataFrame({"from_id": ["a", "a", "a"], "to_id": ["k", "l", "k"], "weight": [1, 2, 3]})
    assert await engine.bulk_insert(tables.PREFERS, rows.with_columns(pl.col("weight") / 4)) == 2
    assert await engine.bulk_insert(tables.PREFERS, rows) == 0
    query = Query(
        "prefers",
        "MATCH (:Buyer)-[r:PREFERS]->(c:Category) "
        "RETURN c.id AS id, r.weight AS weight ORDER BY id",
    )
    assert await engine.read(query) == [{"id": "k", "weight": 0.25}, {"id": "l", "weight": 0.5}]
    bare = pl.DataFrame({"from_id": ["o", "p"], "to_id": ["k", "k"]})
    assert await engine.bulk_insert(tables.IN_CATEGORY, bare) == 2
    assert await engine.bulk_insert(tables.IN_CATEGORY, bare) == 0


async def test_a_missing_end_is_named_and_nothing_inserted(engine: GraphEngine) -> None:
    await insert_ends(engine)
    rows = pl.DataFrame({"from_id": ["a", "ghost"], "to_id": ["o", "o"], "id": ["1", "2"]})
    with pytest.raises(ConflictError, match="Buyer 'ghost'"):
        await engine.bulk_insert(tables.PURCHASED, rows)
    assert await engine.read(READ_RELATIONSHIPS) == []
    assert await engine.bulk_insert(tables.PURCHASED, rows[:1]) == 1


async def test_bulk_insert_refuses_rows_it_cannot_know(engine: GraphEngine) -> None:
    with pytest.raises(InputError, match="lacks id"):
        await engine.bulk_insert(tables.OFFER, pl.DataFrame({"id": ["a", None]}))
    with pytest.raises(InputError, match="colour"):
        await engine.bulk_insert(tables.OFFER, pl.DataFrame({"id": ["a"], "colour": ["red"]}))
    assert await engine.bulk_insert(tables.OFFER, pl.DataFrame({"id": []})) == 0
    assert await engine.read(COUNT) == [{"n": 0}]


async def test_bulk_inserted_rows_can_be_merged_updated_and_deleted(engine: GraphEngine) -> None:
    await insert_ends(engine)
    rows = pl.DataFrame({"from_id": ["a", "b"], "to_id": ["o", "p"], "id": ["1", "2"]})
    await engine.bulk_insert(tables.PURCHASED, rows)
    merge = Query(
        "merge",
        "UNWIND $rows AS row MATCH (b:Buyer {id: row.buyer_id}) MATCH (o:Offer {id: row.offer_id}) "
        "MERGE (b)-[r:PURCHASED {id: row.id}]->(o) "
        "ON CREATE SET r.quantity = row.quantity ON MATCH SET r.cancelledQuantity = 1",
    )
    lines = [("a", "o", "1"), ("a", "p", "3")]
    await write(
        engine,
        merge,
        rows=[dict(zip(("buyer_id", "offer_id", "id"), line, strict=True), quantity=4)
              for line in lines],
    )  # fmt: skip
    query = Query(
        "lines",
        "MATCH (:Buyer)-[r:PURCHASED]->(:Offer) RETURN r.id AS id, r.quantity AS quantity, "
        "r.cancelledQuantity AS cancelled ORDER BY id",
    )
    assert [tuple(row.values()) for row in await engine.read(query)] == [
        ("1", None, 1), ("2", None, None), ("3", 4, None),
    ]  # fmt: skip
    await write(engine, Query("erase", "MATCH (b:Buyer {id: $id}) DETACH DELETE b"), id="a")
    assert [row["id"] for row in await engine.read(query)] == ["2"]
    assert await engine.bulk_insert(tables.BUYER, NODES) == 1


async def test_every_table_takes_a_full_row_and_gives_it_back(engine: GraphEngine) -> None:
    values = {
        pl.String: "x", pl.Int64: 7, pl.Float64: 0.5, pl.Boolean: True,
        pl.Datetime("us", "UTC"): AT, pl.List(pl.String): ["x", "y"],
    }  # fmt: skip
    for table in tables.TABLES.values():
        row = {name: values[kind] for name, kind in table.frame_schema.items()}
        frame = pl.DataFrame([row], schema=table.frame_schema)
        assert await engine.bulk_insert(table, frame) == 1, table.name
        names = [name for name, _ in table.columns]
        pattern = f"(x:{table.name})" if table.is_node else f"()-[x:{table.name}]->()"
        columns = ", ".join(f"x.{name} AS {name}" for name in names) or "count(x) AS n"
        read = await engine.read(Query(table.name, f"MATCH {pattern} RETURN {columns}"))
        assert read == [{name: row[name] for name in names} or {"n": 1}]


async def test_the_schema_can_be_applied_again(engine: GraphEngine) -> None:
    await insert_ends(engine)
    await engine.apply_schema()
    assert await engine.bulk_insert(tables.BUYER, NODES) == 0


async def test_a_node_id_is_unique(engine: GraphEngine) -> None:
    for table in tables.NODE_TABLES:
        create = Query("create", f"CREATE (:{table.name} {{id: $id}})")
        await write(engine, create, id="same")
        with pytest.raises(QueryFailedError):
            await write(engine, create, id="same")


async def test_checkpoint_keeps_everything(engine: GraphEngine) -> None:
    await insert_ends(engine)
    await engine.checkpoint()
    assert await engine.read(COUNT) == [{"n": 5}]


async def test_a_refused_password_is_told_from_a_missing_server(neo4j_server: Neo4jServer) -> None:
    with pytest.raises(GraphUnavailableError, match="refused the user name") as caught:
        await Neo4jEngine.open(neo4j_server.uri, neo4j_server.user, "not-the-password", "neo4j")
    assert "OFFERPATH_GRAPH_PASSWORD" in caught.value.mend
    assert "not-the-password" not in str(caught.value)
    with pytest.raises(GraphUnavailableError, match="OFFERPATH_GRAPH_DATABASE"):
        await Neo4jEngine.open(
            neo4j_server.uri, neo4j_server.user, neo4j_server.password, "nosuchdatabase"
        )
