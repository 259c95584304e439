"""Fields of the rows that writes take: their properties in the graph and what they may hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from core.entities import EvidenceKind, OfferStatus, RowError

# The embedded engine wants rows under 50 kB.
MAX_ROW_BYTES = 48_000
MAX_ID_LENGTH = 512
_MAX_INT = 2**63 - 1
_EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
_LATEST = datetime(9000, 1, 1, tzinfo=UTC)


class RowProblemError(Exception):
    """One row of a write cannot be done; the others can.

    Args:
        code: a code of core.errors.
        message: what is wrong and the mend.
        field: path of the offending field inside the row.
    """

    def __init__(self, code: str, message: str, *field: str) -> None:
        super().__init__(message)
        self.error = RowError(code=code, message=message, field=field)


def bad(message: str, *field: str) -> RowProblemError:
    """A problem with the row's own values."""
    return RowProblemError("BAD_INPUT", message, *field)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a row: its property in the graph (empty: none of its own) and its check.

    ``check`` returns the value to store, never called with None; it raises ValueError with a
    message that goes on from the field's name.
    """

    property: str
    check: Callable[[Any], Any]
    nullable: bool = True


def check_row(row: Mapping[str, Any], fields: Mapping[str, Field]) -> dict[str, Any]:
    """The row's values as they are stored, for the fields that it has.

    Raises:
        RowProblemError: naming the first field that is unknown or holds what it may not.
    """
    values: dict[str, Any] = {}
    for name, given in row.items():
        field = fields.get(name)
        if field is None:
            raise bad(f"{name} is no field here; these are: {', '.join(fields)}.", name)
        if given is None:
            if not field.nullable:
                raise bad(f"{name} cannot be null.", name)
            values[name] = None
            continue
        try:
            values[name] = field.check(given)
        except ValueError as error:
            raise bad(f"{name} {error}.", name) from error
    size = sum(len(v.encode("utf-8")) for v in values.values() if isinstance(v, str))
    if size > MAX_ROW_BYTES:
        raise bad(f"The row's text has {size:,} bytes; at most {MAX_ROW_BYTES:,} are kept.")
    return values


def need(values: Mapping[str, Any], *names: str) -> None:
    """Raise RowProblemError when one of the fields is absent."""
    for name in names:
        if values.get(name) is None:
            raise bad(f"{name} is missing.", name)


def text(value: Any) -> str:
    """Text that both engines store as it is."""
    if not isinstance(value, str):
        raise ValueError(f"must be text, not {type(value).__name__}")
    if "\x00" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("must not hold a NUL or half a surrogate pair")
    return value


def identifier(value: Any) -> str:
    """A caller's id: text of 1 to 512 characters without space around it."""
    checked = text(value)
    if not checked or len(checked) > MAX_ID_LENGTH or checked != checked.strip():
        raise ValueError(f"must have 1 to {MAX_ID_LENGTH} characters and no space around them")
    return checked


def identifiers(value: Any) -> tuple[str, ...]:
    """Ids, sorted, without repetition."""
    if isinstance(value, str) or not isinstance(value, (list, tuple)):
        raise ValueError("must be a list of ids")
    return tuple(sorted({identifier(item) for item in value}))


