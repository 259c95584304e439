"""Money: exact decimal text beside int minor units."""

from __future__ import annotations

import strawberry

from api.scalars import BigInt, Currency, DecimalText
from core.currencies import MINOR_DIGITS, from_minor


@strawberry.type(description="An exact amount of one currency; nothing is ever converted.")
class Money:
    """An amount in the currency's own unit, and in its smallest."""

    amount: DecimalText = strawberry.field(description='In the currency\'s unit, such as "12.50".')
    minor: BigInt = strawberry.field(description="In its smallest unit, such as 1250.")
    currency: Currency = strawberry.field(description="ISO 4217.")

    @classmethod
    def from_domain(cls, minor: int | None, currency: str | None) -> Money | None:
        """None when either is missing, or when the currency is none that has minor units."""
        if minor is None or currency is None or currency not in MINOR_DIGITS:
            return None
        amount = DecimalText(from_minor(minor, currency))
        return cls(amount=amount, minor=BigInt(minor), currency=Currency(currency))
