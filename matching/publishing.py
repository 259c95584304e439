"""Publishing matches: what the matcher answers now, written into the graph for people to look at.

Nothing reads it back; see graph.matched. A publication that is killed leaves whole batches of
buyers, and the next one goes over all of them again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from functools import partial

import numpy as np

from core.progress import SILENT, Progress
from graph.matched import Matched, Renewal
from graph.store import GraphStore
from matching.explanations import explain_offers
from matching.ranking import rank_offer_rows
from matching.requests import OfferFilter, OfferMatchRequest, check_request, check_top
from matching.state import MatcherState

# Relationships that one transaction renews, about.
BATCH_ROWS = 4_000


async def publish_matches(
    store: GraphStore,
    state: MatcherState,
    *,
    first: int = 20,
    min_score: float = 0.0,
    progress: Progress = SILENT,
) -> Renewal:
    """Make the graph's MATCHED relationships those of this state: ``first`` a buyer, with why.

    Only what differs is written, a batch of buyers in a transaction. Matches of buyers that are
    gone from the state are removed.

    Raises:
        InputError: when ``first`` or ``min_score`` is out of its range.
    """
    request = OfferMatchRequest(filter=OfferFilter(min_score=min_score))
    check_request(request)
    check_top(first)
    table = state.buyer_table
    present = {key for key, row in table.index.items() if table.present[row]}
    buyer_ids = sorted(present.union(await store.matched_buyers()))
    size = max(1, BATCH_ROWS // first)
    total = Renewal()
    with progress.task("Publish matches", total=len(buyer_ids)) as task:
        for start in range(0, len(buyer_ids), size):
            batch = buyer_ids[start : start + size]
            rank = partial(matches_of, state, batch, request, first, store.clock())
            total += await store.renew_matched(batch, await asyncio.to_thread(rank))
            task.advance(len(batch))
    return total


def matches_of(
    state: MatcherState,
    buyer_ids: Sequence[str],
    request: OfferMatchRequest,
    first: int,
    now: datetime,
) -> list[Matched]:
    """The first matches of these buyers, by buyer and rank; none of one that is not there."""
    matches: list[Matched] = []
    for buyer_id in buyer_ids:
        buyer = state.buyer_state(buyer_id)
        if buyer is None:
            continue
        ranked = rank_offer_rows(state, buyer, request, now)
        rows = ranked.rows[:first]
        reasons = explain_offers(state, buyer_id, buyer, np.array(rows, np.int32), 1)
        for rank, (row, told) in enumerate(zip(rows, reasons, strict=True), start=1):
            matches.append(
                Matched(
                    buyer_id=buyer_id,
                    offer_id=state.corpus.offers.ids[row],
                    score=float(ranked.scores[row]),
                    rank=rank,
                    model_version=state.model_version,
                    explanation=told[0].summary if told else None,
                    explanation_kind=told[0].kind.value if told else None,
                    contribution=told[0].contribution if told else None,
                )
            )
    return matches
