"""Purchase: one order line."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from api.connections import PageInfo
from api.context import ApiInfo
from api.ids import Label, global_id
from api.permissions import Requires, anyone
from api.scalars import BigInt
from api.types import offer as offer_types
from api.types.context_value import ContextValue, context_shown
from api.types.money import Money
from api.types.node import Node
from core import entities

if TYPE_CHECKING:
    from api.types.offer import Offer


@strawberry.type(description="One order line; quantity - cancelledQuantity is what still counts.")
class Purchase(Node):
    """A purchase as it stands in the graph."""

    external_id: strawberry.ID = strawberry.field(description="The line's own identifier.")
    order_id: str | None = strawberry.field(description="The order that it is a line of.")
    at: datetime = strawberry.field(description="When it was bought.")
    quantity: BigInt = strawberry.field(description="Units bought, at least 1.")
    cancelled_quantity: BigInt = strawberry.field(description="Units taken back since.")
    cancelled_at: datetime | None = strawberry.field(description="When some were taken back last.")
    unit_price: Money | None = strawberry.field(description="Paid for one unit.")
    context: str | None = strawberry.field(description="Whatever the source said with it.")
    context_values: list[ContextValue] = strawberry.field(
        description="The circumstances that its context names, by name."
    )
    offer_id: strawberry.Private[str]

    @strawberry.field(description="What was bought.", extensions=[Requires(anyone)])
    async def offer(self, info: ApiInfo) -> Annotated[Offer, strawberry.lazy("api.types.offer")]:
        """What was bought; offers are withdrawn, never deleted."""
        found = await info.context.loaders.offers.load(self.offer_id)
        assert found is not None
        return offer_types.Offer.from_domain(found)

    @classmethod
    def from_domain(cls, line: entities.Purchase) -> Purchase:
        """Translate the entity."""
        return cls(
            id=strawberry.ID(global_id(Label.PURCHASE, line.id)),
            external_id=strawberry.ID(line.id),
            order_id=line.order_id,
            at=line.at,
            quantity=BigInt(line.quantity),
            cancelled_quantity=BigInt(line.cancelled_quantity),
            cancelled_at=line.cancelled_at,
            unit_price=Money.from_domain(line.unit_price_minor, line.currency),
            context=line.context,
            context_values=context_shown(line.context),
            offer_id=line.offer_id,
        )


@strawberry.type(description="An order line in a list.")
class PurchaseEdge:
    """Relay's edge."""

    node: Purchase = strawberry.field(description="The line.")
    cursor: str = strawberry.field(description="To continue after it.")


@strawberry.type(description="A page of order lines, by line id.")
class PurchaseConnection:
    """Relay's connection."""

    edges: list[PurchaseEdge] = strawberry.field(description="The page.")
    page_info: PageInfo = strawberry.field(description="Where it stands.")
