"""A few buyers with their matches and why, as a reader of a report wants to see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnn.split import Split
from matching.explanations import explain_offers
from matching.state import Inverted, MatcherState
from reports.page import Section
from scoring.corpus import PURCHASED, Corpus
from scoring.metrics import rank_top
from scoring.ragged import Ragged
from scoring.scorer import Scorer
from scoring.states import BuyerState, state_of

EXAMPLES = 10
MATCHES = 5
REASONS = 2
LATEST = 3


@dataclass(frozen=True, slots=True)
class ExampleMatch:
    """One match: the offer, its score, whether the buyer took it later, and why it is shown."""

    offer_id: str
    title: str
    score: float
    taken: bool
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExampleBuyer:
    """One buyer by its id: how many offers it had bought, the latest of them, its first matches."""

    buyer_id: str
    bought: int
    latest: tuple[str, ...]
    matches: tuple[ExampleMatch, ...]

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values that json can write."""
        return {
            "buyer": self.buyer_id,
            "bought": self.bought,
            "latest": list(self.latest),
            "matches": [
                {
                    "offer": match.offer_id,
                    "title": match.title,
                    "score": match.score,
                    "taken": match.taken,
                    "reasons": list(match.reasons),
                }
                for match in self.matches
            ],
        }


def choose_examples(known: Ragged, candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most EXAMPLES of the candidates (rows), from the least to the most they had bought."""
    history = np.diff(known.ptr)[candidates]
    ordered = candidates[np.argsort(history, kind="stable")]
    places = np.linspace(0, len(ordered) - 1, min(EXAMPLES, len(ordered)))
    return ordered[np.unique(places.round().astype(np.int64))]


def example_buyers(
    scorer: Scorer, split: Split, buyers: NDArray[np.int64], known: Ragged
) -> list[ExampleBuyer]:
    """The matches of these buyers (rows), all offers they have not bought ranked.

    ``known`` row b lists what buyer b has bought. Nobody but the buyer itself is named.
    """
    corpus = scorer.corpus
    inverted = Inverted(corpus.buyers, len(corpus.offers))
    state = MatcherState(corpus, scorer, split.known.seq, None, inverted)
    return [_example(state, split, int(buyer), known.row(int(buyer))) for buyer in buyers]


def examples_section(examples: list[ExampleBuyer]) -> Section:
    """The examples as a part of a page."""
    rows: list[list[object]] = []
    for example in examples:
        for place, match in enumerate(example.matches):
            rows.append(
                [
                    None if place else _who(example),
                    place + 1,
                    match.title,
                    round(match.score, 4),
                    "yes" if match.taken else "",
                    " ".join(match.reasons),
                ]
            )
    words = (
        "Buyers that no weight was fitted on, from those who had bought least to those who had "
        "bought most, with their first matches by what was known before the held-out purchases. "
        "Availability and filters are not applied. A figure before a reason is the share of the "
        "score that would go without it."
    )
    headers = ["Buyer", "#", "Match", "Score", "Taken later", "Why"]
    return Section("Ten buyers and their matches", [words], (headers, rows))


def _who(example: ExampleBuyer) -> str:
    if not example.bought:
        return f"{example.buyer_id}: nothing bought yet"
    offers = "1 offer" if example.bought == 1 else f"{example.bought:,} offers"
    return f"{example.buyer_id}: {offers} bought, latest {'; '.join(example.latest)}"


def _example(state: MatcherState, split: Split, row: int, known: NDArray[np.int32]) -> ExampleBuyer:
    corpus, buyer = state.corpus, state_of(state.corpus, row)
    masked = Ragged(np.array([0, len(known)], dtype=np.int64), known)
    scores = state.scorer.score_offers(buyer)
    top = rank_top(scores[None, :].copy(), min(MATCHES, len(scores)), masked)[0]
    top = top[top >= 0]
    buyer_id = corpus.buyers.ids[row]
    explained = explain_offers(state, buyer_id, buyer, top, REASONS)
    taken = split.fresh.row(row)
    matches = tuple(
        ExampleMatch(
            corpus.offers.ids[offer],
            _title(corpus, offer),
            float(scores[offer]),
            bool(np.isin(offer, taken)),
            tuple(f"{reason.contribution:+.0%} {reason.summary}" for reason in reasons),
        )
        for offer, reasons in zip(top.tolist(), explained, strict=True)
    )
    return ExampleBuyer(buyer_id, len(known), _latest(corpus, buyer), matches)


def _latest(corpus: Corpus, buyer: BuyerState) -> tuple[str, ...]:
    bought = np.flatnonzero(buyer.evidence_kinds == PURCHASED)
    newest = bought[np.argsort(-buyer.last_at[bought], kind="stable")][:LATEST]
    return tuple(_title(corpus, int(offer)) for offer in buyer.offers[newest])


def _title(corpus: Corpus, offer: int) -> str:
    return corpus.offers.titles[offer] or corpus.offers.ids[offer]
