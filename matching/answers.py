"""What matching answers: rankings, explanations, why-nots, live matches.

Ids are the callers' own. A score is the calibrated pair score in (0, 1]: the same number in both
directions, whatever filter, page or diversity it was asked with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple


class RankedItem(NamedTuple):
    """One place of a ranking.

    Attributes:
        id: of the offer (of the buyer, in an offer's ranking).
        score: of the pair, when the ranking was made.
        rank: from 1.
        pinned: stands where it does because the request pinned it.
        stale: would not be in a ranking made now: bought, dismissed, sold out, ended, withdrawn
            or erased since. Always False in a ranking just made.
    """

    id: str
    score: float
    rank: int
    pinned: bool = False
    stale: bool = False


@dataclass(frozen=True, slots=True)
class Ranking:
    """At most 1,000 places, after filters, diversity and caps; stays as it was made.

    Attributes:
        id: names the stored list, for the pages that follow.
        subject_id: the buyer (or the offer) it was made for.
        items: by rank.
        seq: of the event log, that the ranking was made at.
        model_version: that scored it; "walk" when no model is published.
        arguments_hash: of the subject and the request; a cursor carries it.
        made_at: UTC.
    """

    id: str
    subject_id: str
    items: tuple[RankedItem, ...]
    seq: int
    model_version: str
    arguments_hash: str
    made_at: datetime


class ExplanationKind(StrEnum):
    """Which part of the score a piece of evidence mostly carries.

    PEERS: others who bought the same bought this. SIMILAR: close to something the buyer dealt
    with. CATEGORY, VENDOR: of a category or vendor it buys from or prefers. PLACE, PRICE: near it,
    at prices it pays. CONTEXT: taken more under a circumstance that the request names. POPULAR:
    nothing personal carries the score.
    """

    PEERS = "PEERS"
    SIMILAR = "SIMILAR"
    CATEGORY = "CATEGORY"
    VENDOR = "VENDOR"
    PLACE = "PLACE"
    PRICE = "PRICE"
    CONTEXT = "CONTEXT"
    POPULAR = "POPULAR"


class PathKind(StrEnum):
    """What one element of a path is: a node, a relationship of its neighbours, an attribute.

    BUYERS stands for several buyers at once, counted and never named. Two neighbouring OFFER
    elements are close to each other by the model.
    """

    BUYER = "BUYER"
    OFFER = "OFFER"
    VENDOR = "VENDOR"
    CATEGORY = "CATEGORY"
    BUYERS = "BUYERS"
    PURCHASED = "PURCHASED"
    VIEWED = "VIEWED"
    CLICKED = "CLICKED"
    ADDED_TO_CART = "ADDED_TO_CART"
    INQUIRED_ABOUT = "INQUIRED_ABOUT"
    DISMISSED = "DISMISSED"
    PREFERS = "PREFERS"
    LISTS = "LISTS"
    IN_CATEGORY = "IN_CATEGORY"
    SUBCATEGORY_OF = "SUBCATEGORY_OF"
    PLACE = "PLACE"
    PRICE = "PRICE"
    CONTEXT = "CONTEXT"


@dataclass(frozen=True, slots=True)
class PathElement:
    """One element of a path that exists in the graph.

    Attributes:
        kind: see PathKind.
        id: of a node; None for BUYERS, relationships and attributes.
        label: a title or name for people; None where there is none.
        count: how many buyers, or how many relationships, the element stands for.
    """

    kind: PathKind
    id: str | None = None
    label: str | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One piece of evidence and what it does.

    Attributes:
        kind: the component that carries most of the piece.
        summary: one sentence for people, spoken to the buyer; names no other buyer.
        contribution: 1 - score(without the evidence) / score; below 0 when it holds the score down.
        path: from the buyer to the offer.
    """

    kind: ExplanationKind
    summary: str
    contribution: float
    path: tuple[PathElement, ...]


class Stage(StrEnum):
    """Which stage kept an offer out of a buyer's ranking; NONE: it is in it.

    FILTER names no condition by itself: ``PairExplanation.condition`` does. CAPPED: a cap on its
    vendor or category was full. OUTSIDE_TOP: it passes, but others score higher.
    """

    NONE = "NONE"
    NOT_FOUND = "NOT_FOUND"
    WITHDRAWN = "WITHDRAWN"
    NOT_VALID_NOW = "NOT_VALID_NOW"
    OUT_OF_STOCK = "OUT_OF_STOCK"
    ALREADY_BOUGHT = "ALREADY_BOUGHT"
    DISMISSED = "DISMISSED"
    EXCLUDED = "EXCLUDED"
    FILTER = "FILTER"
    CAPPED = "CAPPED"
    OUTSIDE_TOP = "OUTSIDE_TOP"


@dataclass(frozen=True, slots=True)
class PairExplanation:
    """Why a buyer and an offer match, or why not.

    Attributes:
        buyer_id: the buyer.
        offer_id: the offer.
        score: of the pair; None when either is not there.
        rank: among all offers by score alone, without any filter; from 1; None as for the score.
        position: in the ranking that was asked for, from 1; None when it is not in its first
            ``top`` places.
        stage: that dropped it, the first in the order of Stage; NONE when it is in the ranking.
        condition: the filter's field when ``stage`` is FILTER (categories, vendors, price, near,
            text, bought, min_score), the cap's field when it is CAPPED.
        needed_score: for OUTSIDE_TOP: what the last place of the ranking scores.
        what_would_change: one sentence: what would have to be different; None when it matches.
        explanations: why it scores as it does; there also when it was dropped.
        model_version: that scored it.
        seq: of the event log, that the answer is true at.
    """

    buyer_id: str
    offer_id: str
    score: float | None
    rank: int | None
    position: int | None
    stage: Stage
    condition: str | None
    needed_score: float | None
    what_would_change: str | None
    explanations: tuple[Explanation, ...]
    model_version: str
    seq: int


@dataclass(frozen=True, slots=True)
class SimilarOffer:
    """An offer close to another one; ``similarity`` in (0, 1]."""

    id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """The model that scores now.

    Attributes:
        version: "walk" when none is published.
        trained: False for the walk that answers without a model.
        created_at: None without a model.
        metrics: as the artifact's manifest has them, by name.
    """

    version: str
    trained: bool
    created_at: datetime | None
    metrics: dict[str, Any]


@dataclass(frozen=True, slots=True)
class MatchingHealth:
    """How the matcher is.

    Attributes:
        ready: it has a state and answers.
        seq: of the event log, that the state has caught up to; -1 before it is ready.
        model_version: that scores.
        buyers, offers, purchases: how many the state holds.
        rebuilding: a new state is being built; the present one answers meanwhile.
        last_error: the last failure to follow the log or to load a model; None when all went well.
    """

    ready: bool
    seq: int
    model_version: str
    buyers: int
    offers: int
    purchases: int
    rebuilding: bool
    last_error: str | None
