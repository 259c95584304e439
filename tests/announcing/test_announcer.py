"""Who announces, and what an announcer outlives, on both engines."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from announcing import announcer as announcer_module
from announcing import rounds as rounds_module
from announcing.announcer import Announcer, announcing
from core.entities import MatchReason
from core.errors import GraphUnavailableError, LeaseLostError
from core.settings import load_settings
from scoring import tower as tower_module
from scoring.artifact import publish_model
from tests.announcing.announced import (
    RULES,
    Announced,
    loved,
    reasons,
    told,
    until,
    until_model,
)
from tests.announcing.test_bounding import AnyEncoder
from tests.matching.markets import NOW
from tests.scoring.snapshots import random_model


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


async def test_a_sweep_that_is_cut_off_is_taken_up_again(
    market: Announced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tower_module, "OfferEncoder", AnyEncoder)
    monkeypatch.setattr(rounds_module, "SWEEP", 7)
    snapshot = await market.store.read_snapshot()
    publish_model(market.home / "models", random_model(snapshot))
    await until_model(market.matching, "random")
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


async def test_who_has_lost_the_lease_writes_nothing_more(market: Announced) -> None:
    await market.store.release_lease(market.lease)
    assert await market.store.take_lease("announcer", "another", 5) is not None
    await market.store.upsert_offers([loved("fresh")])
    await market.matching.refresh()
    with pytest.raises(LeaseLostError):
        await market.rounds.turn()
    assert await market.news() == []


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
    await until(lambda: first.status().leading)
    standing_by = asyncio.create_task(second.run())
    await market.store.upsert_offers([loved("fresh")])
    await until(lambda: first.status().position > market.rounds.position)
    assert not second.status().leading
    killed.cancel()  # without a word: its lease has to run out
    await market.store.upsert_offers([loved("other", price_minor=900)])
    await until(lambda: second.status().leading)
    end = await market.store.last_seq()
    await until(lambda: second.status().position >= end)
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
        await until(lambda: announcer.status().leading)
        monkeypatch.setattr(market.store, "announce", away)
        await market.store.upsert_offers([loved("fresh")])
        await until(lambda: announcer.status().last_error is not None)
        assert announcer.status().last_error == "The graph is away."
        monkeypatch.setattr(market.store, "announce", real)
        end = await market.store.last_seq()
        await until(lambda: announcer.status().position > end)
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
        await until(lambda: announcer.status().position > end)
    again = {e.buyer_id for e in await market.news() if e.offer_id == "fresh"}
    assert buyers <= again


def _looked_at(market: Announced) -> set[str | None]:
    tops = market.rounds._tops
    return {key for key in tops.buyer_ids if tops.is_current(key)}
