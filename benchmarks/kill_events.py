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
killed while another was ready. A Neo4j server is started as the tests start it.

On Neo4j the lease and the servers' logs are watched besides, and it is told how long the lease was
nobody's each time that it ran out (5 s after the last renewal, where a killed process leaves it):
where the next holder had stood by when it ran out, and where that one was still starting, which
lasts as long as a start does; and how long the next holder then took until it announced. Exits with
1 when anything is wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from core.settings import Settings, load_settings
from graph.engine import GraphEngine
from graph.open import open_engine
from graph.queries import Query
from tests.e2e.event_check import FAULTS
from tests.e2e.kill_run import kill_and_check
from tests.servers.engines import empty, open_neo4j
from tests.servers.neo4j import Neo4jServer, running_neo4j

_LEASE = Query(
    "watched_lease",
    "MATCH (l:Lease {id: 'announcer'}) RETURN l.holder AS holder, l.expiresAt AS expiresAt",
)
_STANDS_BY = re.compile(r"Standing by to announce matches, as (\S+)\.")
_ANNOUNCES = re.compile(r"Announcing from \d+ of the log on, as (\S+)\.")
LOOK_SECONDS = 0.05


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
        run = watched if asked.engine == "neo4j" else kill_and_check
        found = asyncio.run(run(settings, folder, servers, asked.kills, asked.seed))
        seconds = round(time.monotonic() - started)
    print(json.dumps({"engine": asked.engine, "servers": servers, "seconds": seconds, **found}))
    sys.exit(1 if any(found[name] for name in FAULTS) else 0)


async def watched(
    settings: Settings, folder: Path, servers: int, kills: int, seed: int
) -> dict[str, float]:
    """As kill_and_check(), with what was seen of the lease."""
    engine = await open_engine(settings)
    watch = LeaseWatch(folder)
    watching = asyncio.create_task(watch.run(engine))
    try:
        found = await kill_and_check(settings, folder, servers, kills, seed)
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching
        await engine.close()
    return found | watch.figures()


@dataclass
class LeaseWatch:
    """Who holds the lease, who stands by and who announces, as seen from outside.

    Attributes:
        folder: where the servers' logs are.
        stood_by: holder -> when it was first seen to stand by, in seconds of the epoch.
        announced: holder -> when it was first seen to announce.
        changes: of each lease that ran out: when, who took it, and when that was seen.
    """

    folder: Path
    stood_by: dict[str, float] = field(default_factory=dict)
    announced: dict[str, float] = field(default_factory=dict)
    changes: list[tuple[float, str, float]] = field(default_factory=list)
    _read: dict[Path, int] = field(default_factory=dict)

    async def run(self, engine: GraphEngine) -> None:
        """Look until cancelled."""
        holder, ends = "", 0.0
        while True:
            self._read_logs()
            for row in await engine.read(_LEASE):
                now = datetime.now(UTC).timestamp()
                if row["holder"] != holder and holder and ends < now:
                    self.changes.append((ends, row["holder"], now))
                holder, ends = row["holder"], row["expiresAt"].timestamp()
            await asyncio.sleep(LOOK_SECONDS)

    def figures(self) -> dict[str, float]:
        """What becomes of the JSON line; seconds."""
        waits = [(taken - ends, self.stood_by.get(by, taken) > ends, by, taken)
                 for ends, by, taken in self.changes]  # fmt: skip
        began = [self.announced[by] - taken for _, _, by, taken in waits if by in self.announced]
        stood = [wait for wait, late, _, _ in waits if not late]
        starting = [wait for wait, late, _, _ in waits if late]
        return {
            "leases that ran out": len(waits),
            "free though one stood by, most": round(max(stood, default=0.0), 2),
            "taken by one that was starting": len(starting),
            "free while that one started, most": round(max(starting, default=0.0), 2),
            "from taken to announcing, most": round(max(began, default=0.0), 2),
        }

    def _read_logs(self) -> None:
        now = datetime.now(UTC).timestamp()
        for path in self.folder.glob("server-*.log"):
            with path.open("rb") as log:
                begin = log.seek(self._read.get(path, 0))
                whole = log.read().rpartition(b"\n")[0]
            self._read[path] = begin + len(whole)
            lines = whole.decode(errors="replace")
            for found, seen in ((_STANDS_BY, self.stood_by), (_ANNOUNCES, self.announced)):
                for holder in found.findall(lines):
                    seen.setdefault(holder, now)


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
