"""Imports: rows go in under a pending batch that nothing sees, and become visible at once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import polars as pl

from core.entities import EventType, RowStatus
from core.errors import ConflictError, InputError, NotFoundError
from graph.engine import Transaction
from graph.import_reads import ImportReads
from graph.queries import load_query
from graph.session import (
    EVENTS_COUNTER,
    EventDraft,
    InputRow,
    append_events,
    read_pending,
    run_lines,
    run_rows,
)
from graph.tables import TABLES, Table
from graph.upserts import BUYERS, CATEGORIES, OFFERS, VENDORS, Upserts

_REMOVED_AT_ONCE = 20_000


class ImportState(StrEnum):
    """Where an import stands when it is opened."""

    NEW = "NEW"
    PENDING = "PENDING"
    FINISHED = "FINISHED"


@dataclass(frozen=True, slots=True)
class ImportUpdates:
    """Changes of an import to what the graph held before it, made when it finishes.

    Attributes:
        buyers: rows as upsert_buyers takes them; so for vendors, categories and offers.
        vendors: see buyers.
        categories: see buyers.
        offers: see buyers.
        preferences: ``buyer_id``, ``category_id``, ``weight``, ``source``; one more or another
            weight, nothing is forgotten.
        cancelled: new totals of earlier order lines: ``buyer_id``, ``offer_id``, ``id``,
            ``cancelled_quantity``, ``cancelled_at``.
        matched: new totals of earlier cancellation lines: ``buyer_id``, ``offer_id``, ``id``,
            ``matched_quantity``.
    """

    buyers: Sequence[InputRow] = ()
    vendors: Sequence[InputRow] = ()
    categories: Sequence[InputRow] = ()
    offers: Sequence[InputRow] = ()
    preferences: Sequence[InputRow] = ()
    cancelled: Sequence[InputRow] = ()
    matched: Sequence[InputRow] = ()


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """What the graph knows of an import; ``summary`` is what its finisher gave."""

    id: str
    state: ImportState
    source_fingerprint: str
    mapping_name: str
    opened_at: datetime
    finished_at: datetime | None
    seq: int | None
    summary: dict[str, Any]


class Imports(ImportReads):
    """What loaders use. At most one import is pending at a time."""

    async def open_import(
        self, batch_id: str, source_fingerprint: str, mapping_name: str
    ) -> ImportState:
        """Open an import, or learn that it is pending (go on with it) or finished (do nothing).

        Raises:
            ConflictError: when another import is pending.
        """
        record = {
            "id": batch_id,
            "sourceFingerprint": source_fingerprint,
            "mappingName": mapping_name,
            "openedAt": self.clock(),
        }

        async def work(tx: Transaction) -> ImportState:
            # Readers that hold the log still must see no import begin.
            await tx.run(load_query("advance_counter"), {"id": EVENTS_COUNTER, "by": 0})
            found = await tx.run(load_query("read_batch"), {"id": batch_id})
            if found:
                return ImportState(found[0]["state"])
            others = sorted(await read_pending(tx))
            if others:
                raise ConflictError(
                    f"Import {others[0]} is not finished.",
                    mend="Run it again to finish it, or discard it, then import this.",
                )
            await tx.run(load_query("write_batch"), record)
            return ImportState.NEW

        return await self.engine.write(work)

    async def insert_rows(self, table: str | Table, rows: pl.DataFrame) -> int:
        """Insert the rows that are not there yet, by the engine's bulk statement.

        Args:
            table: a label or relationship type of graph.tables.
            rows: its columns (``frame_schema``), absent ones null; ``batchId`` filled where the
                table has one. Rows already there are left alone.

        Returns:
            How many rows were inserted; they are durable.

        Raises:
            InputError: for a table that has ``batchId`` and rows without one.
        """
        spec = table if isinstance(table, Table) else TABLES[table]
        if "batchId" in spec.frame_schema and rows.height:
            absent = "batchId" not in rows.columns or rows["batchId"].null_count() > 0
            if absent:
                raise InputError(f"Rows of {spec.name} must carry the batchId of their import.")
        return await self.engine.bulk_insert(spec, rows)

    async def finish_import(
        self, batch_id: str, updates: ImportUpdates, summary: Mapping[str, Any]
    ) -> int:
        """Make an import visible with its changes to earlier rows, in one transaction.

        Writes one IMPORT_FINISHED event; a finished import is left as it is. Returns the event's
        seq.

        Raises:
            NotFoundError: when the import was never opened.
            InputError: when a change cannot be made; nothing is changed then.
        """
        now = self.clock()

        async def work(tx: Transaction) -> int:
            found = await tx.run(load_query("read_batch"), {"id": batch_id})
            if not found:
                raise NotFoundError(f"There is no import {batch_id!r}.", mend="Open it first.")
            if found[0]["state"] == ImportState.FINISHED:
                return int(found[0]["seq"])
            finished = {"id": batch_id, "finishedAt": now, "summary": _json(summary)}
            # Finished first, so that the changes may refer to what the import brought.
            await tx.run(load_query("finish_batch"), {**finished, "seq": 0})
            await _apply(tx, updates, now)
            event = EventDraft(EventType.IMPORT_FINISHED, payload={"batchId": batch_id})
            seq = await append_events(tx, (event,), self.graph_id, now)
            await tx.run(load_query("finish_batch"), {**finished, "seq": seq})
            return seq

        seq = await self.engine.write(work)
        await self.engine.checkpoint()
        return seq

    async def discard_import(self, batch_id: str) -> None:
        """Remove a pending import and all it brought; it can be run again from the start.

        Raises:
            NotFoundError: when there is no such import.
            ConflictError: when it is finished.
        """
        found = await self.engine.read(load_query("read_batch"), {"id": batch_id})
        if not found:
            raise NotFoundError(f"There is no import {batch_id!r}.")
        if found[0]["state"] == ImportState.FINISHED:
            raise ConflictError(f"Import {batch_id} is finished; it cannot be discarded.")
        for name in ("drop_batch_relationships", "drop_batch_preferences", "drop_batch_nodes"):
            while await self._remove(name, batch_id):
                pass
        await self._remove("drop_batch", batch_id)

    async def list_imports(self) -> list[ImportRecord]:
        """Every import, the oldest first."""
        records = [
            ImportRecord(
                id=row["id"],
                state=ImportState(row["state"]),
                source_fingerprint=row["sourceFingerprint"],
                mapping_name=row["mappingName"],
                opened_at=row["openedAt"],
                finished_at=row["finishedAt"],
                seq=row["seq"],
                summary=json.loads(row["summary"] or "{}"),
            )
            for row in await self.engine.read(load_query("list_batches"))
        ]
        return sorted(records, key=lambda record: (record.opened_at, record.id))

    async def _remove(self, name: str, batch_id: str) -> int:
        query = load_query(name)
        parameters: dict[str, Any] = {"id": batch_id}
        if "limit" in query.parameters:
            parameters["limit"] = _REMOVED_AT_ONCE

        async def work(tx: Transaction) -> int:
            rows = await tx.run(query, parameters)
            return int(rows[0]["removed"]) if rows else 0

        return await self.engine.write(work)


async def _apply(tx: Transaction, updates: ImportUpdates, now: datetime) -> None:
    kinds = (
        (BUYERS, updates.buyers),
        (VENDORS, updates.vendors),
        (CATEGORIES, updates.categories),
        (OFFERS, updates.offers),
    )
    for kind, rows in kinds:
        if not rows:
            continue
        outcome = await Upserts(kind, now).apply(tx, rows)
        for result in outcome.rows:
            if result.status is RowStatus.FAILED and result.error is not None:
                raise InputError(
                    f"{kind.plural} {result.id!r}: {result.error.message}",
                    field=(kind.plural, result.id, *result.error.field),
                )
    await run_rows(tx, "write_preferences", [_camel(row) for row in updates.preferences])
    for name, changes in (
        ("write_imported_quantities", updates.cancelled),
        ("write_matched_quantities", updates.matched),
    ):
        await run_lines(tx, name, [_camel(row) for row in changes])


def _camel(row: InputRow) -> dict[str, Any]:
    return {
        name.split("_")[0] + "".join(part.title() for part in name.split("_")[1:]): value
        for name, value in row.items()
    }


def _json(summary: Mapping[str, Any]) -> str:
    return json.dumps(dict(summary), sort_keys=True, default=str)
