"""A small marketplace, written through the API's own mutations."""

from __future__ import annotations

from typing import Any

from tests.api.serving import Serving

BUYERS, OFFERS, VENDORS = 60, 60, 4
ROOT, LEAVES = "home", ("kitchen", "garden", "bath")

FILL = """
mutation Fill(
  $vendors: [UpsertVendorInput!]!, $categories: [UpsertCategoryInput!]!,
  $buyers: [UpsertBuyerInput!]!, $offers: [UpsertOfferInput!]!, $purchases: [RecordPurchaseInput!]!
) {
  upsertVendors(input: $vendors) { ...Failures }
  upsertCategories(input: $categories) { ...Failures }
  upsertBuyers(input: $buyers) { ...Failures }
  upsertOffers(input: $offers) { ...Failures }
  recordPurchases(input: $purchases) { ...Failures }
}
fragment Failures on BulkPayload { errors { message } results { status errors { message } } }
"""


def buyer(number: int) -> str:
    return f"buyer-{number:03d}"


def offer(number: int) -> str:
    return f"offer-{number:03d}"


def plain(number: int) -> str:
    """One of three offers with nothing but a title: only peers lead to them.

    Buyers 0 to 9 bought them all, but for buyer 1, who bought number 0 alone.
    """
    return f"plain-{number}"


def vendor(number: int) -> str:
    return f"vendor-{number}"


def fill(serving: Serving, key: str | None = None) -> None:
    """Write the marketplace; every row must be taken."""
    data = serving.data(FILL, key, **rows())
    for payload in data.values():
        assert payload["errors"] == []
        assert {row["status"] for row in payload["results"]} == {"CREATED"}


def rows() -> dict[str, Any]:
    """Ten buyers each share a taste: eight of the same twelve offers, so that peers exist."""
    categories = [{"externalId": ROOT, "name": "Home"}]
    categories += [{"externalId": leaf, "name": leaf.title(), "parentId": ROOT} for leaf in LEAVES]
    return {
        "vendors": [
            {"externalId": vendor(n), "name": f"Vendor {n}", "country": "GB"}
            for n in range(VENDORS)
        ],
        "categories": categories,
        "buyers": [
            {
                "externalId": buyer(n),
                "name": f"Person {n}",
                "kind": ("shop", "cafe")[n % 2],
                "country": ("GB", "FR")[n % 2],
                "latitude": 51.5,
                "longitude": -0.1,
            }
            for n in range(BUYERS)
        ],
        "offers": [
            {
                "externalId": offer(n),
                "title": f"Offer {n} of {LEAVES[n % 3]}",
                "price": {"amount": f"{1 + n}.50", "currency": "GBP"},
                "vendorId": vendor(n % VENDORS),
                "categoryIds": [LEAVES[n % 3]],
                "availableQuantity": 1000,
            }
            for n in range(OFFERS)
        ]
        + [{"externalId": plain(n), "title": f"Plain {n}"} for n in range(3)],
        "purchases": [
            {
                "externalId": f"line-{b:03d}-{step}",
                "buyerId": buyer(b),
                "offerId": offer((b // 10 * 10 + (b + step) % 12) % OFFERS),
                "at": f"2026-01-{1 + step:02d}T10:00:00Z",
                "quantity": 1 + step % 3,
            }
            for b in range(BUYERS)
            for step in range(8)
        ]
        + [
            {
                "externalId": f"plain-line-{b}-{n}",
                "buyerId": buyer(b),
                "offerId": plain(n),
                "at": f"2026-02-{1 + n:02d}T10:00:00Z",
            }
            for b in range(10)
            for n in range(1 if b == 1 else 3)
        ],
    }
