"""Match events written straight into a log, for tests of those who read it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from core.entities import EventType
from graph.engine import Transaction
from graph.session import EventDraft, Outcome
from graph.store import GraphStore


def match(
    buyer_id: str, offer_id: str = "o-1", type: EventType = EventType.MATCH_CREATED, **more: Any
) -> EventDraft:
    """A match event with what it always has; ``more`` overrides."""
    draft = EventDraft(
        type,
        buyer_id=buyer_id,
        offer_id=offer_id,
        vendor_id="v-1",
        category_ids=("c-1",),
        payload={"reason": "OFFER_CHANGED"},
        score=0.5,
        rank=1,
        model_version="walk",
    )
    if type is EventType.MATCH_WITHDRAWN:
        draft = replace(draft, score=None, rank=None, payload={"reason": "SOLD_OUT"})
    return replace(draft, **more)


async def tell(store: GraphStore, *drafts: EventDraft) -> int:
    """Append events in one transaction; the log's last seq."""

    async def work(tx: Transaction) -> Outcome:
        return Outcome((), drafts)

    return (await store.commit("tell", None, work)).seq
