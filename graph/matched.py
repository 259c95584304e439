"""MATCHED: the matches of a moment as relationships, for people who look at the graph.

A projection that is written and shown, never read back: no snapshot, training, export or match
looks at it (docs: the graph model).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graph.engine import Row, Transaction
from graph.queries import load_query
from graph.session import GraphSession

SCORE_STEP = 1e-6


@dataclass(frozen=True, slots=True)
class Matched:
    """One match as it is shown: its place, and the strongest reason for it.

    Attributes:
        buyer_id, offer_id: the ends.
        score: in (0, 1].
        rank: from 1.
        model_version: that scored it.
        explanation: one sentence; None when nothing explains the match.
        explanation_kind: PEERS, SIMILAR, ...; None without a sentence.
        contribution: the share of the score that goes with the evidence; None without a sentence.
    """

    buyer_id: str
    offer_id: str
    score: float
    rank: int
    model_version: str
    explanation: str | None = None
    explanation_kind: str | None = None
    contribution: float | None = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """How many relationships a renewal wrote anew, changed, removed and left as they were."""

    written: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0

    def __add__(self, other: Renewal) -> Renewal:
        """Both together."""
        return Renewal(
            self.written + other.written,
            self.changed + other.changed,
            self.removed + other.removed,
            self.unchanged + other.unchanged,
        )


class MatchedProjection(GraphSession):
    """Writing the MATCHED relationships."""

    async def matched_buyers(self) -> list[str]:
        """Ids of the buyers that have a MATCHED relationship, ascending."""
        return [str(row["id"]) for row in await self.engine.read(load_query("matched_buyers"))]

    async def renew_matched(self, buyer_ids: Sequence[str], matches: Sequence[Matched]) -> Renewal:
        """Make these the only MATCHED relationships of these buyers, in one transaction.

        One that differs by less than SCORE_STEP in score and contribution, and in nothing else,
        is left alone and keeps its time. A match whose buyer or offer is gone is left out.
        """
        wanted = {(match.buyer_id, match.offer_id): match for match in matches}
        now = self.clock()

        async def work(tx: Transaction) -> Renewal:
            rows = await tx.run(load_query("read_matched"), {"ids": list(buyer_ids)})
            stored = {(row["buyerId"], row["offerId"]): row for row in rows}
            fresh = [match for key, match in wanted.items() if key not in stored]
            moved = [
                match
                for key, match in wanted.items()
                if key in stored and not _is_as_stored(match, stored[key])
            ]
            gone = [_ends(*key) for key in stored if key not in wanted]
            await tx.run(load_query("drop_matched"), {"rows": gone})
            return Renewal(
                written=await _write(tx, [{**_row(match), "at": now} for match in fresh]),
                changed=await _write(tx, [{**_row(match), "at": now} for match in moved]),
                removed=len(gone),
                unchanged=len(stored) - len(moved) - len(gone),
            )

        return await self.engine.write(work)


async def _write(tx: Transaction, rows: list[dict[str, Any]]) -> int:
    """Write relationships; returns how many had both ends."""
    counted = await tx.run(load_query("write_matched"), {"rows": rows})
    return int(counted[0]["written"]) if counted else 0


def _ends(buyer_id: str, offer_id: str) -> dict[str, Any]:
    return {"buyerId": buyer_id, "offerId": offer_id}


def _row(match: Matched) -> dict[str, Any]:
    return {
        **_ends(match.buyer_id, match.offer_id),
        "score": match.score,
        "rank": match.rank,
        "modelVersion": match.model_version,
        "explanation": match.explanation,
        "explanationKind": match.explanation_kind,
        "contribution": match.contribution,
    }


def _is_as_stored(match: Matched, stored: Row) -> bool:
    row = _row(match)
    figures = ("score", "contribution")
    same = all(row[name] == stored[name] for name in row if name not in figures)
    return same and all(_is_close(row[name], stored[name]) for name in figures)


def _is_close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=0.0, abs_tol=SCORE_STEP)
