"""SIGKILL at random moments of servers and of a subscriber: what becomes of the events.

Run, in the repository's root:
``python -m benchmarks.kill_events [--engine embedded|neo4j] [--kills 100] [--servers N]``.

A small market is filled and looked at once. Then API processes (one on the embedded engine; two on
Neo4j, of which one announces) are written to over GraphQL by three writers: purchases, views,
dismissals, offers that come, sell out and change their price; each write is sent under its
idempotency key until it is answered. A subscriber in a process of its own notes each event and goes
on from its last cursor. Every 0.2 to 5 s one of them is killed, a server three times out of five
(now and then while it starts), and started again. Read at the end: the log (gaps, facts lost or
doubled), the states and the tops (a match that entered and was not told, was told twice, ended
without a beginning), what the subscriber noted (lost, invented, out of order once repeats of an id
are left out), and on Neo4j how long the lease was nobody's when the process that held it was
killed. A Neo4j server is started as the tests start it. Exits with 1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from core.settings import Settings, load_settings
from tests.e2e.event_check import FAULTS
from tests.e2e.kill_run import kill_and_check
from tests.servers.engines import empty, open_neo4j
from tests.servers.neo4j import Neo4jServer, running_neo4j


def main() -> None:
    """Kill, count, print one JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--engine", choices=["embedded", "neo4j"], default="embedded")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--servers", type=int, help="1 on the embedded engine, 2 on Neo4j")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="leave logs, homes and notes in this folder")
    asked = parser.parse_args()
    servers = asked.servers or (1 if asked.engine == "embedded" else 2)
    with ExitStack() as stack:
        spare = stack.enter_context(tempfile.TemporaryDirectory())
        folder = asked.keep or Path(spare)
        folder.mkdir(parents=True, exist_ok=True)
        settings = load_settings(
            home=folder / "home", graph_uri=f"embedded:{folder / 'graph.lbug'}"
        )
        if asked.engine == "neo4j":
            server = stack.enter_context(running_neo4j(folder / "neo4j"))
            settings = asyncio.run(on_emptied(settings, server))
        started = time.monotonic()
        found = asyncio.run(kill_and_check(settings, folder, servers, asked.kills, asked.seed))
        seconds = round(time.monotonic() - started)
    print(json.dumps({"engine": asked.engine, "servers": servers, "seconds": seconds, **found}))
    sys.exit(1 if any(found[name] for name in FAULTS) else 0)


async def on_emptied(settings: Settings, server: Neo4jServer) -> Settings:
    """The settings with this server, its database emptied."""
    engine = await open_neo4j(server)
    await empty(engine)
    await engine.close()
    return load_settings(
        home=settings.home,
        graph_uri=server.uri,
        graph_user=server.user,
        graph_password=server.password,
    )


if __name__ == "__main__":
    main()
