"""Input types that say which offers, or which buyers, may be in a ranking."""

from __future__ import annotations

from datetime import datetime

import strawberry

from api.ids import Label, external_ids_of
from api.scalars import Currency, DecimalText
from api.types.enums import Bought, Seen
from core.currencies import to_minor
from core.errors import InputError
from matching.requests import BuyerFilter, Near, OfferFilter, PriceRange


@strawberry.input(description="Bounds of a price, both included. Nothing is converted.")
class PriceRangeInput:
    """A price range in the currency's own unit."""

    currency: Currency = strawberry.field(
        description="Offers with another currency, or without a price, are left out."
    )
    min: DecimalText | None = strawberry.field(default=None, description='Such as "5".')
    max: DecimalText | None = strawberry.field(default=None, description='Such as "12.50".')

    def to_domain(self) -> PriceRange:
        """In minor units."""
        return PriceRange(
            currency=self.currency,
            min_minor=_minor(self.min, self.currency, "min"),
            max_minor=_minor(self.max, self.currency, "max"),
        )


@strawberry.input(description="Within a distance of a point; what has no place is left out.")
class NearInput:
    """A circle on the earth."""

    latitude: float = strawberry.field(description="Degrees north, in [-90, 90].")
    longitude: float = strawberry.field(description="Degrees east, in [-180, 180].")
    radius_km: float = strawberry.field(description="Kilometres along the great circle.")

    def to_domain(self) -> Near:
        """The same circle."""
        return Near(self.latitude, self.longitude, self.radius_km)


@strawberry.input(description="Which offers may be among a buyer's matches; all conditions hold.")
class OfferMatchFilter:
    """OfferFilter, with ids as the API takes them."""

    categories: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Any of these or of their sub-categories: id or externalId."
    )
    vendors: list[strawberry.ID] | None = strawberry.field(
        default=None, description="Any of these: id or externalId."
    )
    price: PriceRangeInput | None = strawberry.field(default=None, description="Of one unit.")
    near: NearInput | None = strawberry.field(
        default=None, description="The offer's own place, else its vendor's."
    )
    in_stock: bool = strawberry.field(
        default=True, description="Leave out what is sold out; untracked stock never is."
    )
    valid_now: bool = strawberry.field(
        default=True, description="Leave out what is not valid at the moment."
    )
    valid_at: datetime | None = strawberry.field(
        default=None, description="The moment of validNow; null: now."
    )
    text: str | None = strawberry.field(
        default=None, description="Every word is in the title or the description, in any case."
    )
    bought: Bought = strawberry.field(
        default=Bought.EXCLUDE, description="What becomes of offers already bought."
    )
    seen: Seen = strawberry.field(
        default=Seen.INCLUDE, description="What becomes of offers looked at before."
    )
    dismissed: bool = strawberry.field(default=False, description="Let dismissed offers in.")
    min_score: float = strawberry.field(
        default=0.0, description="Leave out what scores below; in [0, 1]."
    )

    def to_domain(self) -> OfferFilter:
        """The same filter by external ids, with prices in minor units."""
        return OfferFilter(
            categories=external_ids_of(self.categories, Label.CATEGORY),
            vendors=external_ids_of(self.vendors, Label.VENDOR),
            price=self.price.to_domain() if self.price else None,
            near=self.near.to_domain() if self.near else None,
            in_stock=self.in_stock,
            valid_now=self.valid_now,
            valid_at=self.valid_at,
            text=self.text,
            bought=self.bought,
            seen=self.seen,
            dismissed=self.dismissed,
            min_score=self.min_score,
        )


@strawberry.input(description="Which buyers may be among an offer's matches; all conditions hold.")
class BuyerMatchFilter:
    """BuyerFilter, as the API takes it."""

    kinds: list[str] | None = strawberry.field(default=None, description="Any of these.")
    countries: list[str] | None = strawberry.field(default=None, description="Any of these.")
    near: NearInput | None = strawberry.field(default=None, description="The buyer's place.")
    bought: Bought = strawberry.field(
        default=Bought.EXCLUDE, description="What becomes of buyers who have bought the offer."
    )
    seen: Seen = strawberry.field(
        default=Seen.INCLUDE, description="What becomes of buyers who have looked at the offer."
    )
    dismissed: bool = strawberry.field(
        default=False, description="Let buyers in who dismissed the offer."
    )
    min_score: float = strawberry.field(
        default=0.0, description="Leave out what scores below; in [0, 1]."
    )

    def to_domain(self) -> BuyerFilter:
        """The same filter."""
        return BuyerFilter(
            kinds=tuple(self.kinds or ()),
            countries=tuple(self.countries or ()),
            near=self.near.to_domain() if self.near else None,
            bought=self.bought,
            seen=self.seen,
            dismissed=self.dismissed,
            min_score=self.min_score,
        )


def _minor(amount: str | None, currency: str, bound: str) -> int | None:
    if amount is None:
        return None
    try:
        return to_minor(amount, currency)
    except InputError as error:
        raise InputError(
            error.message, mend=error.mend, field=("filter", "price", bound)
        ) from error
