"""What is kept for a time only: idempotency keys and the rows of the event log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta

from core.settings import Settings
from graph.store import GraphStore

logger = logging.getLogger(__name__)
DAY_SECONDS = 86_400.0


async def let_go(store: GraphStore, settings: Settings, now: datetime) -> None:
    """Remove what is older at ``now``, or more, than the settings keep."""
    await store.purge_idempotency_keys(now - timedelta(days=settings.idempotency_retention_days))
    await store.purge_events(
        now - timedelta(days=settings.event_retention_days), most=settings.event_retention_count
    )


@asynccontextmanager
async def letting_go(
    store: GraphStore,
    settings: Settings,
    clock: Callable[[], datetime],
    every_seconds: float = DAY_SECONDS,
) -> AsyncIterator[None]:
    """Let go at once, then every so often while the context is open."""
    await let_go(store, settings, clock())

    async def repeat() -> None:
        while True:
            await asyncio.sleep(every_seconds)
            try:
                await let_go(store, settings, clock())
            except Exception as error:  # a graph that is away is tried again the next time
                logger.warning("What is old could not be let go: %s", error)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
