"""The event log: gap-free, append-only, read behind a position."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from core.entities import Event, EventType
from core.errors import CursorExpiredError, CursorInvalidError
from graph.engine import Row, Transaction
from graph.queries import load_query
from graph.records import read_event
from graph.session import (
    EVENTS_COUNTER,
    PURGED_COUNTER,
    EventDraft,
    GraphSession,
    Outcome,
)

_PAGE = 1_000
_PAGES_BY_ID = 10
_PURGED_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True)
class Stretch:
    """Events of the log, in order; ``to`` is the position up to which there are no others."""

    events: list[Event]
    to: int


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
        return (await self.read_stretch(after, limit, types)).events

    async def read_stretch(
        self, after: int, limit: int = 1_000, types: Collection[EventType] | None = None
    ) -> Stretch:
        """What read_events returns, and how far the log was read for it.

        Raises:
            CursorExpiredError: as read_events.
            CursorInvalidError: as read_events.
        """
        counters = await self._counters()
        last, purged = counters[EVENTS_COUNTER], counters[PURGED_COUNTER]
        if after < purged:
            raise _expired(after, purged)
        if after > last:
            raise CursorInvalidError(
                f"The log ends at {last}; {after} is no position in it.",
                mend="Start again without the cursor.",
            )
        if after == last:
            return Stretch([], after)
        wanted = None if types is None else {kind.value for kind in types}
        rows = await self._rows_behind(after, last, limit, wanted)
        purged = (await self._counters())[PURGED_COUNTER]
        if after < purged:  # it was purged while it was read
            raise _expired(after, purged)
        found = [read_event(row) for row in rows]
        return Stretch(found, found[-1].seq if len(found) == limit else last)

    async def _rows_behind(
        self, after: int, last: int, limit: int, types: set[str] | None
    ) -> list[Row]:
        """Rows behind ``after``, looked up by their ids; by a scan when that takes too long.

        The embedded engine finds an id at once and a seq by reading the whole log. Rows that came
        with a backup have ids of another graph and come before all others: where the first of a
        page is one of these, the rest is scanned too.
        """
        found: list[Row] = []
        for _ in range(_PAGES_BY_ID):
            if len(found) >= limit or after == last:
                return found[:limit]
            size = _PAGE if types is not None else min(_PAGE, limit - len(found))
            seqs = range(after + 1, min(after + size, last) + 1)
            page: dict[str, object] = {"ids": [f"{self.graph_id}-{seq}" for seq in seqs]}
            if types is None:
                rows = await self.engine.read(load_query("get_events"), page)
            else:
                page |= {"types": sorted(types), "first": seqs[0]}
                rows = await self.engine.read(load_query("get_events_of_types"), page)
            if not rows or rows[0]["seq"] != seqs[0]:
                break
            found += rows if types is None or rows[0]["type"] in types else rows[1:]
            after = seqs[-1]
        if len(found) >= limit:
            return found[:limit]
        parameters: dict[str, object] = {"after": after, "limit": limit - len(found)}
        if types is None:
            return found + await self.engine.read(load_query("read_events"), parameters)
        parameters["types"] = sorted(types)
        return found + await self.engine.read(load_query("read_events_of_types"), parameters)

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

    async def purge_events(
        self, before: datetime, keep: int = 1_000, most: int | None = None
    ) -> int:
        """Remove events older than ``before`` and all but the newest ``most``.

        Args:
            before: what happened earlier goes.
            keep: the newest rows that stay, however old they are.
            most: the rows that stay at most, however new they are; None: any number.

        Returns:
            The seq up to which the log is purged now. The newest row's seq stays known.
        """
        old = await self.engine.read(load_query("newest_event_before"), {"before": before})
        counters = await self._counters()
        to = min(int(old[0]["seq"] or 0), counters[EVENTS_COUNTER] - keep)
        if most is not None:
            to = max(to, counters[EVENTS_COUNTER] - max(most, keep))
        purged = counters[PURGED_COUNTER]
        while purged < to:
            purged = await self._purge(min(purged + _PURGED_AT_ONCE, to))
        return purged

    async def _purge(self, to: int) -> int:
        """Remove the rows up to ``to`` in one transaction; returns what is purged then."""

        async def work(tx: Transaction) -> int:
            lock = {"id": PURGED_COUNTER, "by": 0}
            purged = int((await tx.run(load_query("advance_counter"), lock))[0]["value"])
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


def _expired(after: int, purged: int) -> CursorExpiredError:
    return CursorExpiredError(
        f"The log begins at {purged + 1}; what follows {after} is no longer kept.",
        mend="Read the present state, then follow the log from its last position.",
    )
