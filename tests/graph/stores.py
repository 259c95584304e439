"""What the store's tests share: a clock that the test sets, rows that they write."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from core.entities import RowResult, RowStatus, WriteResult

# Texts of more than twelve bytes: the embedded engine keeps shorter ones another way.
BUYER, OTHER_BUYER = "buyer-number-0001", "buyer-number-0002"
VENDOR, OTHER_VENDOR = "vendor-number-0001", "vendor-number-0002"
OFFER, OTHER_OFFER = "offer-number-0001", "offer-number-0002"
ROOT, BRANCH, LEAF = "category-root-0001", "category-branch-0001", "category-leaf-0001"


def day(number: float) -> datetime:
    """Noon of a day in January 2024, and fractions of days after it."""
    return datetime(2024, 1, 1, 12, tzinfo=UTC) + timedelta(days=number - 1)


class SetClock:
    """A clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.now = day(20)

    def __call__(self) -> datetime:
        return self.now


def statuses(result: WriteResult) -> list[RowStatus]:
    return [row.status for row in result.rows]


def failure(row: RowResult) -> tuple[str, tuple[str, ...]]:
    """Code and field of a row that failed."""
    assert row.status is RowStatus.FAILED
    assert row.error is not None
    assert row.error.message
    return row.error.code, row.error.field


def purchase(key: str, at: datetime, quantity: int = 1, **more: Any) -> dict[str, Any]:
    return {
        "id": key, "buyer_id": BUYER, "offer_id": OFFER, "at": at, "quantity": quantity, **more,
    }  # fmt: skip
