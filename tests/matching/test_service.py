"""The service over a real graph: pages, changes, a new buyer, a new offer, no model, no data."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest

from core.entities import EvidenceKind
from core.errors import CursorExpiredError, CursorInvalidError, InputError, NotFoundError
from core.settings import Settings
from graph.store import GraphStore
from matching.requests import (
    Bought,
    BuyerFilter,
    BuyerMatchRequest,
    OfferFilter,
    OfferMatchRequest,
    PriceRange,
)
from matching.service import MatchingService
from tests.matching.conftest import standing_clock
from tests.matching.filling import fill_graph
from tests.matching.markets import NOW, varied_snapshot
from tests.matching.random_requests import random_buyer_request, random_offer_request
from tests.matching.test_ranking_oracle import oracle_of

ANYTHING = OfferMatchRequest(filter=OfferFilter(in_stock=False, valid_now=False))


async def test_a_thousand_lists_page_by_page_equal_the_oracle(
    filled: GraphStore, service: MatchingService
) -> None:
    snapshot = await filled.read_snapshot()
    oracle = oracle_of(snapshot, service.state, None)
    rng = random.Random(21)
    buyers, offers = snapshot.buyers["id"].to_list(), snapshot.offers["id"].to_list()
    for turn in range(1_000):
        size = rng.randint(1, 30)
        if turn % 2:
            asked, subject = random_offer_request(rng, snapshot), rng.choice(buyers)
            ranking = await service.rank_offers(subject, asked)
            expected = oracle.offers_for(subject, asked, NOW)
        else:
            wanted, subject = random_buyer_request(rng, snapshot), rng.choice(offers)
            ranking = await service.rank_buyers(subject, wanted)
            expected = oracle.buyers_for(subject, wanted)
        pages = list(ranking.items[:size])
        while len(pages) < len(ranking.items):
            if turn % 2:
                later = await service.resume_offers(subject, asked, ranking.id)
            else:
                later = await service.resume_buyers(subject, wanted, ranking.id)
            page = later.items[len(pages) : len(pages) + size]
            assert not any(item.stale for item in page)
            pages += page
        assert [(item.id, item.score, item.pinned) for item in pages] == expected


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        (OfferFilter(categories=("c0", "nope")), "categories"),
        (OfferFilter(vendors=("nope",)), "vendors"),
    ],
)
async def test_a_filter_by_what_is_not_there_is_refused(
    service: MatchingService, filled: GraphStore, asked: OfferFilter, field: str
) -> None:
    request = OfferMatchRequest(filter=asked)
    with pytest.raises(NotFoundError, match="nope") as ranked:
        await service.rank_offers("b004", request)
    assert ranked.value.field == ("filter", field)
    with pytest.raises(NotFoundError, match="nope"):
        await service.explain("b004", "o001", request)
    await filled.upsert_vendors([{"id": "nope"}])
    await filled.upsert_categories([{"id": "nope"}])
    await service.refresh()
    assert await service.rank_offers("b004", request)


async def test_pages_repeat_and_skip_nothing_while_the_ranking_moves(
    filled: GraphStore, service: MatchingService
) -> None:
    first = await service.rank_offers("b004", ANYTHING)
    bought, dismissed, gone = (item.id for item in first.items[2:5])
    await filled.record_purchases([_purchase("p1", "b004", bought)])
    await filled.record_interactions([_interaction("i1", "b004", dismissed)])
    await filled.delete_offers([gone])
    await service.refresh()
    later = await service.resume_offers("b004", ANYTHING, first.id)
    assert [item.id for item in later.items] == [item.id for item in first.items]
    assert [item.score for item in later.items] == [item.score for item in first.items]
    assert {item.id for item in later.items if item.stale} == {bought, dismissed, gone}
    newest = await service.rank_offers("b004", ANYTHING)
    assert {bought, dismissed, gone}.isdisjoint(item.id for item in newest.items)


async def test_a_cursor_of_other_arguments_is_refused(service: MatchingService) -> None:
    ranking = await service.rank_offers("b004", ANYTHING)
    with pytest.raises(CursorInvalidError):
        await service.resume_offers("b004", replace(ANYTHING, diversity=0.5), ranking.id)
    with pytest.raises(CursorInvalidError):
        await service.resume_offers("b005", ANYTHING, ranking.id)
    with pytest.raises(CursorExpiredError):
        await service.resume_offers("b004", ANYTHING, "no such list")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"diversity": 1.5}, "diversity"),
        ({"diversity": float("nan")}, "diversity"),
        ({"max_per_vendor": 0}, "maxPerVendor"),
        ({"filter": OfferFilter(min_score=-0.1)}, "minScore"),
        ({"filter": OfferFilter(price=PriceRange("EUR", 5, 4))}, "price"),
        ({"filter": OfferFilter(price=PriceRange(""))}, "currency"),
        ({"filter": OfferFilter(text="x" * 201)}, "text"),
        ({"filter": OfferFilter(valid_at=NOW.replace(tzinfo=None))}, "validAt"),
        ({"pinned": tuple(str(n) for n in range(1_001))}, "pinned"),
    ],
)
async def test_a_request_that_cannot_be_meant_is_refused(
    service: MatchingService, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(InputError) as refused:
        await service.rank_offers("b004", OfferMatchRequest(**change))
    assert refused.value.field[-1] == field


async def test_a_purchase_a_view_and_a_dismissal_change_the_next_answer(
    filled: GraphStore, service: MatchingService
) -> None:
    request = OfferMatchRequest(
        filter=OfferFilter(in_stock=False, valid_now=False, bought=Bought.INCLUDE)
    )
    answers = [await service.rank_offers("b058", request)]
    await filled.record_purchases([_purchase("p1", "b058", "o005")])
    await service.refresh()
    answers.append(await service.rank_offers("b058", request))
    await filled.record_interactions([_interaction("i1", "b058", "o006", EvidenceKind.VIEWED)])
    await service.refresh()
    answers.append(await service.rank_offers("b058", request))
    scores = [{item.id: item.score for item in answer.items} for answer in answers]
    assert scores[0] != scores[1]
    assert scores[1] != scores[2]
    top = answers[2].items[0].id
    await filled.record_interactions([_interaction("i2", "b058", top)])
    await service.refresh()
    assert top not in [item.id for item in (await service.rank_offers("b058", request)).items]
    await filled.cancel_purchases([{"id": "c1", "purchase_id": "p1", "at": NOW}])
    await service.refresh()
    assert (await service.rank_offers("b058", ANYTHING)).seq == await filled.last_seq()


async def test_what_this_process_wrote_scores_as_if_it_had_always_been_there(
    filled: GraphStore, service: MatchingService
) -> None:
    """Following the log and reading the graph anew see the same buyers and offers."""
    await filled.record_purchases([_purchase("p1", "b004", "o005")])
    await filled.upsert_buyers([{"id": "b004", "kind": "chemist", "latitude": 51.0}])
    await filled.upsert_vendors([{"id": "v0", "latitude": 10.0, "longitude": 10.0}])
    await filled.upsert_categories([{"id": "c2", "name": "New"}, {"id": "c01", "parent_id": "c2"}])
    await filled.delete_vendors(["v1"])
    await filled.delete_categories(["c000"])
    await filled.upsert_offers(
        [
            {"id": "o007", "price_minor": 999, "currency": "USD", "category_ids": ["c2", "c1"]},
            {"id": "o008", "title": "Renamed", "available_quantity": 0},
            {"id": "fresh", "title": "Fresh", "vendor_id": "v0", "category_ids": ["c01"]},
        ]
    )
    await filled.delete_buyers(["b009"])
    seq = await service.refresh()
    assert seq == await filled.last_seq()
    snapshot = await filled.read_snapshot()
    oracle = oracle_of(snapshot, service.state, None)
    rng = random.Random(22)
    for _ in range(150):
        asked = random_offer_request(rng, snapshot)
        subject = rng.choice(snapshot.buyers["id"].to_list())
        ranking = await service.rank_offers(subject, asked)
        expected = oracle.offers_for(subject, asked, NOW)
        assert [(item.id, item.score, item.pinned) for item in ranking.items] == expected, asked
        wanted = random_buyer_request(rng, snapshot)
        subject = rng.choice(snapshot.offers["id"].to_list())
        found = await service.rank_buyers(subject, wanted)
        expected = oracle.buyers_for(subject, wanted)
        assert [(item.id, item.score, item.pinned) for item in found.items] == expected, wanted


async def test_pair_scores_are_equal_in_both_directions(
    filled: GraphStore, service: MatchingService
) -> None:
    await filled.record_purchases([_purchase("p1", "b004", "o005")])
    await filled.upsert_buyers([{"id": "newcomer", "kind": "grocer", "country": "DE"}])
    await filled.upsert_offers([{"id": "fresh", "category_ids": ["c0"], "vendor_id": "v2"}])
    await service.refresh()
    state = service.state
    everything = OfferMatchRequest(
        filter=OfferFilter(in_stock=False, valid_now=False, bought=Bought.INCLUDE, dismissed=True)
    )
    everybody = BuyerMatchRequest(filter=BuyerFilter(bought=Bought.INCLUDE, dismissed=True))
    by_buyer = {
        (buyer, item.id): item.score
        for buyer in state.buyer_table.ids
        for item in (await service.rank_offers(buyer, everything)).items
    }
    by_offer = {
        (item.id, offer): item.score
        for offer in state.corpus.offers.ids
        for item in (await service.rank_buyers(offer, everybody)).items
    }
    assert by_buyer == by_offer
    assert ("newcomer", "fresh") in by_buyer
    pairs = list(by_buyer)
    assert await service.score_pairs(pairs) == [by_buyer[pair] for pair in pairs]


async def test_a_new_buyer_and_a_new_offer_are_served_at_once(
    filled: GraphStore, service: MatchingService
) -> None:
    await filled.upsert_buyers(
        [{"id": "newcomer", "kind": "grocer", "country": "FR", "latitude": 48.0, "longitude": 2.0}]
    )
    await filled.set_preferences("newcomer", [{"category_id": "c1", "weight": 1.0}])
    await filled.upsert_offers(
        [{"id": "fresh", "category_ids": ["c1"], "latitude": 48.0, "longitude": 2.0}]
    )
    await service.refresh()
    ranking = await service.rank_offers("newcomer", OfferMatchRequest())
    assert len(ranking.items) > 10
    places = [item.id for item in ranking.items]
    assert places.index("fresh") < len(places) // 4
    buyers = await service.rank_buyers("fresh", BuyerMatchRequest())
    assert "newcomer" in [item.id for item in buyers.items[:5]]


async def test_an_erased_buyer_is_gone(filled: GraphStore, service: MatchingService) -> None:
    await filled.delete_buyers(["b004"])
    await service.refresh()
    with pytest.raises(NotFoundError):
        await service.rank_offers("b004", OfferMatchRequest())
    for offer in service.state.corpus.offers.ids[:20]:
        request = BuyerMatchRequest(filter=BuyerFilter(bought=Bought.INCLUDE))
        found = (await service.rank_buyers(offer, request)).items
        assert "b004" not in [item.id for item in found]
    await filled.upsert_buyers([{"id": "b004", "name": "Somebody else"}])
    await service.refresh()
    state = service.state.buyer_state("b004")
    assert state is not None
    assert len(state.offers) == 0


async def test_an_empty_graph_answers_with_empty_pages(
    store: GraphStore, empty_service: MatchingService
) -> None:
    with pytest.raises(NotFoundError):
        await empty_service.rank_offers("nobody", OfferMatchRequest())
    await store.upsert_buyers([{"id": "alone"}])
    await empty_service.refresh()
    assert (await empty_service.rank_offers("alone", OfferMatchRequest())).items == ()
    assert empty_service.model_info().trained is False
    await store.upsert_offers([{"id": "only", "title": "The only one"}])
    await empty_service.refresh()
    ranking = await empty_service.rank_offers("alone", OfferMatchRequest())
    assert [item.id for item in ranking.items] == ["only"]
    assert (await empty_service.explanations([("alone", "only")]))[0][0].kind == "POPULAR"


async def test_an_import_is_seen_whole_or_not_at_all(
    store: GraphStore, empty_service: MatchingService
) -> None:
    await fill_graph(store, varied_snapshot())
    seq = await store.last_seq()
    await empty_service.wait_for(seq, timeout_seconds=30)
    assert empty_service.state.seq == seq
    health = empty_service.health()
    assert (health.buyers, health.ready, health.last_error) == (60, True, None)
    assert len((await empty_service.rank_offers("b004", OfferMatchRequest())).items) > 5


async def test_waiting_for_a_seq_that_does_not_come_ends(service: MatchingService) -> None:
    with pytest.raises(InputError) as refused:
        await service.wait_for(service.state.seq + 5, timeout_seconds=0.05)
    assert refused.value.field == ("atLeastSeq",)


async def test_a_start_loads_the_snapshot_file_and_follows_from_there(
    filled: GraphStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await MatchingService.open(filled, settings, standing_clock)
    await filled.record_purchases([_purchase("p1", "b004", "o005")])
    await first.refresh()
    expected = await first.rank_offers("b004", ANYTHING)
    await first.close()

    async def refuse(*_: Any) -> None:
        raise AssertionError("the graph was read whole although the snapshot file is good")

    monkeypatch.setattr(filled, "read_snapshot", refuse)
    second = await MatchingService.open(filled, settings, standing_clock)
    found = await second.rank_offers("b004", ANYTHING)
    await second.close()
    assert found.items == expected.items


async def test_a_damaged_snapshot_file_is_passed_over(
    filled: GraphStore, settings: Settings
) -> None:
    first = await MatchingService.open(filled, settings, standing_clock)
    expected = await first.rank_offers("b004", ANYTHING)
    await first.close()
    damaged = list(settings.snapshots_dir.glob("*/buyers.parquet"))
    assert damaged
    for path in damaged:
        path.write_bytes(b"not what it was")
    second = await MatchingService.open(filled, settings, standing_clock)
    found = await second.rank_offers("b004", ANYTHING)
    await second.close()
    assert found.items == expected.items


async def test_the_snapshot_file_of_another_graph_is_passed_over(
    filled: GraphStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await (await MatchingService.open(filled, settings, standing_clock)).close()
    await filled.upsert_buyers([{"id": "later"}])
    monkeypatch.setattr(filled, "graph_id", "another-graph")
    second = await MatchingService.open(filled, settings, standing_clock)
    await second.close()
    assert second.state.corpus.graph_id == "another-graph"
    assert "later" in second.state.corpus.buyers.index


async def test_the_same_ranking_asked_for_at_once_is_made_once(
    service: MatchingService,
) -> None:
    rankings = await asyncio.gather(*(service.rank_offers("b004", ANYTHING) for _ in range(20)))
    assert len({ranking.id for ranking in rankings}) == 1
    assert (await service.rank_offers("b004", ANYTHING)).id != rankings[0].id


async def test_similar_offers_are_active_and_other(service: MatchingService) -> None:
    offers = service.state.corpus.offers
    for offer_id in offers.ids[:20]:
        found = await service.similar_offers(offer_id, first=5)
        assert len(found) <= 5
        assert offer_id not in [offer.id for offer in found]
        assert all(offers.active[offers.index[offer.id]] for offer in found)
        values = [offer.similarity for offer in found]
        assert values == sorted(values, reverse=True)
    with pytest.raises(NotFoundError):
        await service.similar_offers("no such offer")


def _purchase(key: str, buyer: str, offer: str) -> dict[str, Any]:
    return {"id": key, "buyer_id": buyer, "offer_id": offer, "at": NOW, "quantity": 1}


def _interaction(
    key: str, buyer: str, offer: str, kind: EvidenceKind = EvidenceKind.DISMISSED
) -> dict[str, Any]:
    return {"id": key, "buyer_id": buyer, "offer_id": offer, "kind": kind, "at": NOW}
