"""Every stage that can drop an offer says so, and says what would have to change."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from graph.store import GraphStore
from matching.answers import Stage
from matching.requests import Bought, Near, OfferFilter, OfferMatchRequest, PriceRange, Seen
from matching.service import MatchingService
from tests.matching.markets import NOW
from tests.matching.random_requests import random_offer_request

BUYER = "shopper"


@pytest.fixture
async def shop(store: GraphStore, empty_service: MatchingService) -> MatchingService:
    """One buyer and an offer for each way to be dropped."""
    await store.upsert_buyers([{"id": BUYER, "latitude": 50.0, "longitude": 8.0}])
    await store.upsert_vendors([{"id": "v1"}, {"id": "v2"}])
    await store.upsert_categories([{"id": "root"}, {"id": "leaf", "parent_id": "root"}])
    plain: dict[str, Any] = {
        "title": "A plain thing", "price_minor": 500, "currency": "EUR", "vendor_id": "v1",
        "category_ids": ["leaf"], "latitude": 50.0, "longitude": 8.0,
    }  # fmt: skip
    await store.upsert_offers(
        [
            {"id": "plain", **plain},
            {"id": "twin", **plain},
            {"id": "late", **plain, "valid_from": NOW + timedelta(days=1)},
            {"id": "out", **plain, "available_quantity": 0},
            {"id": "had", **plain},
            {"id": "disliked", **plain},
            {"id": "withdrawn", **plain},
            {"id": "dear", **plain, "price_minor": 50_000, "title": "Other", "vendor_id": "v2",
             "category_ids": [], "latitude": -50.0},
        ]
    )  # fmt: skip
    await store.delete_offers(["withdrawn"])
    await store.record_purchases([{"id": "p", "buyer_id": BUYER, "offer_id": "had", "at": NOW}])
    await store.record_interactions(
        [{"id": "i", "buyer_id": BUYER, "offer_id": "disliked", "kind": "DISMISSED", "at": NOW}]
    )
    await empty_service.refresh()
    return empty_service


@pytest.mark.parametrize(
    ("offer_id", "stage"),
    [
        ("no such offer", Stage.NOT_FOUND),
        ("withdrawn", Stage.WITHDRAWN),
        ("late", Stage.NOT_VALID_NOW),
        ("out", Stage.OUT_OF_STOCK),
        ("had", Stage.ALREADY_BOUGHT),
        ("disliked", Stage.DISMISSED),
        ("plain", Stage.NONE),
    ],
)
async def test_what_happened_to_an_offer_is_named(
    shop: MatchingService, offer_id: str, stage: Stage
) -> None:
    answer = await shop.explain(BUYER, offer_id)
    assert answer.stage is stage
    assert (answer.what_would_change is None) is (stage is Stage.NONE)
    assert (answer.position is not None) is (stage is Stage.NONE)
    assert (answer.score is None) is (stage is Stage.NOT_FOUND)


@pytest.mark.parametrize(
    ("condition", "asked"),
    [
        ("categories", OfferFilter(categories=("root",))),
        ("vendors", OfferFilter(vendors=("v1",))),
        ("price", OfferFilter(price=PriceRange("EUR", None, 500))),
        ("near", OfferFilter(near=Near(50.0, 8.0, 10.0))),
        ("text", OfferFilter(text="PLAIN thing")),
        ("bought", OfferFilter(bought=Bought.ONLY)),
        ("seen", OfferFilter(seen=Seen.ONLY)),
        ("min_score", OfferFilter(min_score=1.0)),
    ],
)
async def test_the_condition_that_stops_an_offer_is_named(
    shop: MatchingService, condition: str, asked: OfferFilter
) -> None:
    answer = await shop.explain(BUYER, "dear", OfferMatchRequest(filter=asked))
    assert (answer.stage, answer.condition) == (Stage.FILTER, condition)
    assert answer.what_would_change


async def test_exclusion_caps_places_and_diversity_are_named(shop: MatchingService) -> None:
    excluded = await shop.explain(BUYER, "plain", OfferMatchRequest(excluded=("plain",)))
    assert excluded.stage is Stage.EXCLUDED
    capped = await shop.explain(BUYER, "twin", OfferMatchRequest(max_per_vendor=1))
    assert (capped.stage, capped.condition) == (Stage.CAPPED, "max_per_vendor")
    behind = await shop.explain(BUYER, "twin", top=1)
    assert behind.stage is Stage.OUTSIDE_TOP
    first = await shop.explain(BUYER, "plain", top=1)
    assert (first.stage, first.position) == (Stage.NONE, 1)
    assert behind.needed_score == first.score
    spread = await shop.explain(BUYER, "twin", OfferMatchRequest(diversity=1.0), top=2)
    assert (spread.stage, spread.condition) == (Stage.OUTSIDE_TOP, "diversity")
    pinned = OfferMatchRequest(pinned=("dear",), filter=OfferFilter(categories=("root",)))
    assert (await shop.explain(BUYER, "dear", pinned)).position == 1
    nobody = await shop.explain("nobody", "plain")
    assert nobody.stage is Stage.NOT_FOUND


async def test_a_verdict_agrees_with_the_ranking(
    filled: GraphStore, service: MatchingService
) -> None:
    """For random requests: NONE exactly for what the first places hold, else a real reason."""
    snapshot = await filled.read_snapshot()
    rng = random.Random(41)
    stages = set()
    for _ in range(150):
        request = random_offer_request(rng, snapshot)
        buyer_id, top = rng.choice(snapshot.buyers["id"].to_list()), rng.randint(1, 20)
        items = (await service.rank_offers(buyer_id, request)).items
        offer_id = rng.choice(snapshot.offers["id"].to_list())
        answer = await service.explain(buyer_id, offer_id, request, top)
        place = next((item.rank for item in items if item.id == offer_id), None)
        stages.add(answer.stage)
        if place is not None and place <= top:
            assert (answer.stage, answer.position) == (Stage.NONE, place)
        elif place is not None:
            assert answer.stage is Stage.OUTSIDE_TOP
        else:
            assert answer.stage not in (Stage.NONE, Stage.OUTSIDE_TOP, Stage.NOT_FOUND)
        if answer.stage is Stage.FILTER and answer.condition == "min_score":
            lower = replace(request, filter=replace(request.filter, min_score=0.0))
            again = await service.explain(buyer_id, offer_id, lower, top)
            assert again.stage in (Stage.NONE, Stage.OUTSIDE_TOP, Stage.CAPPED)
    assert len(stages) >= 8


async def test_the_rank_counts_all_offers_whatever_the_filter(
    filled: GraphStore, service: MatchingService
) -> None:
    state = service.state
    buyer = state.buyer_state("b004")
    assert buyer is not None
    scores = dict(zip(state.corpus.offers.ids, state.scorer.score_offers(buyer), strict=True))
    order = sorted(scores, key=lambda key: (-scores[key], key))
    for offer_id in order[::9]:
        answer = await service.explain("b004", offer_id)
        assert answer.rank == order.index(offer_id) + 1
        assert answer.score == scores[offer_id]
