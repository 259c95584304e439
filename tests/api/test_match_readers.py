"""Readers of match events whose credential ends, who are slow, or whose graph is away."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import api.match_channels
import api.selections
import api.websocket_endpoint
from core.entities import Role
from tests.announcing.log import match
from tests.api import market
from tests.api.conftest import give_key, key_of, token
from tests.api.following import (
    FOLLOW,
    OFFER,
    WHOLE,
    begun,
    event,
    events,
    following,
    someone,
    write,
)
from tests.api.serving import Serving
from tests.api.test_websocket import socket


async def test_a_token_ends_its_socket_when_it_expires(production: Serving) -> None:
    soon = token(exp=datetime.now(UTC) + timedelta(seconds=3))
    async with socket(production) as client:
        await client.init({"Authorization": f"Bearer {soon}"})
        await client.subscribe("1", FOLLOW)
        assert await client.close_code() == 4403


async def test_a_revoked_key_ends_its_subscription_though_nothing_happens(
    production: Serving,
) -> None:
    secret = "opk_soon-to-be-revoked"
    key = give_key(production, Role.PARTNER, secret)
    async with socket(production) as client, socket(production) as other:
        await client.init({"Authorization": f"Bearer {secret}"})
        await client.subscribe("1", FOLLOW, filter={"buyers": ["nobody-at-all"]})
        await begun(client)
        await other.init({"Authorization": f"Bearer {key_of(Role.PARTNER)}"})
        await other.subscribe("1", FOLLOW)
        await begun(other)
        store = production.services.store
        await asyncio.to_thread(production.run, store.revoke_api_key(key.id, datetime.now(UTC)))
        message = await client.receive()
        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert await client.close_code() == 4403
        (told,) = await events(other, await write(production, match(someone())))
        assert told["__typename"] == "MatchCreated"


async def test_many_keys_are_checked_in_one_read(
    production: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    secrets = [f"opk_one-of-many-{number}" for number in range(12)]
    keys = [give_key(production, Role.PARTNER, secret) for secret in secrets]
    store, authenticator = production.services.store, production.services.authenticator
    one_by_one: list[str] = []
    find = store.find_api_key

    async def counted(digest: str) -> Any:
        one_by_one.append(digest)
        return await find(digest)

    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(socket(production)) for _ in secrets]
        for client, secret in zip(clients, secrets, strict=True):
            await client.init({"Authorization": f"Bearer {secret}"})
            await client.subscribe("1", FOLLOW)
            await begun(client)
        monkeypatch.setattr(store, "find_api_key", counted)
        authenticator.forget()
        await asyncio.to_thread(production.run, store.revoke_api_key(keys[3].id, datetime.now(UTC)))
        assert await clients[3].close_code() == 4403
        assert await events(clients[4], await write(production, match(someone())))
    assert one_by_one == []


async def test_a_silent_stream_says_that_it_lives(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.match_channels, "HEARTBEAT_SECONDS", 0.0)
    async with following(served, filter={"buyers": ["nobody-at-all"]}) as client:
        seq = await write(served, match(someone()))
        while True:
            beat = await client.receive()
            assert (beat["type"], beat["payload"]["id"]) == ("ping", "1")
            cursor = beat["payload"]["cursor"]
            if served.services.cursors.read_event(cursor) >= seq:
                break  # it moves though the filter lets nothing through


async def test_who_does_not_read_costs_little_and_loses_nothing(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told that it lags when the ring has moved on, and then every event, in order."""
    buyer, count = someone(), 4_000
    asked = {"buyers": [buyer]}
    monkeypatch.setattr(served.services.feed, "_most", 200)
    title = "x" * 1_000
    query = FOLLOW.replace("seq cursor", f"seq cursor {' '.join(many_names())}")
    async with following(served, query, filter=asked) as slow:
        slow.connection.transport.pause_reading()
        async with following(served, filter=asked) as quick:
            expected: list[int] = []
            for _ in range(count // 100):
                last = await write(served, *(match(buyer, title) for _ in range(100)))
                expected += range(last - 99, last + 1)
            while (await event(quick))["seq"] < last:
                pass
        waiting = sum(
            one.transport.get_write_buffer_size()
            for one in served.server.server_state.connections
            if hasattr(one, "write_frames")
        )
        assert waiting < 2_000_000
        slow.connection.transport.resume_reading()
        told = [await event(slow)]
        while told[-1]["seq"] < last:
            told.append(await event(slow))
    lagged = [one for one in told if one["__typename"] == "Lagged"]
    assert lagged
    assert all(one["behind"] > 0 for one in lagged)
    seqs = [one["seq"] for one in told if one["__typename"] != "Lagged"]
    assert seqs == expected


def many_names() -> list[str]:
    """Forty aliases of a long field, so that messages are large."""
    return [f"n{number}: offerId" for number in range(4)]


@pytest.mark.parametrize("late", [False, True])
async def test_a_graph_that_is_away_costs_nothing_but_time(
    served: Serving, monkeypatch: pytest.MonkeyPatch, late: bool
) -> None:
    """Whether it is away for those who are live, or for one who comes with an older cursor."""
    buyer, failed = someone(), asyncio.Event()
    tell_ = api.selections.Selection.tell

    async def away(self: Any, events: Any) -> Any:
        if not events or failed.is_set():
            return await tell_(self, events)
        asyncio.get_running_loop().call_later(0.2, failed.set)
        raise ConnectionError("the graph is away")

    monkeypatch.setattr(api.match_channels, "RETRY_SECONDS", 0.05)
    last = await write(served, match(buyer, OFFER)) if late else 0
    after = served.services.cursors.event_cursor(last - 1) if late else None
    monkeypatch.setattr(api.selections.Selection, "tell", away)
    async with following(served, filter={"buyers": [buyer]}, after=after) as client:
        if not late:
            last = await write(served, match(buyer, OFFER))
        assert (await event(client))["seq"] == last
    assert failed.is_set()


async def test_who_never_reads_is_given_up(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.websocket_endpoint, "SLOW_SECONDS", 0.3)
    buyer = someone()
    async with following(served, filter={"buyers": [buyer]}) as client:
        client.connection.transport.pause_reading()
        for _ in range(30):
            await write(served, *(match(buyer, "x" * 2_000) for _ in range(200)))
        for _ in range(200):
            if not any(
                buyer in key.variables for key in served.server.app.state.channels._channels
            ):
                break
            await asyncio.sleep(0.05)
        client.connection.transport.resume_reading()
        assert await client.close_code() == 4410


async def test_a_completed_subscription_is_forgotten(served: Serving) -> None:
    channels = served.server.app.state.channels
    async with following(served, filter={"buyers": [someone()]}) as client:
        assert channels._channels
        await client.send({"id": "1", "type": "complete"})
        await begun(client)
    for _ in range(100):
        if not channels._channels and not channels._followers:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("somebody still follows")


async def test_what_a_buyer_does_is_heard_by_those_who_follow(served: Serving) -> None:
    """From a purchase over the announcer to a partner's socket."""
    buyer = market.buyer(31)
    query = """query ($b: ID!) { buyer(by: {externalId: $b}) {
      matches(first: 3) { edges { node { offer { externalId } } } } } }"""
    buys = "mutation ($i: [RecordPurchaseInput!]!) { recordPurchases(input: $i) { seq } }"
    async with following(served, WHOLE, filter={"buyers": [buyer]}) as client:
        page = await asyncio.to_thread(served.data, query, b=buyer)
        offers = [edge["node"]["offer"]["externalId"] for edge in page["buyer"]["matches"]["edges"]]
        lines = [{"buyerId": buyer, "offerId": offer} for offer in offers]
        await asyncio.to_thread(served.data, buys, i=lines)
        told = await event(client)
    assert told["buyerId"] == told["buyer"]["externalId"] == buyer
    assert told["offerId"] == told["offer"]["externalId"]
    assert told["id"] == f"{served.services.store.graph_id}-{told['seq']}"
