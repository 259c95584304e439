"""Purchases, cancellations, interactions and preferences, on both engines."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from core.entities import (
    EventType,
    Evidence,
    EvidenceKind,
    Preference,
    Purchase,
    RowStatus,
)
from graph.identity import identify_purchase
from graph.store import GraphStore
from tests.graph.stores import (
    BUYER,
    LEAF,
    OFFER,
    OTHER_BUYER,
    OTHER_OFFER,
    ROOT,
    SetClock,
    day,
    failure,
    purchase,
    statuses,
)

CREATED, UNCHANGED, FAILED = RowStatus.CREATED, RowStatus.UNCHANGED, RowStatus.FAILED


async def stock(store: GraphStore) -> int | None:
    return (await store.get_offers([OFFER]))[OFFER].available_quantity


async def left(store: GraphStore, *ids: str) -> list[int]:
    lines = await store.get_purchases(ids)
    return [lines[key].quantity - lines[key].cancelled_quantity for key in ids]


async def test_every_field_of_a_purchase_comes_back(market: GraphStore) -> None:
    more: dict[str, Any] = {
        "order_id": "order-number-0001",
        "unit_price_minor": 1200,
        "currency": "GBP",
        "context": "a long text about where it happened",
    }
    seq = await market.last_seq()
    result = await market.record_purchases([purchase("line-number-0001", day(1), 3, **more)])
    assert statuses(result) == [CREATED]
    assert await market.get_purchases(["line-number-0001", "none"]) == {
        "line-number-0001": Purchase("line-number-0001", BUYER, OFFER, day(1), 3, **more)
    }
    (event,) = await market.read_events(seq)
    assert (event.type, event.buyer_id, event.offer_id) == (
        EventType.PURCHASE_RECORDED,
        BUYER,
        OFFER,
    )
    assert event.payload == {
        "id": "line-number-0001",
        "quantity": 3,
        "at": "2024-01-01T12:00:00+00:00",
    }


async def test_a_line_without_id_is_known_by_what_it_says(
    market: GraphStore, clock: SetClock
) -> None:
    row = {"buyer_id": BUYER, "offer_id": OFFER, "order_id": "o-1", "at": day(1)}
    result = await market.record_purchases([row, row])
    assert statuses(result) == [CREATED, CREATED]
    ids = [identify_purchase("o-1", BUYER, OFFER, day(1), 1, None, n) for n in (0, 1)]
    assert [line.id for line in result.rows] == ids
    assert statuses(await market.record_purchases([row, row])) == [UNCHANGED, UNCHANGED]
    now = {"buyer_id": BUYER, "offer_id": OTHER_OFFER}
    (line,) = (await market.record_purchases([now])).rows
    assert (await market.get_purchases([line.id]))[line.id].at == clock.now


async def test_a_line_is_immutable(market: GraphStore) -> None:
    seq = (await market.record_purchases([purchase("p1", day(1), 2)])).seq
    result = await market.record_purchases(
        [
            purchase("p1", day(1), 2),
            {"id": "p1", "buyer_id": BUYER, "offer_id": OFFER},
            purchase("p1", day(1), 3),
            purchase("p1", day(1), 2, buyer_id=OTHER_BUYER),
            purchase("p1", day(1), 2, offer_id=OTHER_OFFER),
        ]
    )
    assert statuses(result) == [UNCHANGED, UNCHANGED, FAILED, FAILED, FAILED]
    assert [failure(row) for row in result.rows[2:]] == [
        ("CONFLICT", ("quantity",)),
        ("CONFLICT", ("buyer_id",)),
        ("CONFLICT", ("offer_id",)),
    ]
    assert result.seq == seq
    assert await stock(market) == 8


async def test_bad_purchases_fail_alone(market: GraphStore) -> None:
    result = await market.record_purchases(
        [
            {"offer_id": OFFER},
            {"buyer_id": BUYER, "offer_id": OFFER, "quantity": 0},
            {"buyer_id": BUYER, "offer_id": OFFER, "unit_price_minor": 4},
            {"buyer_id": "nobody", "offer_id": OFFER},
            {"buyer_id": BUYER, "offer_id": "nothing"},
            purchase("good", day(1)),
        ]
    )
    assert [failure(row) for row in result.rows[:5]] == [
        ("BAD_INPUT", ("buyer_id",)),
        ("BAD_INPUT", ("quantity",)),
        ("BAD_INPUT", ("currency",)),
        ("NOT_FOUND", ("buyer_id",)),
        ("NOT_FOUND", ("offer_id",)),
    ]
    assert result.rows[5].status is CREATED
    assert await market.find_purchase_ids(BUYER, OFFER) == ["good"]


async def test_a_purchase_lowers_the_stock_not_below_zero_and_history_does_not(
    market: GraphStore,
) -> None:
    await market.record_purchases([purchase("p1", day(1), 4), purchase("p2", day(2), 5)])
    assert await stock(market) == 1
    await market.record_purchases([purchase("p3", day(3), 5), purchase("p4", day(4), 1)])
    assert await stock(market) == 0
    await market.record_purchases([purchase("p5", day(4), 1, offer_id=OTHER_OFFER)])
    assert (await market.get_offers([OTHER_OFFER]))[OTHER_OFFER].available_quantity is None
    await market.upsert_offers([{"id": OFFER, "available_quantity": 7}])
    await market.record_purchases([purchase("old", day(0), 2, history=True)])
    assert await stock(market) == 7


async def test_a_cancellation_gives_back_what_the_line_took(market: GraphStore) -> None:
    await market.record_purchases(
        [purchase("old", day(0), 2, history=True), purchase("p1", day(1), 12)]
    )
    assert await stock(market) == 0
    # 12 were bought of 10: the first two taken back never came off the stock.
    await market.cancel_purchases([{"id": "x1", "purchase_id": "p1", "quantity": 5}])
    assert await stock(market) == 3
    await market.cancel_purchases([{"id": "x2", "purchase_id": "old"}])
    assert await stock(market) == 3
    await market.cancel_purchases([{"id": "x3", "purchase_id": "p1", "history": True}])
    assert await stock(market) == 3
    assert await left(market, "old", "p1") == [0, 0]


async def test_a_cancellation_takes_the_most_recent_earlier_lines(
    market: GraphStore, clock: SetClock
) -> None:
    await market.record_purchases(
        [
            purchase("first", day(1), 3),
            purchase("second", day(2), 2),
            purchase("same-time", day(3), 9),
            purchase("others", day(2), 5, buyer_id=OTHER_BUYER),
        ]
    )
    seq = await market.last_seq()
    take = {"id": "x1", "buyer_id": BUYER, "offer_id": OFFER, "quantity": 4, "at": day(3)}
    result = await market.cancel_purchases([take])
    assert statuses(result) == [CREATED]
    assert result.rows[0].error is None
    assert await left(market, "first", "second", "same-time", "others") == [1, 0, 9, 5]
    line = (await market.get_purchases(["second"]))["second"]
    assert (line.cancelled_quantity, line.cancelled_at) == (2, day(3))
    (event,) = await market.read_events(seq)
    assert event.type is EventType.PURCHASE_CANCELLED
    assert event.payload == {
        "id": "x1",
        "purchaseIds": ["second", "first"],
        "matchedQuantity": 4,
        "quantity": 4,
        "at": "2024-01-03T12:00:00+00:00",
    }
    assert statuses(await market.cancel_purchases([take])) == [UNCHANGED]
    assert await left(market, "first", "second") == [1, 0]
    everything = {"buyer_id": BUYER, "offer_id": OFFER}
    await market.cancel_purchases([everything])
    assert await left(market, "first", "second", "same-time") == [0, 0, 0]
    clock.now += timedelta(hours=1)
    again = await market.cancel_purchases([everything])
    assert failure(again.rows[0])[0] == "CONFLICT"


async def test_what_finds_no_line_is_kept_for_an_earlier_line_that_comes_later(
    market: GraphStore,
) -> None:
    await market.record_purchases([purchase("p1", day(1), 1)])
    take = {"id": "x1", "buyer_id": BUYER, "offer_id": OFFER, "quantity": 5, "at": day(5)}
    (row,) = (await market.cancel_purchases([take])).rows
    assert row.status is CREATED
    assert row.error is not None
    assert (row.error.code, row.error.field) == ("UNMATCHED", ("quantity",))
    await market.record_purchases([purchase("later", day(5), 9)])
    assert await left(market, "later") == [9]
    await market.record_purchases([purchase("p2", day(2), 3), purchase("p3", day(3), 3)])
    assert await left(market, "p1", "p2", "p3") == [0, 0, 2]
    await market.record_purchases([purchase("p4", day(4), 2)])
    assert await left(market, "p4") == [2]
    assert (await market.get_purchases(["p2"]))["p2"].cancelled_at == day(5)


async def test_bad_cancellations_fail_alone(market: GraphStore) -> None:
    await market.record_purchases([purchase("p1", day(1), 3)])
    result = await market.cancel_purchases(
        [
            {"id": "x1", "purchase_id": "none"},
            {"id": "x2", "purchase_id": "p1", "quantity": 4},
            {"id": "x3", "purchase_id": "p1", "buyer_id": BUYER},
            {"id": "x4", "buyer_id": BUYER},
            {"id": "x5", "buyer_id": "nobody", "offer_id": OFFER, "quantity": 1},
            {"id": "x6", "buyer_id": BUYER, "offer_id": "nothing", "quantity": 1},
            {"id": "x7", "purchase_id": "p1", "quantity": 2},
            {"id": "x8", "purchase_id": "p1", "quantity": 2},
        ]
    )
    assert [failure(row) for row in result.rows if row.id != "x7"] == [
        ("NOT_FOUND", ("purchase_id",)),
        ("CONFLICT", ("quantity",)),
        ("BAD_INPUT", ("purchase_id",)),
        ("BAD_INPUT", ("offer_id",)),
        ("NOT_FOUND", ("buyer_id",)),
        ("NOT_FOUND", ("offer_id",)),
        ("CONFLICT", ("quantity",)),
    ]
    assert await left(market, "p1") == [1]


async def test_interactions_are_kept_once_per_kind_and_id(market: GraphStore) -> None:
    row = {"buyer_id": BUYER, "offer_id": OFFER, "at": day(1), "value": 2, "context": "search"}
    kinds = [kind for kind in EvidenceKind if kind is not EvidenceKind.PURCHASED]
    rows = [{**row, "id": "interaction-00001", "kind": kind} for kind in kinds]
    seq = await market.last_seq()
    assert statuses(await market.record_interactions(rows)) == [CREATED] * 5
    assert statuses(await market.record_interactions(rows)) == [UNCHANGED] * 5
    events = await market.read_events(seq)
    assert {event.payload["kind"] for event in events if event.payload} == set(kinds)
    frames = [frame async for frame in market.stream_table("interactions")]
    assert sorted(frames[0]["kind"].to_list()) == sorted(kinds)
    assert set(frames[0].drop("kind").rows()) == {
        ("interaction-00001", BUYER, OFFER, day(1), 2.0, "search")
    }
    twice = {"buyer_id": BUYER, "offer_id": OTHER_OFFER, "kind": "VIEWED"}
    assert statuses(await market.record_interactions([twice, twice])) == [CREATED, CREATED]
    found = await market.find_interaction_ids(BUYER, OTHER_OFFER, EvidenceKind.VIEWED)
    assert len(found) == 2
    assert await market.find_interaction_ids(BUYER, OTHER_OFFER, EvidenceKind.CLICKED) == []


async def test_bad_interactions_fail_alone(market: GraphStore) -> None:
    good = {"id": "i1", "buyer_id": BUYER, "offer_id": OFFER, "kind": "VIEWED", "value": 1.5}
    result = await market.record_interactions(
        [
            good,
            {**good, "value": 2.5},
            {**good, "kind": "PURCHASED"},
            {**good, "id": "i2", "buyer_id": "nobody"},
            {**good, "id": "i3", "offer_id": "nothing"},
        ]
    )
    assert result.rows[0].status is CREATED
    assert [failure(row) for row in result.rows[1:]] == [
        ("CONFLICT", ("value",)),
        ("BAD_INPUT", ("kind",)),
        ("NOT_FOUND", ("buyer_id",)),
        ("NOT_FOUND", ("offer_id",)),
    ]


async def test_preferences_are_replaced_whole_or_not_at_all(market: GraphStore) -> None:
    async def stated() -> tuple[Preference, ...]:
        return (await market.read_buyer_profiles([BUYER]))[BUYER].preferences

    rows = [{"category_id": LEAF, "weight": -0.5, "source": "asked in a form"}]
    assert statuses(await market.set_preferences(BUYER, rows)) == [RowStatus.UPDATED]
    assert await stated() == (Preference(LEAF, -0.5, "asked in a form"),)
    assert statuses(await market.set_preferences(BUYER, rows)) == [UNCHANGED]
    bad: list[tuple[str, list[dict[str, Any]], Any]] = [
        ("nobody", [], ("NOT_FOUND", ("buyer_id",))),
        (BUYER, [{"category_id": ROOT}, {"category_id": "x"}], ("NOT_FOUND", ("1", "category_id"))),
        (BUYER, [{"category_id": ROOT, "weight": 2}], ("BAD_INPUT", ("0", "weight"))),
        (BUYER, [{"category_id": ROOT}] * 2, ("BAD_INPUT", ("1", "category_id"))),
    ]
    for buyer, given, expected in bad:
        assert failure((await market.set_preferences(buyer, given)).rows[0]) == expected
    assert await stated() == (Preference(LEAF, -0.5, "asked in a form"),)
    await market.set_preferences(BUYER, [{"category_id": ROOT}])
    assert await stated() == (Preference(ROOT, 1.0, None),)
    await market.set_preferences(BUYER, [])
    assert await stated() == ()


async def test_a_profile_counts_evidence_by_offer_and_kind(market: GraphStore) -> None:
    await market.record_purchases(
        [
            purchase("p1", day(1), 2),
            purchase("p2", day(3), 2),
            purchase("gone", day(2), 1, offer_id=OTHER_OFFER),
        ]
    )
    await market.cancel_purchases(
        [
            {"id": "x1", "purchase_id": "gone"},
            {"id": "x2", "purchase_id": "p2", "quantity": 1},
        ]
    )
    view = {"buyer_id": BUYER, "offer_id": OTHER_OFFER, "kind": "VIEWED"}
    await market.record_interactions([{**view, "at": day(4)}, {**view, "at": day(5)}])
    profiles = await market.read_buyer_profiles([BUYER, OTHER_BUYER, "nobody"])
    assert set(profiles) == {BUYER, OTHER_BUYER}
    assert profiles[BUYER].evidence == (
        Evidence(OFFER, EvidenceKind.PURCHASED, 2, day(1), day(3)),
        Evidence(OTHER_OFFER, EvidenceKind.VIEWED, 2, day(4), day(5)),
    )
    assert profiles[OTHER_BUYER].evidence == ()


@pytest.mark.parametrize("backwards", [False, True])
async def test_a_buyers_lines_come_in_pages(market: GraphStore, backwards: bool) -> None:
    ids = [f"line-number-{n:04}" for n in range(7)]
    await market.record_purchases(
        [
            *(purchase(key, day(1)) for key in ids),
            purchase("line-number-0003x", day(1), buyer_id=OTHER_BUYER),
        ]
    )
    seen: list[str] = []
    while True:
        bounds = {"before": seen[0]} if backwards and seen else {}
        if not backwards and seen:
            bounds = {"after": seen[-1]}
        page = await market.page_purchases(BUYER, limit=3, backwards=backwards, **bounds)
        if not page:
            break
        found = [line.id for line in page]
        seen = found + seen if backwards else seen + found
    assert seen == ids
