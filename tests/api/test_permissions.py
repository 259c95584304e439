"""Who sees and does what, on a production server with one key a role."""

from __future__ import annotations

from typing import Any

import pytest

from api.ids import Label, global_id
from core.entities import Role
from tests.api import market
from tests.api.conftest import key_of
from tests.api.serving import Serving

EVERYBODY = set(Role)
OVERSEERS = {Role.ANALYST, Role.ADMIN}
OWN, OTHER = market.buyer(1), market.buyer(2)
# Number 1 of the marketplace is listed by vendor 1, number 2 is not.
LISTED, UNLISTED = market.offer(1), market.offer(2)

READS: list[tuple[str, set[Role]]] = [
    ("{ offers(first: 1) { edges { node { title vendor { name } } } } }", EVERYBODY),
    ("{ vendors(first: 1) { edges { node { name } } } }", EVERYBODY),
    ("{ categories(first: 1) { edges { node { name children { name } } } } }", EVERYBODY),
    (f'{{ offer(by: {{externalId: "{LISTED}"}}) {{ title similarOffers {{ similarity }} }} }}',
     EVERYBODY),
    ("{ model { version } health { ready } }", EVERYBODY),
    ("{ health { lastError } }", {Role.ADMIN}),
    ("{ buyers(first: 1) { edges { node { externalId } } } }", OVERSEERS),
    ("{ buyers(first: 1) { edges { node { latitude longitude createdAt } } } }", OVERSEERS),
    ("{ buyers(first: 1) { edges { node { name } } } }", {Role.ADMIN}),
    (f'{{ buyer(by: {{externalId: "{OWN}"}}) {{ kind }} }}', {*OVERSEERS, Role.BUYER}),
    (f'{{ buyer(by: {{externalId: "{OWN}"}}) {{ name }} }}', {Role.ADMIN, Role.BUYER}),
    (f'{{ buyer(by: {{externalId: "{OWN}"}}) {{ purchases {{ edges {{ cursor }} }} }} }}',
     {*OVERSEERS, Role.BUYER}),
    (f'{{ buyer(by: {{externalId: "{OWN}"}}) {{ preferences {{ weight }} }} }}',
     {*OVERSEERS, Role.BUYER}),
    (f'{{ buyer(by: {{externalId: "{OWN}"}}) {{ matches {{ edges {{ cursor }} }} }} }}',
     {*OVERSEERS, Role.BUYER}),
    (f'{{ buyer(by: {{externalId: "{OTHER}"}}) {{ kind }} }}', OVERSEERS),
    (f'{{ offer(by: {{externalId: "{LISTED}"}}) {{ matches {{ edges {{ cursor }} }} }} }}',
     {*OVERSEERS, Role.VENDOR}),
    (f'{{ offer(by: {{externalId: "{UNLISTED}"}}) {{ matches {{ edges {{ cursor }} }} }} }}',
     OVERSEERS),
    (f'{{ offer(by: {{externalId: "{LISTED}"}}) {{ matches(filter: {{near: '
     "{latitude: 52, longitude: 13, radiusKm: 50}}) { edges { cursor } } } }", OVERSEERS),
    (f'{{ explain(buyer: "{OWN}", offer: "{LISTED}") {{ stage }} }}', {*OVERSEERS, Role.BUYER}),
    (f'{{ explain(buyer: "{OTHER}", offer: "{LISTED}") {{ stage }} }}', OVERSEERS),
]  # fmt: skip


@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize(("query", "allowed"), READS)
def test_reads(production: Serving, role: Role, query: str, allowed: set[Role]) -> None:
    expected = [] if role in allowed else ["FORBIDDEN"]
    assert production.codes(query, key_of(role)) == expected


def test_a_node_is_guarded_like_its_field(production: Serving) -> None:
    ids = production.data(
        f'{{ buyer(by: {{externalId: "{OTHER}"}}) '
        "{ id purchases(first: 1) { edges { node { id } } } } }",
        key_of(Role.ADMIN),
    )["buyer"]
    purchase = ids["purchases"]["edges"][0]["node"]["id"]
    for node in (ids["id"], purchase):
        query = f'{{ node(id: "{node}") {{ __typename id }} }}'
        assert production.data(query, key_of(Role.ANALYST))["node"]["id"] == node
        for role in (Role.BUYER, Role.VENDOR, Role.PARTNER):
            assert production.codes(query, key_of(role)) == ["FORBIDDEN"]


