"""The event log: gap-free, append-only, read behind a position."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from core.entities import Event, EventType
from core.errors import CursorExpiredError, CursorInvalidError
from graph.engine import Transaction
from graph.queries import load_query
from graph.records import read_event
from graph.session import (
    EVENTS_COUNTER,
    PURGED_COUNTER,
    EventDraft,
    GraphSession,
    Outcome,
)


class EventLog(GraphSession):
    """Reading, extending and purging the log."""

    async def last_seq(self) -> int:
        """The seq of the log's last row; 0 for an empty log."""
        return (await self._counters())[EVENTS_COUNTER]

    async def log_start(self) -> int:
        """The position before the oldest event that is kept: the oldest that can be read behind."""
        return (await self._counters())[PURGED_COUNTER]

    async def read_events(
        self, after: int, limit: int = 1_000, types: Collection[EventType] | None = None
    ) -> list[Event]:
        """The first ``limit`` events with a greater seq, of these types (None: all), in order.

        With types, seqs have gaps. An empty list says that nothing (of these types) is there yet.

        Raises:
            CursorExpiredError: when events behind ``after`` were purged.
            CursorInvalidError: when ``after`` lies behind the end of the log, as a position in
                another graph's log does.
        """
        counters = await self._counters()
        last, purged = counters[EVENTS_COUNTER], counters[PURGED_COUNTER]
        if after < purged:
            raise CursorExpiredError(
                f"The log begins at {purged + 1}; what follows {after} is no longer kept.",
                mend="Read the present state, then follow the log from its last position.",
            )
        if after > last:
            raise CursorInvalidError(
                f"The log ends at {last}; {after} is no position in it.",
                mend="Start again without the cursor.",
            )
        if after == last:
            return []
        parameters: dict[str, object] = {"after": after, "limit": limit}
        name = "read_events"
        if types is not None:
            name, parameters["types"] = "read_events_of_types", [kind.value for kind in types]
        rows = await self.engine.read(load_query(name), parameters)
        return [read_event(row) for row in rows]

    async def append_event(
        self,
        type: EventType,
        *,
        buyer_id: str | None = None,
        offer_id: str | None = None,
        vendor_id: str | None = None,
        category_ids: tuple[str, ...] = (),
        payload: dict[str, object] | None = None,
    ) -> int:
        """Append one event of its own; returns its seq."""
        draft = EventDraft(type, buyer_id, offer_id, vendor_id, category_ids, payload)

        async def work(tx: Transaction) -> Outcome:  # noqa: ARG001 - only the event is written
            return Outcome((), (draft,))

        return (await self.commit("append_event", None, work)).seq

    async def purge_events(self, before: datetime, keep: int = 1_000) -> int:
        """Remove events older than ``before``, but never the last ``keep``.

        Returns the seq up to which the log is purged now. The newest row's seq stays known.
        """

        async def work(tx: Transaction) -> int:
            # The log's counter is locked so that the purge and the appends do not cross.
            lock = {"id": EVENTS_COUNTER, "by": 0}
            last = int((await tx.run(load_query("advance_counter"), lock))[0]["value"])
            old = await tx.run(load_query("newest_event_before"), {"before": before})
            ids = {"ids": [PURGED_COUNTER]}
            purged = int((await tx.run(load_query("read_counters"), ids))[0]["value"])
            to = min(int(old[0]["seq"] or 0), last - keep)
            if to <= purged:
                return purged
            await tx.run(load_query("drop_events"), {"to": to})
            await tx.run(load_query("set_counter"), {"id": PURGED_COUNTER, "to": to})
            return to

        return await self.engine.write(work)

    async def _counters(self) -> dict[str, int]:
        parameters = {"ids": [EVENTS_COUNTER, PURGED_COUNTER]}
        rows = await self.engine.read(load_query("read_counters"), parameters)
        return {row["id"]: int(row["value"]) for row in rows}
