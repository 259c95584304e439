"""Purchases recorded one call at a time: immutable order lines, and the stock they lower."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.entities import EventType, IdempotencyKey, RowResult, RowStatus, WriteResult
from graph.allocation import CancellationLine, OrderLine, meet_open
from graph.engine import Transaction
from graph.fields import PURCHASE_FIELDS, RowProblemError, bad, check_row, need
from graph.identity import identify_purchase
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
Pair = tuple[str, str]


class PurchaseWrites(GraphSession):
    """Recording purchases."""

    async def record_purchases(
        self, rows: Sequence[InputRow], *, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Record order lines, in one transaction, with a result per row.

        Rows: ``buyer_id``, ``offer_id``, and as far as known ``id``, ``order_id``, ``at`` (default
        now), ``quantity`` (default 1), ``unit_price_minor`` with ``currency``, ``context``;
        ``history`` true leaves the offer's stock alone, else the stock falls by the quantity, not
        below 0. A line without an id gets graph.identity.identify_purchase.

        A line is immutable: the same id again is UNCHANGED when nothing given differs, else it
        fails with CONFLICT. An unknown buyer or offer is NOT_FOUND. A kept cancellation that is
        later than the line takes from it at once.
        """
        given = [dict(row) for row in rows]
        now = self.clock()

        async def work(tx: Transaction) -> Outcome:
            return await _Recording(now).apply(tx, given)

        return await self.commit("record_purchases", given, work, idempotency)


class _Recording:
    def __init__(self, now: datetime) -> None:
        self.now = now
        self.occurrences: Counter[str] = Counter()
        self.lines: dict[str, Values] = {}
        self.met: dict[str, CancellationLine] = {}
        self.stock: dict[str, int | None] = {}
        self.stock_before: dict[str, int | None] = {}
        self.buyers: set[str] = set()
        self.known: dict[str, Values] = {}
        self.open: dict[Pair, list[CancellationLine]] = {}

    async def apply(self, tx: Transaction, rows: Sequence[InputRow]) -> Outcome:
        checked = [self._check(row) for row in rows]
        good = [row for row in checked if not isinstance(row, RowResult)]
        await self._load(tx, good)
        results = tuple(row if isinstance(row, RowResult) else self._record(row) for row in checked)
        await run_rows(tx, "write_purchases", list(self.lines.values()))
        matched = [
            {
                "buyerId": c.buyer_id,
                "offerId": c.offer_id,
                "id": c.id,
                "matchedQuantity": c.matched_quantity,
            }
            for c in self.met.values()
        ]
        await run_lines(tx, "write_matched_quantities", matched)
        await write_stock(tx, self.stock_before, self.stock)
        return Outcome(results, tuple(_draft(line) for line in self.lines.values()))

    def _check(self, row: InputRow) -> Values | RowResult:
        try:
            values = check_row(row, PURCHASE_FIELDS)
            need(values, "buyer_id", "offer_id")
            if values.get("unit_price_minor") is not None and values.get("currency") is None:
                raise bad("A price needs its currency.", "currency")
        except RowProblemError as problem:
            return RowResult(str(row.get("id") or ""), RowStatus.FAILED, problem.error)
        given = tuple(name for name in values if PURCHASE_FIELDS[name].property)
        if values.get("at") is None:
            given = tuple(name for name in given if name != "at")
            values["at"] = self.now
        values = {"quantity": 1, **values, "given": given}
        if "id" not in values:
            values["id"] = self._identify(values)
        return values

    def _identify(self, values: Values) -> str:
        def identify(occurrence: int) -> str:
            return identify_purchase(
                values.get("order_id"),
                values["buyer_id"],
                values["offer_id"],
                values["at"],
                values["quantity"],
                values.get("unit_price_minor"),
                occurrence,
            )

        first = identify(0)
        self.occurrences[first] += 1
        return identify(self.occurrences[first] - 1)

    async def _load(self, tx: Transaction, rows: Sequence[Values]) -> None:
        buyer_ids = sorted({row["buyer_id"] for row in rows})
        offer_ids = sorted({row["offer_id"] for row in rows})
        self.buyers = set(await lock_rows(tx, "buyers", buyer_ids, self.now))
        offers = await lock_rows(tx, "offers", offer_ids, self.now)
        self.stock_before = {key: row["availableQuantity"] for key, row in offers.items()}
        self.stock = dict(self.stock_before)
        if not rows:
            return
        pending = await read_pending(tx)
        found = await run_ids(tx, "find_purchases", [row["id"] for row in rows])
        await run_ids(tx, "drop_purchases", [r["id"] for r in found if r["batchId"] in pending])
        self.known = {row["id"]: row for row in found if row["batchId"] not in pending}
        pairs = {"buyerIds": buyer_ids, "offerIds": offer_ids}
        for row in await tx.run(load_query("open_cancellations"), pairs):
            kept = read_cancellation(row)
            self.open.setdefault((kept.buyer_id, kept.offer_id), []).append(kept)

    def _record(self, row: Values) -> RowResult:
        try:
            return self._accept(row)
        except RowProblemError as problem:
            return RowResult(row["id"], RowStatus.FAILED, problem.error)

    def _accept(self, row: Values) -> RowResult:
        known = self.known.get(row["id"]) or self.lines.get(row["id"])
        if known is not None:
            _compare(row, known)
            return RowResult(row["id"], RowStatus.UNCHANGED)
        if row["buyer_id"] not in self.buyers:
            raise RowProblemError(
                "NOT_FOUND", f"There is no buyer {row['buyer_id']!r}.", "buyer_id"
            )
        if row["offer_id"] not in self.stock:
            raise RowProblemError(
                "NOT_FOUND", f"There is no offer {row['offer_id']!r}.", "offer_id"
            )
        line = OrderLine(row["id"], row["buyer_id"], row["offer_id"], row["at"], row["quantity"])
        for kept in meet_open(line, self.open.get((line.buyer_id, line.offer_id), ())):
            self.met[kept.id] = kept
        stock = self.stock[line.offer_id]
        if stock is not None and not row.get("history"):
            line.stock_taken = min(stock, line.left)
            self.stock[line.offer_id] = stock - line.stock_taken
        self.lines[line.id] = _properties(row, line)
        return RowResult(line.id, RowStatus.CREATED)


