"""What a stretch of the event log asks the matcher to read again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from core.entities import Event, EventType
from matching.state import MatcherState


@dataclass
class Changes:
    """Ids to read again, by kind; a later event of the same id changes nothing more.

    ``imported_at`` is the seq of the first finished import: what it brought is not named, so the
    state has to be rebuilt. ``gone_vendors`` and ``gone_categories`` were deleted: their offers
    are read again.
    """

    buyers: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    offers: set[str] = field(default_factory=set)
    vendors: set[str] = field(default_factory=set)
    categories: set[str] = field(default_factory=set)
    gone_vendors: set[str] = field(default_factory=set)
    gone_categories: set[str] = field(default_factory=set)
    imported_at: int | None = None

    def offers_to_read(self, state: MatcherState) -> set[str]:
        """The offers named, and those of deleted vendors and categories."""
        corpus = state.corpus
        found = set(self.offers)
        for vendor in self.gone_vendors & corpus.vendor_index.keys():
            rows = np.flatnonzero(corpus.offers.vendor == corpus.vendor_index[vendor])
            found.update(corpus.offers.ids[row] for row in rows.tolist())
        held = corpus.offers.categories
        owners = np.repeat(np.arange(len(corpus.offers)), np.diff(held.ptr))
        for category in self.gone_categories & corpus.categories.index.keys():
            rows = owners[held.values == corpus.categories.index[category]]
            found.update(corpus.offers.ids[row] for row in rows.tolist())
        return found


def changes_of(events: Sequence[Event]) -> Changes:
    """Collect a stretch of the log, of GRAPH_EVENTS, in its order."""
    changes = Changes()
    for event in events:
        _collect(changes, event)
    return changes


def batches(ids: Iterable[str], size: int = 500) -> list[list[str]]:
    """Sorted ids in lists of at most ``size``: what one read of the graph is asked for."""
    ordered = sorted(ids)
    return [ordered[at : at + size] for at in range(0, len(ordered), size)]


def _collect(changes: Changes, event: Event) -> None:
    if event.type is EventType.IMPORT_FINISHED:
        changes.imported_at = changes.imported_at or event.seq
    elif event.type is EventType.VENDOR_DELETED:
        changes.gone_vendors.add(event.vendor_id or "")
    elif event.type is EventType.CATEGORY_DELETED:
        changes.gone_categories.update(event.category_ids)
    elif event.type is EventType.VENDOR_UPSERTED:
        changes.vendors.add(event.vendor_id or "")
    elif event.type is EventType.CATEGORY_UPSERTED:
        changes.categories.update(event.category_ids)
    elif event.type is EventType.BUYER_ERASED:
        changes.erased.add(event.buyer_id or "")
        changes.buyers.discard(event.buyer_id or "")
    else:
        _collect_dealing(changes, event)


def _collect_dealing(changes: Changes, event: Event) -> None:
    """Everything else names the buyer and the offer it is about, where there is one."""
    if event.buyer_id is not None:
        changes.buyers.add(event.buyer_id)
        changes.erased.discard(event.buyer_id)
    if event.offer_id is not None:
        changes.offers.add(event.offer_id)
