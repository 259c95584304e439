"""Interactions and stated preferences of buyers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from core.entities import EventType, IdempotencyKey, RowResult, RowStatus, WriteResult
from graph.engine import Transaction
from graph.fields import (
    INTERACTION_FIELDS,
    PREFERENCE_FIELDS,
    RowProblemError,
    check_row,
    need,
)
from graph.identity import hash_identity
from graph.session import (
    EventDraft,
    GraphSession,
    InputRow,
    Outcome,
    lock_rows,
    read_pending,
    run_ids,
    run_rows,
)

Values = dict[str, Any]
Key = tuple[str, str]


class InteractionWrites(GraphSession):
    """Recording interactions and setting preferences."""

    async def record_interactions(
        self, rows: Sequence[InputRow], *, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Record views, clicks, carts, inquiries and dismissals, with a result per row.

        Rows: ``buyer_id``, ``offer_id``, ``kind`` (an EvidenceKind other than PURCHASED), and as
        far as known ``id`` (else a hash of the row), ``at`` (default now), ``value``, ``context``.
        An id is unique per kind: the same id again is UNCHANGED when nothing given differs, else
        it fails with CONFLICT. An unknown buyer or offer is NOT_FOUND.
        """
        given = [dict(row) for row in rows]
        now = self.clock()

        async def work(tx: Transaction) -> Outcome:
            return await _Recording(now).apply(tx, given)

        return await self.commit("record_interactions", given, work, idempotency)

    async def set_preferences(
        self,
        buyer_id: str,
        preferences: Sequence[InputRow],
        *,
        idempotency: IdempotencyKey | None = None,
    ) -> WriteResult:
        """Replace all stated preferences of a buyer, all or none of them.

        Rows: ``category_id``, ``weight`` in [-1, 1] (default 1), ``source``. The one result has
        the buyer's id; it fails with NOT_FOUND for an unknown buyer or category and BAD_INPUT for
        a row that is wrong or a category named twice (``field`` starts with the row's number).
        """
        given = [dict(row) for row in preferences]
        now = self.clock()

        async def work(tx: Transaction) -> Outcome:
            try:
                return await _replace(tx, buyer_id, given, now)
            except RowProblemError as problem:
                return Outcome((RowResult(buyer_id, RowStatus.FAILED, problem.error),))

        return await self.commit("set_preferences", [buyer_id, given], work, idempotency)


class _Recording:
    def __init__(self, now: datetime) -> None:
        self.now = now
        self.occurrences: Counter[str] = Counter()
        self.buyers: set[str] = set()
        self.offers: set[str] = set()
        self.known: dict[Key, Mapping[str, Any]] = {}
        self.fresh: dict[Key, Values] = {}

    async def apply(self, tx: Transaction, rows: Sequence[InputRow]) -> Outcome:
        checked = [self._check(row) for row in rows]
        await self._load(tx, [row for row in checked if not isinstance(row, RowResult)])
        results = tuple(row if isinstance(row, RowResult) else self._record(row) for row in checked)
        for kind in sorted({kind for kind, _ in self.fresh}):
            lines = [line for (other, _), line in self.fresh.items() if other == kind]
            await run_rows(tx, f"write_{kind.lower()}", lines)
        events = tuple(_draft(kind, line) for (kind, _), line in self.fresh.items())
        return Outcome(results, events)

    def _check(self, row: InputRow) -> Values | RowResult:
        try:
            values = check_row(row, INTERACTION_FIELDS)
            need(values, "buyer_id", "offer_id", "kind")
        except RowProblemError as problem:
            return RowResult(str(row.get("id") or ""), RowStatus.FAILED, problem.error)
        given = tuple(n for n in values if INTERACTION_FIELDS[n].property and values[n] is not None)
        if values.get("at") is None:
            values["at"] = self.now
        if "id" not in values:
            values["id"] = self._identify(values)
        return {**values, "given": given}

    def _identify(self, values: Values) -> str:
        names = ("buyer_id", "offer_id", "kind", "at", "value", "context")
        parts = [values.get(name) for name in names]
        first = hash_identity("interaction", *parts)
        self.occurrences[first] += 1
        return hash_identity("interaction", *parts, self.occurrences[first])

    async def _load(self, tx: Transaction, rows: Sequence[Values]) -> None:
        if not rows:
            return
        buyers, offers = ({row[name] for row in rows} for name in ("buyer_id", "offer_id"))
        self.buyers = set(await lock_rows(tx, "buyers", sorted(buyers), self.now))
        self.offers = {row["id"] for row in await run_ids(tx, "visible_offers", sorted(offers))}
        pending = await read_pending(tx)
        for kind in sorted({row["kind"] for row in rows}):
            ids = [row["id"] for row in rows if row["kind"] == kind]
            found = await run_ids(tx, f"find_{kind.lower()}", ids)
            hidden = [row["id"] for row in found if row["batchId"] in pending]
            await run_ids(tx, f"drop_{kind.lower()}", hidden)
            self.known |= {(kind, row["id"]): row for row in found if row["batchId"] not in pending}

    def _record(self, row: Values) -> RowResult:
        try:
            return self._accept(row)
        except RowProblemError as problem:
            return RowResult(row["id"], RowStatus.FAILED, problem.error)

    def _accept(self, row: Values) -> RowResult:
        key = (row["kind"], row["id"])
        known = self.known.get(key) or self.fresh.get(key)
        if known is not None:
            for name in row["given"]:
                if row[name] != known[INTERACTION_FIELDS[name].property]:
                    message = f"{row['kind']} {row['id']!r} is recorded with another {name}."
                    raise RowProblemError("CONFLICT", message, name)
            return RowResult(row["id"], RowStatus.UNCHANGED)
        for name, there in (("buyer_id", self.buyers), ("offer_id", self.offers)):
            if row[name] not in there:
                raise RowProblemError("NOT_FOUND", f"There is no {name} {row[name]!r}.", name)
        line = {field.property: row.get(name) for name, field in INTERACTION_FIELDS.items()}
        line.pop("")
        self.fresh[key] = line
        return RowResult(row["id"], RowStatus.CREATED)


