"""The graph's version: a new graph gets the newest, an older one is brought up to it in place."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from core.errors import SchemaVersionError
from graph.engine import GraphEngine, Transaction
from graph.queries import Query, load_query
from graph.session import COUNTERS, Clock

FIRST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Migration:
    """A step from ``version - 1`` to ``version``, in one transaction.

    New labels, types and properties need no step: applying the schema adds them, empty. A step
    fills or rewrites what is there. It must bear to run again on an engine that retries.
    """

    version: int
    queries: tuple[Query, ...]


# Every step since version 1, in order.
MIGRATIONS: tuple[Migration, ...] = ()


async def prepare_graph(
    engine: GraphEngine, clock: Clock, migrations: Sequence[Migration] = MIGRATIONS
) -> str:
    """Apply the schema, bring the graph to the newest version and return its id.

    A graph gets its id, a random one, when it is first prepared.

    Raises:
        SchemaVersionError: when a newer Offerpath has written the graph.
    """
    newest = migrations[-1].version if migrations else FIRST_VERSION
    await engine.apply_schema()
    found = await engine.read(load_query("read_schema_version"))
    version = int(found[0]["version"]) if found else newest
    if version > newest:
        raise SchemaVersionError(
            f"The graph has schema version {version}; this Offerpath knows {newest}.",
            mend="Use the Offerpath that wrote it, or a newer one.",
        )
    if not found:
        await _begin(engine, clock, newest)
    for migration in migrations:
        if migration.version > version:
            await _migrate(engine, clock, migration)
    return str((await engine.read(load_query("read_schema_version")))[0]["graphId"])


async def _begin(engine: GraphEngine, clock: Clock, version: int) -> None:
    parameters = {"version": version, "graphId": uuid.uuid4().hex, "appliedAt": clock()}

    async def work(tx: Transaction) -> None:
        for counter in COUNTERS:
            await tx.run(load_query("make_counter"), {"id": counter})
        await tx.run(load_query("write_schema_version"), parameters)

    await engine.write(work)


async def _migrate(engine: GraphEngine, clock: Clock, migration: Migration) -> None:
    parameters = {"version": migration.version, "graphId": uuid.uuid4().hex, "appliedAt": clock()}

    async def work(tx: Transaction) -> None:
        current = await tx.run(load_query("read_schema_version"))
        if int(current[0]["version"]) >= migration.version:
            return  # another process was quicker
        for query in migration.queries:
            await tx.run(query)
        await tx.run(load_query("write_schema_version"), parameters)

    await engine.write(work)
