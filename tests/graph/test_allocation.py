"""Which lines a cancellation takes back: against a unit-by-unit oracle."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from graph.allocation import CancellationLine, OrderLine, choose_lines, meet_open
from tests.graph.stores import day

LINES = st.lists(
    st.tuples(st.integers(0, 4), st.integers(1, 5), st.integers(0, 5)), max_size=6
)  # day, quantity, cancelled before


def order_lines(drawn: list[tuple[int, int, int]]) -> list[OrderLine]:
    return [
        OrderLine(f"line-{n}", "b", "o", day(at), quantity, min(cancelled, quantity))
        for n, (at, quantity, cancelled) in enumerate(drawn)
    ]


@given(LINES, st.integers(1, 12) | st.none(), st.integers(0, 5))
def test_units_come_from_the_most_recent_strictly_earlier_lines(
    drawn: list[tuple[int, int, int]], quantity: int | None, at: int
) -> None:
    lines = order_lines(drawn)
    # Every unit on its own, the most recent first; a cancellation takes the first so many.
    units = [line.id for line in lines if line.at < day(at) for _ in range(line.left)]
    keys = {line.id: (line.at, line.id) for line in lines}
    units.sort(key=lambda key: keys[key], reverse=True)
    chosen = choose_lines(lines, quantity, day(at))
    taken = [line.id for line, count in chosen for _ in range(count)]
    assert taken == units[:quantity]
    assert len({line.id for line, _ in chosen}) == len(chosen)


@given(
    st.integers(0, 4),
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), max_size=5),
)
def test_a_late_line_meets_the_kept_cancellations_behind_it(
    at: int, quantity: int, drawn: list[tuple[int, int]]
) -> None:
    kept = [CancellationLine(f"x-{n}", "b", "o", day(t), q) for n, (t, q) in enumerate(drawn)]
    line = OrderLine("line", "b", "o", day(at), quantity)
    changed = meet_open(line, kept)
    later = [c for c in kept if c.at > line.at]
    assert line.cancelled_quantity == min(quantity, sum(c.quantity for c in later))
    assert line.cancelled_quantity == sum(c.matched_quantity for c in kept)
    assert [c for c in kept if c.matched_quantity] == [c for c in kept if c in changed]
    assert all(c.matched_quantity == 0 for c in kept if c not in later)
    assert line.cancelled_at == (max((c.at for c in changed), default=None))
    # An earlier cancellation is filled before a later one gets anything.
    order = sorted(later, key=lambda c: (c.at, c.id))
    assert all(a.open == 0 or b.matched_quantity == 0 for a, b in pairwise(order))


@given(st.integers(1, 9), st.integers(0, 9), st.lists(st.integers(1, 4), max_size=6))
def test_the_stock_gets_back_what_it_gave_and_no_more(
    quantity: int, stock: int, steps: list[int]
) -> None:
    taken = min(stock, quantity)
    line = OrderLine("line", "b", "o", day(1), quantity, stock_taken=taken)
    returned = 0
    for number, units in enumerate(steps):
        returned += line.take_back(min(units, line.left), day(1) + timedelta(hours=number))
        assert returned + line.stock_taken == taken
        assert line.stock_taken == min(taken, line.left)
