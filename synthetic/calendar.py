"""The history's days: which month they belong to and how busy they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt

from synthetic.spec import MarketplaceSpec

DAY_US = 86_400_000_000
WEEKDAY = np.array([1.10, 1.10, 1.05, 1.00, 0.95, 0.35, 0.15])
"""Demand from Monday to Sunday."""

GROWTH = 0.3
"""By how much the last day is busier than the first."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """Days are numbered from 0; a slot is a calendar month, cut where the history is.

    Args:
        start_us: midnight before day 0, microseconds since 1970 in UTC.
        weight: how busy each day is (days,).
        slot_of_day: slot of each day (days,), ascending from 0.
        first_day: first day of each slot, and the number of days at the end (slots + 1,).
        month: calendar month of each slot (slots,), 0 is January.
    """

    start_us: int
    weight: npt.NDArray[np.float64]
    slot_of_day: npt.NDArray[np.int64]
    first_day: npt.NDArray[np.int64]
    month: npt.NDArray[np.int64]

    @property
    def days(self) -> int:
        """Length of the history."""
        return int(self.weight.size)

    @property
    def end_us(self) -> int:
        """The end of the last day, exclusive."""
        return self.start_us + self.days * DAY_US

    @property
    def slots(self) -> int:
        """Number of calendar months touched."""
        return int(self.month.size)

    def day_of(self, at_us: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The day of each moment; moments outside the history belong to its nearest day."""
        return np.clip((at_us - self.start_us) // DAY_US, 0, self.days - 1)


def make_calendar(spec: MarketplaceSpec) -> Calendar:
    """The calendar of the history that ``spec`` describes."""
    start = spec.end - timedelta(days=spec.days)
    first = np.datetime64(start.replace(tzinfo=None), "us")
    dates = first + np.arange(spec.days) * np.timedelta64(1, "D")
    months = dates.astype("datetime64[M]").astype(np.int64)
    edges = np.flatnonzero(np.diff(months, prepend=months[0] - 1))
    weekday = (dates.astype("datetime64[D]").astype(np.int64) + 3) % 7
    return Calendar(
        start_us=int(first.astype(np.int64)),
        weight=WEEKDAY[weekday] * (1 + GROWTH * np.arange(spec.days) / spec.days),
        slot_of_day=np.searchsorted(edges, np.arange(spec.days), side="right") - 1,
        first_day=np.append(edges, spec.days),
        month=months[edges] % 12,
    )
