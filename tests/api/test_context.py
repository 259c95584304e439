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
