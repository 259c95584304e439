"""The entities that travel between the rooms.

Times are aware UTC datetimes with microseconds; money is int minor units with an ISO 4217
currency; an ``id`` is the caller's own stable identifier, unique per kind of entity.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class OfferStatus(StrEnum):
    """Whether an offer can be matched; WITHDRAWN keeps the history of a deleted offer."""

    ACTIVE = "ACTIVE"
    WITHDRAWN = "WITHDRAWN"


class EvidenceKind(StrEnum):
    """How a buyer has dealt with an offer; the relationship types of the graph."""

    PURCHASED = "PURCHASED"
    VIEWED = "VIEWED"
    CLICKED = "CLICKED"
    ADDED_TO_CART = "ADDED_TO_CART"
    INQUIRED_ABOUT = "INQUIRED_ABOUT"
    DISMISSED = "DISMISSED"


INTERACTION_KINDS = tuple(kind for kind in EvidenceKind if kind is not EvidenceKind.PURCHASED)


class EventType(StrEnum):
    """Types of rows in the event log."""

    BUYER_UPSERTED = "BUYER_UPSERTED"
    BUYER_ERASED = "BUYER_ERASED"
    VENDOR_UPSERTED = "VENDOR_UPSERTED"
    VENDOR_DELETED = "VENDOR_DELETED"
    CATEGORY_UPSERTED = "CATEGORY_UPSERTED"
    CATEGORY_DELETED = "CATEGORY_DELETED"
    OFFER_UPSERTED = "OFFER_UPSERTED"
    OFFER_WITHDRAWN = "OFFER_WITHDRAWN"
    PURCHASE_RECORDED = "PURCHASE_RECORDED"
    PURCHASE_CANCELLED = "PURCHASE_CANCELLED"
    INTERACTION_RECORDED = "INTERACTION_RECORDED"
    PREFERENCES_SET = "PREFERENCES_SET"
    IMPORT_FINISHED = "IMPORT_FINISHED"
    MODEL_PUBLISHED = "MODEL_PUBLISHED"
    MATCH_CREATED = "MATCH_CREATED"
    MATCH_UPDATED = "MATCH_UPDATED"
    MATCH_WITHDRAWN = "MATCH_WITHDRAWN"


MATCH_EVENTS = (EventType.MATCH_CREATED, EventType.MATCH_UPDATED, EventType.MATCH_WITHDRAWN)
# What changes buyers, offers or what stands between them; match events only tell of pairs.
GRAPH_EVENTS = tuple(kind for kind in EventType if kind not in MATCH_EVENTS)


@dataclass(frozen=True, slots=True)
class Buyer:
    """Somebody who buys. ``name`` is personal data."""

    id: str
    name: str | None = None
    kind: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Vendor:
    """Somebody who lists offers."""

    id: str
    name: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True, slots=True)
class Category:
    """A node of the category forest, at most 8 levels deep."""

    id: str
    name: str | None = None
    parent_id: str | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """Something a buyer can buy; valid in the half-open interval [valid_from, valid_to)."""

    id: str
    title: str | None = None
    description: str | None = None
    price_minor: int | None = None
    currency: str | None = None
    available_quantity: int | None = None
    status: OfferStatus = OfferStatus.ACTIVE
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    latitude: float | None = None
    longitude: float | None = None
    created_at: datetime | None = None
    vendor_id: str | None = None
    category_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Purchase:
    """One order line. ``quantity - cancelled_quantity`` is what still counts."""

    id: str
    buyer_id: str
    offer_id: str
    at: datetime
    quantity: int = 1
    order_id: str | None = None
    unit_price_minor: int | None = None
    currency: str | None = None
    cancelled_quantity: int = 0
    cancelled_at: datetime | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True)
class Interaction:
    """One view, click, cart, inquiry or dismissal. ``kind`` is never PURCHASED."""

    id: str
    buyer_id: str
    offer_id: str
    kind: EvidenceKind
    at: datetime
    value: float | None = None
    context: str | None = None


@dataclass(frozen=True, slots=True)
class Preference:
    """A buyer's stated liking of a category; ``weight`` in [-1, 1]."""

    category_id: str
    weight: float = 1.0
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of a buyer's relationships of one kind to one offer, counted.

    Purchases count only lines with something left after cancellations.
    """

    offer_id: str
    kind: EvidenceKind
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True)
class BuyerProfile:
    """What matching knows of one buyer: attributes, evidence (by offer, kind), preferences."""

    buyer: Buyer
    evidence: tuple[Evidence, ...] = ()
    preferences: tuple[Preference, ...] = ()


@dataclass(frozen=True, slots=True)
class Event:
    """One row of the append-only event log; ``seq`` is gap-free; no personal data.

    ``score``, ``rank`` and ``model_version`` are those of a match event, at its time.
    """

    seq: int
    id: str
    type: EventType
    occurred_at: datetime
    buyer_id: str | None = None
    offer_id: str | None = None
    vendor_id: str | None = None
    category_ids: tuple[str, ...] = ()
    payload: dict[str, Any] | None = None
    score: float | None = None
    rank: int | None = None
    model_version: str | None = None


class MatchReason(StrEnum):
    """Why a match was told of; the first three begin one, the next two change it."""

    OFFER_CHANGED = "OFFER_CHANGED"
    BUYER_ACTED = "BUYER_ACTED"
    MODEL_PUBLISHED = "MODEL_PUBLISHED"  # or an import finished
    SCORE_MOVED = "SCORE_MOVED"
    TERMS_CHANGED = "TERMS_CHANGED"
    SOLD_OUT = "SOLD_OUT"
    OFFER_WITHDRAWN = "OFFER_WITHDRAWN"
    NOT_VALID = "NOT_VALID"
    BOUGHT = "BOUGHT"
    DISMISSED = "DISMISSED"


@dataclass(frozen=True, slots=True)
class MatchChange:
    """What is told of one pair: a match event and the state that it leaves.

    ``score`` and ``rank`` are None for MATCH_WITHDRAWN. ``terms`` is a short digest of what the
    offer asks; ``held_back`` counts the buyer's matches that a digest left untold.
    """

    type: EventType
    buyer_id: str
    offer_id: str
    vendor_id: str | None
    category_ids: tuple[str, ...]
    score: float | None
    rank: int | None
    model_version: str
    reason: MatchReason
    terms: str
    held_back: int = 0
    previous_score: float | None = None


@dataclass(frozen=True, slots=True)
class MatchTop:
    """A buyer's first offers with their scores, best first, as last looked at.

    An empty offer id is a vacant place, which keeps the score of who stood there.
    ``digest_count`` new matches were told of in the digests of ``digest_day`` (an ISO date).
    """

    buyer_id: str
    offers: tuple[tuple[str, float], ...]
    digest_day: str | None = None
    digest_count: int = 0


class MatchStatus(StrEnum):
    """Whether a pair that was announced still stands."""

    ANNOUNCED = "ANNOUNCED"
    WITHDRAWN = "WITHDRAWN"


@dataclass(frozen=True, slots=True)
class MatchState:
    """What was told last of one pair; ``announced_at`` is when it was last told as new."""

    buyer_id: str
    offer_id: str
    announced_at: datetime
    last_score: float
    status: MatchStatus
    terms: str
    model_version: str


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to do a thing alone until a time; each new holder has a greater ``epoch``."""

    name: str
    holder: str
    epoch: int
    expires_at: datetime


