"""Money as an input."""

from __future__ import annotations

import strawberry

from api.scalars import Currency, DecimalText
from core.currencies import to_minor
from core.errors import InputError


@strawberry.input(description="An exact amount; no more decimals than the currency has.")
class MoneyInput:
    """An amount in the currency's own unit."""

    amount: DecimalText = strawberry.field(description='Such as "12.50".')
    currency: Currency = strawberry.field(description="ISO 4217.")


def price_columns(price: MoneyInput | None, column: str, field: str) -> dict[str, int | str | None]:
    """The columns ``column`` (in minor units) and ``currency``; both None for None.

    Raises:
        InputError: naming ``field`` when the amount has more decimals than its currency.
    """
    if price is None:
        return {column: None, "currency": None}
    try:
        return {column: to_minor(price.amount, price.currency), "currency": price.currency}
    except InputError as error:
        raise InputError(
            error.message, mend=error.mend, field=("input", field, "amount")
        ) from error
