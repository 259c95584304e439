"""What is told when something happens in a real graph, on both engines."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from announcing import announcer as announcer_module
from announcing import rounds as rounds_module
from announcing.announcer import Announcer, announcing
from core.entities import EventType, MatchReason
from core.errors import GraphUnavailableError, LeaseLostError
from core.settings import load_settings
from graph.engine import GraphEngine
from graph.imports import ImportUpdates
from graph.store import GraphStore
from graph.tables import TABLES
from matching.service import MatchingService
from scoring import tower as tower_module
from scoring.artifact import publish_model
from scoring.blend import Blend
from tests.announcing.announced import RULES, Announced, announced, loved, reasons, told
from tests.announcing.test_bounding import AnyEncoder
from tests.matching.markets import NOW
from tests.scoring.snapshots import random_model

# Without walk and popularity, so that an offer nobody has met can be among the first.
BY_ATTRIBUTES = Blend.of(
    {"category": 4.0, "preference": 2.0, "vendor": 1.0, "price": 1.0, "place": 1.0, "again": 1.0},
    bias=-3.0,
)


@pytest.fixture
async def market(
    engine: GraphEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Announced]:
    monkeypatch.setattr("scoring.scorer.UNTRAINED", BY_ATTRIBUTES)
    async with announced(engine, tmp_path / "home") as found:
        yield found


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
    await _until_model(market.matching, "random")
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


async def test_a_sweep_that_is_cut_off_is_taken_up_again(
    market: Announced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tower_module, "OfferEncoder", AnyEncoder)
    monkeypatch.setattr(rounds_module, "SWEEP", 7)
    snapshot = await market.store.read_snapshot()
    publish_model(market.home / "models", random_model(snapshot))
    await _until_model(market.matching, "random")
    for _ in range(5):
        await market.matching.refresh()
        assert await market.rounds.turn()
    assert market.rounds.is_sweeping
    first = await market.news()
    assert first
    # What happens meanwhile is told at once, not after the sweep.
    await market.store.upsert_offers([loved("fresh")])
    await market.matching.refresh()
    assert await market.rounds.turn()
    meanwhile = await market.news()
    swept = {e.buyer_id for e in first}
    assert {e.offer_id for e in meanwhile} <= {"fresh"}
    assert {e.buyer_id for e in meanwhile} <= swept | _looked_at(market)
    await market.again()
    rest = await market.settle()
    assert rest
    every = Counter((e.buyer_id, e.offer_id) for e in [*first, *meanwhile, *rest])
    assert max(every.values()) == 1
    assert len({e.buyer_id for e in rest} - swept) > 10
    tops = await market.store.match_tops()
    for buyer_id in tops:
        entered = {e.offer_id for e in [*first, *meanwhile, *rest] if e.buyer_id == buyer_id}
        assert entered <= set(await market.top(buyer_id))


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


async def test_a_stretch_that_fails_anywhere_is_told_once_all_the_same(
    market: Announced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds_module, "CUT", 4)
    real = market.store.announce
    left = 3

    async def failing(*args: Any, **more: Any) -> int:
        nonlocal left
        position = await real(*args, **more)
        left -= 1
        if left == 0:  # the acknowledgement is lost: it is written all the same
            raise GraphUnavailableError("The connection broke.")
        return position

    monkeypatch.setattr(market.store, "announce", failing)
    await market.store.upsert_offers([loved("fresh"), loved("other")])
    await market.matching.refresh()
    with pytest.raises(GraphUnavailableError):
        await market.rounds.turn()
    some = await market.news()
    assert some
    await market.again()
    rest = await market.settle()
    assert rest
    every = told([*some, *rest])
    assert len(set(every)) == len(every)
    expected = []
    for buyer_id in await market.store.match_tops():
        top = await market.top(buyer_id)
        expected += [("CREATED", buyer_id, key) for key in ("fresh", "other") if key in top]
    assert sorted(every) == sorted(expected)


async def test_who_has_lost_the_lease_writes_nothing_more(market: Announced) -> None:
    await market.store.release_lease(market.lease)
    assert await market.store.take_lease("announcer", "another", 5) is not None
    await market.store.upsert_offers([loved("fresh")])
    await market.matching.refresh()
    with pytest.raises(LeaseLostError):
        await market.rounds.turn()
    assert await market.news() == []


async def test_more_places_than_before_are_filled_quietly(market: Announced) -> None:
    market.rules = replace(RULES, size=8)
    await market.again()
    events = await market.settle()
    assert max(Counter(e.buyer_id for e in events).values()) <= 3
    tops = await market.store.match_tops()
    assert {len(top.offers) for top in tops.values()} == {8}


async def test_events_that_are_no_longer_kept_lead_to_a_look_at_everybody(
    market: Announced,
) -> None:
    await market.store.upsert_offers([loved("fresh")])
    await market.store.upsert_offers([loved("fresh", title="wanted still")])
    await market.store.purge_events(market.clock.now + timedelta(days=1), keep=1)
    market.read_to = await market.store.log_start()
    await market.again()
    events = await market.settle()
    assert {e.offer_id for e in events} == {"fresh"}
    assert reasons(events) == {MatchReason.MODEL_PUBLISHED}
    assert await market.store.announced_position() == await market.store.last_seq()


async def test_another_process_takes_over_from_one_that_was_killed(
    market: Announced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcer_module, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(announcer_module, "RETRY_SECONDS", 0.05)
    await market.store.release_lease(market.lease)
    started = time.monotonic()
    monkeypatch.setattr(
        market.store, "clock", lambda: NOW + timedelta(seconds=time.monotonic() - started)
    )
    first, second = (
        Announcer(market.store, market.matching, RULES, market.clock, name) for name in "ab"
    )
    killed = asyncio.create_task(first.run())
    await _until(lambda: first.status().leading)
    standing_by = asyncio.create_task(second.run())
    await market.store.upsert_offers([loved("fresh")])
    await _until(lambda: first.status().position > market.rounds.position)
    assert not second.status().leading
    killed.cancel()  # without a word: its lease has to run out
    await market.store.upsert_offers([loved("other", price_minor=900)])
    await _until(lambda: second.status().leading)
    end = await market.store.last_seq()
    await _until(lambda: second.status().position >= end)
    standing_by.cancel()
    events = await market.news()
    assert Counter(e.offer_id for e in events).keys() == {"fresh", "other"}
    every = told(events)
    assert len(set(every)) == len(every)
    seqs = [event.seq for event in events]
    assert seqs == sorted(set(seqs))
    await asyncio.gather(killed, standing_by, return_exceptions=True)


async def test_an_announcer_outlives_a_graph_that_is_away(
    market: Announced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(announcer_module, "RETRY_SECONDS", 0.05)
    await market.store.release_lease(market.lease)
    settings = load_settings(home=market.home, match_top=RULES.size)
    real = market.store.announce

    async def away(*_: Any, **__: Any) -> int:
        raise GraphUnavailableError("The graph is away.")

    async with announcing(market.store, market.matching, settings, market.clock) as announcer:
        await _until(lambda: announcer.status().leading)
        monkeypatch.setattr(market.store, "announce", away)
        await market.store.upsert_offers([loved("fresh")])
        await _until(lambda: announcer.status().last_error is not None)
        assert announcer.status().last_error == "The graph is away."
        monkeypatch.setattr(market.store, "announce", real)
        end = await market.store.last_seq()
        await _until(lambda: announcer.status().position > end)
        assert announcer.status().last_error is None
        assert announcer.status().behind == 0
    assert {e.offer_id for e in await market.news()} == {"fresh"}
    # Who ends lets another begin at once.
    assert await market.store.take_lease("announcer", "next", 5) is not None


async def test_pairs_that_ended_long_ago_are_forgotten_and_may_begin_anew(
    market: Announced,
) -> None:
    await market.store.upsert_offers([loved("fresh", available_quantity=3)])
    buyers = {event.buyer_id for event in await market.settle()}
    await market.store.upsert_offers([{"id": "fresh", "available_quantity": 0}])
    await market.settle()
    assert len(await market.store.match_states(offer_ids=["fresh"])) == len(buyers)
    market.clock.pass_on(days=RULES.window.days + 1)
    await market.store.release_lease(market.lease)
    settings = load_settings(home=market.home, match_top=RULES.size)
    async with announcing(market.store, market.matching, settings, market.clock) as announcer:
        for _ in range(1_500):
            if not (left := await market.store.match_states(offer_ids=["fresh"])):
                break
            await asyncio.sleep(0.02)
        assert left == []
        await market.store.upsert_offers([{"id": "fresh", "available_quantity": 5}])
        end = await market.store.last_seq()
        await _until(lambda: announcer.status().position > end)
    again = {e.buyer_id for e in await market.news() if e.offer_id == "fresh"}
    assert buyers <= again


async def _import(store: GraphStore, batch: str) -> None:
    schema = TABLES["Buyer"].frame_schema
    values = {"id": "imported", "batchId": batch}
    row = pl.DataFrame({name: [values.get(name)] for name in schema}, schema=schema)
    assert await store.insert_rows("Buyer", row) == 1


def _looked_at(market: Announced) -> set[str | None]:
    tops = market.rounds._tops
    return {key for key in tops.buyer_ids if tops.is_current(key)}


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not holds():  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.02)


async def _until_model(matching: MatchingService, version: str) -> None:
    await _until(lambda: matching.model_info().version == version)