class RowStatus(StrEnum):
    """What a write did with one of its rows."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    UNCHANGED = "UNCHANGED"
    DELETED = "DELETED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class RowError:
    """Why one row failed: ``code`` as in core.errors, ``field`` from the row inwards."""

    code: str
    message: str
    field: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RowResult:
    """The outcome for the row with this id, in the order the rows were given."""

    id: str
    status: RowStatus
    error: RowError | None = None


@dataclass(frozen=True, slots=True)
class WriteResult:
    """The outcome of one write: a result per row, and the log's seq after its commit."""

    seq: int
    rows: tuple[RowResult, ...]
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """The caller's key of one mutation; ``scope`` is the principal and the mutation's name."""

    scope: str
    key: str


class Role(StrEnum):
    """Who a principal is to the service."""

    BUYER = "buyer"
    VENDOR = "vendor"
    PARTNER = "partner"
    ANALYST = "analyst"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. ``subject`` is the buyer's or vendor's id for those roles, else a key's name.

    ``key_id`` is of the API key that was shown; None for a token.
    """

    role: Role
    subject: str
    expires_at: datetime | None = None
    key_id: str | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A stored key: ``hash`` is the sha-256 hex digest of the secret, which is never kept."""

    id: str
    name: str
    role: Role
    subject: str
    hash: str
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
