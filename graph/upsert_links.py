"""The fields of entities that are relationships: parents, vendors, categories of offers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from graph.engine import Transaction
from graph.fields import RowProblemError
from graph.queries import load_query
from graph.session import CATEGORIES_COUNTER, run_ids, run_rows

Values = dict[str, Any]
# Per id: the values before the write (None: nothing that was seen) and after it.
Changed = Mapping[str, tuple[Values | None, Values]]
MAX_CATEGORY_DEPTH = 8


class Links(Protocol):
    """How an entity's relationship fields are loaded, checked and written."""

    async def prepare(self, tx: Transaction, rows: Sequence[Values]) -> None:
        """Load what the rows refer to."""

    async def load(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Values]:
        """The link fields of the entities that have any."""

    def empty(self) -> Values:
        """The link fields of an entity without links."""

    def check(self, merged: Values, now: Values) -> None:
        """Raise RowProblemError when the links of ``merged`` cannot be made."""

    def took(self, merged: Values) -> None:
        """Note that a row was accepted."""

    async def write(self, tx: Transaction, changed: Changed) -> None:
        """Make the relationships what the values after the write say."""


class NoLinks:
    """For buyers and vendors, whose rows hold no relationships."""

    async def prepare(self, tx: Transaction, rows: Sequence[Values]) -> None:
        """Nothing is referred to."""

    async def load(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Values]:  # noqa: ARG002 - protocol
        """No links."""
        return {}

    def empty(self) -> Values:
        """No fields."""
        return {}

    def check(self, merged: Values, now: Values) -> None:
        """Nothing can be wrong."""

    def took(self, merged: Values) -> None:
        """Nothing to note."""

    async def write(self, tx: Transaction, changed: Changed) -> None:
        """Nothing to write."""


class CategoryLinks:
    """The forest: one parent or none, no cycles, at most 8 levels.

    Its counter is locked first, so that two moves cannot close a cycle between them.
    """

    def __init__(self) -> None:
        self._parents: dict[str, str] = {}
        self._known: set[str] = set()

    async def prepare(self, tx: Transaction, rows: Sequence[Values]) -> None:
        """Lock the forest and load it."""
        if not rows:
            return
        await tx.run(load_query("advance_counter"), {"id": CATEGORIES_COUNTER, "by": 1})
        self._parents = {
            row["id"]: row["parentId"] for row in await tx.run(load_query("category_parents"))
        }
        wanted = sorted({row["parent_id"] for row in rows if row.get("parent_id") is not None})
        self._known = {row["id"] for row in await run_ids(tx, "visible_categories", wanted)}

    async def load(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Values]:  # noqa: ARG002 - protocol
        """Parents of the categories, from the forest in hand."""
        return {key: {"parent_id": self._parents[key]} for key in ids if key in self._parents}

    def empty(self) -> Values:
        """A root."""
        return {"parent_id": None}

    def check(self, merged: Values, now: Values) -> None:
        """The parent is there, is not below the category, and the tree stays within 8 levels."""
        parent = merged["parent_id"]
        if parent is None or parent == now["parent_id"]:
            return
        if parent == merged["id"]:
            raise RowProblemError("CONFLICT", "A category cannot be its own parent.", "parent_id")
        if parent not in self._known:
            raise RowProblemError(
                "NOT_FOUND",
                f"There is no category {parent!r}; put parents before their subcategories.",
                "parent_id",
            )
        above = self._path(parent)
        if merged["id"] in above:
            raise RowProblemError(
                "CONFLICT", f"{parent!r} is below {merged['id']!r}: a cycle.", "parent_id"
            )
        if len(above) + self._height(merged["id"]) > MAX_CATEGORY_DEPTH:
            raise RowProblemError(
                "CONFLICT", f"Categories are at most {MAX_CATEGORY_DEPTH} deep.", "parent_id"
            )

    def took(self, merged: Values) -> None:
        """Later rows may name this category and see its parent."""
        self._known.add(merged["id"])
        self._parents.pop(merged["id"], None)
        if merged["parent_id"] is not None:
            self._parents[merged["id"]] = merged["parent_id"]

    async def write(self, tx: Transaction, changed: Changed) -> None:
        """Replace the parents that changed."""
        moved = _moved(changed, "parent_id")
        await run_ids(tx, "drop_category_parents", moved)
        rows = [{"id": key, "parentId": changed[key][1]["parent_id"]} for key in moved]
        await run_rows(
            tx, "write_category_parents", [row for row in rows if row["parentId"] is not None]
        )

    def _path(self, category: str) -> list[str]:
        path = [category]
        while (parent := self._parents.get(path[-1])) is not None and parent not in path:
            path.append(parent)
        return path

    def _height(self, category: str) -> int:
        """Levels of the tree below and with this category."""
        level, height = {category}, 0
        while level and height <= MAX_CATEGORY_DEPTH:
            level = {child for child, parent in self._parents.items() if parent in level}
            height += 1
        return height


