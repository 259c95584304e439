"""Cancellations: they take order lines back, whole or in part, and stay in the graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.entities import (
    EventType,
    IdempotencyKey,
    RowError,
    RowResult,
    RowStatus,
    WriteResult,
)
from graph.allocation import CancellationLine, OrderLine, choose_lines
from graph.engine import Transaction
from graph.fields import CANCELLATION_FIELDS, RowProblemError, bad, check_row, need
from graph.identity import hash_identity
from graph.purchases import write_stock
from graph.queries import load_query
from graph.session import (
    EventDraft,
    GraphSession,
    InputRow,
    Outcome,
    lock_rows,
    read_pending,
    run_ids,
    run_lines,
    run_rows,
)

Values = dict[str, Any]


class CancellationWrites(GraphSession):
    """Cancelling purchases."""

    async def cancel_purchases(
        self, rows: Sequence[InputRow], *, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Take purchases back, in one transaction, with a result per row.

        Rows: ``purchase_id``, or ``buyer_id`` and ``offer_id``; and as far as known ``id`` (of
        the cancellation; else a hash of the row), ``order_id``, ``at`` (default now),
        ``quantity`` (default: all that is left), ``history``.

        With ``purchase_id`` that line is cancelled, and more than is left of it is a CONFLICT.
        With buyer and offer the most recent strictly earlier lines are, as far as they go; what
        finds no line is kept with the cancellation for lines that come later, and its row is
        CREATED with an error of code UNMATCHED that says how much.

        Units go back to the stock that the line took from it (history lines took none), unless
        the row says ``history``. The same id again is UNCHANGED.
        """
        given = [dict(row) for row in rows]
        now = self.clock()

        async def work(tx: Transaction) -> Outcome:
            return await _Cancelling(now).apply(tx, given)

        return await self.commit("cancel_purchases", given, work, idempotency)


