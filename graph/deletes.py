"""Deletes: buyers are erased, offers withdrawn, vendors and categories let go of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from core.entities import (
    EventType,
    IdempotencyKey,
    OfferStatus,
    RowError,
    RowResult,
    RowStatus,
    WriteResult,
)
from graph.engine import Transaction
from graph.queries import load_query
from graph.session import CATEGORIES_COUNTER, EventDraft, GraphSession, Outcome, lock_rows, run_ids

_DELETED, _UNCHANGED, _FAILED = RowStatus.DELETED, RowStatus.UNCHANGED, RowStatus.FAILED


class EntityDeletes(GraphSession):
    """Deletes, each one transaction; a result per id, in the order given.

    What is not there is UNCHANGED: a delete can be repeated.
    """

    async def delete_buyers(
        self, ids: Sequence[str], *, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Erase buyers, all their relationships and what was announced to them.

        The log keeps their ids, and one BUYER_ERASED each.
        """
        wanted = list(ids)

        async def work(tx: Transaction) -> Outcome:
            await run_ids(tx, "erase_match_states", wanted)
            await run_ids(tx, "erase_match_tops", wanted)
            return await _erase(
                tx, "buyers", wanted, lambda key: EventDraft(EventType.BUYER_ERASED, buyer_id=key)
            )

        return await self.commit("delete_buyers", wanted, work, idempotency)

    async def delete_vendors(
        self, ids: Sequence[str], *, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Delete vendors; their offers stay, without a vendor. One VENDOR_DELETED each."""
        wanted = list(ids)

        async def work(tx: Transaction) -> Outcome:
            return await _erase(
                tx,
                "vendors",
                wanted,
                lambda key: EventDraft(EventType.VENDOR_DELETED, vendor_id=key),
            )

        return await self.commit("delete_vendors", wanted, work, idempotency)

    async def delete_categories(
        self, ids: Sequence[str], *, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Delete categories, in the order given; offers and buyers just lose them.

        A category with subcategories fails with CONFLICT, unless they went before it in the same
        call. One CATEGORY_DELETED each.
        """
        wanted = list(ids)

        async def work(tx: Transaction) -> Outcome:
            lock = {"id": CATEGORIES_COUNTER, "by": 1}
            await tx.run(load_query("advance_counter"), lock)
            return await _delete_categories(tx, wanted)

        return await self.commit("delete_categories", wanted, work, idempotency)

    async def delete_offers(
        self, ids: Sequence[str], *, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Withdraw offers: their status becomes WITHDRAWN, their history stays.

        An unknown offer fails with NOT_FOUND. One OFFER_WITHDRAWN each.
        """
        wanted = list(ids)
        now = self.clock()

        async def work(tx: Transaction) -> Outcome:
            return await _withdraw(tx, wanted, now)

        return await self.commit("delete_offers", wanted, work, idempotency)


async def _erase(
    tx: Transaction, plural: str, ids: Sequence[str], draft: Callable[[str], EventDraft]
) -> Outcome:
    found = {row["id"] for row in await run_ids(tx, f"existing_{plural}", ids)}
    gone = [key for key in dict.fromkeys(ids) if key in found]
    await run_ids(tx, f"erase_{plural}", gone)
    left = set(gone)
    results = []
    for key in ids:
        results.append(RowResult(key, _DELETED if key in left else _UNCHANGED))
        left.discard(key)
    return Outcome(tuple(results), tuple(draft(key) for key in gone))


async def _delete_categories(tx: Transaction, ids: Sequence[str]) -> Outcome:
    found = {row["id"] for row in await run_ids(tx, "existing_categories", ids)}
    edges = await tx.run(load_query("category_parents"))
    children: dict[str, set[str]] = {}
    for edge in edges:
        children.setdefault(edge["parentId"], set()).add(edge["id"])
    gone: list[str] = []
    results = []
    for key in ids:
        left = children.get(key, set()) - set(gone)
        if key not in found or key in gone:
            results.append(RowResult(key, _UNCHANGED))
        elif left:
            message = f"{key!r} has {len(left)} subcategories; delete or move them first."
            results.append(RowResult(key, _FAILED, RowError("CONFLICT", message, ("id",))))
        else:
            gone.append(key)
            results.append(RowResult(key, _DELETED))
    await run_ids(tx, "erase_categories", gone)
    events = (EventDraft(EventType.CATEGORY_DELETED, category_ids=(key,)) for key in gone)
    return Outcome(tuple(results), tuple(events))


async def _withdraw(tx: Transaction, ids: Sequence[str], now: datetime) -> Outcome:
    unique = sorted(set(ids))
    locked = await lock_rows(tx, "offers", unique, now)
    status = {key: row["status"] for key, row in locked.items()}
    gone: list[str] = []
    results = []
    for key in ids:
        if key not in status:
            error = RowError("NOT_FOUND", f"There is no offer {key!r}.", ("id",))
            results.append(RowResult(key, _FAILED, error))
        elif status[key] == OfferStatus.WITHDRAWN or key in gone:
            results.append(RowResult(key, _UNCHANGED))
        else:
            gone.append(key)
            results.append(RowResult(key, _DELETED))
    if gone:
        parameters = {"ids": gone, "status": OfferStatus.WITHDRAWN.value}
        await tx.run(load_query("write_offer_status"), parameters)
    events = (EventDraft(EventType.OFFER_WITHDRAWN, offer_id=key) for key in gone)
    return Outcome(tuple(results), tuple(events))
