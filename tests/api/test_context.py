"""Circumstances through the API: recorded by name, shown by name, refused when malformed."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.api import market
from tests.api.serving import Serving
from tests.api.test_mutations import fresh, mutate

SHOWN = "purchase { context contextValues { name value } }"
WET = {"name": "weather", "value": "rain"}
PHONE = {"name": "device", "value": "phone"}


def line(**more: Any) -> dict[str, Any]:
    key = {"buyerId": market.buyer(50), "offerId": market.offer(50), "externalId": fresh("line")}
    return key | more


def test_what_is_recorded_by_name_is_shown_by_name(served: Serving) -> None:
    given = mutate(served, "recordPurchase", line(contextValues=[WET, PHONE]), SHOWN)
    assert given["purchase"] == {
        "context": "device=phone; weather=rain",
        "contextValues": [PHONE, WET],
    }
    as_text = mutate(served, "recordPurchase", line(context="weather=rain"), SHOWN)
    assert as_text["purchase"] == {"context": "weather=rain", "contextValues": [WET]}
    free = mutate(served, "recordPurchase", line(context="by telephone"), SHOWN)
    assert free["purchase"] == {"context": "by telephone", "contextValues": []}
    none = mutate(served, "recordPurchase", line(contextValues=[]), SHOWN)
    assert none["purchase"] == {"context": None, "contextValues": []}


def test_an_interaction_keeps_them_too(served: Serving) -> None:
    seen = {"buyerId": market.buyer(51), "offerId": market.offer(51), "kind": "VIEWED"}
    done = mutate(served, "recordInteraction", seen | {"contextValues": [PHONE]}, "interactionId")
    assert done["errors"] == []
    interactions = served.run(served.services.store.read_snapshot()).interactions
    mine = interactions.filter(pl.col("buyer_id") == market.buyer(51))
    assert mine["context"].to_list() == ["device=phone"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"contextValues": [{"name": "Weather", "value": "rain"}]}, "'Weather' is not of 1 to 32"),
        ({"contextValues": [{"name": "weather", "value": ""}]}, "value '' of weather"),
        ({"contextValues": [WET, {"name": "weather", "value": "sun"}]}, "names weather twice"),
        ({"contextValues": [WET], "context": "shop"}, "two ways to say the same"),
    ],
)
def test_what_is_malformed_is_refused_and_says_where(
    served: Serving, wrong: dict[str, Any], words: str
) -> None:
    refused = mutate(served, "recordPurchase", line(**wrong), SHOWN)
    assert refused["status"] == "FAILED"
    assert refused["purchase"] is None
    (error,) = refused["errors"]
    assert words in error["message"]
    assert (error["code"], error["field"]) == ("BAD_INPUT", ["input", "contextValues"])


ASKED = """query ($buyer: ID!, $context: [ContextValueInput!], $after: String) {
  buyer(by: {externalId: $buyer}) { matches(first: 5, context: $context, after: $after) {
    pageInfo { endCursor } edges { node { score offer { externalId } explanations { kind } } } } }
}"""
OTHERWISE = """query ($offer: ID!, $context: [ContextValueInput!]) {
  offer(by: {externalId: $offer}) { matches(first: 5, context: $context) {
    edges { node { score explanations { kind } } } } } }"""
WHY = """query ($buyer: ID!, $offer: ID!, $context: [ContextValueInput!]) {
  explain(buyer: $buyer, offer: $offer, context: $context) { score } }"""


def test_matches_are_asked_under_circumstances(served: Serving) -> None:
    ids = {"buyer": market.buyer(5), "offer": market.offer(5)}
    for query in (ASKED, OTHERWISE, WHY):
        mine = {name: key for name, key in ids.items() if f"${name}" in query}
        plain = served.data(query, **mine)
        asked = served.data(query, context=[WET], **mine)
        # Without a trained model nothing was learned of the weather.
        for found in (plain, asked):
            (found.get("buyer") or {}).get("matches", {}).pop("pageInfo", None)
        assert asked == plain
        wrong = [{"name": "Weather", "value": "rain"}]
        answer = served.post(query, context=wrong, **mine).json()
        (error,) = answer["errors"]
        assert error["extensions"]["code"] == "BAD_INPUT"
        assert error["extensions"]["field"] == ["context"]


def test_a_cursor_goes_with_its_circumstances(served: Serving) -> None:
    buyer = market.buyer(5)
    page = served.data(ASKED, buyer=buyer, context=[WET, PHONE])["buyer"]["matches"]
    after = page["pageInfo"]["endCursor"]
    assert served.codes(ASKED, buyer=buyer, after=after) == ["CURSOR_INVALID"]
    assert served.codes(ASKED, buyer=buyer, after=after, context=[WET]) == ["CURSOR_INVALID"]
    # The same circumstances in another order are the same request.
    assert served.codes(ASKED, buyer=buyer, after=after, context=[PHONE, WET]) == []
