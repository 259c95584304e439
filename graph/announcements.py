"""What is told of matches: the tops last looked at, the pairs announced, the announcer's position.

One process writes here at a time: every write holds the announcer's lease.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import polars as pl

from core.entities import (
    EventType,
    Lease,
    MatchChange,
    MatchState,
    MatchStatus,
    MatchTop,
)
from core.errors import ConflictError
from graph.engine import Transaction
from graph.leases import check_lease
from graph.queries import load_query
from graph.records import read_match_state, read_match_top
from graph.session import EventDraft, GraphSession, append_events, run_ids, run_rows

ANNOUNCED_COUNTER = "announced"
_CHUNK = 5_000
# The embedded engine has no index on a state's ends: beyond these, one scan in columns is quicker.
_IDS_WORTH_A_QUERY = 32

Pair = tuple[str, str]


class Announcements(GraphSession):
    """Reading and writing what is told of matches."""

    async def announced_position(self) -> int | None:
        """The seq up to which the log was looked at; None when announcing has never begun."""
        found = await self.engine.read(load_query("read_counters"), {"ids": [ANNOUNCED_COUNTER]})
        return int(found[0]["value"]) if found else None

    async def model_named(self, until: int) -> str | None:
        """The model that the log named last, up to a seq; None when what is kept names none."""
        asked = {"type": EventType.MODEL_PUBLISHED, "until": until}
        found = await self.engine.read(load_query("newest_event_of_type"), asked)
        return str(json.loads(found[0]["payload"] or "{}").get("modelId", "")) if found else None

    async def match_tops(self, buyer_ids: Sequence[str] | None = None) -> dict[str, MatchTop]:
        """Tops by buyer, of these buyers or of all; who was never looked at has none."""
        if buyer_ids is None:
            frame = await self.engine.read_frame(load_query("dump_match_top"))
            rows: Iterable[Mapping[str, Any]] = frame.iter_rows(named=True)
        else:
            ids = {"ids": list(dict.fromkeys(buyer_ids))}
            rows = await self.engine.read(load_query("get_match_tops"), ids)
        return {row["id"]: read_match_top(row) for row in rows}

    async def match_states(
        self,
        *,
        buyer_ids: Sequence[str] | None = None,
        offer_ids: Sequence[str] | None = None,
        pairs: Sequence[Pair] | None = None,
    ) -> list[MatchState]:
        """What was announced to these buyers, of these offers, or of these pairs; in no order.

        Exactly one is given. Pairs (buyer id, offer id) are looked up by their key; on the
        embedded engine the other two read every state.
        """
        given = (buyer_ids, offer_ids, pairs)
        assert sum(ids is not None for ids in given) == 1, "give one of the three"
        if pairs is not None:
            query, ids = "match_states_of_pairs", [_state_id(*pair) for pair in pairs]
        elif buyer_ids is not None:
            query, ids = "match_states_of_buyers", list(buyer_ids)
        else:
            query, ids = "match_states_of_offers", list(offer_ids or ())
        ids = list(dict.fromkeys(ids))
        if not ids:
            return []
        scans = pairs is None and self.engine.name == "embedded"
        if scans and len(ids) > _IDS_WORTH_A_QUERY:
            column = "offerId" if buyer_ids is None else "buyerId"
            frame = await self.engine.read_frame(load_query("dump_match_state"))
            found = frame.filter(pl.col(column).is_in(ids)).iter_rows(named=True)
            return [read_match_state(row) for row in found]
        return [
            read_match_state(row) for row in await self.engine.read(load_query(query), {"ids": ids})
        ]

    async def begin_announcing(self, lease: Lease, position: int, tops: Sequence[MatchTop]) -> None:
        """Keep the tops of a first look, which tells nothing, then set the position.

        Each chunk of tops is a transaction; until the last one the position is what it was.

        Raises:
            LeaseLostError: when another process announces now.
        """
        for start in range(0, len(tops), _CHUNK):
            await self._keep_tops(lease, tops[start : start + _CHUNK])

        async def work(tx: Transaction) -> None:
            await check_lease(tx, lease)
            await tx.run(load_query("make_counter"), {"id": ANNOUNCED_COUNTER})
            await _set_position(tx, position)

        await self.engine.write(work)

    async def announce(
        self,
        lease: Lease,
        after: int,
        to: int,
        changes: Sequence[MatchChange],
        tops: Sequence[MatchTop],
        *,
        now: datetime,
        last: bool = True,
    ) -> int:
        """Write what a stretch (after, to] of the log changed in the matches, in one transaction.

        The states, the tops, an event for each change and the position. What the stored states
        show already is not told again: a creation of this very moment, a change to what stands
        so, an update or a withdrawal of a pair that does not stand.

        Args:
            lease: the announcer's.
            after: the position that this stretch begins behind.
            to: the last seq of the stretch; ``after`` itself when the clock alone changed matches.
            changes: in the order in which they are told.
            tops: of the buyers that were looked at.
            now: the time of the events; the same when it is tried again.
            last: whether this ends the stretch; without it the position stays.

        Returns:
            The position: ``to`` or, when the events follow it without a gap, the last of them.

        Raises:
            LeaseLostError: when another process announces now.
            ConflictError: when the position is not ``after``, and not at or beyond ``to`` either.
        """

        async def work(tx: Transaction) -> int:
            await check_lease(tx, lease)
            position = await _locked_position(tx)
            if position != after:
                return _settled(position, after, to)
            told = await _keep_changes(tx, changes, now)
            await _write_tops(tx, tops)
            if last:
                await self._erase_leftovers(tx, after, to)
            end = await append_events(tx, [_draft(c) for c in told], self.graph_id, now)
            if not last:
                return after
            position = end if told and end - len(told) == to else to
            await _set_position(tx, position)
            return position

        return await self.engine.write(work)

    async def forget_match_states(self, lease: Lease, before: datetime) -> None:
        """Remove the states of pairs that were withdrawn and last told as new before a time.

        Raises:
            LeaseLostError: when another process announces now.
        """

        async def work(tx: Transaction) -> None:
            await check_lease(tx, lease)
            ended = {"status": MatchStatus.WITHDRAWN, "before": before}
            await tx.run(load_query("drop_match_states"), ended)

        await self.engine.write(work)

    async def _keep_tops(self, lease: Lease, tops: Sequence[MatchTop]) -> None:
        async def work(tx: Transaction) -> None:
            await check_lease(tx, lease)
            await _write_tops(tx, tops)

        await self.engine.write(work)

    async def _erase_leftovers(self, tx: Transaction, after: int, to: int) -> None:
        """Erase what was written of buyers after they were erased: they were looked at before."""
        seqs = range(after + 1, to + 1)
        gone: set[str] = set()
        for start in range(0, len(seqs), _CHUNK):
            ids = [f"{self.graph_id}-{seq}" for seq in seqs[start : start + _CHUNK]]
            gone |= {row["buyerId"] for row in await run_ids(tx, "buyers_erased", ids)}
        gone -= {row["id"] for row in await run_ids(tx, "existing_buyers", sorted(gone))}
        await run_ids(tx, "erase_match_states", sorted(gone))
        await run_ids(tx, "erase_match_tops", sorted(gone))


def _state_id(buyer_id: str, offer_id: str) -> str:
    return json.dumps([buyer_id, offer_id], ensure_ascii=False, separators=(",", ":"))


def _settled(position: int, after: int, to: int) -> int:
    if position >= to:
        return position
    raise ConflictError(
        f"The log was announced up to {position}; {after} is not where it goes on.",
        mend="Go on from announced_position().",
    )


async def _locked_position(tx: Transaction) -> int:
    lock = {"id": ANNOUNCED_COUNTER, "by": 0}
    found = await tx.run(load_query("advance_counter"), lock)
    if not found:
        raise ConflictError(
            "Announcing has not begun on this graph.", mend="Call begin_announcing() first."
        )
    return int(found[0]["value"])


async def _set_position(tx: Transaction, position: int) -> None:
    await tx.run(load_query("set_counter"), {"id": ANNOUNCED_COUNTER, "to": position})


async def _keep_changes(
    tx: Transaction, changes: Sequence[MatchChange], now: datetime
) -> list[MatchChange]:
    """Write the states that the changes leave; returns those changes that say something new."""
    ids = [_state_id(change.buyer_id, change.offer_id) for change in changes]
    stored: dict[str, MatchState] = {}
    for start in range(0, len(ids), _CHUNK):
        for row in await run_ids(tx, "match_states_of_pairs", ids[start : start + _CHUNK]):
            state = read_match_state(row)
            stored[_state_id(state.buyer_id, state.offer_id)] = state
    left: dict[str, MatchState] = {}
    told = []
    for key, change in zip(ids, changes, strict=True):
        before = left.get(key, stored.get(key))
        after = _state_after(change, before, now)
        if after is not None and after != before:
            left[key] = after
            told.append(change)
    added = [_state_row(key, state) for key, state in left.items() if key not in stored]
    await run_rows(tx, "add_match_states", added, now=now)
    changed = [
        {**_state_row(key, state), "announcedAt": state.announced_at}
        for key, state in left.items()
        if key in stored
    ]
    await run_rows(tx, "set_match_states", changed)
    return told


def _state_after(
    change: MatchChange, before: MatchState | None, now: datetime
) -> MatchState | None:
    """The pair's state once this is told; None when there is nothing to change or withdraw."""
    if change.type is EventType.MATCH_CREATED:
        assert change.score is not None, "a creation has a score"
        return MatchState(
            buyer_id=change.buyer_id,
            offer_id=change.offer_id,
            announced_at=now,
            last_score=change.score,
            status=MatchStatus.ANNOUNCED,
            terms=change.terms,
            model_version=change.model_version,
        )
    if before is None or before.status is MatchStatus.WITHDRAWN:
        return None
    if change.type is EventType.MATCH_WITHDRAWN:
        return replace(before, status=MatchStatus.WITHDRAWN)
    assert change.score is not None, "an update has a score"
    return replace(
        before,
        last_score=change.score,
        terms=change.terms,
        model_version=change.model_version,
    )


