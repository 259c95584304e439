"""One score for a pair, from every direction, and with evidence truly taken away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scoring import tower as tower_module
from scoring.components import LOW_RANK, LOW_RANK_LOG
from scoring.corpus_building import build_corpus
from scoring.effects import Mask, effects_of_features, effects_of_pieces
from scoring.pair_kernels import FINE
from scoring.rows import weights_between
from scoring.scorer import Scorer, build_scorer
from scoring.states import WEIGHT_OF_KIND, state_of
from scoring.walk import Dealings, WalkSettings, dealings_of, purchased_pairs, walk_rows
from tests.scoring.snapshots import random_model, random_snapshot


class NoEncoder:
    """Stands for an encoder where every offer is in the model."""

    @classmethod
    def from_arrays(cls, *_: Any) -> NoEncoder:
        return cls()


@pytest.fixture(params=["untrained", "trained"])
def scorer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Scorer:
    snapshot = random_snapshot()
    monkeypatch.setattr(tower_module, "OfferEncoder", NoEncoder)
    model = random_model(snapshot) if request.param == "trained" else None
    return build_scorer(build_corpus(snapshot), model)


def test_a_pair_scores_the_same_from_both_directions(scorer: Scorer) -> None:
    buyers = range(len(scorer.corpus.buyers))
    by_buyer = np.stack([scorer.score_offers(state_of(scorer.corpus, b)) for b in buyers])
    by_offer = np.stack([scorer.score_buyers(o) for o in range(len(scorer.corpus.offers))], axis=1)
    assert np.array_equal(by_buyer, by_offer)
    assert by_buyer.min() > 0
    assert by_buyer.max() <= 1
    assert len(np.unique(by_buyer)) > by_buyer.size // 10


def test_the_low_rank_links_every_offer_with_every_other(monkeypatch: pytest.MonkeyPatch) -> None:
    snapshot = random_snapshot()
    monkeypatch.setattr(tower_module, "OfferEncoder", NoEncoder)
    scorer = build_scorer(build_corpus(snapshot), random_model(snapshot))
    tower, every = scorer.tower, np.arange(len(scorer.corpus.offers), dtype=np.int32)
    links = tower.low_rank_in[:, None] * (tower.low_rank @ tower.low_rank.T) * tower.low_rank_out
    for buyer in range(5):
        state = state_of(scorer.corpus, buyer)
        phi = scorer.components(scorer.read(state), every)
        expected = state.weights @ links[state.offers]
        assert np.allclose(phi[:, LOW_RANK], expected, atol=1e-4)
        assert np.allclose(phi[:, LOW_RANK_LOG], np.log1p(FINE * expected.clip(0.0)), atol=1e-3)
        assert np.ptp(expected) > 0.1


def test_a_changed_buyer_is_scored_as_it_is_now(scorer: Scorer) -> None:
    state = state_of(scorer.corpus, 4).without_evidence()
    scores = scorer.score_buyers(7, {4: state})
    assert scores[4] == scorer.score_offers(state)[7]
    assert scores[4] != scorer.score_buyers(7)[4]


def test_a_piece_contributes_what_its_absence_takes(scorer: Scorer) -> None:
    offers = np.arange(len(scorer.corpus.offers), dtype=np.int32)
    checked = 0
    for buyer in range(0, len(scorer.corpus.buyers), 7):
        state = state_of(scorer.corpus, buyer)
        reading = scorer.read(state)
        scores = scorer.score_offers(state)
        found = effects_of_pieces(scorer, state, reading, offers, 4)
        strongest = effects_of_pieces(scorer, state, scorer.read(state), offers, 4, told=2)
        assert strongest == [effects[:2] for effects in found]
        for offer, effects in enumerate(found):
            for effect in effects:
                without = scorer.score_offers(state.without_piece(effect.row))[offer]
                assert effect.score_without == pytest.approx(without, rel=1e-9)
                assert effect.contribution == pytest.approx(1 - without / scores[offer], abs=1e-9)
                checked += 1
    assert checked > 1000


def test_a_feature_contributes_what_its_absence_takes(scorer: Scorer) -> None:
    offers = np.arange(len(scorer.corpus.offers), dtype=np.int32)
    seen = set()
    for buyer in range(0, len(scorer.corpus.buyers), 5):
        state = state_of(scorer.corpus, buyer)
        effects = effects_of_features(scorer, state, scorer.read(state), offers)
        for offer, found in enumerate(effects):
            for effect in found:
                seen.add(effect.mask)
                if effect.mask is Mask.PREFERENCE:
                    other = state.without_preference(effect.row)
                elif effect.mask is Mask.BUYER_PLACE:
                    other = state.without_place()
                elif effect.mask is Mask.EVERYTHING:
                    other = state.without_evidence()
                else:
                    continue
                without = scorer.score_offers(other)[offer]
                assert effect.score_without == pytest.approx(without, rel=1e-12)
    assert seen == set(Mask) - {Mask.PIECE, Mask.CONTEXT}


def test_a_walk_row_counts_common_buyers() -> None:
    snapshot = random_snapshot()
    corpus = build_corpus(snapshot)
    buyer, offer = purchased_pairs(corpus.buyers)
    rows = walk_rows(Dealings(buyer, offer, np.ones(len(buyer))),
                     (len(corpus.buyers), len(corpus.offers)),
                     WalkSettings(0.0, 0.0, 0.0, 1000))  # fmt: skip
    bought: dict[int, set[int]] = {}
    for b, o in zip(buyer.tolist(), offer.tolist(), strict=True):
        bought.setdefault(o, set()).add(b)
    for j in range(len(corpus.offers)):
        near = slice(rows.ptr[j], rows.ptr[j + 1])
        found = dict(zip(rows.offer[near].tolist(), rows.weight[near].tolist(), strict=True))
        expected = {
            i: len(bought.get(j, set()) & bought[i])
            for i in bought
            if i != j and bought.get(j, set()) & bought[i]
        }
        assert found == expected


def test_a_look_links_offers_by_a_share_of_a_purchase() -> None:
    corpus = build_corpus(random_snapshot())
    says = np.zeros((len(corpus.buyers), len(corpus.offers)))
    b = corpus.buyers
    owner = np.repeat(np.arange(len(b)), np.diff(b.ptr))
    np.add.at(says, (owner, b.offer), WEIGHT_OF_KIND[b.evidence_kind])
    says = says.clip(0.0, 1.0)
    assert len(np.unique(says)) > 3
    rows = walk_rows(dealings_of(b), says.shape, WalkSettings(0.5, 0.5, 0.5, 1000))
    buyers, offers = (np.maximum(says.sum(axis=k), 1.0) ** -0.5 for k in (1, 0))
    every = np.arange(len(corpus.offers), dtype=np.int32)
    expected = offers[:, None] * (says.T @ (buyers[:, None] * says)) * offers
    np.fill_diagonal(expected, 0.0)
    assert np.allclose(weights_between(rows, every, every), expected, atol=1e-6)


def test_walk_rows_keep_the_strongest_and_of_equals_the_first() -> None:
    corpus = build_corpus(random_snapshot())
    buyer, offer = purchased_pairs(corpus.buyers)
    purchases = Dealings(buyer, offer, np.ones(len(buyer)))
    shape = (len(corpus.buyers), len(corpus.offers))
    whole = walk_rows(purchases, shape, WalkSettings(0.0, 0.0, 0.0, 1000))
    cut = walk_rows(purchases, shape, WalkSettings(0.0, 0.0, 0.0, 5))
    ties = 0
    for j in range(len(corpus.offers)):
        near = slice(whole.ptr[j], whole.ptr[j + 1])
        pairs = sorted(zip((-whole.weight[near]).tolist(), whole.offer[near].tolist(), strict=True))
        kept = cut.offer[cut.ptr[j] : cut.ptr[j + 1]].tolist()
        assert kept == sorted(i for _, i in pairs[:5])
        ties += len(pairs) > 5 and pairs[4][0] == pairs[5][0]
    assert ties > 5