class OfferLinks:
    """An offer's vendor and categories."""

    def __init__(self) -> None:
        self._vendors: set[str] = set()
        self._categories: set[str] = set()

    async def prepare(self, tx: Transaction, rows: Sequence[Values]) -> None:
        """Find out which of the vendors and categories are there."""
        vendors = sorted({row["vendor_id"] for row in rows if row.get("vendor_id") is not None})
        categories = sorted({key for row in rows for key in row.get("category_ids") or ()})
        self._vendors = {row["id"] for row in await run_ids(tx, "visible_vendors", vendors)}
        self._categories = {
            row["id"] for row in await run_ids(tx, "visible_categories", categories)
        }

    async def load(self, tx: Transaction, ids: Sequence[str]) -> dict[str, Values]:
        """Vendor and sorted categories per offer."""
        links: dict[str, Values] = {key: self.empty() for key in ids}
        for row in await run_ids(tx, "offer_vendors", ids):
            links[row["id"]]["vendor_id"] = row["vendorId"]
        for row in await run_ids(tx, "offer_categories", ids):
            found = links[row["id"]]
            found["category_ids"] = tuple(sorted({*found["category_ids"], row["categoryId"]}))
        return links

    def empty(self) -> Values:
        """No vendor, no categories."""
        return {"vendor_id": None, "category_ids": ()}

    def check(self, merged: Values, now: Values) -> None:
        """Vendor and categories are there."""
        if merged["category_ids"] is None:
            merged["category_ids"] = ()
        vendor = merged["vendor_id"]
        if vendor is not None and vendor != now["vendor_id"] and vendor not in self._vendors:
            raise RowProblemError("NOT_FOUND", f"There is no vendor {vendor!r}.", "vendor_id")
        for category in merged["category_ids"]:
            if category not in now["category_ids"] and category not in self._categories:
                raise RowProblemError(
                    "NOT_FOUND", f"There is no category {category!r}.", "category_ids"
                )

    def took(self, merged: Values) -> None:
        """Offers do not refer to offers."""

    async def write(self, tx: Transaction, changed: Changed) -> None:
        """Replace the vendors and the category lists that changed."""
        listed = _moved(changed, "vendor_id")
        await run_ids(tx, "drop_offer_vendors", listed)
        vendors = [{"id": key, "vendorId": changed[key][1]["vendor_id"]} for key in listed]
        await run_rows(
            tx, "write_offer_vendors", [row for row in vendors if row["vendorId"] is not None]
        )
        sorted_in = _moved(changed, "category_ids")
        await run_ids(tx, "drop_offer_categories", sorted_in)
        categories = [
            {"id": key, "categoryId": category}
            for key in sorted_in
            for category in changed[key][1]["category_ids"]
        ]
        await run_rows(tx, "write_offer_categories", categories)


def _moved(changed: Changed, field: str) -> list[str]:
    """Entities whose field is not what it was; what was never seen may have stale relationships."""
    return [
        key
        for key, (before, now) in changed.items()
        if before is None or before[field] != now[field]
    ]
