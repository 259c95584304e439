"""Match events by subscription: backfill and live, filters, permissions, slow and late readers."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

import api.match_channels
import api.selections
import api.websocket_endpoint
from core.entities import EventType, Role
from graph.store import GraphStore
from tests.announcing.log import match, tell
from tests.api import market
from tests.api.conftest import JWT_SECRET, give_key, key_of
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


async def purge(store: GraphStore, to: int) -> None:
    """Remove the events up to there, whatever their age."""
    keep = await store.last_seq() - to
    await store.purge_events(datetime.now(UTC) + timedelta(days=1), keep=keep)


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


async def test_a_token_ends_its_socket_when_it_expires(production: Serving) -> None:
    claims = {
        "sub": market.buyer(1),
        "role": "buyer",
        "aud": "offerpath",
        "iss": "offerpath",
        "exp": datetime.now(UTC) + timedelta(seconds=3),
    }
    token = jwt.encode(claims, JWT_SECRET, algorithm="HS256")
    async with socket(production) as client:
        await client.init({"Authorization": f"Bearer {token}"})
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