def _draft(kind: str, line: Values) -> EventDraft:
    payload = {"id": line["id"], "kind": kind, "at": line["at"].isoformat()}
    return EventDraft(
        EventType.INTERACTION_RECORDED,
        buyer_id=line["buyerId"],
        offer_id=line["offerId"],
        payload=payload,
    )


async def _replace(
    tx: Transaction, buyer_id: str, rows: Sequence[InputRow], now: datetime
) -> Outcome:
    wanted: dict[str, Values] = {}
    for number, row in enumerate(rows):
        values = _check_preference(number, row)
        if values["category_id"] in wanted:
            message = f"Category {values['category_id']!r} is named twice."
            raise RowProblemError("BAD_INPUT", message, str(number), "category_id")
        wanted[values["category_id"]] = values
    if not await lock_rows(tx, "buyers", [buyer_id], now):
        raise RowProblemError("NOT_FOUND", f"There is no buyer {buyer_id!r}.", "buyer_id")
    found = {row["id"] for row in await run_ids(tx, "visible_categories", sorted(wanted))}
    for number, category in enumerate(wanted):
        if category not in found:
            message = f"There is no category {category!r}."
            raise RowProblemError("NOT_FOUND", message, str(number), "category_id")
    lines = {key: _preference(buyer_id, values) for key, values in wanted.items()}
    stored = await run_ids(tx, "buyer_preferences", [buyer_id])
    if {row["categoryId"]: row for row in stored} == lines:
        return Outcome((RowResult(buyer_id, RowStatus.UNCHANGED),))
    await run_ids(tx, "drop_preferences", [buyer_id])
    await run_rows(tx, "write_preferences", list(lines.values()))
    event = EventDraft(
        EventType.PREFERENCES_SET, buyer_id=buyer_id, category_ids=tuple(sorted(wanted))
    )
    return Outcome((RowResult(buyer_id, RowStatus.UPDATED),), (event,))


def _check_preference(number: int, row: InputRow) -> Values:
    try:
        values = check_row(row, PREFERENCE_FIELDS)
        need(values, "category_id")
    except RowProblemError as problem:
        error = problem.error
        raise RowProblemError(error.code, error.message, str(number), *error.field) from problem
    return {"weight": 1.0, "source": None, **values}


def _preference(buyer_id: str, values: Values) -> Values:
    return {
        "buyerId": buyer_id,
        "categoryId": values["category_id"],
        "weight": values["weight"],
        "source": values["source"],
    }
