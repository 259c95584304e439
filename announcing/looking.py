"""Looks at buyers and offers: what the matcher answers now, beside what was told before.

Nothing here waits or writes; it runs in worker threads on an immutable state.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from announcing.audience import Audience
from announcing.tops import Places, TopTable, is_tied, merged
from announcing.transitions import Look, Moment, OfferFacts, Rules, look_at
from core.entities import MatchReason, MatchState, MatchTop
from matching.lookups import score_pairs
from matching.ranking import rank_offer_rows
from matching.requests import OfferFilter, OfferMatchRequest
from matching.state import DISMISSED, MatcherState
from scoring.corpus import PURCHASED
from scoring.states import BuyerState

# By buyer, what was told of its pairs, by offer.
Told = Mapping[str, Mapping[str, MatchState]]


def told_of(states: Iterable[MatchState]) -> Told:
    """States by buyer and offer."""
    told: dict[str, dict[str, MatchState]] = defaultdict(dict)
    for state in states:
        told[state.buyer_id][state.offer_id] = state
    return told


def first_places(
    state: MatcherState, buyer: BuyerState, now: datetime, size: int, threshold: float
) -> Places:
    """The first ``size`` offers of a buyer's default ranking that score at least the threshold."""
    request = OfferMatchRequest(filter=OfferFilter(min_score=threshold))
    ranked = rank_offer_rows(state, buyer, request, now)
    ids = state.corpus.offers.ids
    return tuple((ids[row], float(ranked.scores[row])) for row in ranked.rows[:size])


def looks_at_buyers(
    state: MatcherState,
    tops: TopTable,
    buyer_ids: Collection[str],
    told: Told,
    moment: Moment,
    rules: Rules,
) -> list[Look]:
    """Rank these buyers' offers anew; buyers that are gone are left out.

    Who is met for the first time in a digest is told nothing: nothing has entered.

    Args:
        state: to rank by.
        tops: of the last looks.
        buyer_ids: whom to look at.
        told: what was told of all their pairs.
        moment: of the looks.
        rules: what counts as new.
    """
    facts = Catalogue(state)
    looks = []
    for buyer_id in sorted(buyer_ids):
        buyer = state.buyer_state(buyer_id)
        if buyer is None:
            continue
        places = first_places(state, buyer, moment.now, rules.size, rules.threshold)
        known = tops.top(buyer_id)
        if known is None and moment.is_digest:
            looks.append(Look(MatchTop(buyer_id, places)))
            continue
        states = told.get(buyer_id, {})
        gone = facts.gone_for(buyer, states, moment.now)
        top = known or MatchTop(buyer_id, ())
        looks.append(look_at(top, places, states, gone, facts, moment, rules))
    return looks


def looks_at_offers(
    audience: Audience,
    tops: TopTable,
    offer_ids: Collection[str],
    told: Told,
    moment: Moment,
    rules: Rules,
    *,
    besides: Collection[str] = (),
) -> list[Look]:
    """Look at all buyers whom these offers concern, without ranking anything else.

    Args:
        audience: everybody, of the state to score by.
        tops: of the last looks.
        offer_ids: the offers that changed, may be had again, or are gone.
        told: what was told of all pairs of these offers.
        moment: of the looks.
        rules: what counts as new.
        besides: buyers that are looked at otherwise.
    """
    state = audience.state
    facts = Catalogue(state)
    reasons = {key: facts.gone(key, moment.now) for key in sorted(offer_ids)}
    gone = {key: reason for key, reason in reasons.items() if reason is not None}
    others = [key for key, reason in reasons.items() if reason is None]
    scores = _scores(audience, tops, others, set(besides))
    concerned = {key for buyers in tops.holders(gone).values() for key in buyers}
    concerned |= {key for key, states in told.items() if not gone.keys().isdisjoint(states)}
    looks = []
    for buyer_id in sorted((concerned | scores.keys()) - set(besides)):
        buyer = state.buyer_state(buyer_id)
        if buyer is None:
            continue
        known = tops.top(buyer_id) or MatchTop(buyer_id, ())
        new = scores.get(buyer_id, {})
        if is_tied(known.offers, new, size=rules.size, threshold=rules.threshold):
            places = first_places(state, buyer, moment.now, rules.size, rules.threshold)
        else:
            places = merged(known.offers, new, gone, size=rules.size, threshold=rules.threshold)
        states = told.get(buyer_id, {})
        mine = {key: gone[key] for key in states if key in gone}
        looks.append(look_at(known, places, states, mine, facts, moment, rules))
    return looks


