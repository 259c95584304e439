"""Ids of lines that come without one."""

from __future__ import annotations

from datetime import timedelta, timezone

from graph.identity import hash_identity, identify_purchase
from tests.graph.stores import day


def test_a_lines_id_is_stable_and_takes_no_heed_of_the_zone() -> None:
    key = identify_purchase("536365", "b", "85123A", day(1), 6, 255)
    there = day(1).astimezone(timezone(timedelta(hours=9)))
    assert key == identify_purchase("536365", "another", "85123A", there, 6, 255)
    # Graphs hold such ids: they must never change.
    assert key == "22f30eeb382ade740e7b4682b618ac98"


def test_whatever_differs_makes_another_id() -> None:
    first = ("o", "b", "x", day(1), 1, 5, 0)
    others = [
        ("o2", "b", "x", day(1), 1, 5, 0),
        (None, "b", "x", day(1), 1, 5, 0),
        (None, "b2", "x", day(1), 1, 5, 0),
        ("b", "b", "x", day(1), 1, 5, 0),
        ("o", "b", "x2", day(1), 1, 5, 0),
        ("o", "b", "x", day(1) + timedelta(microseconds=1), 1, 5, 0),
        ("o", "b", "x", day(1), 2, 5, 0),
        ("o", "b", "x", day(1), 1, None, 0),
        ("o", "b", "x", day(1), 1, 5, 1),
    ]
    assert len({identify_purchase(*parts) for parts in (first, *others)}) == len(others) + 1
    assert hash_identity("k", None) != hash_identity("k", "")
