"""How announcing begins on a graph: a first look that tells nothing, by a model the log names."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, overload

from announcing.looking import first_places
from announcing.tops import TopTable
from announcing.transitions import Rules
from core.entities import EventType, Lease, MatchTop
from matching.state import WALK_VERSION, MatcherState

if TYPE_CHECKING:
    from datetime import datetime

    from graph.store import GraphStore
    from matching.service import MatchingService

logger = logging.getLogger(__name__)

PART = 500
"""Buyers looked at between two lines in the log of the process."""

PAGE = 1_000
MODEL_SECONDS = 60.0


async def first_look(
    store: GraphStore, matching: MatchingService, lease: Lease, rules: Rules
) -> int:
    """Rank for everybody and tell nothing, as nothing has entered yet.

    A look that is cut off leaves no position, and is taken from the beginning by whoever comes.

    Returns:
        The position that announcing begins from.

    Raises:
        LeaseLostError: when another process announces now.
    """
    state = matching.state
    named = await store.model_named(await store.last_seq())
    if state.model_version != (named or WALK_VERSION):
        await matching.wait_for(await name_model(store, state.model_version), MODEL_SECONDS)
        state = matching.state
    table = TopTable(rules.size, rules.threshold)
    buyers = present_buyers(state)
    for at in range(0, len(buyers), PART):
        look = partial(_tops, state, buyers[at : at + PART], rules, store.clock())
        for top in await asyncio.to_thread(look):
            table.put(top)
        logger.info("First look at matches: %d of %d buyers.", len(table), len(buyers))
    await store.begin_announcing(lease, state.seq, _Stored(table))
    return state.seq


async def name_model(store: GraphStore, version: str) -> int:
    """Say in the log which model scores from now on; returns the seq."""
    payload: dict[str, object] = {"modelId": version}
    return await store.append_event(EventType.MODEL_PUBLISHED, payload=payload)


async def models_named(store: GraphStore, after: int) -> list[str]:
    """The models that the log names behind a seq, in its order."""
    found: list[str] = []
    types = (EventType.MODEL_PUBLISHED,)
    while events := await store.read_events(after, PAGE, types):
        after = events[-1].seq
        found += [str((event.payload or {}).get("modelId", "")) for event in events]
    return found


def present_buyers(state: MatcherState) -> list[str]:
    """The buyers that are there."""
    table = state.buyer_table
    return [key for key, there in zip(table.ids, table.present.tolist(), strict=True) if there]


def _tops(state: MatcherState, buyer_ids: list[str], rules: Rules, now: datetime) -> list[MatchTop]:
    states = ((key, state.buyer_state(key)) for key in buyer_ids)
    return [
        MatchTop(key, first_places(state, buyer, now, rules.size, rules.threshold))
        for key, buyer in states
        if buyer is not None
    ]


class _Stored(Sequence[MatchTop]):
    """The tops of a table, made when they are asked for."""

    def __init__(self, table: TopTable) -> None:
        self._table = table
        self._ids = table.buyer_ids

    def __len__(self) -> int:
        return len(self._ids)

    @overload
    def __getitem__(self, at: int) -> MatchTop: ...
    @overload
    def __getitem__(self, at: slice) -> list[MatchTop]: ...
    def __getitem__(self, at: int | slice) -> MatchTop | list[MatchTop]:
        if isinstance(at, slice):
            return [self._top(key) for key in self._ids[at]]
        return self._top(self._ids[at])

    def _top(self, buyer_id: str) -> MatchTop:
        return self._table.top(buyer_id) or MatchTop(buyer_id, ())
