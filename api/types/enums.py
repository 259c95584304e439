"""The enums of the domain, as GraphQL shows them."""

from __future__ import annotations

from enum import StrEnum

import strawberry

from core.entities import EventType, EvidenceKind, MatchReason, OfferStatus, Role, RowStatus
from matching.answers import ExplanationKind, PathKind, Stage
from matching.requests import Bought, Seen

__all__ = [
    "Bought",
    "ExplanationKind",
    "InteractionKind",
    "MatchEventType",
    "MatchReason",
    "OfferStatus",
    "PathKind",
    "Role",
    "RowStatus",
    "Seen",
    "Stage",
]

strawberry.enum(
    OfferStatus, description="ACTIVE can be matched; WITHDRAWN keeps a deleted offer's history."
)
strawberry.enum(
    RowStatus, description="What a write did with a row; FAILED rows say why in their errors."
)
strawberry.enum(Role, description="Who the holder of a credential is to the service.")
strawberry.enum(
    Bought,
    description="What becomes of offers that the buyer has bought: EXCLUDE, INCLUDE or ONLY those.",
)
strawberry.enum(
    Seen,
    description="What becomes of offers that the buyer viewed, clicked, put in its cart or "
    "inquired about: EXCLUDE, INCLUDE or ONLY those.",
)
strawberry.enum(
    ExplanationKind,
    description="What carries most of an explanation: PEERS (others who bought the same bought "
    "this), SIMILAR (close to something the buyer dealt with), CATEGORY, VENDOR, PLACE, PRICE, "
    "CONTEXT (taken more under a circumstance that was given), or POPULAR (nothing personal "
    "carries the score).",
)
strawberry.enum(
    PathKind,
    description="What one element of a path is: a node, a relationship or an attribute of the "
    "graph. BUYERS stands for several buyers, counted and never named.",
)
strawberry.enum(
    Stage,
    description="Which stage kept an offer out of a buyer's matches; NONE: it is among them.",
)
strawberry.enum(
    MatchReason,
    description="Why a match event was told: OFFER_CHANGED, BUYER_ACTED and MODEL_PUBLISHED (or an "
    "import finished) begin a match; SCORE_MOVED and TERMS_CHANGED update it; the others end it.",
)


@strawberry.enum(description="What a match event tells of.")
class MatchEventType(StrEnum):
    """The EventTypes that are match events."""

    MATCH_CREATED = EventType.MATCH_CREATED.value
    MATCH_UPDATED = EventType.MATCH_UPDATED.value
    MATCH_WITHDRAWN = EventType.MATCH_WITHDRAWN.value


@strawberry.enum(description="How a buyer dealt with an offer without buying it.")
class InteractionKind(StrEnum):
    """EvidenceKind without PURCHASED, which has its own mutation."""

    VIEWED = EvidenceKind.VIEWED.value
    CLICKED = EvidenceKind.CLICKED.value
    ADDED_TO_CART = EvidenceKind.ADDED_TO_CART.value
    INQUIRED_ABOUT = EvidenceKind.INQUIRED_ABOUT.value
    DISMISSED = EvidenceKind.DISMISSED.value
