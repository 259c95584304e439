"""A bound is never below the score, and hardly above it, however the graph has changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from announcing.audience import Audience, audience_of
from announcing.tops import TopTable
from core.entities import Buyer, BuyerProfile, Evidence, EvidenceKind, MatchTop, Offer, Preference
from matching.growth import with_catalogue
from matching.ranking import score_all_buyers
from matching.state import DISMISSED, MatcherState, build_state
from scoring import tower as tower_module
from scoring.corpus import PURCHASED
from scoring.offer_features import EncodedOffers
from scoring.scorer import build_scorer
from tests.scoring.snapshots import START, random_model, random_snapshot

HARDLY = 1e-4


class AnyEncoder:
    """Gives new offers random vectors: bounding must read whatever an encoder says."""

    @classmethod
    def from_arrays(cls, *_: Any) -> AnyEncoder:
        return cls()

    def encode(self, _: Any, chosen: np.ndarray[Any, Any]) -> EncodedOffers:
        rng = np.random.default_rng(7)
        z = rng.normal(0, 1, (len(chosen), 12)).astype(np.float32)
        z /= np.linalg.norm(z, axis=1, keepdims=True)
        return EncodedOffers(z, z, z, np.ones(len(chosen), np.float32))


@pytest.fixture(params=["untrained", "trained"])
def state(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MatcherState:
    return market(request.param == "trained", monkeypatch)


def market(trained: bool, monkeypatch: pytest.MonkeyPatch, seed: int = 3) -> MatcherState:
    snapshot = random_snapshot(seed)
    monkeypatch.setattr(tower_module, "OfferEncoder", AnyEncoder)
    return build_state(snapshot, random_model(snapshot, seed + 2) if trained else None)


def check(state: MatcherState, audience: Audience, offers: list[int] | None = None) -> None:
    table = state.buyer_table
    for offer in range(len(state.corpus.offers)) if offers is None else offers:
        scores = score_all_buyers(state, offer)
        bounds = audience.bounds(offer)
        assert bounds.keys() == {key for key, row in table.index.items() if table.present[row]}
        dealt = state.buyers_with(offer, PURCHASED) | state.buyers_with(offer, DISMISSED)
        for key, bound in bounds.items():
            row = table.index[key]
            if dealt[row]:
                assert bound == 0.0
            else:
                assert scores[row] <= bound <= scores[row] + HARDLY, (offer, key)


def offer_of(state: MatcherState, key: str, **changes: Any) -> Offer:
    row = state.corpus.offers.index.get(key)
    o = state.corpus.offers
    known = Offer(key, title="new", price_minor=900, currency="EUR", vendor_id="v1")
    if row is not None:
        code = int(o.currency[row])
        known = Offer(
            key,
            title=o.titles[row],
            description=o.descriptions[row],
            price_minor=None if np.isnan(o.price[row]) else int(o.price[row]),
            currency=None if code < 0 else state.corpus.currencies[code],
            vendor_id=None if o.vendor[row] < 0 else state.corpus.vendor_ids[o.vendor[row]],
            category_ids=tuple(state.corpus.categories.ids[c] for c in o.categories.row(row)),
        )
    return replace(known, **changes)


def test_bounds_hold_and_are_tight_on_the_snapshot(state: MatcherState) -> None:
    check(state, audience_of(state))


def test_bounds_hold_when_offers_have_changed_and_come(state: MatcherState) -> None:
    before = audience_of(state)
    ids = state.corpus.offers.ids
    changed = [
        offer_of(state, ids[0], price_minor=5),
        offer_of(state, ids[3], currency="USD", price_minor=77),
        offer_of(state, ids[5], vendor_id="v2"),
        offer_of(state, ids[8], category_ids=("c000", "c1")),
        offer_of(state, ids[9], latitude=47.0, longitude=3.0),
        offer_of(state, "fresh-1", category_ids=("c00",), latitude=47.0, longitude=3.0),
        offer_of(state, "fresh-2", vendor_id=None, price_minor=None, currency=None),
        offer_of(state, "fresh-3", latitude=state.corpus.offers.latitude[9], longitude=1.0),
    ]
    now = state.with_corpus(with_catalogue(state.corpus, changed))
    audience = audience_of(now, before)
    assert audience.base is before.base
    assert audience.outdated.any()
    assert not audience.outdated.all()
    check(now, audience)


def test_bounds_hold_for_buyers_who_changed_came_and_went(state: MatcherState) -> None:
    ids = state.corpus.offers.ids
    fresh = with_catalogue(state.corpus, [offer_of(state, "fresh-1", category_ids=("c1",))])
    now = state.with_corpus(fresh).with_profiles(
        {
            "b004": profile("b004", [ids[1], "fresh-1"], dismissed=ids[2]),
            "newcomer": profile("newcomer", [ids[7]]),
            "empty": BuyerProfile(Buyer("empty")),
        }
    )
    now = now.without_buyers({"b009", "newcomer"}).with_profiles(
        {"late": profile("late", [ids[7], ids[7]])}
    )
    check(now, audience_of(now, audience_of(state)))


def test_everybody_is_summed_up_anew_when_many_hold_what_has_changed(
    state: MatcherState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("announcing.audience.MOVED_LEAST", 2)
    before = audience_of(state)
    changed = [offer_of(state, key, price_minor=3) for key in state.corpus.offers.ids[:40]]
    now = state.with_corpus(with_catalogue(state.corpus, changed))
    audience = audience_of(now, before)
    assert audience.base is not before.base
    check(now, audience)


def test_another_model_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    state = market(False, monkeypatch)
    before = audience_of(state)
    snapshot = random_snapshot(3)
    model = random_model(snapshot)
    now = state.scored_by(build_scorer(state.corpus, model), model)
    check(now, audience_of(now, before))


@given(seed=st.integers(0, 10_000))
@settings(max_examples=8, deadline=None)
def test_bounds_hold_on_any_market(seed: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        state = market(seed % 2 == 0, patch, seed)
        check(state, audience_of(state), list(range(0, 80, 9)))


def test_only_who_can_reach_a_place_survives(state: MatcherState) -> None:
    audience = audience_of(state)
    scores = score_all_buyers(state, 11)
    middle = float(np.median(scores))
    table = TopTable(1, 0.0)
    for key in state.corpus.buyers.ids[:-1]:  # the last was never looked at
        table.put(MatchTop(key, (("other", middle),)))
    survivors = audience.survivors(11, audience.floors(table.floors))
    dealt = state.buyers_with(11, PURCHASED) | state.buyers_with(11, DISMISSED)
    above = {
        key
        for row, key in enumerate(state.corpus.buyers.ids[:-1])
        if scores[row] >= middle and not dealt[row]
    }
    assert above <= set(survivors)
    assert len(survivors) <= len(above) + 1


def profile(key: str, bought: list[str], dismissed: str | None = None) -> BuyerProfile:
    evidence = [
        Evidence(offer, EvidenceKind.PURCHASED, 1, START, START) for offer in dict.fromkeys(bought)
    ]
    if dismissed is not None:
        evidence.append(Evidence(dismissed, EvidenceKind.DISMISSED, 1, START, START))
    buyer = Buyer(key, kind="grocer", country="FR", latitude=48.0, longitude=2.0)
    return BuyerProfile(buyer, tuple(evidence), (Preference("c0", 0.5), Preference("c1", -1.0)))
