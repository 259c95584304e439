"""Following match events over a socket, and writing some to follow."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from core.entities import Role
from graph.store import GraphStore
from tests.announcing.log import tell
from tests.api import market
from tests.api.conftest import key_of
from tests.api.serving import Serving
from tests.api.test_websocket import Socket, socket

FOLLOW = """subscription ($filter: MatchEventFilterInput, $after: Cursor) {
  matchEvents(filter: $filter, after: $after) {
    __typename
    ... on MatchEvent { id seq cursor type buyerId offerId }
    ... on MatchCreated { score rank heldBack }
    ... on Lagged { behind seq }
    ... on CursorExpired { cursor seq }
  }
}"""
WHOLE = """subscription ($filter: MatchEventFilterInput) { matchEvents(filter: $filter) {
  __typename
  ... on MatchEvent {
    id seq cursor at type reason modelVersion offerId buyerId vendorId categoryIds
    offer { externalId title vendor { name } categories { externalId } }
    buyer { externalId kind }
  }
  ... on MatchCreated { score rank heldBack }
  ... on MatchUpdated { score rank previousScore }
} }"""
OFFER = market.offer(1)
numbers = itertools.count()


def someone() -> str:
    """The id of a buyer that no other test tells of."""
    return f"follower-{next(numbers)}"


async def write(serving: Serving, *drafts: Any) -> int:
    """Append events on the server's loop; the log's last seq."""
    return await asyncio.to_thread(serving.run, tell(serving.services.store, *drafts))


async def caught_up(serving: Serving, seq: int) -> None:
    """Wait until those who follow the log in the server have seen it up to there."""
    await asyncio.to_thread(serving.run, serving.services.feed.wait_beyond(seq - 1))
    await asyncio.to_thread(serving.run, serving.services.matching.refresh())


@asynccontextmanager
async def following(
    serving: Serving, query: str = FOLLOW, role: Role | None = None, **variables: Any
) -> AsyncIterator[Socket]:
    """A socket with one running subscription, which has begun."""
    async with socket(serving) as client:
        await client.init({"Authorization": f"Bearer {key_of(role)}"} if role else {})
        await client.subscribe("1", query, **variables)
        await begun(client)
        yield client


async def begun(client: Socket) -> None:
    """Wait until what was sent before has been taken up: the answer to a later query is there."""
    await client.subscribe("begun", "{ __typename }")
    while (message := await client.receive()).get("id") != "begun" or message["type"] == "next":
        assert message["type"] == "next", message


async def event(client: Socket) -> dict[str, Any]:
    """The next message of a subscription without errors."""
    while (message := await client.receive())["type"] == "ping":
        pass
    assert message["type"] == "next", message
    assert "errors" not in message["payload"], message
    told = message["payload"]["data"]["matchEvents"]
    assert isinstance(told, dict)
    return told


async def events(client: Socket, last: int, count: int = 1) -> list[dict[str, Any]]:
    """The ``count`` events of one write that ended at ``last``, without what is announced."""
    told: list[dict[str, Any]] = []
    while not told or told[-1]["seq"] != last:
        one = await event(client)
        if last - count < one["seq"] <= last:
            told.append(one)
    return told


async def purge(store: GraphStore, to: int) -> None:
    """Remove the events up to there, whatever their age."""
    keep = await store.last_seq() - to
    await store.purge_events(datetime.now(UTC) + timedelta(days=1), keep=keep)
