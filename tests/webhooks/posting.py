"""A graph with match events in it, and a dispatcher that sends them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

from announcing.feed import MatchFeed
from announcing.filters import MatchEventFilter
from core.api_keys import make_api_key
from core.entities import ApiKey, EventType, MatchReason, Principal, Role
from core.settings import Settings
from core.webhooks import Delivery, DeliveryState, WebhookEndpoint
from graph.engine import GraphEngine, Transaction
from graph.session import EventDraft, Outcome
from graph.store import GraphStore
from webhooks.addresses import GuardedNetwork, Reach
from webhooks.dispatcher import delivering
from webhooks.registry import WebhookRegistry
from webhooks.trials import WebhookTrials

ALL = MatchEventFilter()


class ShiftedClock:
    """The real time, moved on by what the test says; signatures are checked against it."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.shift


def draft(number: int, **changes: Any) -> EventDraft:
    """A match event before it is in the log."""
    event = EventDraft(
        type=EventType.MATCH_CREATED,
        buyer_id=f"buyer-{number}",
        offer_id=f"offer-{number}",
        vendor_id="vendor-1",
        category_ids=("kitchen",),
        payload={"reason": MatchReason.BUYER_ACTED.value},
        score=0.5,
        rank=3,
        model_version="walk",
    )
    return replace(event, **changes)


@dataclass(slots=True)
class Post:
    """What a test of webhooks needs."""

    store: GraphStore
    feed: MatchFeed
    settings: Settings
    clock: ShiftedClock
    registry: WebhookRegistry
    trials: WebhookTrials
    network: GuardedNetwork
    keys: dict[Role, ApiKey] = field(default_factory=dict)

    async def principal(self, role: Role = Role.PARTNER, subject: str = "a shop") -> Principal:
        """Somebody with a key of that role, the same whenever it is asked for."""
        if role not in self.keys:
            _, key = make_api_key("key", role, self.clock(), subject=subject)
            await self.store.create_api_key(key)
            self.keys[role] = key
        key = self.keys[role]
        return Principal(role, key.subject, key_id=key.id)

    async def register(
        self,
        url: str,
        *,
        role: Role = Role.PARTNER,
        subject: str = "a shop",
        asked: MatchEventFilter = ALL,
        after: int | None = None,
    ) -> tuple[WebhookEndpoint, str]:
        made = await self.registry.register(
            await self.principal(role, subject), url=url, name="test", filter=asked, after=after
        )
        return made.endpoint, made.secret

    async def tell(self, *drafts: EventDraft) -> list[str]:
        """Append events to the log; their ids."""

        async def work(_tx: Transaction) -> Outcome:
            return Outcome((), drafts)

        last = (await self.store.commit("tell", None, work)).seq
        self.feed.wake()
        return [f"{self.store.graph_id}-{last - len(drafts) + 1 + n}" for n in range(len(drafts))]

    async def tell_many(self, count: int, first: int = 0) -> list[str]:
        return await self.tell(*(draft(first + n) for n in range(count)))

    async def endpoint(self, endpoint_id: str) -> WebhookEndpoint:
        found = await self.store.get_webhook(endpoint_id)
        assert found is not None
        return found

    async def log(self, endpoint_id: str, *states: DeliveryState) -> list[Delivery]:
        """Attempts, oldest first."""
        wanted: Sequence[DeliveryState] = states or tuple(DeliveryState)
        return (await self.store.page_deliveries(endpoint_id, wanted, limit=10_000))[::-1]

    @asynccontextmanager
    async def dispatching(
        self,
        jitter: Callable[[float], float] = lambda window: 0.0,
        holder: str | None = None,
    ) -> AsyncIterator[None]:
        """Sending, without waiting between attempts unless told otherwise."""
        async with delivering(
            self.store,
            self.feed,
            self.settings,
            self.clock,
            cursor_of=lambda seq: f"cursor-{seq}",
            jitter=jitter,
            network=self.network,
            holder=holder,
        ):
            yield


@asynccontextmanager
async def posting(
    engine: GraphEngine, home: Path, *, poll_seconds: float = 0.02, **changes: Any
) -> AsyncIterator[Post]:
    """A post over an empty graph; in development, so that endpoints may be on this machine."""
    clock = ShiftedClock()
    settings = Settings(home=home, **changes)
    store = await GraphStore.open(engine, clock)
    feed = MatchFeed(store, poll_seconds=poll_seconds)
    network = GuardedNetwork(Reach.of(settings))
    registry = WebhookRegistry(store, settings, clock, network)
    trials = WebhookTrials(store, settings, clock, registry, network)
    await feed.start()
    try:
        yield Post(store, feed, settings, clock, registry, trials, network)
    finally:
        await feed.stop()
        network.close()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Wait for something to come true."""
    last = monotonic() + seconds
    while not await condition():
        assert monotonic() < last, "it did not come true"
        await asyncio.sleep(0.05)
