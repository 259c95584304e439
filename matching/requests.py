"""What a caller may ask of a ranking: filters, diversity, caps, pins.

Every request is a value: it can be hashed into the fingerprint that a cursor carries, so that a
page of one request is never continued with another's arguments.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from core.context import Context, context_of
from core.errors import InputError

RANKING_LIMIT = 1_000
LIST_LIMIT = 1_000
TEXT_LIMIT = 200
EARTH_HALF_KM = 20_038.0


class Bought(StrEnum):
    """What becomes of offers the buyer has bought and kept at least one of."""

    EXCLUDE = "EXCLUDE"
    INCLUDE = "INCLUDE"
    ONLY = "ONLY"


class Seen(StrEnum):
    """What becomes of offers the buyer viewed, clicked, put in its cart or inquired about."""

    EXCLUDE = "EXCLUDE"
    INCLUDE = "INCLUDE"
    ONLY = "ONLY"


@dataclass(frozen=True, slots=True)
class Near:
    """Within ``radius_km`` of a point, along the great circle of a sphere of 6,371.0088 km.

    What has no place of its own (an offer: nor a vendor with one) is never near.
    """

    latitude: float
    longitude: float
    radius_km: float


@dataclass(frozen=True, slots=True)
class PriceRange:
    """Bounds in minor units of ``currency``, both included; None leaves that end open.

    An offer without a price, or with another currency, is never in the range: nothing converts.
    """

    currency: str
    min_minor: int | None = None
    max_minor: int | None = None


@dataclass(frozen=True, slots=True)
class OfferFilter:
    """Which offers may be in a buyer's ranking; all conditions must hold.

    Attributes:
        categories: any of these or of their sub-categories; empty: all. Unknown ids are refused.
        vendors: any of these; empty: all. Unknown ids are refused.
        price: see PriceRange.
        near: see Near; the offer's own place, else its vendor's.
        in_stock: leave out offers that are sold out; an offer without a stock figure never is.
        valid_now: leave out offers whose [valid_from, valid_to) does not hold the moment.
        valid_at: the moment of ``valid_now``; None: the time of the request.
        text: every one of its words is in the title or the description, in any case.
        bought: what becomes of offers the buyer has bought.
        seen: what becomes of offers the buyer has looked at, see Seen.
        dismissed: True lets dismissed offers in.
        min_score: leave out pairs that score below this; in [0, 1].
    """

    categories: tuple[str, ...] = ()
    vendors: tuple[str, ...] = ()
    price: PriceRange | None = None
    near: Near | None = None
    in_stock: bool = True
    valid_now: bool = True
    valid_at: datetime | None = None
    text: str | None = None
    bought: Bought = Bought.EXCLUDE
    seen: Seen = Seen.INCLUDE
    dismissed: bool = False
    min_score: float = 0.0


@dataclass(frozen=True, slots=True)
class BuyerFilter:
    """Which buyers may be in an offer's ranking; all conditions must hold.

    Attributes:
        kinds: any of these; empty: all.
        countries: any of these; empty: all.
        near: see Near; the buyer's own place.
        bought: what becomes of buyers who have bought the offer.
        seen: what becomes of buyers who have looked at it, see Seen.
        dismissed: True lets buyers in who have dismissed the offer.
        min_score: leave out pairs that score below this; in [0, 1].
    """

    kinds: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()
    near: Near | None = None
    bought: Bought = Bought.EXCLUDE
    seen: Seen = Seen.INCLUDE
    dismissed: bool = False
    min_score: float = 0.0


@dataclass(frozen=True, slots=True)
class OfferMatchRequest:
    """What to rank for a buyer.

    Attributes:
        filter: which offers may come.
        diversity: 0 keeps the order of the scores, 1 spreads as far as it can (see diversity.py).
        max_per_vendor: at most so many offers of one vendor; None: no cap.
        max_per_category: at most so many offers of one category; None: no cap.
        pinned: offers that come first, in this order, whatever filter and caps say, as long as
            they are on offer (not withdrawn, valid, in stock as the filter asks) and not excluded.
        excluded: offers that never come.
        context: under which circumstances it is asked; part of what the scores are of.
    """

    filter: OfferFilter = field(default_factory=OfferFilter)
    diversity: float = 0.0
    max_per_vendor: int | None = None
    max_per_category: int | None = None
    pinned: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    context: Context = ()


@dataclass(frozen=True, slots=True)
class BuyerMatchRequest:
    """What to rank for an offer; as OfferMatchRequest, with buyers in the place of offers."""

    filter: BuyerFilter = field(default_factory=BuyerFilter)
    diversity: float = 0.0
    max_per_kind: int | None = None
    max_per_country: int | None = None
    pinned: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    context: Context = ()


MatchRequest = OfferMatchRequest | BuyerMatchRequest


def check_request(request: MatchRequest) -> None:
    """Refuse a request that cannot be meant.

    Raises:
        InputError: naming the field that is out of its range.
    """
    _check_range(request.diversity, 0.0, 1.0, "diversity")
    _check_range(request.filter.min_score, 0.0, 1.0, "filter", "minScore")
    for name, cap in _caps(request):
        if cap is not None and cap < 1:
            raise InputError(f"{name} is {cap}; a cap is at least 1.", field=(name,))
    for name, values in (("pinned", request.pinned), ("excluded", request.excluded)):
        _check_length(values, name)
    if request.filter.near is not None:
        _check_near(request.filter.near)
    context_of(request.context, "context")
    if isinstance(request, OfferMatchRequest):
        _check_offer_filter(request.filter)
    else:
        _check_length(request.filter.kinds, "filter", "kinds")
        _check_length(request.filter.countries, "filter", "countries")


def check_top(top: int) -> None:
    """Refuse a number of places that no ranking has.

    Raises:
        InputError: when it is not in [1, 1000].
    """
    _check_range(top, 1, RANKING_LIMIT, "top")


def request_fingerprint(subject_id: str, request: MatchRequest) -> str:
    """A short hash of the direction, the subject and every argument of a request."""
    # The text of a dataclass names its type and every field, in a tenth of the time JSON takes.
    text = f"{subject_id!r} {request!r}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _caps(request: MatchRequest) -> tuple[tuple[str, int | None], ...]:
    if isinstance(request, OfferMatchRequest):
        return (
            ("maxPerVendor", request.max_per_vendor),
            ("maxPerCategory", request.max_per_category),
        )
    return (("maxPerKind", request.max_per_kind), ("maxPerCountry", request.max_per_country))


def _check_offer_filter(filter_: OfferFilter) -> None:
    _check_length(filter_.categories, "filter", "categories")
    _check_length(filter_.vendors, "filter", "vendors")
    if filter_.text is not None and len(filter_.text) > TEXT_LIMIT:
        raise InputError(
            f"The text has {len(filter_.text)} characters; {TEXT_LIMIT} are the most.",
            field=("filter", "text"),
        )
    if filter_.valid_at is not None and filter_.valid_at.tzinfo is None:
        raise InputError("The time has no zone.", field=("filter", "validAt"))
    if filter_.price is not None:
        _check_price(filter_.price)


def _check_price(price: PriceRange) -> None:
    if not price.currency:
        raise InputError(
            "A price range needs its currency; nothing is converted.",
            field=("filter", "price", "currency"),
        )
    low, high = price.min_minor, price.max_minor
    if low is not None and high is not None and low > high:
        raise InputError(
            f"The lowest price ({low}) is above the highest ({high}).", field=("filter", "price")
        )


def _check_near(near: Near) -> None:
    _check_range(near.latitude, -90.0, 90.0, "filter", "near", "latitude")
    _check_range(near.longitude, -180.0, 180.0, "filter", "near", "longitude")
    _check_range(near.radius_km, 0.0, EARTH_HALF_KM, "filter", "near", "radiusKm")


def _check_range(value: float, low: float, high: float, *path: str) -> None:
    # Written so that NaN, which compares with nothing, is refused too.
    if not low <= value <= high:
        raise InputError(f"{path[-1]} is {value}; it lies in [{low:g}, {high:g}].", field=path)


def _check_length(values: Sequence[str], *path: str) -> None:
    if len(values) > LIST_LIMIT:
        raise InputError(
            f"{path[-1]} names {len(values)} ids; {LIST_LIMIT} are the most.", field=path
        )