def test_a_purchase_that_is_not_there_is_refused_like_another_buyers(production: Serving) -> None:
    query = f'{{ node(id: "{global_id(Label.PURCHASE, "nobody-bought-it")}") {{ id }} }}'
    assert production.data(query, key_of(Role.ANALYST))["node"] is None
    for role in (Role.BUYER, Role.VENDOR, Role.PARTNER):
        assert production.codes(query, key_of(role)) == ["FORBIDDEN"]


def test_a_vendor_sees_matched_buyers_without_personal_data(production: Serving) -> None:
    query = """query ($offer: ID!, $more: Boolean!) { offer(by: {externalId: $offer}) {
      matches(first: 3) { edges { node { score buyer {
        externalId kind country name @include(if: $more)
      } } } } } }"""
    key = key_of(Role.VENDOR)
    edges = production.data(query, key, offer=LISTED, more=False)["offer"]["matches"]["edges"]
    assert len(edges) == 3
    assert all(edge["node"]["buyer"]["externalId"] for edge in edges)
    assert production.codes(query, key, offer=LISTED, more=True) == ["FORBIDDEN"] * 3


def test_a_vendor_is_not_told_of_other_vendors_offers(production: Serving) -> None:
    query = """query ($offer: ID!) { offer(by: {externalId: $offer}) { matches(first: 20) {
      edges { node { explanations(first: 10) { path { kind id } } } } } } }"""

    def offers_in_paths(role: Role) -> set[str]:
        data = production.data(query, key_of(role), offer=LISTED)
        return {
            step["id"]
            for edge in data["offer"]["matches"]["edges"]
            for explanation in edge["node"]["explanations"]
            for step in explanation["path"]
            if step["kind"] == "OFFER"
        }

    own = production.data(
        "query ($v: ID!) { vendor(by: {externalId: $v}) "
        "{ offers(first: 100) { edges { node { id } } } } }",
        key_of(Role.ADMIN),
        v=market.vendor(1),
    )["vendor"]["offers"]["edges"]
    listed = {edge["node"]["id"] for edge in own}
    assert offers_in_paths(Role.ANALYST) - listed, "the marketplace has paths over other vendors"
    assert offers_in_paths(Role.VENDOR) <= listed


def test_a_vendor_is_not_told_how_far_off_a_buyer_is(production: Serving) -> None:
    query = """query ($o: ID!) { offer(by: {externalId: $o}) { matches(first: 50) { edges { node {
      explanations(first: 10) { kind } } } } } }"""

    def kinds(role: Role) -> set[str]:
        found = production.data(query, key_of(role), o=LISTED)["offer"]["matches"]["edges"]
        return {one["kind"] for edge in found for one in edge["node"]["explanations"]}

    assert "PLACE" in kinds(Role.ANALYST)
    assert kinds(Role.VENDOR)
    assert "PLACE" not in kinds(Role.VENDOR)


def test_no_explanation_names_another_buyer(production: Serving) -> None:
    query = """query ($buyer: ID!) { buyer(by: {externalId: $buyer}) { id matches(first: 50) {
      edges { node { explanations(first: 10) { summary path { kind id label count } } } } } } }"""
    data = production.data(query, key_of(Role.BUYER), buyer=OWN)["buyer"]
    explanations = [
        one for edge in data["matches"]["edges"] for one in edge["node"]["explanations"]
    ]
    steps = [step for one in explanations for step in one["path"]]
    assert {step["id"] for step in steps if step["kind"] == "BUYER"} == {data["id"]}
    assert all(step["id"] is None for step in steps if step["kind"] == "BUYERS")
    assert any(step["kind"] == "BUYERS" and step["count"] for step in steps)
    others = [market.buyer(n) for n in range(market.BUYERS)] + ["Person"]
    assert not any(name in one["summary"] for one in explanations for name in others)


