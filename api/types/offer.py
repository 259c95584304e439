"""Offer: something a buyer can buy."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.connections import (
    After,
    First,
    PageInfo,
    PageRequest,
    page_size,
    read_page,
)
from api.context import ApiInfo
from api.ids import Label, global_id
from api.permissions import Requires, anyone, check, overseer, sees_offer_matches
from api.scalars import BigInt
from api.types import category as category_types
from api.types import match as match_types
from api.types import vendor as vendor_types
from api.types.arguments import (
    AtLeastSeq,
    BuyerFilterArgument,
    BuyerRanking,
    ContextArgument,
    Diversity,
    MaxPerCountry,
    MaxPerKind,
)
from api.types.enums import OfferStatus
from api.types.money import Money
from api.types.node import Node
from core import entities

if TYPE_CHECKING:
    from api.types.category import Category
    from api.types.match import MatchConnection
    from api.types.vendor import Vendor


@strawberry.type(description="Something a buyer can buy; valid in [validFrom, validTo).")
class Offer(Node):
    """An offer as it stands in the graph."""

    external_id: strawberry.ID = strawberry.field(description="The caller's own identifier.")
    title: str | None = strawberry.field(description="One line for people.")
    description: str | None = strawberry.field(description="More of it.")
    price: Money | None = strawberry.field(description="Of one unit.")
    available_quantity: BigInt | None = strawberry.field(
        description="What is left; null when stock is not tracked. A purchase lowers it."
    )
    status: OfferStatus = strawberry.field(description="Whether it can be matched.")
    valid_from: datetime | None = strawberry.field(description="Included; null: from ever.")
    valid_to: datetime | None = strawberry.field(description="Excluded; null: for ever.")
    latitude: float | None = strawberry.field(description="Degrees north, WGS 84.")
    longitude: float | None = strawberry.field(description="Degrees east, WGS 84.")
    created_at: datetime | None = strawberry.field(description="When the source created it.")
    vendor_id: strawberry.Private[str | None]
    category_ids: strawberry.Private[tuple[str, ...]]

    @strawberry.field(description="Who lists it.", extensions=[Requires(anyone)])
    async def vendor(
        self, info: ApiInfo
    ) -> Annotated[Vendor, strawberry.lazy("api.types.vendor")] | None:
        """Who lists it."""
        if self.vendor_id is None:
            return None
        found = await info.context.loaders.vendors.load(self.vendor_id)
        return vendor_types.Vendor.from_domain(found) if found else None

    @strawberry.field(description="What it is in.", extensions=[Requires(anyone)])
    async def categories(
        self, info: ApiInfo
    ) -> list[Annotated[Category, strawberry.lazy("api.types.category")]]:
        """What it is in."""
        if not self.category_ids:
            return []
        found = await info.context.loaders.categories.load_many(self.category_ids)
        return [category_types.Category.from_domain(one) for one in found if one]

    @strawberry.field(
        description="The buyers for it, best first, with the same score as the buyer's own match. "
        "For the vendor that lists it, analysts and admins.",
        extensions=[Requires(sees_offer_matches)],
    )
    async def matches(
        self,
        info: ApiInfo,
        first: First = None,
        after: After = None,
        filter: BuyerFilterArgument = None,
        diversity: Diversity = 0.0,
        max_per_kind: MaxPerKind = None,
        max_per_country: MaxPerCountry = None,
        context: ContextArgument = None,
        at_least_seq: AtLeastSeq = None,
    ) -> Annotated[MatchConnection, strawberry.lazy("api.types.match")] | None:
        """The buyers for it."""
        if filter and filter.near:
            # Circles drawn ever smaller would tell a vendor where a buyer is.
            principal = info.context.require_principal()
            check(overseer(principal, self), "filter buyers by place", "filter", "near")
        request = BuyerRanking(
            filter, diversity, max_per_kind, max_per_country, context
        ).to_domain()
        return await match_types.match_buyers(
            info, self.external_id, request, first=first, after=after, at_least_seq=at_least_seq
        )

    @strawberry.field(
        description="The offers closest to it by the model, closest first.",
        extensions=[Requires(anyone)],
    )
    async def similar_offers(self, info: ApiInfo, first: First = None) -> list[SimilarOffer]:
        """The offers closest to it."""
        size = page_size(first)
        similar = await info.context.loaders.similar.load((self.external_id, size))
        found = await info.context.loaders.offers.load_many([one.id for one in similar])
        return [
            SimilarOffer(similarity=one.similarity, offer=Offer.from_domain(offer))
            for one, offer in zip(similar, found, strict=True)
            if offer
        ]

    @classmethod
    def from_domain(cls, offer: entities.Offer) -> Offer:
        """Translate the entity."""
        stock = offer.available_quantity
        return cls(
            id=strawberry.ID(global_id(Label.OFFER, offer.id)),
            external_id=strawberry.ID(offer.id),
            title=offer.title,
            description=offer.description,
            price=Money.from_domain(offer.price_minor, offer.currency),
            available_quantity=BigInt(stock) if stock is not None else None,
            status=offer.status,
            valid_from=offer.valid_from,
            valid_to=offer.valid_to,
            latitude=offer.latitude,
            longitude=offer.longitude,
            created_at=offer.created_at,
            vendor_id=offer.vendor_id,
            category_ids=offer.category_ids,
        )


@strawberry.type(description="An offer close to another one.")
class SimilarOffer:
    """One neighbour."""

    similarity: float = strawberry.field(description="In (0, 1].")
    offer: Offer = strawberry.field(description="The neighbour.")


@strawberry.type(description="An offer in a list.")
class OfferEdge:
    """Relay's edge."""

    node: Offer = strawberry.field(description="The offer.")
    cursor: str = strawberry.field(description="To continue after it.")


@strawberry.type(description="A page of offers, by id.")
class OfferConnection:
    """Relay's connection."""

    edges: list[OfferEdge] = strawberry.field(description="The page.")
    page_info: PageInfo = strawberry.field(description="Where it stands.")


async def read_offers(
    info: ApiInfo,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
    vendor_id: str | None = None,
    category_id: str | None = None,
) -> OfferConnection:
    """A page of all offers, or of one vendor's or one category's."""
    services = info.context.services

    async def read(page: PageRequest) -> Sequence[entities.Offer]:
        return await services.store.page_offers(
            after=page.after,
            before=page.before,
            limit=page.limit,
            backwards=page.backwards,
            vendor_id=vendor_id,
            category_id=category_id,
        )

    listing = f"offers/{vendor_id or ''}/{category_id or ''}"
    page = await read_page(
        read, services.cursors, listing, first=first, after=after, last=last, before=before
    )
    edges = [
        OfferEdge(node=Offer.from_domain(offer), cursor=cursor)
        for offer, cursor in zip(page.rows, page.cursors, strict=True)
    ]
    return OfferConnection(edges=edges, page_info=page.info)
