"""graphql-transport-ws on a running server: the protocol, its close codes, live matches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

import api.http_endpoint
import api.websocket_endpoint
from api.ids import Label, global_id
from core.entities import Role
from tests.api import market
from tests.api.conftest import JWT_SECRET, give_key, key_of
from tests.api.serving import Serving

PROTOCOL = Subprotocol("graphql-transport-ws")
WATCH = """subscription ($buyers: [ID!]!, $filter: MatchEventFilter) {
  matchEvents(buyers: $buyers, filter: $filter, top: 5) {
    id score rank modelVersion seq at offer { externalId title } buyer { externalId } } }"""


class Socket:
    """A client that speaks the protocol message by message."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def send(self, message: Any) -> None:
        await self.connection.send(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        message = json.loads(await asyncio.wait_for(self.connection.recv(), 20))
        assert isinstance(message, dict)
        return message

    async def init(self, payload: dict[str, Any] | None = None) -> None:
        await self.send({"type": "connection_init", "payload": payload or {}})
        assert await self.receive() == {"type": "connection_ack"}

    async def subscribe(self, id_: str, query: str, **variables: Any) -> None:
        payload = {"query": query, "variables": variables}
        await self.send({"id": id_, "type": "subscribe", "payload": payload})

    async def close_code(self) -> int:
        """The code that the server closes with."""
        with pytest.raises(ConnectionClosed) as caught:
            while True:
                await asyncio.wait_for(self.connection.recv(), 20)
        assert caught.value.rcvd is not None
        return caught.value.rcvd.code


@asynccontextmanager
async def socket(serving: Serving, **options: Any) -> AsyncIterator[Socket]:
    options.setdefault("subprotocols", [PROTOCOL])
    async with connect(serving.socket_url, proxy=None, **options) as connection:
        yield Socket(connection)


async def test_a_query_runs_over_the_socket(served: Serving) -> None:
    async with socket(served) as client:
        await client.init()
        await client.send({"type": "ping"})
        assert await client.receive() == {"type": "pong"}
        await client.subscribe("1", "{ health { ready } }")
        data = {"data": {"health": {"ready": True}}}
        assert await client.receive() == {"id": "1", "type": "next", "payload": data}
        assert await client.receive() == {"id": "1", "type": "complete"}


async def test_a_refused_operation_is_an_error_and_the_socket_stays(served: Serving) -> None:
    million = """{ buyers(first: 100) { edges { node { matches(first: 100) { edges { node {
      buyer { matches(first: 100) { total } } } } } } } } }"""
    async with socket(served) as client:
        await client.init()
        for id_, query, code in (
            ("1", "{ nothing }", "GRAPHQL_VALIDATION_FAILED"),
            ("2", million, "TOO_COSTLY"),
            ("3", 'subscription { matchEvents(buyers: ["nobody"]) { id } }', "NOT_FOUND"),
            ("4", "subscription { matchEvents(buyers: []) { id } }", "BAD_INPUT"),
        ):
            await client.subscribe(id_, query)
            message = await client.receive()
            assert message["id"] == id_
            payload = message["payload"]
            errors = payload if message["type"] == "error" else payload["errors"]
            assert errors[0]["extensions"]["code"] == code
            if message["type"] == "next":
                assert (await client.receive())["type"] == "complete"


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "[]",
        "null",
        '"text"',
        "{",
        "{}",
        '{"type": 1}',
        '{"type": "unknown"}',
        '{"type": "subscribe"}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": 1, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 1}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "variables": [1]}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ a }", "operationName": 1}}',
        '{"type": "complete"}',
        "[" * 50_000,
        '{"type": "ping", "payload": ' + "[" * 100 + "]" * 100 + "}",
    ],
)
async def test_what_is_no_message_closes_4400(served: Serving, text: str) -> None:
    async with socket(served) as client:
        await client.init()
        await client.connection.send(text)
        assert await client.close_code() == 4400


async def test_a_binary_message_closes_4400(served: Serving) -> None:
    async with socket(served) as client:
        await client.connection.send(b"\x00")
        assert await client.close_code() == 4400


