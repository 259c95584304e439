"""What every part of the store shares: the engine, the clock, and how a write is committed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core.entities import (
    EventType,
    IdempotencyKey,
    RowError,
    RowResult,
    RowStatus,
    WriteResult,
)
from core.errors import IdempotencyConflictError
from graph.engine import GraphEngine, Transaction
from graph.queries import load_query

Clock = Callable[[], datetime]
InputRow = Mapping[str, Any]
EVENTS_COUNTER = "events"
PURGED_COUNTER = "events.purged"
CATEGORIES_COUNTER = "categories"
COUNTERS = (EVENTS_COUNTER, PURGED_COUNTER, CATEGORIES_COUNTER)
DAY = timedelta(days=1)
_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event before its transaction gives it a seq."""

    type: EventType
    buyer_id: str | None = None
    offer_id: str | None = None
    vendor_id: str | None = None
    category_ids: tuple[str, ...] = ()
    payload: dict[str, Any] | None = None
    score: float | None = None
    rank: int | None = None
    model_version: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the work of one transaction did: a result per row, and the events to log."""

    rows: tuple[RowResult, ...]
    events: tuple[EventDraft, ...] = ()


Work = Callable[[Transaction], Awaitable[Outcome]]


class GraphSession:
    """An engine with a prepared graph, the clock, and the one way in which writes commit."""

    def __init__(self, engine: GraphEngine, clock: Clock, graph_id: str) -> None:
        self.engine = engine
        self.clock = clock
        self.graph_id = graph_id

    async def commit(
        self, name: str, body: Any, work: Work, idempotency: IdempotencyKey | None = None
    ) -> WriteResult:
        """Run ``work`` in one transaction with its event rows and the record of its key.

        Args:
            name: the write's name; with ``body`` it is what an idempotency key stands for.
            body: the caller's input, as JSON can show it (times and the like as text).
            work: the change; it may run again when the engine asks for a retry.
            idempotency: the caller's key; the same key and body give the stored answer again.

        Raises:
            IdempotencyConflictError: when the key was used for another name or body.
        """
        body_hash = hash_body(name, body)
        now = self.clock()

        async def transaction(tx: Transaction) -> WriteResult:
            if idempotency is not None:
                stored = await _claim_key(tx, idempotency, body_hash, now)
                if stored is not None:
                    return stored
            outcome = await work(tx)
            seq = await append_events(tx, outcome.events, self.graph_id, now)
            result = WriteResult(seq=seq, rows=outcome.rows)
            if idempotency is not None:
                answer = {"id": _key_id(idempotency), "answer": _dump(result)}
                await tx.run(load_query("keep_answer"), answer)
            return result

        return await self.engine.write(transaction)

    async def purge_idempotency_keys(self, before: datetime) -> None:
        """Forget the keys that were used before this time."""

        async def transaction(tx: Transaction) -> None:
            await tx.run(load_query("drop_idempotency_keys"), {"before": before})

        await self.engine.write(transaction)


async def append_events(
    tx: Transaction, drafts: Sequence[EventDraft], graph_id: str, now: datetime
) -> int:
    """Write drafts to the log behind its last row; returns the log's last seq.

    The counter is locked here until the commit, so this comes last in a transaction.
    """
    if not drafts:
        counters = await tx.run(load_query("read_counters"), {"ids": [EVENTS_COUNTER]})
        return int(counters[0]["value"])
    counter = {"id": EVENTS_COUNTER, "by": len(drafts)}
    last = int((await tx.run(load_query("advance_counter"), counter))[0]["value"])
    first = last - len(drafts) + 1
    rows = [
        {
            "seq": seq,
            "id": f"{graph_id}-{seq}",
            "type": draft.type.value,
            "buyerId": draft.buyer_id,
            "offerId": draft.offer_id,
            "vendorId": draft.vendor_id,
            "categoryIds": list(draft.category_ids),
            "score": draft.score,
            "rank": draft.rank,
            "modelVersion": draft.model_version,
            "payload": None if draft.payload is None else json.dumps(draft.payload, default=str),
        }
        for seq, draft in enumerate(drafts, first)
    ]
    await run_rows(tx, "write_events", rows, now=now)
    return last


async def run_rows(
    tx: Transaction,
    name: str,
    rows: Sequence[Mapping[str, Any]],
    *,
    chunk: int = _CHUNK,
    **shared: Any,
) -> None:
    """Run a query over ``$rows`` in chunks; nothing to do without rows.

    ``shared`` are parameters that are the same for all rows. A time that all have belongs there:
    Neo4j's driver takes longer over a time than over the rest of a row.
    """
    query = load_query(name)
    for start in range(0, len(rows), chunk):
        part = [dict(row) for row in rows[start : start + chunk]]
        await tx.run(query, {"rows": part, **shared})


async def run_lines(tx: Transaction, name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run a query over ``$rows`` about buyers' lines, with ``$buyerIds``, in chunks."""
    query = load_query(name)
    for start in range(0, len(rows), 5_000):
        part = [dict(row) for row in rows[start : start + 5_000]]
        buyers = sorted({row["buyerId"] for row in part})
        await tx.run(query, {"rows": part, "buyerIds": buyers})


async def run_ids(tx: Transaction, name: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Run a query over ``$ids``; no rows without ids."""
    return await tx.run(load_query(name), {"ids": list(ids)}) if ids else []


async def lock_rows(
    tx: Transaction, plural: str, ids: Sequence[str], now: datetime
) -> dict[str, dict[str, Any]]:
    """Lock the buyers or offers with these sorted ids until the commit; those found, by id."""
    if not ids:
        return {}
    parameters = {"ids": list(ids), "now": now}
    rows = await tx.run(load_query(f"lock_{plural}"), parameters)
    return {row["id"]: row for row in rows}


async def read_pending(tx: Transaction) -> frozenset[str]:
    """Ids of the imports that are not finished."""
    return frozenset(str(row["id"]) for row in await tx.run(load_query("pending_batches")))


def hash_body(name: str, body: Any) -> str:
    """The sha-256 hex digest of a write's name and body, whatever the order of its keys."""
    text = json.dumps([name, body], sort_keys=True, default=str, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _key_id(key: IdempotencyKey) -> str:
    return hashlib.sha256(f"{key.scope}\x1f{key.key}".encode()).hexdigest()


async def _claim_key(
    tx: Transaction, key: IdempotencyKey, body_hash: str, now: datetime
) -> WriteResult | None:
    claim = {"id": _key_id(key), "bodyHash": body_hash, "createdAt": now}
    stored = (await tx.run(load_query("claim_idempotency_key"), claim))[0]
    if stored["bodyHash"] != body_hash:
        raise IdempotencyConflictError(
            f"The idempotency key {key.key!r} was used for another request.",
            mend="Send a new key with a new request.",
            field=("idempotencyKey",),
        )
    return None if stored["answer"] is None else _load(stored["answer"])


def _dump(result: WriteResult) -> str:
    rows = [
        [r.id, r.status.value, None if r.error is None else _error_parts(r.error)]
        for r in result.rows
    ]
    return json.dumps({"seq": result.seq, "rows": rows})


def _error_parts(error: RowError) -> list[Any]:
    return [error.code, error.message, list(error.field)]


def _load(answer: str) -> WriteResult:
    stored = json.loads(answer)
    rows = tuple(
        RowResult(
            id=row_id,
            status=RowStatus(status),
            error=None if error is None else RowError(error[0], error[1], tuple(error[2])),
        )
        for row_id, status, error in stored["rows"]
    )
    return WriteResult(seq=int(stored["seq"]), rows=rows, replayed=True)
