"""The roots of reading."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import strawberry

from announcing.filters import MatchEventFilter
from api.connections import (
    After,
    Before,
    First,
    Last,
    PageRequest,
    page_size,
    read_page,
)
from api.context import ApiInfo
from api.ids import Label, external_id_of, parse_global_id
from api.match_log import read_match_events
from api.permissions import Requires, admin, anyone, check, may_see_buyer, overseer
from api.scalars import Cursor
from api.types.api_key import ApiKey
from api.types.arguments import (
    ContextArgument,
    Diversity,
    Excluded,
    MaxPerCategory,
    MaxPerVendor,
    OfferFilterArgument,
    OfferRanking,
    Pinned,
)
from api.types.buyer import Buyer, BuyerConnection, BuyerEdge
from api.types.category import Category, CategoryConnection, CategoryEdge
from api.types.match_event import MatchEventConnection, MatchEventFilterInput
from api.types.node import Node
from api.types.offer import Offer, OfferConnection, read_offers
from api.types.pair import PairExplanation
from api.types.purchase import Purchase
from api.types.service_status import Health, Model
from api.types.vendor import Vendor, VendorConnection, VendorEdge
from api.webhook_queries import WebhookQueries
from core import entities
from core.errors import InputError

Top = Annotated[
    int,
    strawberry.argument(description="What counts as the first matches; 20 unless said, 100 most."),
]


@strawberry.input(one_of=True, description="Which one: by the opaque id or by its own identifier.")
class By:
    """Exactly one of the two."""

    id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The opaque global id."
    )
    external_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET, description="The caller's own identifier."
    )

    def key(self, label: Label) -> str:
        """The external id that is meant.

        Raises:
            InputError: when the global id is of another type.
        """
        if isinstance(self.external_id, str):
            return self.external_id
        assert isinstance(self.id, str)
        found, key = parse_global_id(self.id, "by", "id")
        if found is not label:
            raise InputError(f"The id is a {found}'s, not a {label}'s.", field=("by", "id"))
        return key


NodeId = Annotated[strawberry.ID, strawberry.argument(description="A global id.")]
BuyerId = Annotated[strawberry.ID, strawberry.argument(description="The buyer's id or externalId.")]
OfferId = Annotated[strawberry.ID, strawberry.argument(description="The offer's id or externalId.")]
Which = Annotated[By, strawberry.argument(description="Which one.")]


EventFilter = Annotated[
    MatchEventFilterInput | None, strawberry.argument(description="Which of them to tell of.")
]
EventsAfter = Annotated[
    Cursor | None, strawberry.argument(description="Start after this cursor (pageInfo.endCursor).")
]


@strawberry.type(description="Everything that can be asked.")
class Query(WebhookQueries):
    """The root of queries."""

    @strawberry.field(
        description="Whatever has this global id; null when it is gone.",
        extensions=[Requires(anyone)],
    )
    async def node(self, info: ApiInfo, id: NodeId) -> Node | None:
        """Whatever has this global id."""
        label, key = parse_global_id(id)
        loaders = info.context.loaders
        match label:
            case Label.BUYER:
                return await _buyer(info, key)
            case Label.OFFER:
                offer = await loaders.offers.load(key)
                return Offer.from_domain(offer) if offer else None
            case Label.VENDOR:
                vendor = await loaders.vendors.load(key)
                return Vendor.from_domain(vendor) if vendor else None
            case Label.CATEGORY:
                category = await loaders.categories.load(key)
                return Category.from_domain(category) if category else None
            case Label.PURCHASE:
                return await _purchase(info, key)

    @strawberry.field(
        description="One buyer; null when there is none. For itself, analysts and admins.",
        extensions=[Requires(anyone)],
    )
    async def buyer(self, info: ApiInfo, by: Which) -> Buyer | None:
        """One buyer."""
        return await _buyer(info, by.key(Label.BUYER))

    @strawberry.field(
        description="One offer; null when there is none.", extensions=[Requires(anyone)]
    )
    async def offer(self, info: ApiInfo, by: Which) -> Offer | None:
        """One offer."""
        found = await info.context.loaders.offers.load(by.key(Label.OFFER))
        return Offer.from_domain(found) if found else None

    @strawberry.field(
        description="One category; null when there is none.", extensions=[Requires(anyone)]
    )
    async def category(self, info: ApiInfo, by: Which) -> Category | None:
        """One category."""
        found = await info.context.loaders.categories.load(by.key(Label.CATEGORY))
        return Category.from_domain(found) if found else None

    @strawberry.field(
        description="One vendor; null when there is none.", extensions=[Requires(anyone)]
    )
    async def vendor(self, info: ApiInfo, by: Which) -> Vendor | None:
        """One vendor."""
        found = await info.context.loaders.vendors.load(by.key(Label.VENDOR))
        return Vendor.from_domain(found) if found else None

    @strawberry.field(
        description="All buyers, by id. For analysts and admins.", extensions=[Requires(overseer)]
    )
    async def buyers(
        self,
        info: ApiInfo,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> BuyerConnection | None:
        """All buyers."""
        services = info.context.services

        async def read(page: PageRequest) -> Sequence[entities.Buyer]:
            return await services.store.page_buyers(
                page.after, page.before, page.limit, page.backwards
            )

        page = await read_page(
            read, services.cursors, "buyers", first=first, after=after, last=last, before=before
        )
        edges = [
            BuyerEdge(node=Buyer.from_domain(buyer), cursor=cursor)
            for buyer, cursor in zip(page.rows, page.cursors, strict=True)
        ]
        return BuyerConnection(edges=edges, page_info=page.info)

    @strawberry.field(
        description="All offers, by id, withdrawn ones included.", extensions=[Requires(anyone)]
    )
    async def offers(
        self,
        info: ApiInfo,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> OfferConnection | None:
        """All offers."""
        return await read_offers(info, first=first, after=after, last=last, before=before)

    @strawberry.field(description="All categories, by id.", extensions=[Requires(anyone)])
    async def categories(
        self,
        info: ApiInfo,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> CategoryConnection | None:
        """All categories."""
        services = info.context.services

        async def read(page: PageRequest) -> Sequence[entities.Category]:
            return await services.store.page_categories(
                page.after, page.before, page.limit, page.backwards
            )

        page = await read_page(
            read, services.cursors, "categories", first=first, after=after, last=last, before=before
        )
        edges = [
            CategoryEdge(node=Category.from_domain(category), cursor=cursor)
            for category, cursor in zip(page.rows, page.cursors, strict=True)
        ]
        return CategoryConnection(edges=edges, page_info=page.info)

    @strawberry.field(description="All vendors, by id.", extensions=[Requires(anyone)])
    async def vendors(
        self,
        info: ApiInfo,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> VendorConnection | None:
        """All vendors."""
        services = info.context.services

        async def read(page: PageRequest) -> Sequence[entities.Vendor]:
            return await services.store.page_vendors(
                page.after, page.before, page.limit, page.backwards
            )

        page = await read_page(
            read, services.cursors, "vendors", first=first, after=after, last=last, before=before
        )
        edges = [
            VendorEdge(node=Vendor.from_domain(vendor), cursor=cursor)
            for vendor, cursor in zip(page.rows, page.cursors, strict=True)
        ]
        return VendorConnection(edges=edges, page_info=page.info)

    @strawberry.field(
        description="Why a buyer and an offer match or, when the offer is not among the buyer's "
        "first matches with these arguments, what dropped it. For the buyer itself, analysts and "
        "admins.",
        extensions=[Requires(anyone)],
    )
    async def explain(
        self,
        info: ApiInfo,
        buyer: BuyerId,
        offer: OfferId,
        filter: OfferFilterArgument = None,
        diversity: Diversity = 0.0,
        max_per_vendor: MaxPerVendor = None,
        max_per_category: MaxPerCategory = None,
        pinned: Pinned = None,
        excluded: Excluded = None,
        context: ContextArgument = None,
        top: Top = 20,
    ) -> PairExplanation | None:
        """Why, or why not."""
        buyer_id = external_id_of(buyer, Label.BUYER)
        check(may_see_buyer(info.context.require_principal(), buyer_id), "see this buyer", "buyer")
        request = OfferRanking(
            filter, diversity, max_per_vendor, max_per_category, pinned, excluded, context
        ).to_domain()
        answer = await info.context.services.matching.explain(
            buyer_id, external_id_of(offer, Label.OFFER), request, page_size(top)
        )
        return PairExplanation.from_domain(answer)

    @strawberry.field(
        description="New, changed and withdrawn matches, oldest first, for those who poll. Go on "
        "from pageInfo.endCursor, which moves even when the page is empty; hasNextPage says "
        "whether the log goes on behind it. Without `after`: from the oldest event that is kept. A "
        "buyer sees its own, a vendor those on its own offers; partners, analysts and admins all.",
        extensions=[Requires(anyone)],
    )
    async def match_events(
        self,
        info: ApiInfo,
        filter: EventFilter = None,
        after: EventsAfter = None,
        first: First = None,
    ) -> MatchEventConnection | None:
        """Match events behind a cursor."""
        asked = filter.to_domain() if filter else MatchEventFilter()
        return await read_match_events(info, asked, after, first)

    @strawberry.field(description="The model that scores now.", extensions=[Requires(anyone)])
    def model(self, info: ApiInfo) -> Model:
        """The model that scores now."""
        return Model.from_domain(info.context.services.matching.model_info())

    @strawberry.field(
        description="All API keys, oldest first, revoked and ended ones included. For admins.",
        extensions=[Requires(admin)],
    )
    async def api_keys(self, info: ApiInfo) -> list[ApiKey] | None:
        """All API keys."""
        keys = await info.context.services.store.list_api_keys()
        return [ApiKey.from_domain(key) for key in keys]

    @strawberry.field(description="How the service is.", extensions=[Requires(anyone)])
    def health(self, info: ApiInfo) -> Health:
        """How the service is."""
        services = info.context.services
        return Health.from_domain(services.matching.health(), services.announcer.status())


async def _buyer(info: ApiInfo, key: str) -> Buyer | None:
    check(may_see_buyer(info.context.require_principal(), key), "see this buyer", "by")
    found = await info.context.loaders.buyers.load(key)
    return Buyer.from_domain(found) if found else None


async def _purchase(info: ApiInfo, key: str) -> Purchase | None:
    found = (await info.context.services.store.get_purchases([key])).get(key)
    # Whether a line exists is the same refusal: else ids could be tried out.
    owner = found.buyer_id if found else None
    check(may_see_buyer(info.context.require_principal(), owner), "see this purchase")
    return Purchase.from_domain(found) if found else None
