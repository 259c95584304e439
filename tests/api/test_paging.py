"""Ids, cursors and the pages of lists that page by key."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.cursors import Cursors
from api.ids import Label, external_id_of, global_id, parse_global_id
from core.errors import CursorInvalidError, InputError
from tests.api import market
from tests.api.serving import Serving

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
CURSORS = Cursors("a graph")


@given(st.sampled_from(Label), TEXT)
def test_a_global_id_leads_back(label: Label, key: str) -> None:
    opaque = global_id(label, key)
    assert parse_global_id(opaque) == (label, key)
    assert external_id_of(opaque, label) == key


@given(TEXT, st.sampled_from(Label))
def test_what_is_no_global_id_is_an_external_one(key: str, label: Label) -> None:
    try:
        found, _ = parse_global_id(key)
    except InputError:
        found = None
    if found is not label:
        assert external_id_of(key, label) == key


@given(TEXT, TEXT)
def test_a_key_cursor_leads_back_in_its_own_list_only(listing: str, key: str) -> None:
    cursor = CURSORS.key_cursor(listing, key)
    assert CURSORS.read_key(cursor, listing) == key
    with pytest.raises(CursorInvalidError):
        CURSORS.read_key(cursor, listing + "x")
    with pytest.raises(CursorInvalidError):
        CURSORS.read_ranking(cursor)
    with pytest.raises(CursorInvalidError):
        Cursors("another graph").read_key(cursor, listing)


@given(TEXT, st.integers(0, 1000), TEXT)
def test_a_ranking_cursor_leads_back(ranking_id: str, position: int, arguments: str) -> None:
    cursor = CURSORS.ranking_cursor(ranking_id, position, arguments)
    place = CURSORS.read_ranking(cursor)
    assert (place.ranking_id, place.position, place.arguments_hash) == (
        ranking_id,
        position,
        arguments,
    )
    with pytest.raises(CursorInvalidError):
        CURSORS.read_key(cursor, ranking_id)


@given(TEXT, st.data())
def test_a_changed_cursor_is_refused(key: str, data: st.DataObject) -> None:
    cursor = CURSORS.key_cursor("list", key)
    # The last character of unpadded base64 has bits that say nothing; any other one counts.
    at = data.draw(st.integers(0, len(cursor) - 2))
    other = data.draw(st.sampled_from("ABCXYZabcxyz0189-_").filter(lambda c: c != cursor[at]))
    with pytest.raises(CursorInvalidError):
        CURSORS.read_key(cursor[:at] + other + cursor[at + 1 :], "list")


@given(st.text(max_size=100))
def test_any_text_is_no_cursor(text: str) -> None:
    with pytest.raises(CursorInvalidError):
        CURSORS.read_key(text, "list")


PAGE = """query ($first: Int, $after: String, $last: Int, $before: String) {
  list: %s(first: $first, after: $after, last: $last, before: $before) {
    edges { cursor node { externalId } }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  } }"""


def page(serving: Serving, listing: str, **variables: Any) -> tuple[list[str], dict[str, Any]]:
    data = serving.data(PAGE % listing, **variables)["list"]
    return [edge["node"]["externalId"] for edge in data["edges"]], data["pageInfo"]


@pytest.mark.parametrize("listing", ["offers", "buyers", "vendors", "categories"])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_pages_add_up_in_both_directions(served: Serving, listing: str, size: int) -> None:
    forward: list[str] = []
    ids, info = page(served, listing, first=size)
    assert not info["hasPreviousPage"]
    forward += ids
    while info["hasNextPage"]:
        ids, info = page(served, listing, first=size, after=info["endCursor"])
        assert info["hasPreviousPage"]
        forward += ids
    assert forward == sorted(set(forward))
    backward: list[str] = []
    ids, info = page(served, listing, last=size)
    backward = ids + backward
    while info["hasPreviousPage"]:
        ids, info = page(served, listing, last=size, before=info["startCursor"])
        backward = ids + backward
    assert backward == forward


def test_a_page_can_lie_between_two_cursors(served: Serving) -> None:
    ids, _ = page(served, "offers", first=10)
    data = served.data(PAGE % "offers", first=10)["list"]["edges"]
    between, info = page(served, "offers", after=data[2]["cursor"], before=data[6]["cursor"])
    assert between == ids[3:6]
    assert not info["hasNextPage"]


def test_twenty_come_unless_said_and_none_when_asked(served: Serving) -> None:
    assert len(page(served, "offers")[0]) == 20
    ids, info = page(served, "offers", first=0)
    assert ids == []
    assert info["hasNextPage"]


@pytest.mark.parametrize(
    "variables", [{"first": 101}, {"first": -1}, {"last": 101}, {"first": 1, "last": 1}]
)
def test_a_page_that_cannot_be_meant_is_refused(served: Serving, variables: dict[str, Any]) -> None:
    assert served.codes(PAGE % "offers", **variables) == ["BAD_INPUT"]


def test_a_cursor_of_another_list_is_refused(served: Serving) -> None:
    _, info = page(served, "offers", first=1)
    assert served.codes(PAGE % "buyers", after=info["endCursor"]) == ["CURSOR_INVALID"]
    assert served.codes(PAGE % "buyers", after="nonsense") == ["CURSOR_INVALID"]


def test_an_entity_is_found_by_each_of_its_names(served: Serving) -> None:
    for field, key in (
        ("buyer", market.buyer(3)),
        ("offer", market.offer(3)),
        ("vendor", market.vendor(3)),
        ("category", market.ROOT),
    ):
        by = f"query ($by: By!) {{ found: {field}(by: $by) {{ id externalId }} }}"
        found = served.data(by, by={"externalId": key})["found"]
        assert found["externalId"] == key
        assert served.data(by, by={"id": found["id"]})["found"] == found
        node = "query ($id: ID!) { node(id: $id) { __typename id } }"
        assert served.data(node, id=found["id"])["node"] == {
            "__typename": field.title(),
            "id": found["id"],
        }
        assert served.data(by, by={"externalId": "nobody"})["found"] is None
        gone = global_id(Label(field.title()), "nobody")
        assert served.data(node, id=gone)["node"] is None


def test_an_id_of_another_type_or_none_is_refused(served: Serving) -> None:
    by = "query ($by: By!) { buyer(by: $by) { id } }"
    assert served.codes(by, by={"id": global_id(Label.OFFER, "x")}) == ["BAD_INPUT"]
    assert served.codes(by, by={"id": "nonsense"}) == ["BAD_INPUT"]
    assert served.codes(by, by={}) == ["GRAPHQL_VALIDATION_FAILED"]
    both = {"id": global_id(Label.BUYER, "x"), "externalId": "x"}
    assert served.codes(by, by=both) == ["GRAPHQL_VALIDATION_FAILED"]
    assert served.codes('{ node(id: "nonsense") { id } }') == ["BAD_INPUT"]


def test_the_catalogue_hangs_together(served: Serving) -> None:
    data = served.data(
        """query ($root: ID!, $vendor: ID!) {
          category(by: {externalId: $root}) {
            parent { id } children { externalId parent { externalId } }
            offers(first: 100) { edges { node { externalId } } }
          }
          vendor(by: {externalId: $vendor}) {
            name offers(first: 100) { edges { node { vendor { externalId } } } }
          } }""",
        root=market.ROOT,
        vendor=market.vendor(1),
    )
    category = data["category"]
    assert category["parent"] is None
    assert [one["externalId"] for one in category["children"]] == sorted(market.LEAVES)
    assert {one["parent"]["externalId"] for one in category["children"]} == {market.ROOT}
    assert len(category["offers"]["edges"]) >= market.OFFERS
    listed = data["vendor"]["offers"]["edges"]
    assert {edge["node"]["vendor"]["externalId"] for edge in listed} == {market.vendor(1)}