def _properties(row: Values, line: OrderLine) -> Values:
    values = {field.property: row.get(name) for name, field in PURCHASE_FIELDS.items()}
    values.pop("")
    return {
        **values,
        "cancelledQuantity": line.cancelled_quantity,
        "cancelledAt": line.cancelled_at,
        "stockTaken": line.stock_taken,
    }


def _compare(row: Values, known: Mapping[str, Any]) -> None:
    for name in row["given"]:
        if row[name] != known[PURCHASE_FIELDS[name].property]:
            raise RowProblemError(
                "CONFLICT",
                f"Purchase {row['id']!r} is recorded with another {name}; cancel it and record "
                "anew under another id.",
                name,
            )


def _draft(line: Values) -> EventDraft:
    payload = {"id": line["id"], "quantity": line["quantity"], "at": line["at"].isoformat()}
    return EventDraft(
        EventType.PURCHASE_RECORDED,
        buyer_id=line["buyerId"],
        offer_id=line["offerId"],
        payload=payload,
    )


def read_cancellation(row: Mapping[str, Any]) -> CancellationLine:
    """A cancellation line of the graph."""
    return CancellationLine(
        id=row["id"],
        buyer_id=row["buyerId"],
        offer_id=row["offerId"],
        at=row["at"],
        quantity=int(row["quantity"]),
        matched_quantity=int(row["matchedQuantity"] or 0),
        order_id=row["orderId"],
    )


async def write_stock(
    tx: Transaction, before: Mapping[str, int | None], after: Mapping[str, int | None]
) -> None:
    """Write the stock of the offers where it is not what it was."""
    rows = [
        {"id": key, "availableQuantity": left} for key, left in after.items() if left != before[key]
    ]
    await run_rows(tx, "write_stock", rows)
