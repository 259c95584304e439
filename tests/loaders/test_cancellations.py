"""Allocation in one pass against the rule said one cancellation at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from graph.allocation import OrderLine, choose_lines
from loaders.cancellations import LINES, allocate

START = datetime(2024, 1, 1, tzinfo=UTC)
EVENT = st.tuples(
    st.sampled_from("ab"), st.sampled_from("xy"), st.integers(0, 6), st.integers(1, 5)
)
Event = tuple[str, str, int, int]


def frame(events: list[Event], prefix: str) -> pl.DataFrame:
    rows: list[dict[str, Any]] = [
        {
            "buyer_id": buyer,
            "offer_id": offer,
            "id": f"{prefix}{number:03d}",
            "at": START + timedelta(hours=hour),
            "left": units,
        }
        for number, (buyer, offer, hour, units) in enumerate(events)
    ]
    return pl.DataFrame(rows, schema=LINES)


@settings(max_examples=100, deadline=None)
@given(st.lists(EVENT, max_size=14), st.lists(EVENT, max_size=10))
def test_allocation_equals_the_rule_applied_line_by_line(
    bought: list[Event], taken_back: list[Event]
) -> None:
    lines, cancellations = frame(bought, "p"), frame(taken_back, "c")
    done = allocate(lines, cancellations)
    kept = [
        OrderLine(row["id"], row["buyer_id"], row["offer_id"], row["at"], row["left"])
        for row in lines.iter_rows(named=True)
    ]
    matched = {}
    for row in cancellations.sort("at", "id").iter_rows(named=True):
        own = [k for k in kept if (k.buyer_id, k.offer_id) == (row["buyer_id"], row["offer_id"])]
        chosen = choose_lines(own, row["left"], row["at"])
        for line, units in chosen:
            line.take_back(units, row["at"])
        matched[row["id"]] = sum(units for _, units in chosen)
    expected = {k.id: (k.cancelled_quantity, k.cancelled_at) for k in kept if k.cancelled_quantity}
    rows = done.taken.select("id", "units", "cancelled_at").rows()
    assert {name: (units, at) for name, units, at in rows} == expected
    assert dict(done.matched.select("id", "units").rows()) == {
        k: v for k, v in matched.items() if v
    }


def test_what_happens_at_the_same_moment_is_not_earlier() -> None:
    done = allocate(frame([("a", "x", 1, 2)], "p"), frame([("a", "x", 1, 2)], "c"))
    assert done.taken.height == done.matched.height == 0
