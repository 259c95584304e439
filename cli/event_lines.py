"""Events of the log as lines: read in the graph itself, or asked of the server that has it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from api.cursors import Cursors
from core.entities import MATCH_EVENTS, Event, EventType
from core.errors import (
    CursorExpiredError,
    CursorInvalidError,
    ForbiddenError,
    InputError,
    OfferpathError,
    UnauthenticatedError,
)

if TYPE_CHECKING:
    import httpx

    from core.settings import Settings
    from graph.store import GraphStore

PAGE = 1_000
PAGE_OF_SERVER = 100
POLL_SECONDS = 0.5
QUERY = """
query ($filter: MatchEventFilterInput, $after: Cursor, $first: Int) {
  matchEvents(filter: $filter, after: $after, first: $first) {
    edges { node {
      id seq cursor at type reason modelVersion buyerId offerId vendorId categoryIds
      ... on MatchCreated { score rank heldBack }
      ... on MatchUpdated { score rank previousScore }
    } }
    pageInfo { endCursor hasNextPage }
  }
}
"""
_ERRORS: dict[str, type[OfferpathError]] = {
    kind.code: kind
    for kind in (CursorExpiredError, CursorInvalidError, ForbiddenError, UnauthenticatedError)
}

Line = dict[str, Any]


async def lines_of_graph(
    store: GraphStore,
    settings: Settings,
    after: str | None,
    types: Collection[EventType] | None,
    *,
    follow: bool,
) -> AsyncIterator[Line]:
    """Events of these types (None: all) behind a seq or a cursor, in order.

    Without ``after``: of the oldest that are kept, or from now on when the log is followed.

    Raises:
        CursorExpiredError: when events behind ``after`` are no longer kept.
        CursorInvalidError: when it is no place in this log.
    """
    cursors = Cursors(store.graph_id + settings.jwt_key.get_secret_value())
    if after is not None:
        position = int(after) if _is_seq(after) else cursors.read_event(after)
    else:
        position = await store.last_seq() if follow else await store.log_start()
    while True:
        end = await store.last_seq()
        events = await store.read_events(position, PAGE, types)
        for event in events:
            yield line_of(event, cursors)
        newest = events[-1].seq if events else 0
        if len(events) == PAGE:
            position = newest
            continue
        # A page that is not full says that none of these types lies up to the end.
        position = max(position, end, newest)
        if not follow:
            return
        await asyncio.sleep(POLL_SECONDS)


async def lines_of_server(
    url: str, key: str, after: str | None, types: Collection[EventType], *, follow: bool
) -> AsyncIterator[Line]:
    """Match events of these types behind a cursor, asked of the server at ``url``.

    Args:
        url: where it answers GraphQL.
        key: an API key or token; empty: none is sent.
        after: a cursor; "0" or None: the oldest event that is kept.
        types: of match events.
        follow: whether to go on at the end.

    Raises:
        InputError: for a seq other than 0: the server knows cursors only.
        OfferpathError: what the server says.
    """
    import httpx

    if after is not None and _is_seq(after):
        if int(after):
            raise InputError(
                "The server that has the graph goes on from cursors, not from a seq.",
                mend="Give --after the cursor of the last event that you have.",
                field=("after",),
            )
        after = None
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    wanted = {"types": [kind.value for kind in types]}
    async with httpx.AsyncClient(headers=headers, timeout=30) as client:
        while True:
            asked = {"filter": wanted, "after": after, "first": PAGE_OF_SERVER}
            page = await _ask(client, url, asked)
            for edge in page["edges"]:
                yield _line_of_node(edge["node"])
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                if not follow:
                    return
                await asyncio.sleep(POLL_SECONDS)


def line_of(event: Event, cursors: Cursors) -> Line:
    """An event as JSON shows it, the same whichever way it was read."""
    payload = dict(event.payload or {})
    line: Line = {
        "seq": event.seq,
        "cursor": cursors.event_cursor(event.seq),
        "id": event.id,
        "type": event.type.value,
        "at": event.occurred_at.isoformat(),
        "buyerId": event.buyer_id,
        "offerId": event.offer_id,
        "vendorId": event.vendor_id,
        "categoryIds": list(event.category_ids),
    }
    if event.type not in MATCH_EVENTS:
        return {**line, "payload": payload}
    return line | _match_part(
        {**payload, "score": event.score, "rank": event.rank, "modelVersion": event.model_version}
    )


def _line_of_node(node: Mapping[str, Any]) -> Line:
    names = ("cursor", "id", "type", "buyerId", "offerId", "vendorId", "categoryIds")
    line = {name: node[name] for name in names}
    at = datetime.fromisoformat(node["at"]).isoformat()
    return {"seq": int(node["seq"]), **line, "at": at, **_match_part(node)}


def _match_part(told: Mapping[str, Any]) -> Line:
    return {
        "score": told.get("score"),
        "rank": told.get("rank"),
        "modelVersion": told.get("modelVersion"),
        "reason": told.get("reason"),
        "heldBack": told.get("heldBack") or 0,
        "previousScore": told.get("previousScore"),
    }


async def _ask(client: httpx.AsyncClient, url: str, variables: dict[str, Any]) -> dict[str, Any]:
    import httpx

    try:
        response = await client.post(url, json={"query": QUERY, "variables": variables})
        answer = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise OfferpathError(f"The server at {url} does not answer: {error}.") from error
    if answer.get("errors"):
        first = answer["errors"][0]
        kind = _ERRORS.get(first.get("extensions", {}).get("code", ""), OfferpathError)
        mend = "Give --key an API key." if kind is UnauthenticatedError else ""
        raise kind(f"The server at {url} says: {first['message']}", mend=mend)
    found: dict[str, Any] = answer["data"]["matchEvents"]
    return found


def _is_seq(text: str) -> bool:
    # A cursor begins with a signature and is longer than any seq.
    return text.isdecimal() and len(text) < 20