def whole(value: Any) -> int:
    """A whole number of 64 bits, not below 0."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {value!r}")
    if not 0 <= value <= _MAX_INT:
        raise ValueError(f"must be between 0 and {_MAX_INT}")
    return value


def quantity(value: Any) -> int:
    """A whole number of at least 1."""
    if whole(value) < 1:
        raise ValueError("must be at least 1")
    return int(value)


def flag(value: Any) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"must be true or false, not {value!r}")
    return value


def between(low: float, high: float) -> Callable[[Any], float]:
    """A check for a finite number within these bounds."""

    def check(value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"must be a number, not {value!r}")
        if not math.isfinite(value) or not low <= value <= high:
            raise ValueError(f"must be between {low:g} and {high:g}, not {value}")
        return float(value)

    return check


def moment(value: Any) -> datetime:
    """An aware time, in UTC."""
    if not isinstance(value, datetime):
        raise ValueError(f"must be a time, not {value!r}")
    if value.tzinfo is None:
        raise ValueError("must name its zone (for UTC: end in Z)")
    try:
        in_utc = value.astimezone(UTC)
    except OverflowError:
        in_utc = _LATEST
    if not _EARLIEST <= in_utc < _LATEST:
        raise ValueError(f"must lie between the years {_EARLIEST.year} and {_LATEST.year}")
    return in_utc


def currency(value: Any) -> str:
    """The form of an ISO 4217 code."""
    if not (isinstance(value, str) and len(value) == 3 and value.isascii() and value.isupper()):
        raise ValueError(f"must be an ISO 4217 code of three capitals (GBP), not {value!r}")
    return value


def status(value: Any) -> str:
    """An OfferStatus, as its text."""
    try:
        return OfferStatus(value).value
    except ValueError as error:
        raise ValueError(f"must be one of {', '.join(OfferStatus)}, not {value!r}") from error


def interaction_kind(value: Any) -> str:
    """An EvidenceKind other than PURCHASED, as its text."""
    kinds = [kind.value for kind in EvidenceKind if kind is not EvidenceKind.PURCHASED]
    if value not in kinds:
        raise ValueError(f"must be one of {', '.join(kinds)}, not {value!r}")
    return str(value)


ID = Field("id", identifier, nullable=False)
_PLACE = {
    "latitude": Field("latitude", between(-90, 90)),
    "longitude": Field("longitude", between(-180, 180)),
}
BUYER_FIELDS: dict[str, Field] = {
    "id": ID,
    "name": Field("name", text),
    "kind": Field("kind", text),
    "country": Field("country", text),
    **_PLACE,
    "created_at": Field("createdAt", moment),
}
VENDOR_FIELDS: dict[str, Field] = {
    "id": ID,
    "name": Field("name", text),
    "country": Field("country", text),
    **_PLACE,
}
CATEGORY_FIELDS: dict[str, Field] = {
    "id": ID,
    "name": Field("name", text),
    "parent_id": Field("", identifier),
}
OFFER_FIELDS: dict[str, Field] = {
    "id": ID,
    "title": Field("title", text),
    "description": Field("description", text),
    "price_minor": Field("priceMinor", whole),
    "currency": Field("currency", currency),
    "available_quantity": Field("availableQuantity", whole),
    "status": Field("status", status, nullable=False),
    "valid_from": Field("validFrom", moment),
    "valid_to": Field("validTo", moment),
    **_PLACE,
    "created_at": Field("createdAt", moment),
    "vendor_id": Field("", identifier),
    "category_ids": Field("", identifiers),
}
PURCHASE_FIELDS: dict[str, Field] = {
    "id": ID,
    "buyer_id": Field("buyerId", identifier, nullable=False),
    "offer_id": Field("offerId", identifier, nullable=False),
    "order_id": Field("orderId", identifier),
    "at": Field("at", moment),
    "quantity": Field("quantity", quantity, nullable=False),
    "unit_price_minor": Field("unitPriceMinor", whole),
    "currency": Field("currency", currency),
    "context": Field("context", text),
    "history": Field("", flag),
}
CANCELLATION_FIELDS: dict[str, Field] = {
    "id": ID,
    "purchase_id": Field("", identifier),
    "buyer_id": Field("buyerId", identifier),
    "offer_id": Field("offerId", identifier),
    "order_id": Field("orderId", identifier),
    "quantity": Field("quantity", quantity),
    "at": Field("at", moment),
    "history": Field("", flag),
}
INTERACTION_FIELDS: dict[str, Field] = {
    "id": ID,
    "buyer_id": Field("buyerId", identifier, nullable=False),
    "offer_id": Field("offerId", identifier, nullable=False),
    "kind": Field("", interaction_kind, nullable=False),
    "at": Field("at", moment),
    "value": Field("value", between(-1e15, 1e15)),
    "context": Field("context", text),
}
PREFERENCE_FIELDS: dict[str, Field] = {
    "category_id": Field("categoryId", identifier, nullable=False),
    "weight": Field("weight", between(-1, 1), nullable=False),
    "source": Field("source", text),
}