class _Cancelling:
    def __init__(self, now: datetime) -> None:
        self.now = now
        self.lines: dict[str, OrderLine] = {}
        self.known: set[str] = set()
        self.buyers: set[str] = set()
        self.stock: dict[str, int | None] = {}
        self.stock_before: dict[str, int | None] = {}
        self.touched: dict[str, OrderLine] = {}
        self.kept: list[CancellationLine] = []
        self.events: list[EventDraft] = []

    async def apply(self, tx: Transaction, rows: Sequence[InputRow]) -> Outcome:
        checked = [self._check(row) for row in rows]
        await self._load(tx, [row for row in checked if not isinstance(row, RowResult)])
        results = tuple(row if isinstance(row, RowResult) else self._cancel(row) for row in checked)
        await run_lines(
            tx, "write_cancelled_quantities", [_taken(x) for x in self.touched.values()]
        )
        await run_rows(tx, "write_cancellations", [_kept(item) for item in self.kept])
        await write_stock(tx, self.stock_before, self.stock)
        return Outcome(results, tuple(self.events))

    def _check(self, row: InputRow) -> Values | RowResult:
        try:
            values = check_row(row, CANCELLATION_FIELDS)
            if values.get("purchase_id") is None:
                need(values, "buyer_id", "offer_id")
            elif values.get("buyer_id") is not None or values.get("offer_id") is not None:
                raise bad("Name the purchase, or buyer and offer, not both.", "purchase_id")
        except RowProblemError as problem:
            return RowResult(str(row.get("id") or ""), RowStatus.FAILED, problem.error)
        if values.get("at") is None:
            values["at"] = self.now
        if "id" not in values:
            names = ("purchase_id", "order_id", "buyer_id", "offer_id", "at", "quantity")
            values["id"] = hash_identity("cancellation", *(values.get(name) for name in names))
        return values

    async def _load(self, tx: Transaction, rows: Sequence[Values]) -> None:
        if not rows:
            return
        named = [row["purchase_id"] for row in rows if row.get("purchase_id") is not None]
        found = await run_ids(tx, "get_purchases", named)
        pairs = [(row["buyerId"], row["offerId"]) for row in found]
        pairs += [(row["buyer_id"], row["offer_id"]) for row in rows if row.get("buyer_id")]
        buyer_ids = sorted({buyer for buyer, _ in pairs})
        offer_ids = sorted({offer for _, offer in pairs})
        # Locks first, then what they protect.
        self.buyers = set(await lock_rows(tx, "buyers", buyer_ids, self.now))
        offers = await lock_rows(tx, "offers", offer_ids, self.now)
        self.stock_before = {key: row["availableQuantity"] for key, row in offers.items()}
        self.stock = dict(self.stock_before)
        parameters = {"buyerIds": buyer_ids, "offerIds": offer_ids}
        lines = await tx.run(load_query("lines_of_pairs"), parameters)
        self.lines = {row["id"]: read_line(row) for row in lines}
        pending = await read_pending(tx)
        cancelled = await run_ids(tx, "find_cancellations", [row["id"] for row in rows])
        hidden = [row["id"] for row in cancelled if row["batchId"] in pending]
        await run_ids(tx, "drop_cancellations", hidden)
        self.known = {row["id"] for row in cancelled} - set(hidden)

    def _cancel(self, row: Values) -> RowResult:
        if row["id"] in self.known:
            return RowResult(row["id"], RowStatus.UNCHANGED)
        try:
            chosen = self._choose(row)
        except RowProblemError as problem:
            return RowResult(row["id"], RowStatus.FAILED, problem.error)
        self.known.add(row["id"])
        matched = sum(units for _, units in chosen)
        wanted = row.get("quantity") or matched
        self._take(row, chosen)
        ends = chosen[0][0] if chosen else None
        kept = CancellationLine(
            id=row["id"],
            buyer_id=ends.buyer_id if ends else row["buyer_id"],
            offer_id=ends.offer_id if ends else row["offer_id"],
            at=row["at"],
            quantity=wanted,
            matched_quantity=matched,
            order_id=row.get("order_id"),
        )
        self.kept.append(kept)
        self.events.append(_draft(kept, [line.id for line, _ in chosen]))
        return RowResult(kept.id, RowStatus.CREATED, _unmatched(kept))

    def _choose(self, row: Values) -> list[tuple[OrderLine, int]]:
        quantity = row.get("quantity")
        if row.get("purchase_id") is None:
            return self._choose_earlier(row, quantity)
        line = self.lines.get(row["purchase_id"])
        if line is None:
            raise RowProblemError(
                "NOT_FOUND", f"There is no purchase {row['purchase_id']!r}.", "purchase_id"
            )
        if line.left == 0 or (quantity is not None and quantity > line.left):
            raise RowProblemError(
                "CONFLICT",
                f"Of purchase {line.id!r} {line.left} are left to cancel.",
                "purchase_id" if line.left == 0 else "quantity",
            )
        return [(line, quantity or line.left)]

    def _choose_earlier(self, row: Values, quantity: int | None) -> list[tuple[OrderLine, int]]:
        for name, known in (("buyer_id", self.buyers), ("offer_id", self.stock)):
            if row[name] not in known:
                raise RowProblemError("NOT_FOUND", f"There is no {name} {row[name]!r}.", name)
        ends = (row["buyer_id"], row["offer_id"])
        lines = [x for x in self.lines.values() if (x.buyer_id, x.offer_id) == ends]
        chosen = choose_lines(lines, quantity, row["at"])
        if not chosen and quantity is None:
            raise RowProblemError(
                "CONFLICT",
                "Nothing that this buyer bought of this offer earlier is left to cancel.",
                "offer_id",
            )
        return chosen

    def _take(self, row: Values, chosen: Sequence[tuple[OrderLine, int]]) -> None:
        for line, units in chosen:
            returned = line.take_back(units, row["at"])
            stock = self.stock.get(line.offer_id)
            if stock is not None and not row.get("history"):
                self.stock[line.offer_id] = stock + returned
            self.touched[line.id] = line


def read_line(row: Mapping[str, Any]) -> OrderLine:
    """An order line of the graph."""
    return OrderLine(
        id=row["id"],
        buyer_id=row["buyerId"],
        offer_id=row["offerId"],
        at=row["at"],
        quantity=int(row["quantity"]),
        cancelled_quantity=int(row["cancelledQuantity"] or 0),
        cancelled_at=row["cancelledAt"],
        stock_taken=int(row["stockTaken"] or 0),
    )


def _taken(line: OrderLine) -> Values:
    return {
        "buyerId": line.buyer_id,
        "offerId": line.offer_id,
        "id": line.id,
        "cancelledQuantity": line.cancelled_quantity,
        "cancelledAt": line.cancelled_at,
        "stockTaken": line.stock_taken,
    }


def _kept(item: CancellationLine) -> Values:
    return {
        "buyerId": item.buyer_id,
        "offerId": item.offer_id,
        "id": item.id,
        "orderId": item.order_id,
        "at": item.at,
        "quantity": item.quantity,
        "matchedQuantity": item.matched_quantity,
    }


def _unmatched(kept: CancellationLine) -> RowError | None:
    if not kept.open:
        return None
    message = f"{kept.open} of {kept.quantity} found no earlier purchase; they are kept."
    return RowError("UNMATCHED", message, ("quantity",))


def _draft(kept: CancellationLine, purchase_ids: list[str]) -> EventDraft:
    payload = {
        "id": kept.id,
        "purchaseIds": purchase_ids,
        "matchedQuantity": kept.matched_quantity,
        "quantity": kept.quantity,
        "at": kept.at.isoformat(),
    }
    return EventDraft(
        EventType.PURCHASE_CANCELLED,
        buyer_id=kept.buyer_id,
        offer_id=kept.offer_id,
        payload=payload,
    )
