"""Upserts of buyers, vendors, categories and offers: absent keeps, None clears."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.entities import (
    EventType,
    IdempotencyKey,
    OfferStatus,
    RowResult,
    RowStatus,
    WriteResult,
)
from graph.engine import Transaction
from graph.fields import (
    BUYER_FIELDS,
    CATEGORY_FIELDS,
    OFFER_FIELDS,
    VENDOR_FIELDS,
    Field,
    RowProblemError,
    bad,
    check_row,
    need,
)
from graph.queries import load_query
from graph.session import EventDraft, GraphSession, InputRow, Outcome, read_pending, run_rows
from graph.upsert_links import CategoryLinks, Links, NoLinks, OfferLinks

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class EntityKind:
    """What differs between the four kinds of entities when they are written.

    ``links`` loads, checks and writes the fields that are relationships; ``check`` sees a row's
    values merged with what the graph holds; ``draft`` makes the event of a changed entity.
    """

    plural: str
    fields: Mapping[str, Field]
    defaults: Mapping[str, Any]
    draft: Callable[[Values, dict[str, Any]], EventDraft]
    links: Callable[[], Links] = NoLinks
    check: Callable[[Values], None] | None = None


@dataclass(slots=True)
class _State:
    """One entity while its rows are applied: as found, as it will be, and whether a row took."""

    before: Values
    now: Values
    new: bool
    taken: bool = False


class Upserts:
    """Applies rows of one kind inside a transaction.

    Args:
        kind: of the entities.
        now: the time of the write.
        lister: the vendor that alone may change its offers; None: whoever writes may change all.
    """

    def __init__(self, kind: EntityKind, now: datetime, lister: str | None = None) -> None:
        self.kind = kind
        self.now = now
        self.lister = lister
        self.links = kind.links()
        self._claim_id = f"claim-{uuid.uuid4().hex}"

    async def apply(self, tx: Transaction, rows: Sequence[InputRow]) -> Outcome:
        """Write the rows, in order; a row that fails leaves the others alone.

        An entity that only a pending import holds counts as new: the write takes it over.
        """
        checked = [_check(row, self.kind.fields) for row in rows]
        good = [item for item in checked if not isinstance(item, RowResult)]
        await self.links.prepare(tx, good)
        states = await self._claim(tx, sorted({row["id"] for row in good}))
        results = [
            item if isinstance(item, RowResult) else self._fold(states[item["id"]], item)
            for item in checked
        ]
        changed = await self._write(tx, states)
        return Outcome(rows=tuple(results), events=tuple(changed))

    async def _claim(self, tx: Transaction, ids: list[str]) -> dict[str, _State]:
        if not ids:
            return {}
        pending = await read_pending(tx) | {self._claim_id}
        query = load_query(f"claim_{self.kind.plural}")
        claim = {"ids": ids, "claim": self._claim_id, "now": self.now}
        found = await tx.run(query, {name: claim[name] for name in query.parameters})
        linked = await self.links.load(tx, ids)
        return {row["id"]: self._state(row, pending, linked) for row in found}

    def _state(
        self, row: Mapping[str, Any], pending: frozenset[str], linked: Mapping[str, Values]
    ) -> _State:
        new = row["batchId"] in pending
        values: Values = {"id": row["id"]}
        for name, field in self.kind.fields.items():
            if name != "id" and field.property:
                values[name] = self.kind.defaults.get(name) if new else row[field.property]
        values |= self.links.empty() if new else {**self.links.empty(), **linked.get(row["id"], {})}
        return _State(before=dict(values), now=values, new=new)

    def _fold(self, state: _State, row: Values) -> RowResult:
        merged = {**state.now, **row}
        try:
            self._check_lister(state)
            if self.kind.check is not None:
                self.kind.check(merged)
            self.links.check(merged, state.now)
        except RowProblemError as problem:
            return RowResult(row["id"], RowStatus.FAILED, problem.error)
        created = state.new and not state.taken
        unchanged = not created and merged == state.now
        self.links.took(merged)
        state.now, state.taken = merged, True
        if created:
            return RowResult(row["id"], RowStatus.CREATED)
        return RowResult(row["id"], RowStatus.UNCHANGED if unchanged else RowStatus.UPDATED)

    def _check_lister(self, state: _State) -> None:
        if self.lister is None or state.new or state.before["vendor_id"] == self.lister:
            return
        message = "Another vendor lists this offer, or none does."
        raise RowProblemError("FORBIDDEN", message, "vendor_id")

    async def _write(self, tx: Transaction, states: Mapping[str, _State]) -> list[EventDraft]:
        void = [key for key, state in states.items() if state.new and not state.taken]
        if void:
            query = load_query(f"drop_claimed_{self.kind.plural}")
            await tx.run(query, {"ids": void, "claim": self._claim_id})
        changed = [
            state
            for state in states.values()
            if state.taken and (state.new or state.now != state.before)
        ]
        rows = [
            {f.property: state.now[name] for name, f in self.kind.fields.items() if f.property}
            for state in changed
        ]
        await run_rows(tx, f"write_{self.kind.plural}", rows)
        await self.links.write(
            tx, {s.now["id"]: (None if s.new else s.before, s.now) for s in changed}
        )
        return [self.kind.draft(state.now, _changes(state)) for state in changed]


def _check(row: InputRow, fields: Mapping[str, Field]) -> Values | RowResult:
    try:
        need(row, "id")
        return check_row(row, fields)
    except RowProblemError as problem:
        return RowResult(str(row.get("id") or ""), RowStatus.FAILED, problem.error)


def _changes(state: _State) -> dict[str, Any]:
    names = sorted(name for name in state.now if state.now[name] != state.before[name])
    return {"created": state.new, "changed": names}


def _check_offer(offer: Values) -> None:
    if offer["price_minor"] is not None and offer["currency"] is None:
        raise bad("A price needs its currency.", "currency")
    start, end = offer["valid_from"], offer["valid_to"]
    if start is not None and end is not None and start >= end:
        raise bad("valid_to must be later than valid_from.", "valid_to")


def _draft_offer(offer: Values, changes: dict[str, Any]) -> EventDraft:
    return EventDraft(
        EventType.OFFER_UPSERTED,
        offer_id=offer["id"],
        vendor_id=offer["vendor_id"],
        category_ids=offer["category_ids"],
        payload=changes,
    )


BUYERS = EntityKind(
    plural="buyers",
    fields=BUYER_FIELDS,
    defaults={},
    draft=lambda row, changes: EventDraft(
        EventType.BUYER_UPSERTED, buyer_id=row["id"], payload=changes
    ),
)
VENDORS = EntityKind(
    plural="vendors",
    fields=VENDOR_FIELDS,
    defaults={},
    draft=lambda row, changes: EventDraft(
        EventType.VENDOR_UPSERTED, vendor_id=row["id"], payload=changes
    ),
)
CATEGORIES = EntityKind(
    plural="categories",
    fields=CATEGORY_FIELDS,
    defaults={},
    draft=lambda row, changes: EventDraft(
        EventType.CATEGORY_UPSERTED, category_ids=(row["id"],), payload=changes
    ),
    links=CategoryLinks,
)
OFFERS = EntityKind(
    plural="offers",
    fields=OFFER_FIELDS,
    defaults={"status": OfferStatus.ACTIVE.value},
    draft=_draft_offer,
    links=OfferLinks,
    check=_check_offer,
)


class EntityUpserts(GraphSession):
    """Upserts, each one transaction.

    Rows are keyed by the entity's field names (core.entities); ``id`` is needed, an absent field
    keeps what is there, None clears it. Each row has its own result, in the order given: a row
    that fails (BAD_INPUT, NOT_FOUND, CONFLICT) leaves the others alone. One event per entity that
    really changed; its payload says ``created`` and which fields ``changed``. Raises
    IdempotencyConflictError as GraphSession.commit does.
    """

    async def upsert_buyers(
        self, rows: Sequence[InputRow], *, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Create or change buyers: fields of core.entities.Buyer."""
        return await self._upsert(BUYERS, rows, idempotency)

    async def upsert_vendors(
        self, rows: Sequence[InputRow], *, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Create or change vendors: fields of core.entities.Vendor."""
        return await self._upsert(VENDORS, rows, idempotency)

    async def upsert_categories(
        self, rows: Sequence[InputRow], *, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Create or change categories: fields of core.entities.Category.

        A parent stands before its subcategories. CONFLICT for a cycle or a ninth level.
        """
        return await self._upsert(CATEGORIES, rows, idempotency)

    async def upsert_offers(
        self,
        rows: Sequence[InputRow],
        *,
        lister: str | None = None,
        idempotency: IdempotencyKey | None = None,
    ) -> WriteResult:
        """Create or change offers: fields of core.entities.Offer.

        ``vendor_id`` None and ``category_ids`` None or [] clear; a list replaces all categories.
        With a ``lister`` (a vendor's id), a row fails with FORBIDDEN whose offer is there and not
        listed by that vendor.
        """
        return await self._upsert(OFFERS, rows, idempotency, lister)

    async def _upsert(
        self,
        kind: EntityKind,
        rows: Sequence[InputRow],
        idempotency: IdempotencyKey | None,
        lister: str | None = None,
    ) -> WriteResult:
        given = [dict(row) for row in rows]
        now = self.clock()

        async def work(tx: Transaction) -> Outcome:
            return await Upserts(kind, now, lister).apply(tx, given)

        return await self.commit(f"upsert_{kind.plural}", given, work, idempotency)
