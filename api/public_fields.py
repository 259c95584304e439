"""Fields that every principal may read once it has their object: the reviewed list.

A field is here because it is part of the catalogue, or because the way to its object is guarded:
purchases, matches, explanations, API keys, webhooks and payloads are only reached over fields that
carry a ``Requires``. Add a field only after asking who can reach its type.
"""

from __future__ import annotations

PUBLIC_FIELDS: dict[str, frozenset[str]] = {
    type_name: frozenset(fields.split())
    for type_name, fields in {
        "ApiKey": "createdAt expiresAt id name revokedAt role subject",
        "BulkPayload": "errors results seq",
        "Buyer": "country externalId id kind",
        "BuyerConnection": "edges pageInfo",
        "BuyerEdge": "cursor node",
        "CancelPurchasePayload": "cancellationId errors seq status",
        "Category": "externalId id name",
        "CategoryConnection": "edges pageInfo",
        "CategoryEdge": "cursor node",
        "ContextValue": "name value",
        "CreateApiKeyPayload": "apiKey errors secret seq",
        "CursorExpired": "cursor seq",
        "DeletePayload": "deletedExternalId errors seq status",
        "DeleteWebhookPayload": "deletedId errors seq",
        "Explanation": "contribution kind path summary",
        "Health": "announcing buyers modelVersion offers purchases ready rebuilding seq "
        "unannounced",
        "Lagged": "behind cursor seq",
        "Match": "modelVersion pinned rank score stale",
        "MatchConnection": "edges modelVersion pageInfo seq total",
        "MatchEdge": "cursor node",
        "MatchCreated": "at buyer buyerId categoryIds cursor heldBack id modelVersion offer "
        "offerId rank reason score seq type vendorId",
        "MatchEventConnection": "edges pageInfo",
        "MatchEventEdge": "cursor node",
        "MatchUpdated": "at buyer buyerId categoryIds cursor id modelVersion offer offerId "
        "previousScore rank reason score seq type vendorId",
        "MatchWithdrawn": "at buyer buyerId categoryIds cursor id modelVersion offer offerId "
        "reason seq type vendorId",
        "Model": "createdAt metrics trained version",
        "Money": "amount currency minor",
        "Offer": "availableQuantity createdAt description externalId id latitude longitude "
        "price status title validFrom validTo",
        "OfferConnection": "edges pageInfo",
        "OfferEdge": "cursor node",
        "PageInfo": "endCursor hasNextPage hasPreviousPage startCursor",
        "PairExplanation": "condition explanations modelVersion neededScore position rank score "
        "seq stage whatWouldChange",
        "PathElement": "count id kind label",
        "Preference": "source weight",
        "Purchase": "at cancelledAt cancelledQuantity context contextValues externalId id orderId "
        "quantity unitPrice",
        "PurchaseConnection": "edges pageInfo",
        "PurchaseEdge": "cursor node",
        "RecordInteractionPayload": "errors interactionId seq status",
        "RecordPurchasePayload": "errors purchase seq status",
        "RevokeApiKeyPayload": "apiKey errors seq",
        "RowOutcome": "errors externalId status",
        "SetPreferencesPayload": "buyer errors seq status",
        "SimilarOffer": "offer similarity",
        "UpsertBuyerPayload": "buyer errors seq status",
        "UpsertCategoryPayload": "category errors seq status",
        "UpsertOfferPayload": "errors offer seq status",
        "UpsertVendorPayload": "errors seq status vendor",
        "UserError": "code field message",
        "Vendor": "country externalId id latitude longitude name",
        "VendorConnection": "edges pageInfo",
        "VendorEdge": "cursor node",
        "Webhook": "createdAt cursor failingSince failures filter id lastError name nextAttemptAt "
        "owner ownerRole previousSecretUntil state url",
        "WebhookDelivery": "at attempt cursor error eventId id milliseconds seq state statusCode",
        "WebhookDeliveryConnection": "edges pageInfo",
        "WebhookDeliveryEdge": "cursor node",
        "WebhookDeliveryPayload": "delivery errors seq",
        "WebhookFilter": "buyers categories minScore types vendors",
        "WebhookPayload": "errors seq webhook",
        "WebhookSecretPayload": "errors secret seq webhook",
    }.items()
}
"""Names of public fields by the name of their type."""
