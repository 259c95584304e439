"""Match events by subscription: what is told, to whom, and from which place on."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import pytest

import api.match_channels
import api.selections
import api.websocket_endpoint
from core.entities import EventType, Role
from tests.announcing.log import match
from tests.api import market
from tests.api.conftest import key_of
from tests.api.following import (
    FOLLOW,
    OFFER,
    WHOLE,
    begun,
    caught_up,
    event,
    events,
    following,
    purge,
    someone,
    write,
)
from tests.api.serving import Serving
from tests.api.test_websocket import socket


async def test_every_kind_of_event_is_told_whole(served: Serving) -> None:
    buyer = market.buyer(5)
    async with following(served, WHOLE) as client:
        last = await write(
            served,
            match(buyer, OFFER, payload={"reason": "MODEL_PUBLISHED", "heldBack": 2}),
            match(buyer, OFFER, EventType.MATCH_UPDATED, score=0.75,
                  payload={"reason": "SCORE_MOVED", "previousScore": 0.5}),
            match("erased", "gone", EventType.MATCH_WITHDRAWN),
        )  # fmt: skip
        created, updated, withdrawn = await events(client, last, 3)
    assert created["__typename"] == "MatchCreated"
    assert created["seq"] == last - 2
    assert created["id"] == f"{served.services.store.graph_id}-{last - 2}"
    assert (created["score"], created["rank"], created["heldBack"]) == (0.5, 1, 2)
    assert (created["type"], created["reason"]) == ("MATCH_CREATED", "MODEL_PUBLISHED")
    assert (created["vendorId"], created["categoryIds"]) == ("v-1", ["c-1"])
    assert created["modelVersion"] == "walk"
    assert datetime.fromisoformat(created["at"]).tzinfo is not None
    assert created["offer"]["vendor"] == {"name": "Vendor 1"}
    assert created["offer"]["categories"] == [{"externalId": "garden"}]
    assert created["buyer"] == {"externalId": buyer, "kind": "cafe"}
    assert (updated["score"], updated["previousScore"]) == (0.75, 0.5)
    assert (withdrawn["offerId"], withdrawn["offer"]) == ("gone", None)
    assert (withdrawn["buyerId"], withdrawn["buyer"]) == ("erased", None)
    assert withdrawn["reason"] == "SOLD_OUT"


async def test_without_a_cursor_it_begins_now(served: Serving) -> None:
    buyer = someone()
    await caught_up(served, await write(served, match(buyer)))
    async with following(served, filter={"buyers": [buyer]}) as client:
        last = await write(served, match(buyer))
        assert (await event(client))["seq"] == last


async def test_from_a_cursor_on_everything_comes_once_and_in_order(served: Serving) -> None:
    """While somebody goes on writing: what was before, what comes, and nothing between."""
    buyer = someone()
    asked = {"buyers": [buyer]}
    async with following(served, filter=asked) as client:
        await write(served, match(buyer))
        cursor = (await event(client))["cursor"]
    last = await write(served, *(match(buyer) for _ in range(650)))
    expected = list(range(last - 649, last + 1))

    async def go_on() -> None:
        for _ in range(60):
            last = await write(served, match(buyer), match(buyer))
            expected.extend((last - 1, last))

    writing = asyncio.ensure_future(go_on())
    async with following(served, filter=asked, after=cursor) as client:
        seqs = [(await event(client))["seq"] for _ in range(650 + 120)]
    await writing
    assert seqs == expected


async def test_a_cursor_may_be_ahead_of_this_process(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process of the same graph told of an event that this one has not seen yet."""

    async def nothing_new() -> None:
        return None

    feed, buyer = served.services.feed, someone()
    asked = {"buyers": [buyer]}
    async with following(served, filter=asked) as before:
        monkeypatch.setattr(feed, "_catch_up", nothing_new)
        seen = await write(served, match(buyer))
        cursor = served.services.cursors.event_cursor(seen)
        async with following(served, filter=asked, after=cursor) as client:
            monkeypatch.undo()
            last = await write(served, match(buyer))
            assert (await event(client))["seq"] == last
            assert [(await event(before))["seq"] for _ in range(2)] == [seen, last]


