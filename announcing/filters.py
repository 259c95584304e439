"""Which match events a reader asks for, and which it may hear of.

Both are decided from the event itself: whom and what it names was frozen when it was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.entities import MATCH_EVENTS, Event, EventType, Principal, Role
from core.errors import InputError

MOST_IDS = 1_000
"""How many ids one condition of a filter may name."""

_SETS = ("buyers", "vendors", "categories", "types")
_WATCHERS = frozenset({Role.ANALYST, Role.ADMIN, Role.PARTNER})


@dataclass(frozen=True, slots=True)
class MatchEventFilter:
    """All conditions hold; None is no condition.

    Attributes:
        buyers: the event names one of these buyers.
        vendors: the offer was listed by one of these when the event was written.
        categories: the offer stood right in one of these (without sub-categories) then.
        types: the event is of one of these types.
        min_score: at least this score, in [0, 1]. A withdrawal has no score and always passes.

    Raises:
        InputError: when a condition could never hold, or names more than MOST_IDS ids.
    """

    buyers: frozenset[str] | None = None
    vendors: frozenset[str] | None = None
    categories: frozenset[str] | None = None
    types: frozenset[EventType] | None = None
    min_score: float = 0.0

    def __post_init__(self) -> None:
        for name in _SETS:
            asked = getattr(self, name)
            if asked is not None and not 0 < len(asked) <= MOST_IDS:
                raise InputError(
                    f"filter.{name} names {len(asked)}; it names 1 to {MOST_IDS}.",
                    mend="Leave it out to hear of all.",
                    field=("filter", name),
                )
        if self.types is not None and not self.types <= set(MATCH_EVENTS):
            raise InputError(
                "filter.types holds what is no match event.", field=("filter", "types")
            )
        if not 0.0 <= self.min_score <= 1.0:
            raise InputError(
                f"filter.minScore is {self.min_score}; it lies in [0, 1].",
                field=("filter", "min_score"),
            )

    def passes(self, event: Event) -> bool:
        """Whether the event was asked for."""
        if self.types is not None and event.type not in self.types:
            return False
        if self.buyers is not None and event.buyer_id not in self.buyers:
            return False
        if self.vendors is not None and event.vendor_id not in self.vendors:
            return False
        if self.categories is not None and self.categories.isdisjoint(event.category_ids):
            return False
        if self.min_score <= 0.0 or event.type is EventType.MATCH_WITHDRAWN:
            return True
        return event.score is not None and event.score >= self.min_score

    def to_mapping(self) -> dict[str, Any]:
        """The filter as JSON can hold it; conditions that are not there are left out."""
        mapping: dict[str, Any] = {
            name: sorted(getattr(self, name)) for name in _SETS if getattr(self, name) is not None
        }
        if self.min_score:
            mapping["minScore"] = self.min_score
        return mapping

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> MatchEventFilter:
        """The filter that to_mapping() wrote down.

        Raises:
            InputError: when it names a type of event that there is not.
        """

        def ids(name: str) -> frozenset[str] | None:
            return frozenset(mapping[name]) if mapping.get(name) is not None else None

        try:
            types = ids("types")
            kinds = None if types is None else frozenset(EventType(one) for one in types)
        except ValueError as error:
            raise InputError(f"{error}.", field=("filter", "types")) from error
        return cls(
            buyers=ids("buyers"),
            vendors=ids("vendors"),
            categories=ids("categories"),
            types=kinds,
            min_score=float(mapping.get("minScore", 0.0)),
        )


def may_receive(principal: Principal, event: Event) -> bool:
    """Whether a principal may hear of a match event.

    A buyer hears of its own, a vendor of those of its own offers; partners, analysts and admins
    hear of all.
    """
    if principal.role in _WATCHERS:
        return True
    if principal.role is Role.BUYER:
        return event.buyer_id is not None and event.buyer_id == principal.subject
    return event.vendor_id is not None and event.vendor_id == principal.subject
