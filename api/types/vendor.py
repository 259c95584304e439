"""Vendor: somebody who lists offers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import strawberry

from api.connections import After, Before, First, Last, PageInfo
from api.context import ApiInfo
from api.ids import Label, global_id
from api.permissions import Requires, anyone
from api.types import offer as offer_types
from api.types.node import Node
from core import entities

if TYPE_CHECKING:
    from api.types.offer import OfferConnection


@strawberry.type(description="Somebody who lists offers.")
class Vendor(Node):
    """A vendor as it stands in the graph."""

    external_id: strawberry.ID = strawberry.field(description="The caller's own identifier.")
    name: str | None = strawberry.field(description="For people.")
    country: str | None = strawberry.field(description="As the source gave it.")
    latitude: float | None = strawberry.field(description="Degrees north, WGS 84.")
    longitude: float | None = strawberry.field(description="Degrees east, WGS 84.")

    @strawberry.field(
        description="What it lists, by id. Not below a list: it is read for one vendor at a time.",
        extensions=[Requires(anyone)],
    )
    async def offers(
        self,
        info: ApiInfo,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> Annotated[OfferConnection, strawberry.lazy("api.types.offer")]:
        """The vendor's offers."""
        return await offer_types.read_offers(
            info, first=first, after=after, last=last, before=before, vendor_id=self.external_id
        )

    @classmethod
    def from_domain(cls, vendor: entities.Vendor) -> Vendor:
        """Translate the entity."""
        return cls(
            id=strawberry.ID(global_id(Label.VENDOR, vendor.id)),
            external_id=strawberry.ID(vendor.id),
            name=vendor.name,
            country=vendor.country,
            latitude=vendor.latitude,
            longitude=vendor.longitude,
        )


@strawberry.type(description="A vendor in a list.")
class VendorEdge:
    """Relay's edge."""

    node: Vendor = strawberry.field(description="The vendor.")
    cursor: str = strawberry.field(description="To continue after it.")


@strawberry.type(description="A page of vendors, by id.")
class VendorConnection:
    """Relay's connection."""

    edges: list[VendorEdge] = strawberry.field(description="The page.")
    page_info: PageInfo = strawberry.field(description="Where it stands.")
