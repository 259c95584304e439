"""Endpoints and deliveries in the graph, on both engines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.entities import Lease, Role
from core.errors import LeaseLostError, NotFoundError
from core.webhooks import (
    Delivery,
    DeliveryState,
    WebhookEndpoint,
    WebhookProgress,
    WebhookState,
)
from graph.engine import GraphEngine
from graph.store import GraphStore
from tests.graph.stores import SetClock, day

ENDPOINT = WebhookEndpoint(
    id="wh_first-endpoint",
    url="https://example.com/hook",
    name="the first",
    role=Role.PARTNER,
    subject="a shop",
    api_key_id="key-1",
    position=7,
    created_at=day(1),
    filter={"vendors": ["v"], "minScore": 0.5},
)
FULL = replace(
    ENDPOINT,
    id="wh_full-endpoint",
    api_key_id=None,
    created_at=day(2),
    state=WebhookState.DISABLED,
    secret_version=3,
    previous_until=day(4),
    failures=2,
    failing_since=day(3),
    next_attempt_at=day(5),
    last_error="It hangs.",
    dead_seq=8,
    dead_count=4,
)
EVERY_STATE = frozenset(DeliveryState)


def delivery(number: int, state: DeliveryState = DeliveryState.DELIVERED) -> Delivery:
    return Delivery(
        id=f"{ENDPOINT.id}-{number:017d}",
        endpoint_id=ENDPOINT.id,
        event_id=f"event-{number}",
        seq=number,
        attempt=1,
        state=state,
        at=day(number),
        milliseconds=12,
        status_code=200 if state is DeliveryState.DELIVERED else None,
        error=None if state is DeliveryState.DELIVERED else "It hangs.",
    )


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def store(engine: GraphEngine, clock: SetClock) -> GraphStore:
    store = await GraphStore.open(engine, clock)
    await store.create_webhook(FULL)
    await store.create_webhook(ENDPOINT)
    return store


async def leased(store: GraphStore, holder: str = "one") -> Lease:
    lease = await store.take_lease("webhooks", holder, 5)
    assert lease is not None
    return lease


async def test_endpoints_are_read_as_they_were_written(store: GraphStore) -> None:
    assert await store.list_webhooks() == [ENDPOINT, FULL]
    assert await store.get_webhook(FULL.id) == FULL
    assert await store.get_webhook("none") is None
    renamed = await store.change_webhook(FULL.id, lambda one: replace(one, name="new"))
    assert renamed == replace(FULL, name="new") == await store.get_webhook(FULL.id)
    with pytest.raises(NotFoundError):
        await store.change_webhook("none", lambda one: one)


async def test_progress_and_deliveries_are_kept_together(store: GraphStore) -> None:
    after = replace(ENDPOINT, position=9, failures=1, next_attempt_at=day(6), last_error="no")
    made = (delivery(8), delivery(9, DeliveryState.FAILED))
    kept = await store.keep_webhook_progress(
        await leased(store), [WebhookProgress(ENDPOINT, after, made)]
    )
    assert kept == {ENDPOINT.id: after}
    assert await store.get_webhook(ENDPOINT.id) == after
    assert await store.page_deliveries(ENDPOINT.id, EVERY_STATE) == list(made[::-1])
    assert await store.get_delivery(made[0].id) == made[0]
    assert await store.get_delivery("none") is None


async def test_what_the_owner_has_done_meanwhile_stands(store: GraphStore) -> None:
    moved = await store.change_webhook(ENDPOINT.id, lambda one: replace(one, position=2))
    progress = WebhookProgress(ENDPOINT, replace(ENDPOINT, position=9), (delivery(9),))
    assert await store.keep_webhook_progress(await leased(store), [progress]) == {
        ENDPOINT.id: moved
    }
    assert len(await store.page_deliveries(ENDPOINT.id, EVERY_STATE)) == 1
    paused = await store.change_webhook(
        ENDPOINT.id, lambda one: replace(one, state=WebhookState.PAUSED, secret_version=2)
    )
    on = WebhookProgress(moved, replace(moved, position=9))
    kept = await store.keep_webhook_progress(await leased(store), [on])
    assert kept[ENDPOINT.id] == replace(paused, position=9)


async def test_who_has_lost_the_lease_writes_nothing(store: GraphStore, clock: SetClock) -> None:
    old = await leased(store)
    clock.now = day(21)
    new = await leased(store, "two")
    progress = [WebhookProgress(ENDPOINT, replace(ENDPOINT, position=9), (delivery(9),))]
    with pytest.raises(LeaseLostError):
        await store.keep_webhook_progress(old, progress)
    assert await store.get_webhook(ENDPOINT.id) == ENDPOINT
    assert await store.page_deliveries(ENDPOINT.id, EVERY_STATE) == []
    await store.keep_webhook_progress(new, progress)
    assert await store.page_deliveries(ENDPOINT.id, EVERY_STATE) == [delivery(9)]


async def test_a_deleted_endpoint_takes_its_log_along(store: GraphStore) -> None:
    await store.write_deliveries([delivery(8)])
    await store.delete_webhook(ENDPOINT.id)
    await store.delete_webhook(ENDPOINT.id)
    progress = [WebhookProgress(ENDPOINT, replace(ENDPOINT, position=9), (delivery(9),))]
    assert await store.keep_webhook_progress(await leased(store), progress) == {}
    assert await store.list_webhooks() == [FULL]
    assert await store.page_deliveries(ENDPOINT.id, EVERY_STATE) == []


async def test_deliveries_page_newest_first_both_ways(store: GraphStore) -> None:
    made = [delivery(n, DeliveryState.DEAD if n == 3 else DeliveryState.DELIVERED) for n in
            range(1, 7)]  # fmt: skip
    await store.write_deliveries(made)
    down = made[::-1]

    async def page(**arguments: object) -> list[Delivery]:
        return await store.page_deliveries(ENDPOINT.id, EVERY_STATE, **arguments)  # type: ignore[arg-type]

    assert await page(limit=2) == down[:2]
    assert await page(limit=2, after=down[1].id) == down[2:4]
    assert await page(limit=2, backwards=True) == down[4:]
    assert await page(limit=2, before=down[4].id, backwards=True) == down[2:4]
    assert await page(after=down[1].id, before=down[4].id) == down[2:4]
    assert await store.page_deliveries(ENDPOINT.id, [DeliveryState.DEAD]) == [
        delivery(3, DeliveryState.DEAD)
    ]
    assert await store.page_deliveries(FULL.id, EVERY_STATE) == []


async def test_the_log_is_kept_by_age_and_number_and_dead_letters_apart(store: GraphStore) -> None:
    made = [delivery(n, DeliveryState.DEAD if n in (2, 3) else DeliveryState.DELIVERED) for n in
            range(1, 8)]  # fmt: skip
    await store.write_deliveries(made)
    log = EVERY_STATE - {DeliveryState.DEAD}

    async def seqs() -> list[int]:
        return [one.seq for one in await store.page_deliveries(ENDPOINT.id, EVERY_STATE)]

    await store.purge_deliveries(ENDPOINT.id, log, before=day(5), keep=100)
    assert await seqs() == [7, 6, 5, 3, 2]
    await store.purge_deliveries(ENDPOINT.id, log, before=day(1), keep=2)
    assert await seqs() == [7, 6, 3, 2]
    await store.purge_deliveries(ENDPOINT.id, [DeliveryState.DEAD], before=day(1), keep=1)
    assert await seqs() == [7, 6, 3]
    await store.purge_deliveries(FULL.id, log, before=day(1), keep=0)
    assert await seqs() == [7, 6, 3]
