"""GraphQL as Server-Sent Events on a running server: distinct connections, resuming, limits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

import api.match_channels
from api.sse_endpoint import wants_events
from core.entities import Role
from tests.announcing.log import match
from tests.api.conftest import give_key, key_of
from tests.api.following import FOLLOW, someone, write
from tests.api.serving import Serving
from tests.api.test_websocket import addresses_of

EVENTS = {"Accept": "text/event-stream"}


@dataclass
class Received:
    """One event of a stream, as a browser would dispatch it; comments apart."""

    event: str = "message"
    data: list[str] = field(default_factory=list)
    id: str | None = None
    comments: list[str] = field(default_factory=list)

    @property
    def told(self) -> dict[str, Any]:
        """The match event of a `next` without errors."""
        assert self.event == "next", self
        payload = json.loads("\n".join(self.data))
        assert "errors" not in payload, payload
        told = payload["data"]["matchEvents"]
        assert isinstance(told, dict)
        return told


class Stream:
    """Reads a response as an event stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self, *, comments: bool = False) -> Received:
        """The next event with data; with ``comments``, whatever is next."""
        while True:
            received = await asyncio.wait_for(self._read(), 20)
            if comments or received.data:
                return received

    async def _read(self) -> Received:
        received = Received()
        async for line in self._lines:
            if not line:
                return received
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match name:
                case "event":
                    received.event = value
                case "data":
                    received.data.append(value)
                case "id":
                    received.id = value
                case "":
                    received.comments.append(value)
        raise EOFError


@asynccontextmanager
async def streaming(
    serving: Serving,
    query: str = FOLLOW,
    key: str | None = None,
    headers: dict[str, str] | None = None,
    **variables: Any,
) -> AsyncIterator[Stream]:
    """A stream that has begun."""
    headers = EVENTS | (headers or {}) | ({"Authorization": f"Bearer {key}"} if key else {})
    body = {"query": query, "variables": variables}
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("POST", serving.url, json=body, headers=headers) as response,
    ):
        stream = Stream(response)
        if response.status_code == 200:
            assert response.headers["content-type"].startswith("text/event-stream")
            assert "no-store" in response.headers["cache-control"]
            await stream.next(comments=True)
        yield stream


async def test_events_come_with_their_cursor_and_are_resumed_behind_it(served: Serving) -> None:
    buyer = someone()
    asked = {"buyers": [buyer]}
    async with streaming(served, filter=asked) as stream:
        await write(served, match(buyer), match(someone()), match(buyer))
        first, second = await stream.next(), await stream.next()
    assert first.told["buyerId"] == second.told["buyerId"] == buyer
    assert second.told["seq"] == first.told["seq"] + 2
    assert first.id == first.told["cursor"]
    missed = await write(served, match(buyer))
    assert first.id
    # What a browser sends by itself wins over what the request began with.
    resumed = {"Last-Event-ID": first.id}
    async with streaming(
        served, headers=resumed, filter=asked, after=second.told["cursor"]
    ) as stream:
        again = await stream.next()
        assert (again.told["id"], again.id) == (second.told["id"], second.id)
        assert (await stream.next()).told["seq"] == missed


async def test_a_query_is_one_event_and_the_end(served: Serving) -> None:
    async with streaming(served, "{ health { ready } }") as stream:
        pass
    async with httpx.AsyncClient() as client:
        answer = await client.get(
            served.url, params={"query": "{ health { ready } }"}, headers=EVENTS
        )
    assert answer.text == (
        'event: next\ndata: {"data":{"health":{"ready":true}}}\n\nevent: complete\ndata:\n\n'
    )
    assert stream.response.status_code == 200


async def test_a_browsers_event_source_reads_by_get(served: Serving) -> None:
    buyer = someone()
    query = f'subscription {{ matchEvents(filter: {{buyers: ["{buyer}"]}}) {{ __typename }} }}'
    async with (
        httpx.AsyncClient(timeout=30) as client,
        client.stream("GET", served.url, params={"query": query}, headers=EVENTS) as response,
    ):
        stream = Stream(response)
        await stream.next(comments=True)
        await write(served, match(buyer))
        assert (await stream.next()).told == {"__typename": "MatchCreated"}


@pytest.mark.parametrize(
    ("query", "variables", "code"),
    [
        ("subscription { nothing }", {}, "GRAPHQL_VALIDATION_FAILED"),
        ("subscription {", {}, "GRAPHQL_PARSE_FAILED"),
        ("subscription { matchEvents { nothing } }", {}, "GRAPHQL_VALIDATION_FAILED"),
        (FOLLOW, {"filter": {"minScore": 7}}, "BAD_INPUT"),
        (FOLLOW, {"filter": {"vendors": []}}, "BAD_INPUT"),
        (FOLLOW, {"after": "made up"}, "CURSOR_INVALID"),
        (FOLLOW, {"filter": {"buyers": 3.5}}, "GRAPHQL_VALIDATION_FAILED"),
    ],
)
async def test_what_is_refused_is_told_as_an_event(
    served: Serving, query: str, variables: dict[str, Any], code: str
) -> None:
    async with httpx.AsyncClient() as client:
        body = {"query": query, "variables": variables}
        answer = await client.post(served.url, json=body, headers=EVENTS)
    assert answer.status_code == 200
    first, second, rest = answer.text.split("\n\n")
    assert first.startswith("event: next\ndata: ")
    (error,) = json.loads(first.partition("data: ")[2])["errors"]
    assert error["extensions"]["code"] == code
    assert (second, rest) == ("event: complete\ndata:", "")


