"""Publishing: the graph shows what the service answers, also after one that was cut off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from core.errors import InputError
from core.settings import Settings
from graph.matched import Matched, Renewal
from graph.queries import load_query
from graph.store import GraphStore
from matching import publishing
from matching.publishing import publish_matches
from matching.requests import OfferFilter, OfferMatchRequest
from matching.service import MatchingService
from tests.matching.conftest import standing_clock

Shown = dict[tuple[str, str], dict[str, Any]]


async def shown(store: GraphStore) -> Shown:
    rows = await store.engine.read(load_query("dump_matched"))
    return {(row.pop("from_id"), row.pop("to_id")): row for row in rows}


async def expected(service: MatchingService, first: int, min_score: float = 0.0) -> Shown:
    """What the service itself answers, asked buyer by buyer."""
    request = OfferMatchRequest(filter=OfferFilter(min_score=min_score))
    answers: Shown = {}
    for buyer in service.state.buyer_table.ids:
        ranking = await service.rank_offers(buyer, request)
        items = ranking.items[:first]
        reasons = await service.explanations([(buyer, item.id) for item in items], 1)
        for item, told in zip(items, reasons, strict=True):
            answers[buyer, item.id] = {
                "score": item.score,
                "rank": item.rank,
                "modelVersion": ranking.model_version,
                "at": standing_clock(),
                "explanation": told[0].summary if told else None,
                "explanationKind": told[0].kind.value if told else None,
                "contribution": told[0].contribution if told else None,
            }
    return answers


def check(answers: Shown, truth: Shown) -> None:
    """The same matches; a contribution may differ in its last digits."""
    assert answers.keys() == truth.keys()
    for pair, row in truth.items():
        found = answers[pair]
        assert found["contribution"] == pytest.approx(row["contribution"], abs=1e-6), pair
        assert {**found, "contribution": 0} == {**row, "contribution": 0}


async def test_the_graph_shows_what_the_service_answers(
    filled: GraphStore, service: MatchingService
) -> None:
    truth = await expected(service, 5)
    assert await publish_matches(filled, service.state, first=5) == Renewal(written=len(truth))
    check(await shown(filled), truth)
    assert len({row["explanationKind"] for row in truth.values()}) > 2
    again = await publish_matches(filled, service.state, first=5)
    assert again == Renewal(unchanged=len(truth))


async def test_a_threshold_leaves_pairs_out(filled: GraphStore, service: MatchingService) -> None:
    everything = await expected(service, 5)
    middle = sorted(row["score"] for row in everything.values())[len(everything) // 2]
    await publish_matches(filled, service.state, first=5)
    renewal = await publish_matches(filled, service.state, first=5, min_score=middle)
    truth = await expected(service, 5, middle)
    assert 0 < len(truth) < len(everything)
    check(await shown(filled), truth)
    assert renewal == Renewal(removed=len(everything) - len(truth), unchanged=len(truth))


async def test_what_happened_since_is_all_that_is_written(
    filled: GraphStore, service: MatchingService
) -> None:
    await publish_matches(filled, service.state, first=5)
    (buyer, offer), others = min(await shown(filled)), await shown(filled)
    await filled.record_purchases([{"buyer_id": buyer, "offer_id": offer}])
    await service.refresh()
    renewal = await publish_matches(filled, service.state, first=5)
    now = await shown(filled)
    assert (buyer, offer) not in now
    assert renewal.written >= 1 and renewal.removed >= 1
    check(now, await expected(service, 5))
    untouched = {pair for pair in others if pair[0] != buyer}
    assert renewal.unchanged >= len(untouched) // 2


async def test_one_that_was_cut_off_is_finished_by_the_next(
    filled: GraphStore, service: MatchingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "BATCH_ROWS", 20)
    whole, calls = GraphStore.renew_matched, []

    async def fails(self: GraphStore, buyers: Sequence[str], matches: Sequence[Matched]) -> Renewal:
        calls.append(len(buyers))
        if len(calls) > 3:
            raise ConnectionResetError("cut off")
        return await whole(self, buyers, matches)

    with monkeypatch.context() as patch, pytest.raises(ConnectionResetError):
        patch.setattr(GraphStore, "renew_matched", fails)
        await publish_matches(filled, service.state, first=5)
    part = len(await shown(filled))
    truth = await expected(service, 5)
    assert 0 < part < len(truth)
    renewal = await publish_matches(filled, service.state, first=5)
    assert renewal == Renewal(written=len(truth) - part, unchanged=part)
    check(await shown(filled), truth)


async def test_buyers_whom_the_matcher_does_not_know_lose_theirs(
    filled: GraphStore, service: MatchingService
) -> None:
    await filled.upsert_buyers([{"id": "pending"}])
    offer = service.state.corpus.offers.ids[0]
    await filled.renew_matched(["pending"], [Matched("pending", offer, 0.5, 1, "walk")])
    state = service.state
    assert "pending" not in state.buyer_table.index
    renewal = await publish_matches(filled, state, first=2)
    assert renewal.removed == 1
    assert all(buyer != "pending" for buyer, _ in await shown(filled))


async def test_published_matches_change_no_score(
    filled: GraphStore, service: MatchingService, settings: Settings
) -> None:
    before = await expected(service, 10)
    await publish_matches(filled, service.state, first=10)
    fresh = settings.model_copy(update={"home": settings.home / "fresh"})
    other = await MatchingService.open(filled, fresh, standing_clock)
    try:
        check(await expected(other, 10), before)
    finally:
        await other.close()


async def test_nonsense_is_refused(filled: GraphStore, service: MatchingService) -> None:
    for options in ({"first": 0}, {"first": 1001}, {"min_score": 1.5}):
        with pytest.raises(InputError):
            await publish_matches(filled, service.state, **options)
