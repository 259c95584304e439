"""Upserts of the four kinds of entities, on both engines."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from core.entities import (
    Buyer,
    Category,
    EventType,
    IdempotencyKey,
    Offer,
    OfferStatus,
    RowStatus,
    Vendor,
)
from core.errors import IdempotencyConflictError
from graph.store import GraphStore
from tests.graph.stores import (
    BRANCH,
    BUYER,
    LEAF,
    OFFER,
    OTHER_BUYER,
    OTHER_OFFER,
    OTHER_VENDOR,
    ROOT,
    VENDOR,
    SetClock,
    day,
    failure,
    statuses,
)

CREATED, UPDATED, UNCHANGED = RowStatus.CREATED, RowStatus.UPDATED, RowStatus.UNCHANGED
FAILED = RowStatus.FAILED


async def test_every_field_of_a_buyer_comes_back(store: GraphStore) -> None:
    moment = datetime(2024, 3, 1, 8, 30, 15, 123456, tzinfo=timezone(timedelta(hours=5.5)))
    await store.upsert_buyers(
        [
            {
                "id": BUYER,
                "name": 'Zoë O\'Neill "the second" \\ 株式会社 🎉',
                "kind": "a retailer of something",
                "country": "GB",
                "latitude": -51.5,
                "longitude": 0,
                "created_at": moment,
            }
        ]
    )
    assert await store.get_buyers([BUYER, "nobody"]) == {
        BUYER: Buyer(
            BUYER,
            'Zoë O\'Neill "the second" \\ 株式会社 🎉',
            "a retailer of something",
            "GB",
            -51.5,
            0.0,
            moment,
        )
    }


async def test_absent_keeps_and_none_clears(store: GraphStore) -> None:
    first = await store.upsert_vendors(
        [{"id": VENDOR, "name": "A long vendor name", "country": "FR"}]
    )
    second = await store.upsert_vendors([{"id": VENDOR, "country": None, "latitude": 4.5}])
    third = await store.upsert_vendors([{"id": VENDOR, "latitude": 4.5}])
    assert [statuses(r) for r in (first, second, third)] == [[CREATED], [UPDATED], [UNCHANGED]]
    assert await store.get_vendors([VENDOR]) == {
        VENDOR: Vendor(VENDOR, "A long vendor name", None, 4.5, None)
    }


async def test_every_field_of_an_offer_comes_back(market: GraphStore) -> None:
    given: dict[str, Any] = {
        "title": "Another title than before",
        "description": "d" * 20_000,
        "price_minor": 2**62,
        "currency": "JPY",
        "available_quantity": 0,
        "status": OfferStatus.WITHDRAWN,
        "valid_from": day(1),
        "valid_to": day(2),
        "latitude": 1.25,
        "longitude": 2.5,
        "created_at": day(3),
        "vendor_id": VENDOR,
        "category_ids": (BRANCH, LEAF),
    }
    result = await market.upsert_offers([{"id": OFFER, **given}])
    assert statuses(result) == [UPDATED]
    assert await market.get_offers([OFFER]) == {OFFER: Offer(OFFER, **given)}


async def test_offer_links_are_kept_replaced_and_cleared(market: GraphStore) -> None:
    await market.upsert_vendors([{"id": OTHER_VENDOR}])
    await market.upsert_offers([{"id": OFFER, "title": "t"}])
    kept = (await market.get_offers([OFFER]))[OFFER]
    assert (kept.vendor_id, kept.category_ids) == (VENDOR, (LEAF,))
    await market.upsert_offers(
        [{"id": OFFER, "vendor_id": OTHER_VENDOR, "category_ids": [ROOT, BRANCH, ROOT]}]
    )
    moved = (await market.get_offers([OFFER]))[OFFER]
    assert (moved.vendor_id, moved.category_ids) == (OTHER_VENDOR, (BRANCH, ROOT))
    assert await market.page_offers(vendor_id=VENDOR) == []
    await market.upsert_offers([{"id": OFFER, "vendor_id": None, "category_ids": None}])
    cleared = (await market.get_offers([OFFER]))[OFFER]
    assert (cleared.vendor_id, cleared.category_ids) == (None, ())


async def test_a_lister_changes_its_own_offers_and_new_ones(market: GraphStore) -> None:
    await market.upsert_vendors([{"id": OTHER_VENDOR}])
    await market.upsert_offers([{"id": "theirs", "vendor_id": OTHER_VENDOR}])
    rows = [
        {"id": "mine", "vendor_id": VENDOR},
        {"id": "theirs", "vendor_id": VENDOR, "title": "Taken over"},
        {"id": "mine", "vendor_id": VENDOR, "title": "Mine"},
    ]
    result = await market.upsert_offers(rows, lister=VENDOR)
    assert statuses(result) == [CREATED, FAILED, UPDATED]
    assert failure(result.rows[1]) == ("FORBIDDEN", ("vendor_id",))
    kept = (await market.get_offers(["theirs"]))["theirs"]
    assert (kept.vendor_id, kept.title) == (OTHER_VENDOR, None)


BAD_OFFERS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "BAD_INPUT", "id"),
    ({"id": ""}, "BAD_INPUT", "id"),
    ({"id": "x" * 513}, "BAD_INPUT", "id"),
    ({"id": "n", "titel": "a"}, "BAD_INPUT", "titel"),
    ({"id": "n", "title": 5}, "BAD_INPUT", "title"),
    ({"id": "n", "title": "a\x00b"}, "BAD_INPUT", "title"),
    ({"id": "n", "price_minor": -1, "currency": "GBP"}, "BAD_INPUT", "price_minor"),
    ({"id": "n", "price_minor": 2**63, "currency": "GBP"}, "BAD_INPUT", "price_minor"),
    ({"id": "n", "price_minor": 1.5, "currency": "GBP"}, "BAD_INPUT", "price_minor"),
    ({"id": "n", "price_minor": 1}, "BAD_INPUT", "currency"),
    ({"id": "n", "currency": "pound"}, "BAD_INPUT", "currency"),
    ({"id": "n", "status": "SOLD"}, "BAD_INPUT", "status"),
    ({"id": "n", "status": None}, "BAD_INPUT", "status"),
    ({"id": "n", "latitude": 91}, "BAD_INPUT", "latitude"),
    ({"id": "n", "longitude": float("nan")}, "BAD_INPUT", "longitude"),
    ({"id": "n", "created_at": datetime(2024, 1, 1)}, "BAD_INPUT", "created_at"),
    ({"id": "n", "valid_from": day(2), "valid_to": day(2)}, "BAD_INPUT", "valid_to"),
    ({"id": "n", "vendor_id": "nobody"}, "NOT_FOUND", "vendor_id"),
    ({"id": "n", "category_ids": [LEAF, "nowhere"]}, "NOT_FOUND", "category_ids"),
    ({"id": "n", "category_ids": LEAF}, "BAD_INPUT", "category_ids"),
    ({"id": "n", "available_quantity": True}, "BAD_INPUT", "available_quantity"),
]


async def test_bad_offers_fail_alone(market: GraphStore) -> None:
    seq = await market.last_seq()
    result = await market.upsert_offers(
        [*(row for row, _, _ in BAD_OFFERS), {"id": "good-offer-00001"}]
    )
    failed = [failure(row) for row in result.rows[:-1]]
    assert failed == [(code, (field,)) for _, code, field in BAD_OFFERS]
    assert result.rows[-1].status is CREATED
    assert set(await market.get_offers(["n", "good-offer-00001"])) == {"good-offer-00001"}
    assert result.seq == seq + 1


async def test_a_row_over_the_size_limit_fails(store: GraphStore) -> None:
    result = await store.upsert_vendors([{"id": VENDOR, "name": "é" * 24_001}])
    assert failure(result.rows[0]) == ("BAD_INPUT", ())


async def test_the_merged_row_is_checked_not_only_the_given_one(market: GraphStore) -> None:
    await market.upsert_offers([{"id": OFFER, "valid_to": day(5)}])
    result = await market.upsert_offers(
        [{"id": OFFER, "currency": None}, {"id": OFFER, "valid_from": day(6)}]
    )
    assert [failure(row)[1] for row in result.rows] == [("currency",), ("valid_to",)]


async def test_rows_of_one_id_apply_in_order_and_log_one_event(store: GraphStore) -> None:
    result = await store.upsert_buyers(
        [{"id": BUYER, "name": "First name of it"}, {"id": BUYER, "kind": "k"}, {"id": BUYER}]
    )
    assert statuses(result) == [CREATED, UPDATED, UNCHANGED]
    assert result.seq == 1
    assert (await store.get_buyers([BUYER]))[BUYER] == Buyer(BUYER, "First name of it", "k")


async def test_the_category_forest_stays_a_forest(market: GraphStore) -> None:
    assert await market.get_categories([LEAF]) == {LEAF: Category(LEAF, None, BRANCH)}
    result = await market.upsert_categories(
        [
            {"id": ROOT, "parent_id": LEAF},
            {"id": ROOT, "parent_id": ROOT},
            {"id": LEAF, "parent_id": "nowhere"},
            {"id": LEAF, "parent_id": None},
        ]
    )
    assert statuses(result) == [FAILED, FAILED, FAILED, UPDATED]
    assert [failure(row)[0] for row in result.rows[:3]] == ["CONFLICT", "CONFLICT", "NOT_FOUND"]
    assert (await market.get_categories([LEAF]))[LEAF].parent_id is None
    assert await market.category_children([ROOT, BRANCH]) == {ROOT: [BRANCH], BRANCH: []}


async def test_categories_are_at_most_eight_deep_also_when_trees_move(store: GraphStore) -> None:
    chain = [{"id": "level-1"}] + [
        {"id": f"level-{n}", "parent_id": f"level-{n - 1}"} for n in range(2, 10)
    ]
    result = await store.upsert_categories(chain)
    assert statuses(result) == [CREATED] * 8 + [FAILED]
    tree = [{"id": "tree"}, {"id": "twig", "parent_id": "tree"}]
    await store.upsert_categories(tree)
    moved = await store.upsert_categories(
        [{"id": "tree", "parent_id": "level-7"}, {"id": "tree", "parent_id": "level-6"}]
    )
    assert statuses(moved) == [FAILED, UPDATED]
    assert failure(moved.rows[0]) == ("CONFLICT", ("parent_id",))


async def test_events_say_what_changed(market: GraphStore, clock: SetClock) -> None:
    seq = await market.last_seq()
    await market.upsert_offers([{"id": OFFER, "available_quantity": 11, "title": None}])
    (event,) = await market.read_events(seq)
    assert (event.type, event.offer_id, event.vendor_id, event.category_ids) == (
        EventType.OFFER_UPSERTED,
        OFFER,
        VENDOR,
        (LEAF,),
    )
    assert event.payload == {"created": False, "changed": ["available_quantity", "title"]}
    assert (event.seq, event.id, event.occurred_at) == (
        seq + 1,
        f"{market.graph_id}-{seq + 1}",
        clock.now,
    )


async def test_a_key_answers_again_and_refuses_another_body(store: GraphStore) -> None:
    key = IdempotencyKey("admin:upsertBuyers", "one-and-the-same")
    rows: list[dict[str, Any]] = [{"id": BUYER, "created_at": day(1)}, {"id": " bad "}]
    first = await store.upsert_buyers(rows, idempotency=key)
    await store.upsert_vendors([{"id": VENDOR}])
    again = await store.upsert_buyers(rows, idempotency=key)
    assert again.replayed
    assert (again.seq, again.rows) == (first.seq, first.rows)
    with pytest.raises(IdempotencyConflictError):
        await store.upsert_buyers([{"id": OTHER_BUYER}], idempotency=key)
    with pytest.raises(IdempotencyConflictError):
        await store.upsert_vendors(rows, idempotency=key)
    other_scope = IdempotencyKey("admin:upsertVendors", "one-and-the-same")
    assert not (await store.upsert_vendors([{"id": VENDOR}], idempotency=other_scope)).replayed
    assert set(await store.get_buyers([BUYER, OTHER_BUYER])) == {BUYER}


async def test_old_keys_are_forgotten(store: GraphStore, clock: SetClock) -> None:
    key = IdempotencyKey("s", "k")
    await store.upsert_buyers([{"id": BUYER}], idempotency=key)
    made = clock.now
    clock.now += timedelta(days=8)
    await store.purge_idempotency_keys(made)
    with pytest.raises(IdempotencyConflictError):
        await store.upsert_buyers([{"id": OTHER_BUYER}], idempotency=key)
    await store.purge_idempotency_keys(made + timedelta(days=1))
    result = await store.upsert_buyers([{"id": OTHER_BUYER}], idempotency=key)
    assert not result.replayed


async def test_writes_at_once_lose_nothing(market: GraphStore) -> None:
    before = await market.last_seq()
    fields = ["title", "description", "currency", "latitude", "longitude"]
    values: dict[str, Any] = dict(zip(fields, ["a" * 20, "b" * 20, "EUR", 1.0, 2.0], strict=True))
    new = "an-offer-made-by-five-writers"
    key = IdempotencyKey("s", "raced")
    await asyncio.gather(
        *(market.upsert_offers([{"id": new, name: value}]) for name, value in values.items()),
        *(market.upsert_offers([{"id": OTHER_OFFER, n: v}]) for n, v in values.items()),
        *(
            market.record_purchases([{"buyer_id": BUYER, "offer_id": OFFER, "id": f"p-{n}"}])
            for n in range(6)
        ),
        *(market.upsert_buyers([{"id": "raced-buyer"}], idempotency=key) for _ in range(3)),
    )
    offers = await market.get_offers([new, OTHER_OFFER, OFFER])
    assert offers[new] == Offer(new, **values)
    assert offers[OTHER_OFFER] == Offer(OTHER_OFFER, **values)
    assert offers[OFFER].available_quantity == 4
    events = await market.read_events(before)
    assert [event.seq for event in events] == list(range(before + 1, before + 18))
    assert sum(event.type is EventType.BUYER_UPSERTED for event in events) == 1
