"""A server that runs for long lets go of what is old."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.retention import letting_go
from core.entities import IdempotencyKey
from core.errors import CursorExpiredError, IdempotencyConflictError
from core.settings import load_settings
from graph.embedded_engine import EmbeddedEngine
from graph.store import GraphStore

START = datetime(2026, 1, 1, tzinfo=UTC)
KEY = IdempotencyKey("admin/upsertBuyers", "once")


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


async def test_keys_and_events_go_when_their_time_has_come(
    embedded_engine: EmbeddedEngine, tmp_path: Path
) -> None:
    clock, settings = Clock(), load_settings(home=tmp_path)
    store = await GraphStore.open(embedded_engine, clock)
    # The newest thousand rows of the log stay in any case.
    for start in (0, 400, 800):
        await store.upsert_buyers([{"id": f"b{number}"} for number in range(start, start + 400)])
    await store.upsert_buyers([{"id": "first"}], idempotency=KEY)
    async with letting_go(store, settings, clock, every_seconds=0.02):
        with pytest.raises(IdempotencyConflictError):
            await store.upsert_buyers([{"id": "other"}], idempotency=KEY)
        assert await store.read_events(0, 1)
        clock.now = START + timedelta(days=settings.event_retention_days + 1)
        with pytest.raises(CursorExpiredError):
            await _until_refused(lambda: store.read_events(0, 1))
        written = await store.upsert_buyers([{"id": "other"}], idempotency=KEY)
        assert not written.replayed


async def _until_refused(look: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(20):
        while True:
            await look()
            await asyncio.sleep(0.02)
