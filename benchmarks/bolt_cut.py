"""Bolt connections cut around COMMIT: what is lost, what is doubled.

Run, in the repository's root: ``python -m benchmarks.bolt_cut [--cuts 100] [--seed 0]``.

A Neo4j server is started as the tests start it (OFFERPATH_TEST_NEO4J_URI names one instead; its
database is emptied). Two writers record order lines and, under idempotency keys, views; one
announcer follows the log and tells of a match for each line, in whole and in cut stretches. All of
them reach the server through a proxy that cuts a connection at a COMMIT: half of the times before
the server gets it, half of the times after it has carried it out and before its answer gets
through. Each try without an answer is made again. Read at the end, past the proxy: every line, its
event, its match, each seq, the stock of the offers. Exits with 1 when anything is lost or doubled.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
import time
from pathlib import Path

from graph.neo4j_engine import Neo4jEngine
from graph.store import GraphStore
from tests.graph.cut_writes import FAULTS, check, prepare, write_through
from tests.servers.bolt_proxy import Cut, bolt_proxy
from tests.servers.engines import empty, open_neo4j
from tests.servers.neo4j import Neo4jServer, running_neo4j


def main() -> None:
    """Cut, count, print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    logging.getLogger("neo4j").setLevel(logging.CRITICAL)  # it tells of every cut
    with tempfile.TemporaryDirectory() as spare, running_neo4j(Path(spare)) as server:
        found = asyncio.run(measured(server, asked.cuts, asked.seed))
    print(json.dumps(found))
    sys.exit(1 if any(found[name] for name in FAULTS) else 0)


async def measured(server: Neo4jServer, cuts: int, seed: int) -> dict[str, float]:
    """The counts of one run on an emptied database."""
    direct = await open_neo4j(server)
    await empty(direct)
    truth = await GraphStore.open(direct)
    await prepare(truth)
    started = time.monotonic()
    async with bolt_proxy(server.uri) as proxy:
        engine = await Neo4jEngine.open(proxy.uri, server.user, server.password, server.database)
        store = await GraphStore.open(engine)
        record = await write_through(store, proxy, cuts, seed)
        await store.close()
    found = {
        "cut before COMMIT": proxy.cuts[Cut.BEFORE],
        "cut after COMMIT": proxy.cuts[Cut.AFTER],
        "commits": proxy.commits,
        "seconds": round(time.monotonic() - started, 1),
        **await check(truth, record),
    }
    await truth.close()
    return found


if __name__ == "__main__":
    main()