async def test_nothing_runs_before_the_init(served: Serving) -> None:
    async with socket(served) as client:
        await client.subscribe("1", "{ __typename }")
        assert await client.close_code() == 4401


async def test_one_init_is_enough(served: Serving) -> None:
    async with socket(served) as client:
        await client.init()
        await client.send({"type": "connection_init"})
        assert await client.close_code() == 4429


async def test_an_id_is_used_once_at_a_time(served: Serving) -> None:
    async with socket(served) as client:
        await client.init()
        await client.subscribe("1", WATCH, buyers=[market.buyer(30)])
        await client.subscribe("1", WATCH, buyers=[market.buyer(30)])
        assert await client.close_code() == 4409


@pytest.mark.parametrize("protocols", [None, ["graphql-ws"]])
async def test_no_other_protocol_is_spoken(served: Serving, protocols: Any) -> None:
    async with socket(served, subprotocols=protocols) as client:
        assert await client.close_code() == 4406


async def test_a_page_of_another_origin_is_refused(served: Serving) -> None:
    with pytest.raises(InvalidStatus) as caught:
        async with socket(served, origin="http://somewhere.else"):
            raise AssertionError("the socket was opened")
    assert caught.value.response.status_code == 403


async def test_new_matches_arrive_live(served: Serving) -> None:
    buyer = market.buyer(31)
    async with socket(served) as client:
        await client.init()
        await client.subscribe("1", WATCH, buyers=[buyer])
        await asyncio.sleep(0.5)  # the subscription begins with what is there now
        bought = await asyncio.to_thread(buy_first, served, buyer)
        message = await client.receive()
        assert (message["id"], message["type"]) == ("1", "next")
        assert "errors" not in message["payload"]
        event = message["payload"]["data"]["matchEvents"]
        assert event["buyer"]["externalId"] == buyer
        assert event["offer"]["externalId"] not in bought
        assert 1 <= event["rank"] <= 5
        assert event["id"]
        await client.send({"id": "1", "type": "complete"})
        await client.subscribe("1", "{ __typename }")
        while (message := await client.receive())["payload"].get("data", {}).get(
            "__typename"
        ) != "Query":
            assert message["type"] == "next"


def buy_first(serving: Serving, buyer: str, key: str | None = None) -> list[str]:
    """Buy the buyer's first two matches, so that others move up; their ids."""
    query = """query ($b: ID!) { buyer(by: {externalId: $b}) {
      matches(first: 2) { edges { node { offer { externalId } } } } } }"""
    edges = serving.data(query, key, b=buyer)["buyer"]["matches"]["edges"]
    offers = [edge["node"]["offer"]["externalId"] for edge in edges]
    serving.data(
        "mutation ($i: [RecordPurchaseInput!]!) { recordPurchases(input: $i) { seq } }",
        key,
        i=[{"buyerId": buyer, "offerId": offer} for offer in offers],
    )
    return offers


async def test_a_subscription_can_ask_for_some_vendors_only(served: Serving) -> None:
    buyer = market.buyer(32)
    async with socket(served) as client:
        await client.init()
        await client.subscribe("all", WATCH, buyers=[buyer])
        await client.subscribe("none", WATCH, buyers=[buyer], filter={"vendors": ["nobody"]})
        await asyncio.sleep(0.5)
        await asyncio.to_thread(buy_first, served, buyer)
        assert (await client.receive())["id"] == "all"
        await client.subscribe("end", "{ __typename }")
        while (message := await client.receive())["id"] != "end":
            assert message["id"] == "all"


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(Role.BUYER, True), (Role.VENDOR, False), (Role.PARTNER, True), (Role.ANALYST, True),
     (Role.ADMIN, True)],
)  # fmt: skip
async def test_who_may_follow_a_buyer(production: Serving, role: Role, allowed: bool) -> None:
    async with socket(production) as client:
        await client.init({"Authorization": f"Bearer {key_of(role)}"})
        await client.subscribe("1", WATCH, buyers=[market.buyer(1)])
        await client.subscribe("2", "{ model { version } }")
        message = await client.receive()
        if allowed:
            assert message["id"] == "2"
        else:
            errors = message["payload"]
            assert (message["type"], errors[0]["extensions"]["code"]) == ("error", "FORBIDDEN")


