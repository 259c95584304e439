"""Match events by polling: pages behind a cursor that moves, permissions, typed refusals."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

import api.match_log
from core.entities import Role
from tests.announcing.log import match
from tests.api import market
from tests.api.conftest import key_of
from tests.api.following import caught_up, purge, someone, write
from tests.api.serving import Serving

POLL = """query ($filter: MatchEventFilterInput, $after: Cursor, $first: Int) {
  matchEvents(filter: $filter, after: $after, first: $first) {
    edges { cursor node { __typename id seq cursor buyerId offer { externalId } } }
    pageInfo { hasNextPage endCursor }
  }
}"""


def poll(serving: Serving, role: Role | None = None, **variables: Any) -> dict[str, Any]:
    key = key_of(role) if role else None
    page = serving.data(POLL, key, **variables)["matchEvents"]
    assert isinstance(page, dict)
    return page


def end_of(serving: Serving) -> str:
    """The cursor at the log's end."""
    return serving.services.cursors.event_cursor(serving.services.feed.position)


async def test_pages_repeat_and_leave_out_nothing(served: Serving) -> None:
    buyer = someone()
    start = end_of(served)
    last = await write(served, *(match(buyer, market.offer(2)) for _ in range(25)))
    await caught_up(served, last)
    asked = {"buyers": [buyer]}
    seen: list[int] = []
    cursor, more = start, True
    while more:
        page = poll(served, filter=asked, after=cursor, first=10)
        seen += [edge["node"]["seq"] for edge in page["edges"]]
        cursor, more = page["pageInfo"]["endCursor"], page["pageInfo"]["hasNextPage"]
    assert seen == list(range(last - 24, last + 1))
    # Polling on from the end finds what comes after it, once.
    assert poll(served, filter=asked, after=cursor)["edges"] == []
    last = await write(served, match(buyer))
    await caught_up(served, last)
    (edge,) = poll(served, filter=asked, after=cursor)["edges"]
    assert edge["node"]["seq"] == last
    assert edge["cursor"] == edge["node"]["cursor"]


async def test_without_a_cursor_it_begins_with_the_oldest(served: Serving) -> None:
    await caught_up(served, await write(served, match(someone())))
    start = served.run(served.services.store.log_start())
    (edge,) = poll(served, first=1)["edges"]
    assert edge["node"]["seq"] > start
    from_start = served.services.cursors.event_cursor(start)
    assert poll(served, first=1, after=from_start)["edges"] == [edge]


async def test_the_end_moves_though_the_filter_lets_nothing_through(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.match_log, "SCAN", 5)
    monkeypatch.setattr(api.match_log, "MOST_SCANNED", 10)
    wanted = someone()
    last = await write(served, *(match(someone()) for _ in range(24)), match(wanted))
    await caught_up(served, last)
    cursors, asked = served.services.cursors, {"buyers": [wanted]}
    after, found = cursors.event_cursor(last - 25), []
    for end in (last - 15, last - 5, last):
        page = poll(served, filter=asked, after=after)
        after = page["pageInfo"]["endCursor"]
        assert cursors.read_event(after) >= end
        found.append([edge["node"]["seq"] for edge in page["edges"]])
    assert found == [[], [], [last]]


async def test_each_polls_its_own(production: Serving) -> None:
    own, others = market.buyer(1), market.buyer(2)
    last = await write(
        production,
        match(own, vendor_id=market.vendor(2)),
        match(others, vendor_id=market.vendor(1)),
        match(others, vendor_id=None),
    )
    await caught_up(production, last)
    start = production.services.cursors.event_cursor(last - 3)
    for role, expected in ((Role.BUYER, [2]), (Role.VENDOR, [1]), (Role.ANALYST, [2, 1, 0])):
        page = poll(production, role, after=start)
        seqs = [edge["node"]["seq"] for edge in page["edges"]]
        assert [last - seq for seq in seqs if seq <= last] == expected
        assert production.services.cursors.read_event(page["pageInfo"]["endCursor"]) >= last
    for role, asked in ((Role.BUYER, {"buyers": [others]}), (Role.VENDOR, {"vendors": ["v-2"]})):
        assert production.codes(POLL, key_of(role), filter=asked) == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("variables", "code"),
    [
        ({"after": "made up"}, "CURSOR_INVALID"),
        ({"first": 101}, "BAD_INPUT"),
        ({"filter": {"categories": []}}, "BAD_INPUT"),
        ({"filter": {"minScore": -0.1}}, "BAD_INPUT"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    served: Serving, variables: dict[str, Any], code: str
) -> None:
    assert served.codes(POLL, **variables) == [code]


def test_a_cursor_of_another_list_or_another_graph_is_refused(
    served: Serving, production: Serving
) -> None:
    offers = served.data("{ offers(first: 1) { pageInfo { endCursor } } }")
    foreign = offers["offers"]["pageInfo"]["endCursor"]
    beyond = served.services.cursors.event_cursor(10**9)
    for cursor in (foreign, beyond, end_of(production)):
        assert served.codes(POLL, after=cursor) == ["CURSOR_INVALID"]


async def test_a_cursor_too_old_is_a_typed_refusal(served: Serving) -> None:
    last = await write(served, *(match(someone()) for _ in range(4)))
    await caught_up(served, last)
    store, feed = served.services.store, served.services.feed
    old = served.services.cursors.event_cursor(last - 4)
    await asyncio.to_thread(served.run, purge(store, last - 1))
    floor, feed._floor = feed._floor, last
    try:
        answer = served.post(POLL, after=old).json()
        assert answer["data"] == {"matchEvents": None}
        assert answer["errors"][0]["extensions"] == {"code": "CURSOR_EXPIRED", "field": ["after"]}
        assert poll(served)["edges"][0]["node"]["seq"] >= last
    finally:
        feed._floor = floor


def test_a_page_is_priced_by_its_length(served: Serving) -> None:
    query = """query ($first: Int) { matchEvents(first: $first) { edges { node { offer {
      matches(first: 100) { edges { node { score rank buyer { kind } } } } } } } } }"""
    assert served.codes(query, first=100) == ["TOO_COSTLY"]
    assert served.codes(query, first=10) == []
