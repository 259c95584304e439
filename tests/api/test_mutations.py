"""Writes: what they answer, what they leave alone, and that the next query knows of them."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from api.ids import Label, global_id
from tests.api import market
from tests.api.serving import Serving

_NUMBERS = count()


def fresh(prefix: str) -> str:
    return f"{prefix}-{next(_NUMBERS)}"


def mutate(
    serving: Serving, name: str, input_: Any, answer: str = "", key: str | None = None
) -> dict[str, Any]:
    type_name = name[0].upper() + name[1:] + "Input!"
    if isinstance(input_, list):
        singular = name.replace("ies", "y") if name.endswith("ies") else name.removesuffix("s")
        type_name = f"[{singular[0].upper()}{singular[1:]}Input!]!"
        answer += " results { externalId status errors { code field message } }"
    else:
        answer += " status"
    query = f"""mutation ($input: {type_name}, $key: String) {{
      {name}(input: $input, idempotencyKey: $key) {{
        seq errors {{ code field message }} {answer} }} }}"""
    body = {"query": query, "variables": {"input": input_, "key": key}}
    payload = serving.client.post(serving.url, json=body).json()
    assert "errors" not in payload, payload
    found = payload["data"][name]
    assert isinstance(found, dict)
    return found


def delete(serving: Serving, name: str, id_: Any) -> dict[str, Any]:
    many = isinstance(id_, list)
    query = (
        f"mutation ($ids: [ID!]!) {{ {name}(ids: $ids) {{ seq results {{ externalId status "
        "errors { code } } } }"
        if many
        else f"mutation ($id: ID!) {{ {name}(id: $id) {{ seq status deletedExternalId "
        "errors { code } } }"
    )
    variables = {"ids": id_} if many else {"id": id_}
    found = serving.data(query, **variables)[name]
    assert isinstance(found, dict)
    return found


def test_absent_keeps_and_null_clears(served: Serving) -> None:
    key = fresh("offer")
    full = {
        "externalId": key,
        "title": "A kettle",
        "description": "It boils",
        "price": {"amount": "12.50", "currency": "GBP"},
        "availableQuantity": 3,
        "validFrom": "2026-01-01T00:00:00+01:00",
        "vendorId": market.vendor(1),
        "categoryIds": ["kitchen", "bath"],
    }
    shown = """offer { title description price { amount minor currency } availableQuantity
      validFrom vendor { externalId } categories { externalId } }"""
    created = mutate(served, "upsertOffer", full, shown)
    assert created["status"] == "CREATED"
    assert created["offer"] == {
        "title": "A kettle",
        "description": "It boils",
        "price": {"amount": "12.50", "minor": 1250, "currency": "GBP"},
        "availableQuantity": 3,
        "validFrom": "2025-12-31T23:00:00Z",
        "vendor": {"externalId": market.vendor(1)},
        "categories": [{"externalId": "bath"}, {"externalId": "kitchen"}],
    }
    kept = mutate(served, "upsertOffer", {"externalId": key, "title": "A pot"}, shown)
    assert kept["offer"] == created["offer"] | {"title": "A pot"}
    empty = dict.fromkeys(full) | {"externalId": key}
    cleared = mutate(served, "upsertOffer", empty, shown)["offer"]
    assert cleared == dict.fromkeys(created["offer"]) | {"categories": []}
    same = mutate(served, "upsertOffer", empty)
    assert same["status"] == "UNCHANGED"


@pytest.mark.parametrize(
    ("name", "entity", "more"),
    [("upsertBuyer", "Buyer", "kind"), ("upsertVendor", "Vendor", "name"),
     ("upsertCategory", "Category", "name")],
)  # fmt: skip
def test_every_entity_is_created_changed_and_deleted(
    served: Serving, name: str, entity: str, more: str
) -> None:
    key, field = fresh(entity), entity.lower()
    shown = f"{field} {{ id externalId {more} }}"
    created = mutate(served, name, {"externalId": key, more: "one"}, shown)
    assert created[field]["externalId"] == key
    changed = mutate(served, name, {"externalId": key, more: "two"}, shown)
    assert (changed["status"], changed[field][more]) == ("UPDATED", "two")
    assert changed["seq"] > created["seq"]
    gone = delete(served, f"delete{entity}", created[field]["id"])
    assert (gone["status"], gone["deletedExternalId"]) == ("DELETED", key)
    found = served.data(f'{{ {field}(by: {{externalId: "{key}"}}) {{ id }} }}')
    assert found == {field: None}
    assert delete(served, f"delete{entity}", key)["status"] == "UNCHANGED"


def test_a_bulk_says_what_became_of_each_row(served: Serving) -> None:
    good, bad = fresh("offer"), fresh("offer")
    written = mutate(
        served,
        "upsertOffers",
        [
            {"externalId": good, "title": "Good"},
            {"externalId": bad, "vendorId": "nobody"},
            {"externalId": good, "title": "Better"},
        ],
    )
    assert written["errors"] == []
    assert [row["externalId"] for row in written["results"]] == [good, bad, good]
    assert [row["status"] for row in written["results"]] == ["CREATED", "FAILED", "UPDATED"]
    (error,) = written["results"][1]["errors"]
    assert (error["code"], error["field"]) == ("NOT_FOUND", ["input", "1", "vendorId"])
    assert "nobody" in error["message"]
    gone = delete(served, "deleteOffers", [good, bad])
    assert [row["status"] for row in gone["results"]] == ["DELETED", "FAILED"]


def test_a_price_with_too_many_decimals_leaves_nothing(served: Serving) -> None:
    key = fresh("offer")
    price = {"amount": "1.005", "currency": "GBP"}
    refused = mutate(served, "upsertOffer", {"externalId": key, "price": price}, "offer { id }")
    assert (refused["status"], refused["offer"], refused["seq"]) == ("FAILED", None, None)
    assert refused["errors"][0]["field"] == ["input", "price", "amount"]
    assert served.data(f'{{ offer(by: {{externalId: "{key}"}}) {{ id }} }}') == {"offer": None}


def test_a_category_cycle_is_a_conflict(served: Serving) -> None:
    above, below = fresh("category"), fresh("category")
    mutate(served, "upsertCategory", {"externalId": above})
    mutate(served, "upsertCategory", {"externalId": below, "parentId": above})
    cycle = mutate(served, "upsertCategory", {"externalId": above, "parentId": below})
    assert cycle["errors"][0]["code"] == "CONFLICT"
    assert delete(served, "deleteCategory", above)["errors"] == [{"code": "CONFLICT"}]


def test_a_key_is_carried_out_once(served: Serving) -> None:
    key = fresh("key")
    line = {"buyerId": market.buyer(20), "offerId": market.offer(50)}
    stock = f'{{ offer(by: {{externalId: "{market.offer(50)}"}}) {{ availableQuantity }} }}'
    before = served.data(stock)["offer"]["availableQuantity"]
    first = mutate(served, "recordPurchase", line, "purchase { id }", key)
    again = mutate(served, "recordPurchase", line, "purchase { id }", key)
    assert again == first
    assert served.data(stock)["offer"]["availableQuantity"] == before - 1
    other = mutate(served, "recordPurchase", line | {"quantity": 2}, "purchase { id }", key)
    assert other["errors"][0]["code"] == "IDEMPOTENCY_CONFLICT"
    assert (other["status"], other["purchase"]) == ("FAILED", None)
    elsewhere = mutate(served, "upsertVendor", {"externalId": fresh("vendor")}, "", key)
    assert elsewhere["status"] == "CREATED"


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_a_key_has_its_bounds(served: Serving, key: str) -> None:
    refused = mutate(served, "upsertVendor", {"externalId": "never"}, "", key)
    assert refused["errors"][0]["field"] == ["idempotencyKey"]


def offers_for(serving: Serving, buyer: str, **more: Any) -> list[str]:
    query = """query ($b: ID!, $seq: BigInt) { buyer(by: {externalId: $b}) {
      matches(first: 100, atLeastSeq: $seq) { edges { node { offer { externalId } } } } } }"""
    edges = serving.data(query, b=buyer, **more)["buyer"]["matches"]["edges"]
    return [edge["node"]["offer"]["externalId"] for edge in edges]


def test_the_next_query_knows_of_a_purchase_and_of_its_cancellation(served: Serving) -> None:
    buyer = market.buyer(21)
    wanted = offers_for(served, buyer)[0]
    bought = mutate(
        served,
        "recordPurchase",
        {"buyerId": buyer, "offerId": wanted},
        "purchase { id externalId quantity cancelledQuantity offer { externalId } }",
    )
    assert bought["purchase"]["offer"]["externalId"] == wanted
    assert wanted not in offers_for(served, buyer, seq=bought["seq"])
    cancelled = mutate(
        served, "cancelPurchase", {"purchaseId": bought["purchase"]["id"]}, "cancellationId"
    )
    assert cancelled["errors"] == []
    assert cancelled["cancellationId"]
    assert wanted in offers_for(served, buyer, seq=cancelled["seq"])


def test_a_cancellation_that_finds_nothing_is_kept_and_says_so(served: Serving) -> None:
    input_ = {"buyerId": market.buyer(22), "offerId": market.offer(59), "quantity": 2}
    kept = mutate(served, "cancelPurchase", input_, "cancellationId")
    assert (kept["status"], kept["errors"][0]["code"]) == ("CREATED", "UNMATCHED")
    assert kept["cancellationId"]
    nothing = mutate(served, "cancelPurchase", {"buyerId": market.buyer(22)}, "cancellationId")
    assert (nothing["errors"][0]["code"], nothing["cancellationId"]) == ("BAD_INPUT", None)


def test_a_dismissal_takes_an_offer_out_at_once(served: Serving) -> None:
    buyer = market.buyer(23)
    unwanted = offers_for(served, buyer)[0]
    input_ = {"buyerId": buyer, "offerId": unwanted, "kind": "DISMISSED"}
    assert mutate(served, "recordInteraction", input_, "interactionId")["interactionId"]
    assert unwanted not in offers_for(served, buyer)


def test_interactions_and_purchases_come_in_bulk(served: Serving) -> None:
    rows = [
        {"buyerId": market.buyer(24), "offerId": market.offer(1), "kind": "VIEWED"},
        {"buyerId": market.buyer(24), "offerId": "nothing", "kind": "CLICKED"},
    ]
    written = mutate(served, "recordInteractions", rows)
    assert [row["status"] for row in written["results"]] == ["CREATED", "FAILED"]
    lines = [
        {"buyerId": market.buyer(24), "offerId": market.offer(1), "externalId": fresh("line")},
        {"buyerId": "nobody", "offerId": market.offer(1)},
    ]
    written = mutate(served, "recordPurchases", lines)
    assert [row["status"] for row in written["results"]] == ["CREATED", "FAILED"]


def test_preferences_are_replaced_whole_or_not_at_all(served: Serving) -> None:
    buyer, shown = market.buyer(25), "buyer { preferences { weight category { externalId } } }"
    both = [{"categoryId": "kitchen", "weight": 0.5}, {"categoryId": "bath", "weight": -1}]
    told = mutate(served, "setPreferences", {"buyerId": buyer, "preferences": both}, shown)
    expected = [
        {"weight": -1, "category": {"externalId": "bath"}},
        {"weight": 0.5, "category": {"externalId": "kitchen"}},
    ]
    assert told["buyer"]["preferences"] == expected
    wrong = {"buyerId": buyer, "preferences": [{"categoryId": "garden"}, {"categoryId": "no"}]}
    refused = mutate(served, "setPreferences", wrong, shown)
    assert refused["errors"][0]["code"] == "NOT_FOUND"
    kept = f'{{ buyer(by: {{externalId: "{buyer}"}}) {{ preferences {{ weight category '
    assert served.data(kept + "{ externalId } } } }")["buyer"]["preferences"] == expected


def test_a_new_buyer_and_a_new_offer_are_served_at_once(served: Serving) -> None:
    buyer, offer = fresh("buyer"), fresh("offer")
    mutate(served, "upsertBuyer", {"externalId": buyer, "country": "GB"})
    assert offers_for(served, buyer)
    mutate(served, "upsertOffer", {"externalId": offer, "categoryIds": ["kitchen"]})
    query = f"""{{ buyer(by: {{externalId: "{buyer}"}}) {{ matches(filter: {{minScore: 0}},
      pinned: ["{offer}"], first: 1) {{ edges {{ node {{ offer {{ externalId }} }} }} }} }} }}"""
    edges = served.data(query)["buyer"]["matches"]["edges"]
    assert edges[0]["node"]["offer"]["externalId"] == offer
    delete(served, "deleteBuyer", buyer)
    assert served.data(f'{{ buyer(by: {{externalId: "{buyer}"}}) {{ id }} }}') == {"buyer": None}


def test_internals_are_masked(served: Serving) -> None:
    store: Any = served.services.store

    async def broken(_ids: object) -> Any:
        raise RuntimeError("the secret of the house")

    store.get_purchases = broken
    try:
        response = served.post(f'{{ node(id: "{global_id(Label.PURCHASE, "x")}") {{ id }} }}')
    finally:
        del store.get_purchases
    (error,) = response.json()["errors"]
    assert error["message"] == "Internal error."
    assert error["extensions"]["code"] == "INTERNAL"
    assert error["extensions"]["errorId"]
    assert "secret" not in response.text
