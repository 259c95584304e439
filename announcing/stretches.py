"""What a stretch of the log, or of time, asks the announcer to look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from core.entities import Event, EventType
from matching.state import MatcherState

_EVERYBODY = frozenset(
    {
        EventType.IMPORT_FINISHED,
        EventType.MODEL_PUBLISHED,
        EventType.VENDOR_DELETED,
        EventType.CATEGORY_DELETED,
    }
)
_OFFERS = frozenset(
    {EventType.OFFER_UPSERTED, EventType.OFFER_WITHDRAWN, EventType.PURCHASE_CANCELLED}
)
_PLACE = frozenset({"latitude", "longitude"})


@dataclass
class Concerns:
    """Whom and what to look at.

    Attributes:
        buyers: who acted, came or changed.
        erased: who is gone, and who was gone and has come again.
        offers: what came, changed, or can be had again or no more.
        bought: what was bought, and may be sold out.
        everybody: whether all buyers are to be looked at, because more changed than is named.
    """

    buyers: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    offers: set[str] = field(default_factory=set)
    bought: set[str] = field(default_factory=set)
    everybody: bool = False

    def __bool__(self) -> bool:
        return bool(self.buyers or self.erased or self.offers or self.bought or self.everybody)


def concerns_of(events: Iterable[Event], state: MatcherState) -> Concerns:
    """What these events, of GRAPH_EVENTS, ask to look at."""
    found = Concerns()
    for event in events:
        if event.type in _EVERYBODY:
            found.everybody = True
        elif event.type is EventType.VENDOR_UPSERTED:
            found.offers |= _of_vendor(event, state)
        elif event.type is EventType.CATEGORY_UPSERTED:
            found.offers |= _of_categories(event, state)
        elif event.type is EventType.BUYER_ERASED:
            found.erased.add(event.buyer_id or "")
            found.buyers.discard(event.buyer_id or "")
        else:
            _add_dealing(found, event)
    return found


def turned(state: MatcherState, after: datetime, until: datetime) -> set[str]:
    """The offers whose validity began or ended in (after, until]."""
    offers = state.corpus.offers
    first, last = round(after.timestamp() * 1e6), round(until.timestamp() * 1e6)
    rows = np.zeros(len(offers), dtype=bool)
    for bound in (offers.valid_from, offers.valid_to):
        rows |= (bound > first) & (bound <= last)
    return {offers.ids[row] for row in np.flatnonzero(rows & offers.active).tolist()}


def _add_dealing(found: Concerns, event: Event) -> None:
    if event.buyer_id is not None:
        found.buyers.add(event.buyer_id)
    if event.offer_id is not None:
        if event.type in _OFFERS:
            found.offers.add(event.offer_id)
        elif event.type is EventType.PURCHASE_RECORDED:
            found.bought.add(event.offer_id)


def _of_vendor(event: Event, state: MatcherState) -> set[str]:
    """The offers that may lie where their vendor does, when that has moved."""
    row = state.corpus.vendor_index.get(event.vendor_id or "")
    if row is None or _PLACE.isdisjoint(_changed(event)):
        return set()
    offers = state.corpus.offers
    rows = np.flatnonzero((offers.vendor == row) & offers.inherits_place)
    return {offers.ids[at] for at in rows.tolist()}


def _of_categories(event: Event, state: MatcherState) -> set[str]:
    """The offers in a category, or below it, that has got another parent."""
    if "parent_id" not in _changed(event):
        return set()
    index = state.corpus.categories.index
    rows = [index[key] for key in event.category_ids if key in index]
    offers = state.corpus.offers
    owner = np.repeat(np.arange(len(offers)), np.diff(offers.closure.ptr))
    inside = owner[np.isin(offers.closure.values, rows)]
    return {offers.ids[at] for at in np.unique(inside).tolist()}


def _changed(event: Event) -> set[str]:
    return set((event.payload or {}).get("changed", ()))
