"""A post on the embedded engine; what differs between engines is in test_books.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from graph.embedded_engine import EmbeddedEngine
from tests.webhooks.posting import Post, posting


@pytest.fixture
async def post(embedded_engine: EmbeddedEngine, tmp_path: Path) -> AsyncIterator[Post]:
    async with posting(embedded_engine, tmp_path) as post:
        yield post
