"""The root of mutations."""

from __future__ import annotations

import strawberry

from api.mutations.api_keys import ApiKeyMutations
from api.mutations.buyers import BuyerMutations
from api.mutations.categories import CategoryMutations
from api.mutations.interactions import InteractionMutations
from api.mutations.offers import OfferMutations
from api.mutations.purchases import PurchaseMutations
from api.mutations.vendors import VendorMutations
from api.mutations.webhooks import WebhookMutations


@strawberry.type(description="Everything that can be changed.")
class Mutation(
    BuyerMutations,
    VendorMutations,
    CategoryMutations,
    OfferMutations,
    PurchaseMutations,
    InteractionMutations,
    ApiKeyMutations,
    WebhookMutations,
):
    """All mutations."""