async def test_a_buyer_follows_nobody_else(production: Serving) -> None:
    async with socket(production) as client:
        await client.init({"X-API-Key": key_of(Role.BUYER)})
        await client.subscribe("1", WATCH, buyers=[market.buyer(1), market.buyer(2)])
        assert (await client.receive())["payload"][0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_credential_may_come_with_the_handshake(production: Serving) -> None:
    headers = {"Authorization": f"Bearer {key_of(Role.PARTNER)}"}
    async with socket(production, additional_headers=headers) as client:
        await client.init()


@pytest.mark.parametrize("payload", [{}, {"Authorization": "Bearer opk_wrong"}])
async def test_without_a_good_credential_the_socket_closes(
    production: Serving, payload: dict[str, str]
) -> None:
    async with socket(production) as client:
        await client.send({"type": "connection_init", "payload": payload})
        assert await client.close_code() == 4403


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
        await client.subscribe("1", WATCH, buyers=[market.buyer(1)])
        assert await client.close_code() == 4403


async def test_a_revoked_key_ends_its_subscription(production: Serving) -> None:
    secret, buyer, admin = "opk_soon-to-be-revoked", market.buyer(41), key_of(Role.ADMIN)
    key = give_key(production, Role.PARTNER, secret)
    async with socket(production) as client:
        await client.init({"Authorization": f"Bearer {secret}"})
        await client.subscribe("1", WATCH, buyers=[buyer])
        await asyncio.sleep(0.5)
        store = production.services.store
        await asyncio.to_thread(production.run, store.revoke_api_key(key.id, datetime.now(UTC)))
        production.services.authenticator.forget()
        await asyncio.to_thread(buy_first, production, buyer, admin)
        message = await client.receive()
        error = message["payload"]["errors"][0]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
        assert (await client.receive())["type"] == "complete"


async def test_an_address_has_so_many_sockets(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.websocket_endpoint, "MAX_CONNECTIONS_PER_ADDRESS", 1)
    async with socket(served) as first:
        await first.init()
        async with socket(served) as second:
            assert await second.close_code() == 4429
    for _ in range(50):  # the first one's place is free again once the server has let go of it
        async with socket(served) as third:
            await third.send({"type": "connection_init"})
            try:
                assert await third.receive() == {"type": "connection_ack"}
                return
            except ConnectionClosed:
                await asyncio.sleep(0.05)
    raise AssertionError("the place was never freed")


async def test_a_socket_runs_so_many_operations(served: Serving) -> None:
    async with socket(served) as client:
        await client.init()
        for number in range(api.websocket_endpoint.MAX_OPERATIONS + 1):
            await client.subscribe(str(number), WATCH, buyers=[market.buyer(33)])
        message = await client.receive()
        assert (message["id"], message["type"]) == ("20", "error")


async def test_a_query_over_the_socket_has_its_time(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.websocket_endpoint, "OPERATION_SECONDS", 0.2)
    monkeypatch.setattr(served.services.store, "get_purchases", never)
    async with socket(served) as client:
        await client.init()
        await client.subscribe("1", f'{{ node(id: "{global_id(Label.PURCHASE, "x")}") {{ id }} }}')
        message = await client.receive()
        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"]["code"] == "TIMEOUT"


def test_a_query_over_http_has_its_time(served: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.http_endpoint, "OPERATION_SECONDS", 0.2)
    monkeypatch.setattr(served.services.store, "get_purchases", never)
    query = f'{{ node(id: "{global_id(Label.PURCHASE, "x")}") {{ id }} }}'
    assert served.codes(query) == ["TIMEOUT"]


async def never(_ids: object) -> Any:
    await asyncio.Event().wait()


async def test_a_socket_without_an_init_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.websocket_endpoint, "INIT_SECONDS", 0.2)
    with Serving(tmp_path) as serving:
        async with socket(serving) as client:
            assert await client.close_code() == 4408
