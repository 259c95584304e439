"""Arguments that fields share, and the requests that they add up to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import strawberry

from api.ids import Label, external_ids_of
from api.scalars import BigInt
from api.types.context_value import ContextValueInput, context_given
from api.types.match_filters import BuyerMatchFilter, OfferMatchFilter
from matching.requests import (
    BuyerFilter,
    BuyerMatchRequest,
    OfferFilter,
    OfferMatchRequest,
)

AtLeastSeq = Annotated[
    BigInt | None,
    strawberry.argument(
        description="Wait until the answer knows the event log up to here: a mutation's `seq`."
    ),
]
OfferFilterArgument = Annotated[
    OfferMatchFilter | None, strawberry.argument(description="Which offers may come.")
]
BuyerFilterArgument = Annotated[
    BuyerMatchFilter | None, strawberry.argument(description="Which buyers may come.")
]
MaxPerKind = Annotated[
    int | None, strawberry.argument(description="At most so many buyers of one kind.")
]
MaxPerCountry = Annotated[
    int | None, strawberry.argument(description="At most so many buyers of one country.")
]
Diversity = Annotated[
    float,
    strawberry.argument(
        description="0 keeps the order of the scores; 1 spreads over vendors and categories."
    ),
]
MaxPerVendor = Annotated[
    int | None, strawberry.argument(description="At most so many offers of one vendor.")
]
MaxPerCategory = Annotated[
    int | None, strawberry.argument(description="At most so many offers of one category.")
]
Pinned = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Offers that come first, in this order: id or externalId."),
]
Excluded = Annotated[
    list[strawberry.ID] | None,
    strawberry.argument(description="Offers that never come: id or externalId."),
]
ContextArgument = Annotated[
    list[ContextValueInput] | None,
    strawberry.argument(
        description="Under which circumstances it is asked, 8 at most: what was learned of them is "
        "part of the scores; what was not counts nothing."
    ),
]


@dataclass(frozen=True, slots=True)
class OfferRanking:
    """The arguments of ``Buyer.matches`` and ``Query.explain`` that make the ranking."""

    filter: OfferMatchFilter | None
    diversity: float
    max_per_vendor: int | None
    max_per_category: int | None
    pinned: list[strawberry.ID] | None
    excluded: list[strawberry.ID] | None
    context: list[ContextValueInput] | None

    def to_domain(self) -> OfferMatchRequest:
        """The request that matching takes."""
        return OfferMatchRequest(
            filter=self.filter.to_domain() if self.filter else OfferFilter(),
            diversity=self.diversity,
            max_per_vendor=self.max_per_vendor,
            max_per_category=self.max_per_category,
            pinned=external_ids_of(self.pinned, Label.OFFER),
            excluded=external_ids_of(self.excluded, Label.OFFER),
            context=context_given(self.context, "context"),
        )


@dataclass(frozen=True, slots=True)
class BuyerRanking:
    """The arguments of ``Offer.matches`` that make the ranking."""

    filter: BuyerMatchFilter | None
    diversity: float
    max_per_kind: int | None
    max_per_country: int | None
    context: list[ContextValueInput] | None

    def to_domain(self) -> BuyerMatchRequest:
        """The request that matching takes."""
        return BuyerMatchRequest(
            filter=self.filter.to_domain() if self.filter else BuyerFilter(),
            diversity=self.diversity,
            max_per_kind=self.max_per_kind,
            max_per_country=self.max_per_country,
            context=context_given(self.context, "context"),
        )
