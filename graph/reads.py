"""Reads of entities by id, page by page, and of what matching knows of a buyer.

No read sees what a pending import brought. The number of engine reads does not depend on how many
ids are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from core.entities import (
    Buyer,
    BuyerProfile,
    Category,
    Evidence,
    EvidenceKind,
    Offer,
    Preference,
    Purchase,
    Vendor,
)
from graph.queries import load_query
from graph.records import read_buyer, read_category, read_offer, read_purchase, read_vendor
from graph.session import GraphSession

T = TypeVar("T")
Row = dict[str, Any]


class EntityReads(GraphSession):
    """Entities by id and by page.

    ``get_*`` return what was found, by id. ``page_*`` list by rising id, strictly behind ``after``
    and before ``before`` (None: no bound), at most ``limit``; ``backwards`` takes them from the
    end, still returned by rising id.
    """

    async def get_buyers(self, ids: Iterable[str]) -> dict[str, Buyer]:
        """Buyers with these ids."""
        return await self._get("get_buyers", ids, read_buyer)

    async def get_vendors(self, ids: Iterable[str]) -> dict[str, Vendor]:
        """Vendors with these ids."""
        return await self._get("get_vendors", ids, read_vendor)

    async def get_categories(self, ids: Iterable[str]) -> dict[str, Category]:
        """Categories with these ids."""
        return await self._get("get_categories", ids, read_category)

    async def get_offers(self, ids: Iterable[str]) -> dict[str, Offer]:
        """Offers with these ids, withdrawn ones included."""
        return await self._get("get_offers", ids, read_offer)

    async def get_purchases(self, ids: Iterable[str]) -> dict[str, Purchase]:
        """Order lines with these ids, cancelled ones included."""
        return await self._get("get_purchases", ids, read_purchase)

    async def page_buyers(
        self,
        after: str | None = None,
        before: str | None = None,
        limit: int = 20,
        backwards: bool = False,
    ) -> list[Buyer]:
        """Buyers by id."""
        ids = await self._page("buyers", after, before, limit, backwards)
        return _in_order(ids, await self.get_buyers(ids))

    async def page_vendors(
        self,
        after: str | None = None,
        before: str | None = None,
        limit: int = 20,
        backwards: bool = False,
    ) -> list[Vendor]:
        """Vendors by id."""
        ids = await self._page("vendors", after, before, limit, backwards)
        return _in_order(ids, await self.get_vendors(ids))

    async def page_categories(
        self,
        after: str | None = None,
        before: str | None = None,
        limit: int = 20,
        backwards: bool = False,
    ) -> list[Category]:
        """Categories by id."""
        ids = await self._page("categories", after, before, limit, backwards)
        return _in_order(ids, await self.get_categories(ids))

    async def page_offers(
        self,
        after: str | None = None,
        before: str | None = None,
        limit: int = 20,
        backwards: bool = False,
        *,
        vendor_id: str | None = None,
        category_id: str | None = None,
    ) -> list[Offer]:
        """Offers by id: of one vendor, in one category or below it, where asked for."""
        ids = await self._page(
            "offers",
            after,
            before,
            limit,
            backwards,
            ofVendor=vendor_id is not None,
            vendorId=vendor_id or "",
            inCategory=category_id is not None,
            categoryId=category_id or "",
        )
        return _in_order(ids, await self.get_offers(ids))

    async def page_purchases(
        self,
        buyer_id: str,
        after: str | None = None,
        before: str | None = None,
        limit: int = 20,
        backwards: bool = False,
    ) -> list[Purchase]:
        """A buyer's order lines by line id, cancelled ones included."""
        parameters = {**_bounds(after, before, limit), "buyerId": buyer_id}
        name = "page_purchases_backwards" if backwards else "page_purchases"
        rows = await self.engine.read(load_query(name), parameters)
        return [read_purchase(row) for row in (reversed(rows) if backwards else rows)]

    async def category_children(self, ids: Iterable[str]) -> dict[str, list[str]]:
        """Sorted ids of the direct subcategories of each of these categories."""
        children: dict[str, list[str]] = {key: [] for key in ids}
        for row in await self._read("category_children", list(children)):
            children[row["parentId"]].append(row["id"])
        return {key: sorted(found) for key, found in children.items()}

    async def _get(self, name: str, ids: Iterable[str], read: Callable[[Row], T]) -> dict[str, T]:
        rows = await self._read(name, list(dict.fromkeys(ids)))
        return {row["id"]: read(row) for row in rows}

    async def _read(self, name: str, ids: Sequence[str]) -> list[Row]:
        return await self.engine.read(load_query(name), {"ids": list(ids)}) if ids else []

    async def _page(
        self,
        plural: str,
        after: str | None,
        before: str | None,
        limit: int,
        backwards: bool,
        **more: Any,
    ) -> list[str]:
        name = f"page_{plural}_backwards" if backwards else f"page_{plural}"
        parameters = {**_bounds(after, before, limit), **more}
        rows = await self.engine.read(load_query(name), parameters)
        ids = [str(row["id"]) for row in rows]
        return ids[::-1] if backwards else ids


class ProfileReads(EntityReads):
    """What matching knows of a buyer, and the relationships behind it."""

    async def read_buyer_profiles(self, ids: Iterable[str]) -> dict[str, BuyerProfile]:
        """Profiles of the buyers that are there.

        Evidence is counted per (offer, kind) and sorted by offer id, then kind; order lines that
        were taken back whole do not count. Preferences are sorted by category id.
        """
        buyers = await self.get_buyers(ids)
        evidence: dict[str, list[Evidence]] = {key: [] for key in buyers}
        preferences: dict[str, list[Preference]] = {key: [] for key in buyers}
        for row in await self._read("buyer_evidence", list(buyers)):
            evidence[row["buyerId"]].append(
                Evidence(
                    offer_id=row["offerId"],
                    kind=EvidenceKind(row["kind"]),
                    count=int(row["count"]),
                    first_at=row["firstAt"],
                    last_at=row["lastAt"],
                )
            )
        for row in await self._read("buyer_preferences", list(buyers)):
            preferences[row["buyerId"]].append(
                Preference(row["categoryId"], row["weight"], row["source"])
            )
        return {
            key: BuyerProfile(
                buyer=buyer,
                evidence=tuple(sorted(evidence[key], key=lambda e: (e.offer_id, e.kind))),
                preferences=tuple(sorted(preferences[key], key=lambda p: p.category_id)),
            )
            for key, buyer in buyers.items()
        }

    async def find_purchase_ids(self, buyer_id: str, offer_id: str) -> list[str]:
        """Sorted ids of the buyer's order lines for the offer with something left of them."""
        parameters = {"buyerId": buyer_id, "offerId": offer_id}
        rows = await self.engine.read(load_query("find_line_ids"), parameters)
        return [str(row["id"]) for row in rows]

    async def find_interaction_ids(
        self, buyer_id: str, offer_id: str, kind: EvidenceKind
    ) -> list[str]:
        """Sorted ids of the buyer's interactions of one kind with the offer."""
        parameters = {"buyerId": buyer_id, "offerId": offer_id, "kind": kind.value}
        rows = await self.engine.read(load_query("find_interaction_ids"), parameters)
        return [str(row["id"]) for row in rows]


def _bounds(after: str | None, before: str | None, limit: int) -> dict[str, Any]:
    return {
        "after": after or "",
        "before": before or "",
        "bounded": before is not None,
        "limit": limit,
    }


def _in_order(ids: Sequence[str], found: dict[str, T]) -> list[T]:
    """What was found, in the order of the ids; one may have gone between the two reads."""
    return [found[key] for key in ids if key in found]
