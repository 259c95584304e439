"""Which order lines a cancellation takes back, and which kept cancellations a late line meets."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class OrderLine:
    """An order line while cancellations are allocated; ``stock_taken`` units came off the stock."""

    id: str
    buyer_id: str
    offer_id: str
    at: datetime
    quantity: int
    cancelled_quantity: int = 0
    cancelled_at: datetime | None = None
    stock_taken: int = 0

    @property
    def left(self) -> int:
        """Units that still count."""
        return self.quantity - self.cancelled_quantity

    def take_back(self, units: int, at: datetime) -> int:
        """Cancel ``units`` of this line; returns how many of them go back to the stock."""
        self.cancelled_quantity += units
        self.cancelled_at = at if self.cancelled_at is None else max(at, self.cancelled_at)
        returned = max(0, self.stock_taken - self.left)
        self.stock_taken -= returned
        return returned


@dataclass(slots=True)
class CancellationLine:
    """A cancellation while it is allocated; ``matched_quantity`` units met an order line."""

    id: str
    buyer_id: str
    offer_id: str
    at: datetime
    quantity: int
    matched_quantity: int = 0
    order_id: str | None = None

    @property
    def open(self) -> int:
        """Units that have met nothing yet."""
        return self.quantity - self.matched_quantity


def choose_lines(
    lines: Iterable[OrderLine], quantity: int | None, at: datetime
) -> list[tuple[OrderLine, int]]:
    """The lines that a cancellation at this time takes back, and how much of each.

    The most recent strictly earlier lines come first, equal times in falling order of id.
    ``quantity`` None takes all that is left of all earlier lines.
    """
    earlier = [line for line in lines if line.at < at and line.left > 0]
    chosen = []
    for line in sorted(earlier, key=lambda line: (line.at, line.id), reverse=True):
        units = line.left if quantity is None else min(line.left, quantity)
        if units <= 0:
            break
        chosen.append((line, units))
        if quantity is not None:
            quantity -= units
    return chosen


def meet_open(line: OrderLine, kept: Iterable[CancellationLine]) -> list[CancellationLine]:
    """Let the kept cancellations that are strictly later than a new line take from it.

    The earliest comes first. Changes line and cancellations; returns the cancellations it changed.
    """
    later = [cancellation for cancellation in kept if cancellation.at > line.at]
    changed = []
    for cancellation in sorted(later, key=lambda cancellation: (cancellation.at, cancellation.id)):
        units = min(line.left, cancellation.open)
        if units > 0:
            line.take_back(units, cancellation.at)
            cancellation.matched_quantity += units
            changed.append(cancellation)
    return changed
