"""The executable schema."""

from __future__ import annotations

from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types.execution import ExecutionContext

from api.guard import DocumentCache, OperationGuard
from api.mutations.root import Mutation
from api.queries import Query
from api.scalars import SCALARS
from api.subscriptions import Subscription
from api.types import enums  # noqa: F401 - names the domain's enums to GraphQL
from api.types.buyer import Buyer
from api.types.category import Category
from api.types.offer import Offer
from api.types.purchase import Purchase
from api.types.vendor import Vendor


class OfferpathSchema(strawberry.Schema):
    """Strawberry's schema, without its log of every error: the transports log internal ones."""

    def process_errors(
        self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None
    ) -> None:
        """Leave errors to api.errors.present_errors."""


def build_schema(
    documents: DocumentCache | None = None, *, for_print: bool = False
) -> OfferpathSchema:
    """Build the schema; operations share the cache of parsed documents.

    ``for_print`` sorts it. Do not execute that one: sorting rebuilds the enum types, and inputs of
    theirs then arrive as bare text.
    """
    cache = documents or DocumentCache()

    def guard() -> Any:
        return OperationGuard(cache)

    return OfferpathSchema(
        query=Query,
        mutation=Mutation,
        subscription=Subscription,
        types=[Buyer, Vendor, Category, Offer, Purchase],
        extensions=[guard],
        config=StrawberryConfig(scalar_map=SCALARS, sort_schema=for_print),
    )
