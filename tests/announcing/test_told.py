"""What is told when something happens in a real graph, on both engines."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import polars as pl
import pytest

from core.entities import EventType, MatchReason
from graph.imports import ImportUpdates
from graph.store import GraphStore
from graph.tables import TABLES
from scoring import tower as tower_module
from scoring.artifact import publish_model
from tests.announcing.announced import (
    RULES,
    Announced,
    loved,
    reasons,
    told,
    until_model,
)
from tests.announcing.test_bounding import AnyEncoder
from tests.scoring.snapshots import random_model


async def test_the_first_look_tells_nothing_and_the_log_goes_on_from_there(
    market: Announced,
) -> None:
    assert await market.settle() == []
    tops = await market.store.match_tops()
    assert len(tops) == 60
    for buyer_id in ("b004", "b059"):
        assert [key for key, _ in tops[buyer_id].offers] == await market.top(buyer_id)
    assert await market.store.announced_position() == await market.store.last_seq()


async def test_a_new_offer_is_told_to_exactly_those_whose_first_places_it_enters(
    market: Announced,
) -> None:
    await market.store.upsert_offers([loved("fresh"), loved("other", price_minor=900)])
    events = await market.settle()
    assert events
    assert reasons(events) == {MatchReason.OFFER_CHANGED}
    expected = []
    for buyer_id in await market.store.match_tops():
        top = await market.top(buyer_id)
        expected += [("CREATED", buyer_id, key) for key in ("fresh", "other") if key in top]
    assert sorted(told(events)) == sorted(expected)
    for event in events:
        top = await market.top(event.buyer_id or "")
        assert event.rank == top.index(event.offer_id or "") + 1
        assert event.vendor_id == "v1"
        assert event.category_ids == ("c000", "c01")
        scores = await market.matching.score_pairs([(event.buyer_id or "", event.offer_id or "")])
        assert event.score == scores[0]
        assert event.model_version == "walk"
    assert await market.settle() == []


async def test_what_sells_out_is_withdrawn_and_told_again_when_it_is_back(
    market: Announced,
) -> None:
    await market.store.upsert_offers([loved("fresh", available_quantity=3)])
    first = await market.settle()
    buyers = [event.buyer_id or "" for event in first]
    assert len(buyers) > 2
    await market.store.record_purchases(
        [
            {"id": f"p{n}", "buyer_id": buyers[0], "offer_id": "fresh", "at": market.clock.now}
            for n in range(3)
        ]
    )
    gone = await market.settle()
    assert [e for e in told(gone) if e[2] == "fresh"] == [
        ("WITHDRAWN", key, "fresh") for key in buyers
    ]
    assert reasons([e for e in gone if e.type is EventType.MATCH_WITHDRAWN]) == {
        MatchReason.BOUGHT,
        MatchReason.SOLD_OUT,
    }
    await market.store.upsert_offers([{"id": "fresh", "available_quantity": 5}])
    back = await market.settle()
    assert [e for e in told(back) if e[0] == "CREATED"] == [
        ("CREATED", key, "fresh") for key in buyers[1:]
    ]


async def test_withdrawn_and_expired_offers_are_told_with_their_reason(
    market: Announced,
) -> None:
    ends = market.clock.now + timedelta(hours=1)
    await market.store.upsert_offers([loved("short", valid_to=ends), loved("fresh")])
    created = await market.settle()
    await market.store.delete_offers(["fresh"])
    gone = await market.settle()
    assert {e.offer_id for e in gone} == {"fresh"}
    assert reasons(gone) == {MatchReason.OFFER_WITHDRAWN}
    assert len(gone) == sum(e.offer_id == "fresh" for e in created)
    market.clock.pass_on(minutes=59)
    assert await market.settle() == []
    market.clock.pass_on(minutes=1)
    expired = await market.settle()
    assert reasons(expired) == {MatchReason.NOT_VALID}
    assert len(expired) == sum(e.offer_id == "short" for e in created)
    assert all(e.score is None and e.rank is None for e in gone + expired)


async def test_an_offer_that_becomes_valid_by_the_clock_is_new_then(market: Announced) -> None:
    begins = market.clock.now + timedelta(days=2)
    await market.store.upsert_offers([loved("later", valid_from=begins)])
    assert await market.settle() == []
    market.clock.pass_on(days=2)
    events = await market.settle()
    assert ("CREATED", "later") in {(kind, offer) for kind, _, offer in told(events)}


async def test_a_bound_of_time_that_passed_while_nobody_announced_is_not_missed(
    market: Announced,
) -> None:
    begins = market.clock.now + timedelta(days=1)
    ends = market.clock.now + timedelta(days=2)
    await market.store.upsert_offers(
        [loved("later", valid_from=begins), loved("short", valid_to=ends)]
    )
    created = await market.settle()
    assert {e.offer_id for e in created} == {"short"}
    market.clock.pass_on(days=3)
    await market.again()
    events = await market.settle()
    kinds = {(kind, offer) for kind, _, offer in told(events)}
    assert ("WITHDRAWN", "short") in kinds
    assert ("CREATED", "later") in kinds
    await market.again()
    assert await market.settle() == []


async def test_what_a_buyer_does_changes_its_own_matches_only(market: Announced) -> None:
    bought, dismissed, *_ = await market.top("b004")
    at = market.clock.now
    await market.store.upsert_offers([{"id": bought, "available_quantity": 9}])
    await market.settle()
    await market.store.record_purchases(
        [{"id": "p1", "buyer_id": "b004", "offer_id": bought, "at": at}]
    )
    await market.store.record_interactions(
        [
            {
                "id": "i1", "buyer_id": "b004", "offer_id": dismissed, "kind": "DISMISSED",
                "at": at,
            }
        ]
    )  # fmt: skip
    events = await market.settle()
    assert {e.buyer_id for e in events} == {"b004"}
    assert reasons(events) == {MatchReason.BUYER_ACTED}
    assert {e.offer_id for e in events} <= set(await market.top("b004"))
    assert len(events) >= 2
    told_of = events[0].offer_id or ""
    await market.store.record_interactions(
        [{"id": "i2", "buyer_id": "b004", "offer_id": told_of, "kind": "DISMISSED", "at": at}]
    )
    gone = [e for e in await market.settle() if e.type is EventType.MATCH_WITHDRAWN]
    assert [(e.offer_id, e.buyer_id) for e in gone] == [(told_of, "b004")]
    assert reasons(gone) == {MatchReason.DISMISSED}


async def test_a_new_price_is_told_to_whom_the_offer_was_told(market: Announced) -> None:
    await market.store.upsert_offers([loved("fresh")])
    created = await market.settle()
    await market.store.upsert_offers([{"id": "fresh", "price_minor": 1_001}])
    events = await market.settle()
    updated = [e for e in events if e.type is EventType.MATCH_UPDATED]
    assert {e.buyer_id for e in updated} <= {e.buyer_id for e in created}
    assert len(updated) >= len(created) - 2
    assert reasons(updated) == {MatchReason.TERMS_CHANGED}
    await market.store.upsert_offers([{"id": "fresh", "description": "the same terms"}])
    assert await market.settle() == []


async def test_a_new_buyer_is_told_of_and_an_erased_one_never_again(market: Announced) -> None:
    await market.store.upsert_buyers([{"id": "newcomer", "kind": "grocer", "country": "DE"}])
    events = await market.settle()
    assert [e.offer_id for e in events] == await market.top("newcomer")
    await market.store.delete_buyers(["newcomer"])
    await market.store.upsert_buyers([{"id": "newcomer", "kind": "grocer", "country": "DE"}])
    again = await market.settle()
    assert told(again) == told(events)
    await market.store.delete_buyers(["newcomer"])
    assert await market.settle() == []
    await market.store.upsert_offers([loved("fresh")])
    events = await market.settle()
    assert events
    assert "newcomer" not in {e.buyer_id for e in events}
    assert "newcomer" not in await market.store.match_tops()


async def test_a_vendor_that_moves_takes_its_offers_along(market: Announced) -> None:
    await market.store.upsert_vendors([{"id": "v9", "latitude": 0.0, "longitude": -120.0}])
    await market.store.upsert_offers([loved("fresh", vendor_id="v9")])
    far = await market.settle()
    await market.store.upsert_vendors([{"id": "v9", "latitude": 50.0, "longitude": 5.0}])
    near = await market.settle()
    entered = {e.buyer_id for e in near if e.type is EventType.MATCH_CREATED}
    assert entered
    assert entered.isdisjoint({e.buyer_id for e in far})


async def test_a_new_model_is_a_quiet_digest(
    market: Announced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tower_module, "OfferEncoder", AnyEncoder)
    snapshot = await market.store.read_snapshot()
    publish_model(market.home / "models", random_model(snapshot))
    await until_model(market.matching, "random")
    events = await market.settle()
    by_buyer = Counter(e.buyer_id for e in events)
    assert max(by_buyer.values()) == 3
    assert reasons(events) == {MatchReason.MODEL_PUBLISHED}
    assert {e.model_version for e in events} == {"random"}
    held = {e.buyer_id: (e.payload or {}).get("heldBack", 0) for e in events}
    assert max(held.values()) > 0
    for buyer_id, count in by_buyer.items():
        top = await market.top(buyer_id or "")
        mine = [e.offer_id for e in events if e.buyer_id == buyer_id]
        assert mine == [key for key in top if key in mine]
        before = market.rules.size - count - held[buyer_id]
        assert before >= 0
    # The same model again says nothing more today, and tomorrow only what it held back.
    await market.again()
    assert await market.settle() == []
    assert [
        (event.payload or {})["modelId"]
        for event in await market.store.read_events(0, 1_000, [EventType.MODEL_PUBLISHED])
    ] == ["random"]


async def test_an_import_is_a_quiet_digest_and_new_buyers_hear_nothing(
    market: Announced,
) -> None:
    await market.store.open_import("second", "f", "test")
    await _import(market.store, "second")
    await market.store.finish_import("second", ImportUpdates(), {})
    events = await market.settle()
    assert reasons(events) <= {MatchReason.MODEL_PUBLISHED}
    assert "imported" not in {e.buyer_id for e in events}
    assert "imported" in await market.store.match_tops()
    assert max(Counter(e.buyer_id for e in events).values(), default=0) <= 3


async def test_more_places_than_before_are_filled_quietly(market: Announced) -> None:
    market.rules = replace(RULES, size=8)
    await market.again()
    events = await market.settle()
    assert max(Counter(e.buyer_id for e in events).values()) <= 3
    tops = await market.store.match_tops()
    assert {len(top.offers) for top in tops.values()} == {8}


async def _import(store: GraphStore, batch: str) -> None:
    schema = TABLES["Buyer"].frame_schema
    values = {"id": "imported", "batchId": batch}
    row = pl.DataFrame({name: [values.get(name)] for name in schema}, schema=schema)
    assert await store.insert_rows("Buyer", row) == 1
