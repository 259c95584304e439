"""The graph's version: kept, raised in place, refused when newer; on both engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import SchemaVersionError
from graph.embedded_engine import EmbeddedEngine
from graph.engine import GraphEngine
from graph.migrations import Migration
from graph.queries import Query, load_query
from graph.store import GraphStore
from tests.graph.stores import SetClock, statuses

UPPER = Query("upper", "MATCH (b:Buyer) WHERE b.kind = 'a small kind' SET b.kind = 'A SMALL KIND'")
SUFFIX = Query("suffix", "MATCH (b:Buyer) SET b.country = b.kind")
WRONG = Query("wrong", "MATCH (b:Buyer SET")
STEPS = (Migration(2, (UPPER,)), Migration(3, (SUFFIX,)))


async def version(engine: GraphEngine) -> int:
    return int((await engine.read(load_query("read_schema_version")))[0]["version"])


async def test_a_graph_keeps_its_id(engine: GraphEngine, clock: SetClock) -> None:
    first = await GraphStore.open(engine, clock)
    again = await GraphStore.open(engine, clock)
    assert first.graph_id == again.graph_id
    assert len(first.graph_id) == 32
    assert await version(engine) == 1


async def test_an_older_graph_is_brought_up_step_by_step(
    engine: GraphEngine, clock: SetClock
) -> None:
    old = await GraphStore.open(engine, clock)
    await old.upsert_buyers([{"id": "buyer-number-0001", "kind": "a small kind"}])
    new = await GraphStore.open(engine, clock, migrations=STEPS)
    buyer = (await new.get_buyers(["buyer-number-0001"]))["buyer-number-0001"]
    assert (buyer.kind, buyer.country) == ("A SMALL KIND", "A SMALL KIND")
    assert (await version(engine), new.graph_id) == (3, old.graph_id)
    await new.upsert_buyers([{"id": "buyer-number-0001", "country": None}])
    again = await GraphStore.open(engine, clock, migrations=STEPS)
    assert (await again.get_buyers(["buyer-number-0001"]))["buyer-number-0001"].country is None


async def test_a_step_that_fails_leaves_the_version_before_it(
    engine: GraphEngine, clock: SetClock
) -> None:
    await GraphStore.open(engine, clock)
    broken = (STEPS[0], Migration(3, (SUFFIX, WRONG)))
    with pytest.raises(Exception, match="wrong"):
        await GraphStore.open(engine, clock, migrations=broken)
    assert await version(engine) == 2
    await GraphStore.open(engine, clock, migrations=STEPS)
    assert await version(engine) == 3


async def test_a_newer_graph_is_refused(engine: GraphEngine, clock: SetClock) -> None:
    await GraphStore.open(engine, clock, migrations=STEPS)
    assert await version(engine) == 3
    with pytest.raises(SchemaVersionError, match="version 3"):
        await GraphStore.open(engine, clock)


async def test_a_file_without_the_newest_properties_gets_them(
    tmp_path: Path, clock: SetClock
) -> None:
    engine = await EmbeddedEngine.open(tmp_path / "graph.lbug")
    store = await GraphStore.open(engine, clock)
    await store.upsert_vendors([{"id": "vendor-number-0001", "name": "kept as it was"}])
    drop = Query("drop", "ALTER TABLE Vendor DROP touchedAt")
    await engine.write(lambda tx: tx.run(drop))
    again = await GraphStore.open(engine, clock)
    result = await again.upsert_vendors([{"id": "vendor-number-0001", "country": "GB"}])
    assert [status.value for status in statuses(result)] == ["UPDATED"]
    vendor = (await again.get_vendors(["vendor-number-0001"]))["vendor-number-0001"]
    assert vendor.name == "kept as it was"
    await again.close()