async def test_all_filters_hold(served: Serving) -> None:
    buyer, other = someone(), someone()
    drafts = [
        match(buyer),
        match(other),
        match(buyer, vendor_id="v-2"),
        match(buyer, category_ids=("c-2", "c-3")),
        match(buyer, score=0.9),
        match(buyer, type=EventType.MATCH_WITHDRAWN),
        match(buyer, type=EventType.MATCH_UPDATED),
    ]
    filters: dict[str, tuple[dict[str, Any], list[int]]] = {
        "buyer": ({"buyers": [buyer]}, [0, 2, 3, 4, 5, 6]),
        "vendor": ({"buyers": [buyer, other], "vendors": ["v-2"]}, [2]),
        "category": ({"buyers": [buyer], "categories": ["c-3", "c-9"]}, [3]),
        "score": ({"buyers": [buyer], "minScore": 0.8}, [4, 5]),
        "types": ({"buyers": [buyer], "types": ["MATCH_UPDATED", "MATCH_WITHDRAWN"]}, [5, 6]),
    }
    end = someone()
    async with socket(served) as client:
        await client.init()
        for id_, (asked, _) in filters.items():
            await client.subscribe(id_, FOLLOW, filter=asked | {"buyers": [*asked["buyers"], end]})
        await begun(client)
        # The last passes every filter.
        last = await write(served, *drafts, match(
            end, vendor_id="v-2", category_ids=("c-3",), score=1.0, type=EventType.MATCH_UPDATED
        ))  # fmt: skip
        got: dict[str, list[int]] = {id_: [] for id_ in filters}
        open_ = set(filters)
        while open_:
            message = await client.receive()
            told = message["payload"]["data"]["matchEvents"]
            if told["buyerId"] == end:
                open_.remove(message["id"])
            else:
                got[message["id"]].append(told["seq"] - (last - len(drafts)))
    assert got == {id_: expected for id_, (_, expected) in filters.items()}


