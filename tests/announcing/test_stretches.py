"""What a stretch of the log asks to look at, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from announcing.stretches import Concerns, concerns_of, turned
from core.entities import Event, EventType
from matching.state import MatcherState, build_state
from tests.matching.markets import NOW, varied_snapshot


@pytest.fixture(scope="module")
def state() -> MatcherState:
    return build_state(varied_snapshot(), None)


def event(type: EventType, seq: int = 1, **more: object) -> Event:
    return replace(Event(seq, f"e-{seq}", type, NOW), **more)  # type: ignore[arg-type]


def test_events_name_whom_they_concern(state: MatcherState) -> None:
    events = [
        event(EventType.PURCHASE_RECORDED, buyer_id="b1", offer_id="o1"),
        event(EventType.INTERACTION_RECORDED, buyer_id="b2", offer_id="o2"),
        event(EventType.PREFERENCES_SET, buyer_id="b3", category_ids=("c0",)),
        event(EventType.OFFER_UPSERTED, offer_id="o3", vendor_id="v1"),
        event(EventType.PURCHASE_CANCELLED, buyer_id="b4", offer_id="o4"),
        event(EventType.BUYER_UPSERTED, buyer_id="b5"),
        event(EventType.BUYER_ERASED, buyer_id="b2"),
        event(EventType.VENDOR_UPSERTED, vendor_id="v1", payload={"changed": ["name"]}),
        event(EventType.CATEGORY_UPSERTED, category_ids=("c0",), payload={"changed": ["name"]}),
    ]
    assert concerns_of(events, state) == Concerns(
        buyers={"b1", "b3", "b4", "b5"}, erased={"b2"}, offers={"o3", "o4"}, bought={"o1"}
    )


@pytest.mark.parametrize(
    "type",
    [
        EventType.IMPORT_FINISHED,
        EventType.MODEL_PUBLISHED,
        EventType.VENDOR_DELETED,
        EventType.CATEGORY_DELETED,
    ],
)
def test_what_names_nobody_concerns_everybody(state: MatcherState, type: EventType) -> None:
    assert concerns_of([event(type)], state).everybody


def test_a_category_under_another_parent_concerns_all_below_it(state: MatcherState) -> None:
    moved = event(
        EventType.CATEGORY_UPSERTED, category_ids=("c00",), payload={"changed": ["parent_id"]}
    )
    offers, index = state.corpus.offers, state.corpus.categories.index
    below = {index["c00"], index["c000"]}
    expected = {
        key
        for row, key in enumerate(offers.ids)
        if below & set(offers.categories.row(row).tolist())
    }
    assert expected
    assert concerns_of([moved], state).offers == expected


def test_validity_turns_at_its_bounds(state: MatcherState) -> None:
    # The first offer begins at NOW, the second one ends then; both are half-open intervals.
    moment = timedelta(microseconds=1)
    offers = state.corpus.offers
    at = round(NOW.timestamp() * 1e6)
    expected = {
        key
        for row, key in enumerate(offers.ids)
        if at in (offers.valid_from[row], offers.valid_to[row]) and offers.active[row]
    }
    assert expected
    assert turned(state, NOW - moment, NOW) == expected
    assert turned(state, NOW, NOW + moment) == set()
    assert turned(state, NOW - 2 * moment, NOW - moment) == set()