WRITES: list[tuple[str, dict[str, Any], set[Role]]] = [
    ("upsertBuyer", {"externalId": "w-buyer"}, {Role.ADMIN}),
    ("upsertVendor", {"externalId": "w-vendor"}, {Role.ADMIN}),
    ("upsertCategory", {"externalId": "w-category"}, {Role.ADMIN}),
    ("recordInteraction", {"buyerId": OWN, "offerId": LISTED, "kind": "VIEWED"},
     {Role.ADMIN, Role.BUYER}),
    ("recordInteraction", {"buyerId": OTHER, "offerId": LISTED, "kind": "VIEWED"}, {Role.ADMIN}),
    ("setPreferences", {"buyerId": OWN, "preferences": []}, {Role.ADMIN, Role.BUYER}),
    ("setPreferences", {"buyerId": OTHER, "preferences": []}, {Role.ADMIN}),
    ("recordPurchase", {"buyerId": OWN, "offerId": LISTED}, {Role.ADMIN, Role.BUYER}),
    ("recordPurchase", {"buyerId": OTHER, "offerId": LISTED}, {Role.ADMIN}),
    ("recordPurchase", {"buyerId": OWN, "offerId": LISTED, "history": True}, {Role.ADMIN}),
    ("cancelPurchase", {"purchaseId": "line-001-0"}, {Role.ADMIN, Role.BUYER}),
    ("cancelPurchase", {"purchaseId": "line-002-0"}, {Role.ADMIN}),
    ("cancelPurchase", {"buyerId": OTHER, "offerId": LISTED}, {Role.ADMIN}),
    ("upsertOffer", {"externalId": LISTED, "title": "New"}, {Role.ADMIN, Role.VENDOR}),
    ("upsertOffer", {"externalId": UNLISTED, "title": "New"}, {Role.ADMIN}),
    ("upsertOffer", {"externalId": LISTED, "vendorId": market.vendor(2)}, {Role.ADMIN}),
]  # fmt: skip


@pytest.mark.parametrize("role", [Role.PARTNER, Role.ANALYST, Role.BUYER, Role.VENDOR, Role.ADMIN])
@pytest.mark.parametrize(("name", "input_", "allowed"), WRITES)
def test_writes(
    production: Serving, role: Role, name: str, input_: dict[str, Any], allowed: set[Role]
) -> None:
    type_name = name[0].upper() + name[1:] + "Input"
    query = (
        f"mutation ($input: {type_name}!) "
        f"{{ {name}(input: $input) {{ errors {{ code }} status }} }}"
    )
    answer = production.post(query, key_of(role), input=input_).json()
    codes = [error["extensions"]["code"] for error in answer.get("errors", ())]
    if answer["data"] is not None:
        codes += [error["code"] for error in answer["data"][name]["errors"]]
    assert ("FORBIDDEN" in codes) is (role not in allowed), answer
    assert "INTERNAL" not in codes
    # Writes are put back, so that the order of the cases does not matter.
    if role in allowed and input_.get("vendorId"):
        back = {"externalId": LISTED, "vendorId": market.vendor(1)}
        production.data(query, key_of(Role.ADMIN), input=back)


def test_a_vendor_sends_a_new_offer_again_with_its_key(production: Serving) -> None:
    query = """mutation ($input: UpsertOfferInput!) {
      upsertOffer(input: $input, idempotencyKey: "w-again") {
        status seq errors { code } offer { vendor { externalId } } } }"""
    new = {"externalId": "w-again", "title": "Sent twice"}
    first = production.data(query, key_of(Role.VENDOR), input=new)
    assert first["upsertOffer"]["status"] == "CREATED"
    assert first["upsertOffer"]["offer"] == {"vendor": {"externalId": market.vendor(1)}}
    assert production.data(query, key_of(Role.VENDOR), input=new) == first


def test_a_vendors_new_offer_is_its_own(production: Serving) -> None:
    query = """mutation ($input: UpsertOfferInput!) {
      upsertOffer(input: $input) { errors { code } offer { vendor { externalId } } } }"""
    data = production.data(query, key_of(Role.VENDOR), input={"externalId": "w-offer"})
    assert data["upsertOffer"] == {
        "errors": [],
        "offer": {"vendor": {"externalId": market.vendor(1)}},
    }
    delete = "mutation ($id: ID!) { deleteOffer(id: $id) { errors { code } status } }"
    mine = production.data(delete, key_of(Role.VENDOR), id="w-offer")
    assert mine["deleteOffer"] == {"errors": [], "status": "DELETED"}
    others = production.data(delete, key_of(Role.VENDOR), id=UNLISTED)
    assert others["deleteOffer"] == {"errors": [{"code": "FORBIDDEN"}], "status": "FAILED"}