@pytest.mark.parametrize(
    ("role", "filter_", "allowed"),
    [
        (Role.BUYER, None, True),
        (Role.BUYER, {"buyers": [market.buyer(1)]}, True),
        (Role.BUYER, {"buyers": [market.buyer(1), market.buyer(2)]}, False),
        (Role.BUYER, {"vendors": [market.vendor(2)]}, True),
        (Role.VENDOR, None, True),
        (Role.VENDOR, {"vendors": [market.vendor(1)]}, True),
        (Role.VENDOR, {"vendors": [market.vendor(2)]}, False),
        (Role.VENDOR, {"buyers": [market.buyer(2)]}, True),
        (Role.PARTNER, {"buyers": [market.buyer(2)]}, True),
        (Role.ANALYST, {"vendors": [market.vendor(2)]}, True),
        (Role.ADMIN, None, True),
    ],
)
async def test_who_may_ask_for_what(
    production: Serving, role: Role, filter_: dict[str, Any] | None, allowed: bool
) -> None:
    async with socket(production) as client:
        await client.init({"Authorization": f"Bearer {key_of(role)}"})
        await client.subscribe("1", FOLLOW, filter=filter_)
        await client.subscribe("2", "{ model { version } }")
        message = await client.receive()
        if allowed:
            assert message["id"] == "2"
        else:
            assert (message["id"], message["type"]) == ("1", "error")
            assert message["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_each_hears_of_its_own(production: Serving) -> None:
    own, others = market.buyer(1), market.buyer(2)
    drafts = [
        match(own, vendor_id=market.vendor(1)),
        match(own, vendor_id=market.vendor(2)),
        match(others, vendor_id=market.vendor(1)),
        match(others, vendor_id=None),
    ]
    heard = {Role.BUYER: [0, 1], Role.VENDOR: [0, 2], Role.PARTNER: [0, 1, 2, 3]}
    for role, expected in heard.items():
        async with following(production, role=role) as client:
            end = await write(production, *drafts, match(own, "end", vendor_id=market.vendor(1)))
            told = await events(client, end, len(drafts) + 1)
        got = [one["seq"] - (end - len(drafts)) for one in told]
        assert got == [*expected, len(drafts)], role


async def test_names_stay_with_those_who_may_read_them(production: Serving) -> None:
    query = "subscription { matchEvents { ... on MatchEvent { seq buyer { name } } } }"
    shown: dict[Role, Any] = {}
    for role in (Role.PARTNER, Role.ADMIN):
        async with following(production, query, role) as client:
            last = await write(production, match(market.buyer(1)))
            while role not in shown:
                payload = (await client.receive())["payload"]
                if payload["data"]["matchEvents"]["seq"] == last:
                    shown[role] = payload
    assert shown[Role.ADMIN]["data"]["matchEvents"]["buyer"] == {"name": "Person 1"}
    assert shown[Role.PARTNER]["data"]["matchEvents"]["buyer"] == {"name": None}
    assert shown[Role.PARTNER]["errors"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_one_execution_serves_all_who_ask_the_same(
    production: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed: list[str] = []
    execute = api.selections.Selection._execute

    def counted(self: Any, root: Any) -> Any:
        executed.append(self._context.principal.role)
        return execute(self, root)

    monkeypatch.setattr(api.selections.Selection, "_execute", counted)
    buyer = someone()
    asked = {"buyers": [buyer]}
    async with (
        following(production, role=Role.PARTNER, filter=asked) as first,
        following(production, role=Role.PARTNER, filter=asked) as second,
        following(production, role=Role.ADMIN, filter=asked) as third,
    ):
        await second.subscribe("again", FOLLOW, filter=asked)
        await begun(second)
        await write(production, match(buyer))
        told = [await event(client) for client in (first, second, second, third)]
    assert [one["buyerId"] for one in told] == [buyer] * 4
    assert sorted(executed) == ["admin", "partner"]


async def test_a_long_stream_keeps_nothing_of_its_events(served: Serving) -> None:
    buyer = someone()
    async with following(served, WHOLE, filter={"buyers": [buyer]}) as client:
        (kept,) = (
            channel.selection._executor._relevant_sub_fields
            for key, channel in served.server.app.state.channels._channels.items()
            if buyer in key.variables
        )
        sizes = []
        for _ in range(2):
            last = await write(served, *(match(buyer, OFFER) for _ in range(20)))
            while (await event(client))["seq"] < last:
                pass
            sizes.append(len(kept))
    assert sizes[0] == sizes[1] > 0


async def test_a_cursor_too_old_is_told_with_the_oldest_that_is_not(served: Serving) -> None:
    cursors, kept = served.services.cursors, someone()
    last = await write(served, *(match(someone()) for _ in range(3)), match(kept))
    cursor = cursors.event_cursor(last - 3)
    await caught_up(served, last)
    await asyncio.to_thread(served.run, purge(served.services.store, last - 1))
    # What is in memory is told all the same; another process, or this one later, has it no more.
    feed = served.services.feed
    floor, feed._floor = feed._floor, last
    try:
        async with socket(served) as client:
            await client.init()
            await client.subscribe("1", FOLLOW, after=cursor)
            expired = await event(client)
            assert expired["__typename"] == "CursorExpired"
            assert expired["seq"] == cursors.read_event(expired["cursor"]) >= last - 1
            assert await client.receive() == {"id": "1", "type": "complete"}
            await client.subscribe("2", FOLLOW, after=expired["cursor"], filter={"buyers": [kept]})
            assert (await event(client))["seq"] == last
    finally:
        feed._floor = floor
