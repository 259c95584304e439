"""Identity of purchases, cancellations and interactions that come without an id."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

_SEPARATOR = "\x1f"


def hash_identity(kind: str, *parts: object) -> str:
    """A stable id of 32 hex digits for what ``kind`` and ``parts`` say.

    Times count in UTC with microseconds; None is apart from the empty text.
    """
    text = _SEPARATOR.join([kind, *(_text(part) for part in parts)])
    return hashlib.sha256(text.encode("utf-8")).hexdigest()[:32]


def identify_purchase(
    order: str | None,
    buyer_id: str,
    offer_id: str,
    at: datetime,
    quantity: int,
    unit_price_minor: int | None,
    occurrence: int = 0,
) -> str:
    """The id of an order line that its source gives none.

    Args:
        order: the order's id; without one the buyer stands in its place.
        buyer_id: who bought; counts only without an order.
        offer_id: what was bought.
        at: when, aware.
        quantity: units bought.
        unit_price_minor: price of one in minor units.
        occurrence: 0 for the first line of its likes, 1 for its first exact repetition, ...
    """
    source = ("order", order) if order is not None else ("buyer", buyer_id)
    return hash_identity("purchase", *source, offer_id, at, quantity, unit_price_minor, occurrence)


def _text(part: object) -> str:
    if part is None:
        return "\x00"
    if isinstance(part, datetime):
        return part.astimezone(UTC).isoformat(timespec="microseconds")
    return str(part)
