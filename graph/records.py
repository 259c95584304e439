"""Rows of the engine as entities."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from core.entities import (
    ApiKey,
    Buyer,
    Category,
    Event,
    EventType,
    MatchState,
    MatchStatus,
    MatchTop,
    Offer,
    OfferStatus,
    Purchase,
    Role,
    Vendor,
)

Row = Mapping[str, Any]


def read_buyer(row: Row) -> Buyer:
    """A buyer from the columns of get_buyers."""
    return Buyer(
        id=row["id"],
        name=row["name"],
        kind=row["kind"],
        country=row["country"],
        latitude=row["latitude"],
        longitude=row["longitude"],
        created_at=row["createdAt"],
    )


def read_vendor(row: Row) -> Vendor:
    """A vendor from the columns of get_vendors."""
    return Vendor(
        id=row["id"],
        name=row["name"],
        country=row["country"],
        latitude=row["latitude"],
        longitude=row["longitude"],
    )


def read_category(row: Row) -> Category:
    """A category from the columns of get_categories."""
    return Category(id=row["id"], name=row["name"], parent_id=row["parentId"])


def read_offer(row: Row) -> Offer:
    """An offer from the columns of get_offers; its categories sorted."""
    return Offer(
        id=row["id"],
        title=row["title"],
        description=row["description"],
        price_minor=row["priceMinor"],
        currency=row["currency"],
        available_quantity=row["availableQuantity"],
        status=OfferStatus(row["status"] or OfferStatus.ACTIVE),
        valid_from=row["validFrom"],
        valid_to=row["validTo"],
        latitude=row["latitude"],
        longitude=row["longitude"],
        created_at=row["createdAt"],
        vendor_id=row["vendorId"],
        category_ids=tuple(sorted(set(row["categoryIds"]))),
    )


def read_purchase(row: Row) -> Purchase:
    """An order line from the columns of get_purchases."""
    return Purchase(
        id=row["id"],
        buyer_id=row["buyerId"],
        offer_id=row["offerId"],
        at=row["at"],
        quantity=int(row["quantity"]),
        order_id=row["orderId"],
        unit_price_minor=row["unitPriceMinor"],
        currency=row["currency"],
        cancelled_quantity=int(row["cancelledQuantity"] or 0),
        cancelled_at=row["cancelledAt"],
        context=row["context"],
    )


def read_event(row: Row) -> Event:
    """A row of the event log from the columns of read_events."""
    return Event(
        seq=int(row["seq"]),
        id=row["id"],
        type=EventType(row["type"]),
        occurred_at=row["occurredAt"],
        buyer_id=row["buyerId"],
        offer_id=row["offerId"],
        vendor_id=row["vendorId"],
        category_ids=tuple(row["categoryIds"] or ()),
        payload=None if row["payload"] is None else json.loads(row["payload"]),
        score=row["score"],
        rank=row["rank"],
        model_version=row["modelVersion"],
    )


def read_match_top(row: Row) -> MatchTop:
    """A buyer's first matches from the columns of get_match_tops."""
    return MatchTop(
        buyer_id=row["id"],
        offers=tuple((offer_id, score) for offer_id, score in json.loads(row["top"])),
        digest_day=row["digestDay"],
        digest_count=int(row["digestCount"] or 0),
    )


def read_match_state(row: Row) -> MatchState:
    """What was announced of a pair from the columns of match_states_of_pairs."""
    return MatchState(
        buyer_id=row["buyerId"],
        offer_id=row["offerId"],
        announced_at=row["announcedAt"],
        last_score=row["lastScore"],
        status=MatchStatus(row["status"]),
        terms=row["terms"],
        model_version=row["modelVersion"],
    )


def read_api_key(row: Row) -> ApiKey:
    """An API key from the columns of list_api_keys."""
    return ApiKey(
        id=row["id"],
        name=row["name"],
        role=Role(row["role"]),
        subject=row["subject"],
        hash=row["hash"],
        created_at=row["createdAt"],
        expires_at=row["expiresAt"],
        revoked_at=row["revokedAt"],
    )