def _scores(
    audience: Audience, tops: TopTable, offer_ids: Sequence[str], besides: set[str]
) -> dict[str, dict[str, float]]:
    """By buyer, the scores of those of these offers that may enter its top or are in it."""
    state = audience.state
    index = state.corpus.offers.index
    floors = audience.floors(tops.floors)
    holders = tops.holders(offer_ids)
    pairs = []
    for key in offer_ids:
        held = (buyer for buyer in holders.get(key, ()) if tops.is_current(buyer))
        reached = {*audience.survivors(index[key], floors), *held} - besides
        if reached:
            pairs += [(buyer, key) for buyer in sorted(reached - _dealt_with(state, index[key]))]
    scores: dict[str, dict[str, float]] = defaultdict(dict)
    for (buyer_id, offer_id), score in zip(pairs, score_pairs(state, pairs), strict=True):
        if score is not None:
            scores[buyer_id][offer_id] = score
    return scores


def _dealt_with(state: MatcherState, offer: int) -> set[str]:
    """The buyers who bought or dismissed an offer (its row)."""
    ids = state.buyer_table.ids
    return {ids[row] for kind in (PURCHASED, DISMISSED) for row in state.buyers_who(offer, kind)}


class Catalogue:
    """What events say of a state's offers, and why one cannot be had."""

    def __init__(self, state: MatcherState) -> None:
        self._corpus = state.corpus
        self._known: dict[str, OfferFacts] = {}

    def __call__(self, offer_id: str) -> OfferFacts:
        """The facts of an offer; nothing but its id of one that is not there."""
        facts = self._known.get(offer_id)
        if facts is None:
            facts = self._known[offer_id] = self._facts(offer_id)
        return facts

    def gone(self, offer_id: str, now: datetime) -> MatchReason | None:
        """Why nobody can have an offer now; None: it can be had."""
        offers = self._corpus.offers
        row = offers.index.get(offer_id)
        if row is None or not offers.active[row]:
            return MatchReason.OFFER_WITHDRAWN
        if not offers.valid_from[row] <= round(now.timestamp() * 1e6) < offers.valid_to[row]:
            return MatchReason.NOT_VALID
        return MatchReason.SOLD_OUT if offers.quantity[row] == 0 else None

    def gone_for(
        self, buyer: BuyerState, offer_ids: Iterable[str], now: datetime
    ) -> dict[str, MatchReason]:
        """Which of these offers are no match of a buyer any more, and why."""
        index = self._corpus.offers.index
        bought = set(buyer.offers[buyer.evidence_kinds == PURCHASED].tolist())
        dismissed = set(buyer.offers[buyer.evidence_kinds == DISMISSED].tolist())
        gone = {}
        for key in offer_ids:
            if index.get(key) in bought:
                gone[key] = MatchReason.BOUGHT
            elif index.get(key) in dismissed:
                gone[key] = MatchReason.DISMISSED
            elif (reason := self.gone(key, now)) is not None:
                gone[key] = reason
        return gone

    def _facts(self, offer_id: str) -> OfferFacts:
        corpus, offers = self._corpus, self._corpus.offers
        row = offers.index.get(offer_id)
        if row is None:
            return OfferFacts(None, (), "")
        vendor, currency = int(offers.vendor[row]), int(offers.currency[row])
        vendor_id = None if vendor < 0 else corpus.vendor_ids[vendor]
        asks = [
            str(offers.price[row]),
            None if currency < 0 else corpus.currencies[currency],
            int(offers.valid_from[row]),
            int(offers.valid_to[row]),
            vendor_id,
            offers.titles[row],
        ]
        terms = hashlib.sha256(json.dumps(asks).encode()).hexdigest()[:16]
        held = tuple(corpus.categories.ids[c] for c in offers.categories.row(row).tolist())
        return OfferFacts(vendor_id, held, terms)
