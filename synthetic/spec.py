"""What to generate, and the constants of every generated world.

The constants are frozen: figures measured on a generated marketplace are comparable only while
they stay as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from core.errors import InputError

LATENT_DIMENSION = 12
"""Dimensions of the taste space that buyers and offers share."""

NOISE_SHARE = 0.10
"""Share of purchase lines drawn from popularity alone, whatever the buyer needs."""

REORDER_SHARE = 0.45
"""Share of lines that try to reorder; the category says how often such a try succeeds."""

RELEVANT_SHARE = 0.05
"""At most this share of all offers is relevant to one buyer."""

RELEVANT_FLOOR = 0.02
"""An offer this far below the buyer's best one is not relevant, even within the share."""

LINES_PER_ORDER = 3.0
COLD_BUYER_SHARE = 0.03
NEWBORN_OFFER_SHARE = 0.01
"""Offers created on the last day: nobody has met them."""

NEW_OFFER_SHARE = 0.04
"""Offers created in the last NEW_OFFER_DAYS."""

NEW_OFFER_DAYS = 28


@dataclass(frozen=True, slots=True)
class MarketplaceSpec:
    """The size, the time and the seed of a marketplace.

    Args:
        buyers: buyers, of whom COLD_BUYER_SHARE never buy.
        offers: offers, in all sub-categories.
        vendors: vendors that list them.
        purchases: order lines, exactly.
        interactions: views, clicks, carts, inquiries and dismissals, exactly.
        days: length of the history.
        end: end of the history (exclusive), aware; fixed so that bytes do not depend on today.
        seed: everything random comes from it.

    Raises:
        InputError: when a figure is out of range or ``end`` is naive.
    """

    buyers: int = 2_000
    offers: int = 1_500
    vendors: int = 120
    purchases: int = 60_000
    interactions: int = 120_000
    days: int = 365
    end: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    seed: int = 7

    def __post_init__(self) -> None:
        """Refuse figures that no marketplace has."""
        least = {"buyers": 2, "offers": 30, "vendors": 1, "purchases": 0, "interactions": 0}
        for name, minimum in {**least, "days": 30, "seed": 0}.items():
            value = getattr(self, name)
            if value < minimum:
                raise InputError(
                    f"{name} is {value}; it must be at least {minimum}.",
                    mend=f"Give {name} a larger value.",
                    field=(name,),
                )
        if self.end.tzinfo is None:
            raise InputError(
                "end has no time zone.", mend="Give an aware datetime.", field=("end",)
            )
