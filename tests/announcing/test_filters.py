"""Which match events pass a filter, and who may hear of them."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from announcing.filters import MOST_IDS, MatchEventFilter, may_receive
from core.entities import Event, EventType, Principal, Role
from core.errors import InputError

EVENT = Event(
    seq=7,
    id="g-7",
    type=EventType.MATCH_CREATED,
    occurred_at=datetime(2026, 1, 1, tzinfo=UTC),
    buyer_id="b-1",
    offer_id="o-1",
    vendor_id="v-1",
    category_ids=("c-1", "c-2"),
    score=0.5,
    rank=3,
)
WITHDRAWN = replace(EVENT, type=EventType.MATCH_WITHDRAWN, score=None, rank=None)


@pytest.mark.parametrize(
    ("conditions", "passes"),
    [
        ({}, True),
        ({"buyers": {"b-1", "b-2"}}, True),
        ({"buyers": {"b-2"}}, False),
        ({"vendors": {"v-1"}}, True),
        ({"vendors": {"v-2"}}, False),
        ({"categories": {"c-2", "c-9"}}, True),
        ({"categories": {"c-9"}}, False),
        ({"types": {EventType.MATCH_CREATED}}, True),
        ({"types": {EventType.MATCH_UPDATED}}, False),
        ({"min_score": 0.5}, True),
        ({"min_score": 0.51}, False),
        ({"buyers": {"b-1"}, "vendors": {"v-2"}}, False),
    ],
)
def test_every_condition_holds(conditions: dict[str, Any], passes: bool) -> None:
    frozen: dict[str, Any] = {
        name: frozenset(value) if isinstance(value, set) else value
        for name, value in conditions.items()
    }
    assert MatchEventFilter(**frozen).passes(EVENT) is passes


def test_a_score_does_not_keep_a_withdrawal_back() -> None:
    assert MatchEventFilter(min_score=1.0).passes(WITHDRAWN)
    assert not MatchEventFilter(min_score=0.1).passes(replace(EVENT, score=None))


def test_nobody_lists_an_offer_without_a_vendor() -> None:
    assert not MatchEventFilter(vendors=frozenset({"v-1"})).passes(replace(EVENT, vendor_id=None))


def test_a_filter_outlives_its_writing_down() -> None:
    asked = MatchEventFilter(
        buyers=frozenset({"b-2", "b-1"}),
        categories=frozenset({"c-1"}),
        types=frozenset({EventType.MATCH_WITHDRAWN}),
        min_score=0.25,
    )
    written = json.loads(json.dumps(asked.to_mapping()))
    assert MatchEventFilter.from_mapping(written) == asked
    assert MatchEventFilter().to_mapping() == {}
    assert MatchEventFilter.from_mapping({}) == MatchEventFilter()


@pytest.mark.parametrize(
    ("conditions", "field"),
    [
        ({"buyers": frozenset()}, "buyers"),
        ({"vendors": frozenset(str(number) for number in range(MOST_IDS + 1))}, "vendors"),
        ({"types": frozenset()}, "types"),
        ({"types": frozenset({EventType.OFFER_UPSERTED})}, "types"),
        ({"min_score": 1.01}, "min_score"),
        ({"min_score": float("nan")}, "min_score"),
    ],
)
def test_what_could_never_hold_is_refused(conditions: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as caught:
        MatchEventFilter(**conditions)
    assert caught.value.field == ("filter", field)


def test_an_unknown_type_is_refused() -> None:
    with pytest.raises(InputError):
        MatchEventFilter.from_mapping({"types": ["MATCH_IMAGINED"]})


@pytest.mark.parametrize(
    ("role", "subject", "may"),
    [
        (Role.BUYER, "b-1", True),
        (Role.BUYER, "b-2", False),
        (Role.BUYER, "v-1", False),
        (Role.VENDOR, "v-1", True),
        (Role.VENDOR, "b-1", False),
        (Role.PARTNER, "anybody", True),
        (Role.ANALYST, "anybody", True),
        (Role.ADMIN, "anybody", True),
    ],
)
def test_who_may_hear(role: Role, subject: str, may: bool) -> None:
    assert may_receive(Principal(role, subject), EVENT) is may
    assert may_receive(Principal(role, subject), WITHDRAWN) is may


def test_an_event_of_nobody_is_not_everybodys() -> None:
    nobodys = replace(EVENT, buyer_id=None, vendor_id=None)
    assert not may_receive(Principal(Role.BUYER, ""), nobodys)
    assert not may_receive(Principal(Role.VENDOR, ""), nobodys)
