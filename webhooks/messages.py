"""What is sent: events as the bodies that docs/asyncapi.yaml describes.

A body names ids, never persons: {"type": ..., "timestamp": ..., "data": {...}}.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.entities import Event, EventType
from core.webhooks import WebhookEndpoint

TYPE_NAMES = {
    EventType.MATCH_CREATED: "match.created",
    EventType.MATCH_UPDATED: "match.updated",
    EventType.MATCH_WITHDRAWN: "match.withdrawn",
}
EXPIRED = "match.cursor_expired"
TEST = "webhook.test"


@dataclass(frozen=True, slots=True)
class Message:
    """What one delivery carries.

    ``id`` is the same for every attempt and every endpoint; whoever has dealt with the message
    has dealt with the log up to ``seq``.
    """

    id: str
    seq: int
    body: str


def event_message(event: Event, cursor: str) -> Message:
    """A match event.

    Args:
        event: of a type in TYPE_NAMES.
        cursor: of the event's seq, from which its reader can go on.
    """
    payload = event.payload or {}
    data: dict[str, Any] = {
        "id": event.id,
        "seq": event.seq,
        "cursor": cursor,
        "buyerId": event.buyer_id,
        "offerId": event.offer_id,
        "vendorId": event.vendor_id,
        "categoryIds": list(event.category_ids),
        "score": event.score,
        "rank": event.rank,
        "modelVersion": event.model_version,
        "reason": payload.get("reason"),
    }
    data |= {name: payload[name] for name in ("heldBack", "previousScore") if name in payload}
    return Message(event.id, event.seq, _body(TYPE_NAMES[event.type], event.occurred_at, data))


def expired_message(endpoint: WebhookEndpoint, oldest: int, cursor: str, at: datetime) -> Message:
    """The notice that events behind the endpoint's position are no longer kept.

    Args:
        endpoint: where it stands.
        oldest: the seq before the oldest event that is kept, where sending goes on.
        cursor: of ``oldest``.
        at: now, aware.
    """
    data = {"webhookId": endpoint.id, "afterSeq": endpoint.position, "goesOnAfterSeq": oldest}
    message_id = f"{endpoint.id}-expired-{oldest}"
    return Message(message_id, oldest, _body(EXPIRED, at, {**data, "cursor": cursor}))


def test_message(endpoint: WebhookEndpoint, message_id: str, at: datetime) -> Message:
    """A message that says nothing, sent ``at`` (aware) to see whether it arrives."""
    data = {"webhookId": endpoint.id, "name": endpoint.name}
    return Message(message_id, endpoint.position, _body(TEST, at, data))


def _body(kind: str, at: datetime, data: dict[str, Any]) -> str:
    timestamp = at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    whole = {"type": kind, "timestamp": timestamp, "data": data}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
