"""Buyer: somebody who buys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.connections import After, Before, First, Last, PageInfo, PageRequest, read_page
from api.context import ApiInfo
from api.ids import Label, global_id
from api.permissions import Requires, anyone, names_buyer, sees_buyer
from api.types import category as category_types
from api.types import match as match_types
from api.types.arguments import (
    AtLeastSeq,
    ContextArgument,
    Diversity,
    Excluded,
    MaxPerCategory,
    MaxPerVendor,
    OfferFilterArgument,
    OfferRanking,
    Pinned,
)
from api.types.node import Node
from api.types.purchase import Purchase, PurchaseConnection, PurchaseEdge
from core import entities

if TYPE_CHECKING:
    from api.types.category import Category
    from api.types.match import MatchConnection


@strawberry.type(description="A buyer's stated liking of a category.")
class Preference:
    """One preference."""

    weight: float = strawberry.field(description="From -1 (not at all) to 1.")
    source: str | None = strawberry.field(description="Where it was stated.")
    category_id: strawberry.Private[str]

    @strawberry.field(description="The category.", extensions=[Requires(anyone)])
    async def category(
        self, info: ApiInfo
    ) -> Annotated[Category, strawberry.lazy("api.types.category")] | None:
        """The category; null when it was deleted since."""
        found = await info.context.loaders.categories.load(self.category_id)
        return category_types.Category.from_domain(found) if found else None


@strawberry.type(description="Somebody who buys.")
class Buyer(Node):
    """A buyer as it stands in the graph."""

    external_id: strawberry.ID = strawberry.field(description="The caller's own identifier.")
    name: str | None = strawberry.field(
        description="Personal: for the buyer itself and admins.", extensions=[Requires(names_buyer)]
    )
    kind: str | None = strawberry.field(description="Such as the kind of retailer it is.")
    country: str | None = strawberry.field(description="As the source gave it.")
    latitude: float | None = strawberry.field(
        description="Degrees north, WGS 84. For the buyer itself, analysts and admins.",
        extensions=[Requires(sees_buyer)],
    )
    longitude: float | None = strawberry.field(
        description="Degrees east, WGS 84. For the buyer itself, analysts and admins.",
        extensions=[Requires(sees_buyer)],
    )
    created_at: datetime | None = strawberry.field(
        description="When the source created it. For the buyer itself, analysts and admins.",
        extensions=[Requires(sees_buyer)],
    )

    @strawberry.field(
        description="What it has said it likes. For the buyer itself, analysts and admins.",
        extensions=[Requires(sees_buyer)],
    )
    async def preferences(self, info: ApiInfo) -> list[Preference] | None:
        """What it has said it likes."""
        profile = await info.context.loaders.profiles.load(self.external_id)
        return [
            Preference(weight=one.weight, source=one.source, category_id=one.category_id)
            for one in (profile.preferences if profile else ())
        ]

    @strawberry.field(
        description="Its order lines, by line id. For the buyer itself, analysts and admins. Not "
        "below a list: they are read for one buyer at a time.",
        extensions=[Requires(sees_buyer)],
    )
    async def purchases(
        self,
        info: ApiInfo,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> PurchaseConnection | None:
        """Its order lines."""
        services = info.context.services

        async def read(page: PageRequest) -> Sequence[entities.Purchase]:
            return await services.store.page_purchases(
                self.external_id, page.after, page.before, page.limit, page.backwards
            )

        listing = f"purchases/{self.external_id}"
        page = await read_page(
            read, services.cursors, listing, first=first, after=after, last=last, before=before
        )
        edges = [
            PurchaseEdge(node=Purchase.from_domain(line), cursor=cursor)
            for line, cursor in zip(page.rows, page.cursors, strict=True)
        ]
        return PurchaseConnection(edges=edges, page_info=page.info)

    @strawberry.field(
        description="The offers for it, best first. For the buyer itself, analysts and admins.",
        extensions=[Requires(sees_buyer)],
    )
    async def matches(
        self,
        info: ApiInfo,
        first: First = None,
        after: After = None,
        filter: OfferFilterArgument = None,
        diversity: Diversity = 0.0,
        max_per_vendor: MaxPerVendor = None,
        max_per_category: MaxPerCategory = None,
        pinned: Pinned = None,
        excluded: Excluded = None,
        context: ContextArgument = None,
        at_least_seq: AtLeastSeq = None,
    ) -> Annotated[MatchConnection, strawberry.lazy("api.types.match")] | None:
        """The offers for it."""
        request = OfferRanking(
            filter, diversity, max_per_vendor, max_per_category, pinned, excluded, context
        ).to_domain()
        return await match_types.match_offers(
            info, self.external_id, request, first=first, after=after, at_least_seq=at_least_seq
        )

    @classmethod
    def from_domain(cls, buyer: entities.Buyer) -> Buyer:
        """Translate the entity."""
        return cls(
            id=strawberry.ID(global_id(Label.BUYER, buyer.id)),
            external_id=strawberry.ID(buyer.id),
            name=buyer.name,
            kind=buyer.kind,
            country=buyer.country,
            latitude=buyer.latitude,
            longitude=buyer.longitude,
            created_at=buyer.created_at,
        )


@strawberry.type(description="A buyer in a list.")
class BuyerEdge:
    """Relay's edge."""

    node: Buyer = strawberry.field(description="The buyer.")
    cursor: str = strawberry.field(description="To continue after it.")


@strawberry.type(description="A page of buyers, by id.")
class BuyerConnection:
    """Relay's connection."""

    edges: list[BuyerEdge] = strawberry.field(description="The page.")
    page_info: PageInfo = strawberry.field(description="Where it stands.")
