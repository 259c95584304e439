"""Which order lines the cancellations of an import take back.

The most recent strictly earlier lines of that buyer and offer first (equal times: the higher id),
cancellations in order of time: the rule of graph.allocation for whole tables at once. As lines and
cancellations come in order of time, a stack gives the answer in one pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from core.snapshot import TIME

LINES: dict[str, Any] = {
    "buyer_id": pl.String,
    "offer_id": pl.String,
    "id": pl.String,
    "at": TIME,
    "left": pl.Int64,
}
PAIR = ["buyer_id", "offer_id"]


@dataclass(frozen=True, slots=True)
class Allocation:
    """What cancellations took.

    Attributes:
        taken: buyer_id, offer_id, id, units, cancelled_at: order lines that lost units (> 0), and
            the time of the last cancellation that took some.
        matched: buyer_id, offer_id, id, units: cancellations that met something (> 0).
    """

    taken: pl.DataFrame
    matched: pl.DataFrame


def allocate(lines: pl.DataFrame, cancellations: pl.DataFrame) -> Allocation:
    """Allocate cancellations to order lines.

    Args:
        lines: order lines with what is left of them (LINES).
        cancellations: in the same shape, with what they have not met yet.

    Returns:
        The units that each line loses and that each cancellation meets.
    """
    events = pl.concat(
        [
            lines.select(*LINES, pl.lit(False).alias("back")),
            cancellations.select(*LINES, pl.lit(True).alias("back")),
        ]
    ).filter(pl.col("left") > 0)
    # At equal times cancellations go first: they only reach strictly earlier lines.
    events = events.sort([*PAIR, "at", "back", "id"], descending=[False, False, False, True, False])
    units, ats = _one_pass(events)
    columns = [*PAIR, "id", "units"]
    events = events.with_columns(pl.Series("units", units, dtype=pl.Int64))
    events = events.with_columns(pl.Series("cancelled_at", ats, dtype=TIME))
    met = events.filter(pl.col("units") > 0)
    return Allocation(
        met.filter(~pl.col("back")).select(*columns, "cancelled_at"),
        met.filter(pl.col("back")).select(columns),
    )


def _one_pass(events: pl.DataFrame) -> tuple[list[int], list[Any]]:
    units = [0] * events.height
    last: list[Any] = [None] * events.height
    left = events["left"].to_list()
    times = events["at"].to_list()
    backs = events["back"].to_list()
    pairs = events.select(pl.struct(PAIR).rle_id()).to_series().to_list()
    stack: list[int] = []
    pair = None
    for index, back in enumerate(backs):
        if pairs[index] != pair:
            pair, stack = pairs[index], []
        if not back:
            stack.append(index)
            continue
        while stack and left[index]:
            line = stack[-1]
            taken = min(left[line], left[index])
            left[line] -= taken
            left[index] -= taken
            units[line] += taken
            units[index] += taken
            last[line] = times[index]
            if not left[line]:
                stack.pop()
    return units, last
