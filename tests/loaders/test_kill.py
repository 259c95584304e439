"""An importing process is killed at random moments, 20 times over, on each engine."""

from __future__ import annotations

import asyncio
import os
import random
import sys
from pathlib import Path

import polars as pl
import pytest

from core.entities import EventType
from core.settings import load_settings
from graph.open import open_engine
from graph.store import GraphStore
from loaders.report import Outcome
from tests.loaders.markets import run_import, write_csv
from tests.servers.engines import empty, open_neo4j
from tests.servers.neo4j import Neo4jServer

KILLS = 20
BUYERS, LINES = 50, 1_500
ROOT = Path(__file__).parents[2]


def write_round(folder: Path, number: int) -> int:
    """Files of one import in several parts, cancellations among them; the units it leaves."""
    for path in folder.glob("*"):
        path.unlink()
    header = "id buyer_id offer_id at quantity"
    write_csv(folder, "buyers.csv", "id", [(f"b{n}",) for n in range(BUYERS)])
    write_csv(folder, "offers.csv", "id", [(f"r{number}o{n}",) for n in range(20)])
    rows = [
        (f"r{number}p{n}", f"b{n % BUYERS}", f"r{number}o{n % 20}", "2024-01-01", 3)
        for n in range(LINES)
    ]
    write_csv(folder, "purchases.csv", header, rows[::2])
    other = pl.DataFrame(rows[1::2], schema=header.split(), orient="row")
    other.write_parquet(folder / "purchases.parquet")
    back = [(f"r{number}k{n}", *rows[n][1:3], "2024-01-02", 2) for n in range(0, LINES, 10)]
    write_csv(folder, "cancellations.csv", header, back)
    return 3 * LINES - 2 * len(back)


class Target:
    """The graph under test, opened by turns by the test and by the process that is killed."""

    def __init__(self, uri: str, server: Neo4jServer) -> None:
        self.environment = {
            **os.environ,
            "OFFERPATH_GRAPH_URI": uri,
            "OFFERPATH_GRAPH_USER": server.user,
            "OFFERPATH_GRAPH_PASSWORD": server.password,
        }
        self.settings = load_settings(
            graph_uri=uri, graph_user=server.user, graph_password=server.password
        )

    async def open(self) -> GraphStore:
        return await GraphStore.open(await open_engine(self.settings))

    async def kill_import(self, data: Path, seconds: float) -> None:
        """Start an import and kill it so long after it began; it may be done by then."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.loaders.killed_importer", str(data),
            cwd=ROOT, env=self.environment, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert child.stdout is not None
        assert await child.stdout.readline() == b"begun\n"
        await asyncio.sleep(seconds)
        if child.returncode is None:
            child.kill()
        await child.stdout.read()
        assert await child.wait() in (0, -9)


@pytest.fixture(params=["embedded", "neo4j"])
async def target(
    request: pytest.FixtureRequest, neo4j_server: Neo4jServer, tmp_path: Path
) -> Target:
    """An empty graph on each engine."""
    if request.param == "embedded":
        return Target(f"embedded:{tmp_path / 'graph.lbug'}", neo4j_server)
    engine = await open_neo4j(neo4j_server)
    await empty(engine)
    await engine.close()
    return Target(neo4j_server.uri, neo4j_server)


@pytest.mark.timeout(900)
async def test_a_killed_import_is_seen_whole_or_not_at_all(target: Target, data: Path) -> None:
    chance = random.Random(7)
    number, finished = 0, 0
    units = write_round(data, number)
    for _ in range(KILLS):
        await target.kill_import(data, chance.uniform(0, 1.5))
        store = await target.open()
        seen = await visible_units(store)
        assert seen in (finished, finished + units)
        events = await store.read_events(0, KILLS + 2)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        assert {event.type for event in events} <= {EventType.IMPORT_FINISHED}
        await store.close()
        if seen > finished:
            number, finished = number + 1, seen
            units = write_round(data, number)
            assert len(events) == number
    assert number < KILLS, "no import was killed before its end"
    store = await target.open()
    report = await run_import(store, data)
    assert report.outcome is Outcome.IMPORTED
    assert await visible_units(store) == finished + units
    assert (await run_import(store, data)).outcome is Outcome.UNCHANGED
    assert len(await store.read_events(0, KILLS + 2)) == number + 1
    await store.close()


async def visible_units(store: GraphStore) -> int:
    """Units bought that a snapshot shows; no line is there twice."""
    lines = [frame async for frame in store.stream_table("purchases")]
    ids = pl.concat(lines)["id"] if lines else pl.Series([], dtype=pl.String)
    assert ids.n_unique() == len(ids)
    snapshot = await store.read_snapshot()
    return int(snapshot.purchases["quantity"].sum())