def _state_row(key: str, state: MatchState) -> dict[str, Any]:
    return {
        "id": key,
        "buyerId": state.buyer_id,
        "offerId": state.offer_id,
        "lastScore": state.last_score,
        "status": state.status,
        "terms": state.terms,
        "modelVersion": state.model_version,
    }


async def _write_tops(tx: Transaction, tops: Sequence[MatchTop]) -> None:
    rows = {
        top.buyer_id: {
            "id": top.buyer_id,
            "top": json.dumps(top.offers, ensure_ascii=False, separators=(",", ":")),
            "digestDay": top.digest_day,
            "digestCount": top.digest_count,
        }
        for top in tops
    }
    stored = {row["id"] for row in await run_ids(tx, "existing_match_tops", list(rows))}
    await run_rows(tx, "add_match_tops", [row for key, row in rows.items() if key not in stored])
    await run_rows(tx, "set_match_tops", [row for key, row in rows.items() if key in stored])


def _draft(change: MatchChange) -> EventDraft:
    payload: dict[str, Any] = {"reason": change.reason.value}
    if change.held_back:
        payload["heldBack"] = change.held_back
    if change.previous_score is not None:
        payload["previousScore"] = change.previous_score
    return EventDraft(
        change.type,
        buyer_id=change.buyer_id,
        offer_id=change.offer_id,
        vendor_id=change.vendor_id,
        category_ids=change.category_ids,
        payload=payload,
        score=change.score,
        rank=change.rank,
        model_version=change.model_version,
    )