async def test_a_stream_needs_a_credential_and_a_request(production: Serving) -> None:
    async with streaming(production) as stream:
        assert stream.response.status_code == 401
    async with streaming(production, query="", key=key_of(Role.PARTNER)) as stream:
        assert stream.response.status_code == 400


async def test_get_does_not_mutate_as_a_stream_either(served: Serving) -> None:
    query = 'mutation { deleteOffer(id: "nothing") { seq } }'
    async with httpx.AsyncClient() as client:
        answer = await client.get(served.url, params={"query": query}, headers=EVENTS)
    assert answer.status_code == 405


async def test_a_revoked_key_ends_its_stream_though_nothing_happens(production: Serving) -> None:
    secret = "opk_revoked-while-streaming"
    key = give_key(production, Role.PARTNER, secret)
    async with streaming(production, key=secret, filter={"buyers": ["nobody-at-all"]}) as stream:
        store = production.services.store
        await asyncio.to_thread(production.run, store.revoke_api_key(key.id, datetime.now(UTC)))
        ended = await stream.next()
        (error,) = json.loads(ended.data[0])["errors"]
        assert error["extensions"]["code"] == "UNAUTHENTICATED"
        assert (await stream.next(comments=True)).event == "complete"


async def test_a_silent_stream_says_that_it_lives_and_where_it_stands(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.match_channels, "HEARTBEAT_SECONDS", 0.0)
    async with streaming(served, filter={"buyers": ["nobody-at-all"]}) as stream:
        seq = await write(served, match(someone()))
        while True:
            beat = await stream.next(comments=True)
            assert beat.comments
            assert not beat.data
            if beat.id and served.services.cursors.read_event(beat.id) >= seq:
                break


async def test_streams_count_among_an_addresss_connections(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses_of(served), "most", 1)
    async with streaming(served), streaming(served) as second:
        assert second.response.status_code == 429
    for _ in range(100):  # the place is free again once the server has noticed
        async with streaming(served) as third:
            if third.response.status_code == 200:
                return
        await asyncio.sleep(0.05)
    raise AssertionError("the place was never freed")


async def test_who_left_is_forgotten(served: Serving) -> None:
    channels = served.server.app.state.channels
    buyer = someone()

    def follows() -> bool:
        return any(buyer in key.variables for key in channels._channels)

    async with streaming(served, filter={"buyers": [buyer]}) as stream:
        await write(served, match(buyer))
        assert (await stream.next()).told["buyerId"] == buyer
        assert follows()
    for _ in range(200):
        if not follows():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("somebody still follows")


async def test_who_does_not_read_keeps_little_waiting(served: Serving) -> None:
    buyer, count = someone(), 3_000
    body = json.dumps({"query": FOLLOW, "variables": {"filter": {"buyers": [buyer]}}}).encode()
    host, port = served.url.removeprefix("http://").removesuffix("/graphql").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1_024)
    writer.write(
        f"POST /graphql HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: text/event-stream\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    await reader.readuntil(b": welcome")
    # More than what a network keeps for a reader: 18 MB.
    expected: list[int] = []
    for _ in range(count // 100):
        last = await write(served, *(match(buyer, "x" * 6_000) for _ in range(100)))
        expected += range(last - 99, last + 1)
    slow = [
        one.sink._size
        for one in served.server.app.state.channels._followers
        if not one.sink.is_ready()
    ]
    assert 0 < sum(slow) < 1_000_000
    pieces: list[bytes] = []
    while f'"seq":{last},'.encode() not in b"".join(pieces[-2:]):
        pieces.append(await asyncio.wait_for(reader.read(1_000_000), 20))
    writer.close()
    read = b"".join(pieces)
    told = [part.split(b",")[0] for part in read.split(b'"seq":')[1:]]
    assert [int(seq) for seq in told] == expected


async def test_a_server_that_ends_lets_its_streams_go(tmp_path: Path) -> None:
    with Serving(tmp_path) as serving:
        async with streaming(serving) as stream:
            serving.server.should_exit = True
            with pytest.raises((EOFError, httpx.RemoteProtocolError)):
                while (await stream.next(comments=True)).event != "complete":
                    pass


@pytest.mark.parametrize(
    ("accept", "wants"),
    [
        (None, False),
        ("*/*", False),
        ("application/json", False),
        ("text/event-stream", True),
        ("TEXT/Event-Stream; q=0.9", True),
        ("text/event-stream, application/json;q=0.5", True),
        ("application/json, text/event-stream;q=0.5", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=much", False),
    ],
)
def test_an_event_stream_is_asked_for_by_name(accept: str | None, wants: bool) -> None:
    assert wants_events(accept) is wants
