"""Rankings under circumstances: what is scored, what is told, what a cursor goes with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from core.context import Context, ContextValue, parse_context
from core.errors import CursorInvalidError, InputError
from core.settings import Settings
from graph.store import GraphStore
from matching.answers import ExplanationKind, PathKind, Stage
from matching.explanations import explain_offers
from matching.lookups import score_pairs
from matching.ranking import rank_buyer_rows, rank_offer_rows
from matching.requests import (
    BuyerMatchRequest,
    OfferMatchRequest,
    check_request,
    request_fingerprint,
)
from matching.service import MatchingService
from matching.state import MatcherState, build_state
from matching.why_not import explain_pair
from scoring import tower as tower_module
from scoring.artifact import publish_model
from scoring.corpus_building import build_corpus
from scoring.states import EMPTY_STATE
from tests.matching.conftest import standing_clock
from tests.matching.filling import fill_graph
from tests.matching.markets import NOW
from tests.matching.test_ranking_oracle import NoEncoder
from tests.scoring.snapshots import random_model
from tests.scoring.test_context import OFFERS, weather_market

RAIN = parse_context(["weather=rain"])
BUYER = "b007"


@pytest.fixture(scope="module")
def state() -> MatcherState:
    made = build_state(weather_market(1, pull=0.5, rows=2000), None)
    return replace(made, scorer=replace(made.scorer, context_weights={"weather": 2.0}))


def ranked(state: MatcherState, context: Context) -> list[int]:
    buyer = state.buyer_state(BUYER)
    assert buyer is not None
    return rank_offer_rows(state, buyer, OfferMatchRequest(context=context), NOW).rows


def test_rain_puts_up_what_is_bought_in_the_rain(state: MatcherState) -> None:
    dry, wet = ranked(state, ()), ranked(state, RAIN)
    assert set(dry) == set(wet)

    def place(rows: list[int]) -> float:
        return float(np.mean([at for at, row in enumerate(rows) if row < OFFERS and row % 2 == 0]))

    assert place(wet) < place(dry) - 2
    assert ranked(state, (ContextValue("shoe", "43"),)) == dry


def test_both_directions_agree_under_circumstances(state: MatcherState) -> None:
    buyer = state.buyer_state(BUYER)
    assert buyer is not None
    row = state.buyer_table.index[BUYER]
    scores = rank_offer_rows(state, buyer, OfferMatchRequest(context=RAIN), NOW).scores
    for offer in range(0, OFFERS, 7):
        others = rank_buyer_rows(state, offer, BuyerMatchRequest(context=RAIN))
        assert others.scores[row] == scores[offer]
    pairs = [(BUYER, key) for key in state.corpus.offers.ids]
    assert score_pairs(state, pairs, RAIN) == scores.tolist()
    assert score_pairs(state, pairs) != scores.tolist()


def test_a_circumstance_is_told_as_such(state: MatcherState) -> None:
    buyer = state.buyer_state(BUYER)
    assert buyer is not None
    asked = (*RAIN, ContextValue("weekday", "monday"))
    offers = np.arange(0, OFFERS, 2, dtype=np.int32)
    scores = state.scorer.score_pairs(buyer, offers, asked)
    without = state.scorer.score_pairs(buyer, offers)
    explained = explain_offers(state, BUYER, buyer, offers, 10, asked)
    for offer, score, rest, told in zip(offers, scores, without, explained, strict=True):
        (one,) = [each for each in told if each.kind is ExplanationKind.CONTEXT]
        assert one.contribution == 1.0 - rest / score
        assert one.summary == "Bought more than otherwise when weather is rain."
        assert [step.kind for step in one.path] == [
            PathKind.BUYER, PathKind.CONTEXT, PathKind.OFFER,
        ]  # fmt: skip
        assert one.path[1].label == "weather=rain"
        assert one.path[2].id == state.corpus.offers.ids[offer]
    plain = explain_offers(state, BUYER, buyer, offers, 10)
    assert all(one.kind is not ExplanationKind.CONTEXT for told in plain for one in told)


def test_where_nothing_personal_leads_the_circumstance_is_told_too(state: MatcherState) -> None:
    offers = np.array([0, 1], np.int32)
    told = explain_offers(state, BUYER, EMPTY_STATE, offers, 3, RAIN)
    kinds = [[one.kind for one in each] for each in told]
    assert kinds == [
        [ExplanationKind.CONTEXT, ExplanationKind.POPULAR],
        # Bought less in the rain: nothing to tell of it.
        [ExplanationKind.POPULAR],
    ]


def test_why_not_asks_under_the_same_circumstances(state: MatcherState) -> None:
    dry, wet = ranked(state, ()), ranked(state, RAIN)
    risen = next(row for row in wet[:5] if dry.index(row) >= 5)
    key = state.corpus.offers.ids[risen]
    request = OfferMatchRequest(context=RAIN)
    assert explain_pair(state, BUYER, key, request, 5, NOW).stage is Stage.NONE
    assert explain_pair(state, BUYER, key, OfferMatchRequest(), 5, NOW).stage is Stage.OUTSIDE_TOP


def test_a_fingerprint_knows_the_circumstances() -> None:
    made = {
        request_fingerprint(BUYER, request)
        for request in (
            OfferMatchRequest(),
            OfferMatchRequest(context=RAIN),
            OfferMatchRequest(context=parse_context(["weather=sun"])),
            BuyerMatchRequest(),
            BuyerMatchRequest(context=RAIN),
        )
    }
    assert len(made) == 5


def test_what_is_malformed_is_refused() -> None:
    for request in (OfferMatchRequest, BuyerMatchRequest):
        with pytest.raises(InputError) as caught:
            check_request(request(context=(ContextValue("Weather", "rain"),)))
        assert caught.value.field == ("context",)


async def test_a_service_learns_of_circumstances_from_the_graph(
    store: GraphStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tower_module, "OfferEncoder", NoEncoder)
    market = weather_market(1, pull=0.5, rows=2000)
    await fill_graph(store, market)
    snapshot = await store.read_snapshot()
    model = random_model(snapshot)
    learned = replace(model, manifest=model.manifest | {"context": {"weather": 2.0}})
    publish_model(settings.models_dir, learned)
    service = await MatchingService.open(store, settings, standing_clock)
    request = OfferMatchRequest(context=RAIN)
    wet = await service.rank_offers(BUYER, request)
    dry = await service.rank_offers(BUYER, OfferMatchRequest())
    lifts = build_corpus(market).context_lifts.of(RAIN[0])
    assert lifts is not None
    row = {key: at for at, key in enumerate(market.offers["id"])}
    plain = {item.id: item.score for item in dry.items}
    for item in wet.items[:10]:
        odds, before = (np.log(s / (1 - s)) for s in (item.score, plain[item.id]))
        assert odds - before == pytest.approx(2.0 * lifts[row[item.id]], abs=1e-6)
    best = wet.items[0].id
    buyers = await service.rank_buyers(best, BuyerMatchRequest(context=RAIN))
    assert {item.id: item.score for item in buyers.items}[BUYER] == wet.items[0].score
    assert await service.score_pairs([(BUYER, best)], RAIN) == [wet.items[0].score]
    pair = await service.explain(BUYER, best, request)
    (told,) = await service.explanations([(BUYER, best)], 10, RAIN)
    assert (pair.score, pair.explanations) == (wet.items[0].score, told[: len(pair.explanations)])
    assert ExplanationKind.CONTEXT in [one.kind for one in told]
    again = await service.resume_offers(BUYER, request, wet.id)
    assert [item.id for item in again.items] == [item.id for item in wet.items]
    with pytest.raises(CursorInvalidError):
        await service.resume_offers(BUYER, OfferMatchRequest(), wet.id)
    await service.close()
