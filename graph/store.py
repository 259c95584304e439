"""GraphStore: the graph as the rooms above it know it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from graph.announcements import Announcements
from graph.backup import Backups
from graph.books import Books
from graph.cancellations import CancellationWrites
from graph.deletes import EntityDeletes
from graph.engine import GraphEngine
from graph.events import EventLog
from graph.imports import Imports
from graph.interactions import InteractionWrites
from graph.leases import Leases
from graph.matched import MatchedProjection
from graph.migrations import MIGRATIONS, Migration, prepare_graph
from graph.purchases import PurchaseWrites
from graph.reads import ProfileReads
from graph.session import Clock
from graph.upserts import EntityUpserts
from graph.webhooks import WebhookBooks


def utc_now() -> datetime:
    """The present time, aware, in UTC."""
    return datetime.now(UTC)


class GraphStore(
    EntityUpserts,
    EntityDeletes,
    PurchaseWrites,
    CancellationWrites,
    InteractionWrites,
    ProfileReads,
    EventLog,
    Imports,
    MatchedProjection,
    Books,
    Leases,
    Announcements,
    WebhookBooks,
    Backups,
):
    """The one source of truth, over either engine.

    A write is one transaction: the facts, their rows in the event log, the record of its
    idempotency key. It is acknowledged after its commit. Reads never see a pending import.

    ``graph_id`` tells this graph from every other; ``engine`` and ``clock`` are what it was
    opened with.
    """

    @classmethod
    async def open(
        cls,
        engine: GraphEngine,
        clock: Clock = utc_now,
        *,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> GraphStore:
        """Prepare the engine's graph (schema, version, books) and open a store on it.

        Args:
            engine: an open engine; the store closes it.
            clock: what tells the time, aware.
            migrations: the steps between schema versions.

        Raises:
            SchemaVersionError: when a newer Offerpath has written the graph.
        """
        return cls(engine, clock, await prepare_graph(engine, clock, migrations))

    async def close(self) -> None:
        """Close the engine."""
        await self.engine.close()
