"""Category: a node of the category forest."""

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


@strawberry.type(description="A node of the category forest, which is at most 8 levels deep.")
class Category(Node):
    """A category as it stands in the graph."""

    external_id: strawberry.ID = strawberry.field(description="The caller's own identifier.")
    name: str | None = strawberry.field(description="For people.")
    parent_id: strawberry.Private[str | None]

    @strawberry.field(
        description="The category above; null for a root.", extensions=[Requires(anyone)]
    )
    async def parent(self, info: ApiInfo) -> Category | None:
        """The category above."""
        if self.parent_id is None:
            return None
        found = await info.context.loaders.categories.load(self.parent_id)
        return Category.from_domain(found) if found else None

    @strawberry.field(description="The categories right below.", extensions=[Requires(anyone)])
    async def children(self, info: ApiInfo) -> list[Category]:
        """The categories right below."""
        loaders = info.context.loaders
        ids = await loaders.children.load(self.external_id) or []
        found = await loaders.categories.load_many(ids)
        return [Category.from_domain(category) for category in found if category]

    @strawberry.field(
        description="What is in it or below it, by id. Not below a list: it is read for one "
        "category at a time.",
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
        """What is in it or below it."""
        return await offer_types.read_offers(
            info, first=first, after=after, last=last, before=before, category_id=self.external_id
        )

    @classmethod
    def from_domain(cls, category: entities.Category) -> Category:
        """Translate the entity."""
        return cls(
            id=strawberry.ID(global_id(Label.CATEGORY, category.id)),
            external_id=strawberry.ID(category.id),
            name=category.name,
            parent_id=category.parent_id,
        )


@strawberry.type(description="A category in a list.")
class CategoryEdge:
    """Relay's edge."""

    node: Category = strawberry.field(description="The category.")
    cursor: str = strawberry.field(description="To continue after it.")


@strawberry.type(description="A page of categories, by id.")
class CategoryConnection:
    """Relay's connection."""

    edges: list[CategoryEdge] = strawberry.field(description="The page.")
    page_info: PageInfo = strawberry.field(description="Where it stands.")
