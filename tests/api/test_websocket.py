"""graphql-transport-ws on a running server: the protocol, its close codes, live matches."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

import api.http_endpoint
import api.websocket_endpoint
from api.addresses import Addresses
from api.ids import Label, global_id
from core.entities import Role
from tests.api.conftest import key_of
from tests.api.serving import Serving

PROTOCOL = Subprotocol("graphql-transport-ws")
WATCH = """subscription ($filter: MatchEventFilterInput, $after: Cursor) {
  matchEvents(filter: $filter, after: $after) { __typename ... on MatchEvent { id buyerId } } }"""


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
            ("3", 'subscription { matchEvents(after: "made up") { __typename } }',
             "CURSOR_INVALID"),
            ("4", "subscription { matchEvents(filter: {buyers: []}) { __typename } }",
             "BAD_INPUT"),
            ("5", "subscription { matchEvents(filter: {minScore: 2}) { __typename } }",
             "BAD_INPUT"),
            ("6", "subscription { matchEvents { nothing } }", "GRAPHQL_VALIDATION_FAILED"),
            ("7", "subscription ($c: Cursor!) { matchEvents(after: $c) { __typename } }",
             "GRAPHQL_VALIDATION_FAILED"),
        ):  # fmt: skip
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
        await client.subscribe("1", WATCH)
        await client.subscribe("1", WATCH)
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


async def test_an_address_has_so_many_sockets(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses_of(served), "most", 1)
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


def addresses_of(serving: Serving) -> Addresses:
    """What counts the connections to a server."""
    addresses = serving.server.app.state.addresses
    assert isinstance(addresses, Addresses)
    return addresses


async def test_a_socket_runs_so_many_operations(served: Serving) -> None:
    async with socket(served) as client:
        await client.init()
        for number in range(api.websocket_endpoint.MAX_OPERATIONS + 1):
            await client.subscribe(str(number), WATCH)
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
