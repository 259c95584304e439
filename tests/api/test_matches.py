"""Matches in both directions: pages, filters, explanations, and how much is read for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest

from graph.queries import Query
from tests.api import market
from tests.api.serving import Serving

MATCHES = """query (
  $buyer: ID!, $first: Int, $after: String, $filter: OfferMatchFilter, $diversity: Float! = 0,
  $maxPerVendor: Int, $pinned: [ID!], $excluded: [ID!], $atLeastSeq: BigInt
) { buyer(by: {externalId: $buyer}) { matches(
  first: $first, after: $after, filter: $filter, diversity: $diversity,
  maxPerVendor: $maxPerVendor, pinned: $pinned, excluded: $excluded, atLeastSeq: $atLeastSeq
) { total seq pageInfo { hasNextPage hasPreviousPage endCursor } edges { cursor node {
  rank score stale pinned modelVersion
  offer { externalId price { amount } vendor { externalId } categories { externalId } }
} } } } }"""


def matches(serving: Serving, buyer: str, **variables: Any) -> dict[str, Any]:
    found = serving.data(MATCHES, buyer=buyer, **variables)["buyer"]["matches"]
    assert isinstance(found, dict)
    return found


def offers(found: dict[str, Any]) -> list[str]:
    return [edge["node"]["offer"]["externalId"] for edge in found["edges"]]


def test_pages_of_a_ranking_repeat_and_skip_nothing(served: Serving) -> None:
    whole = offers(matches(served, market.buyer(5), first=100))
    assert len(whole) == len(set(whole)) > 30
    found = matches(served, market.buyer(5), first=7)
    seen = offers(found)
    while found["pageInfo"]["hasNextPage"]:
        found = matches(served, market.buyer(5), first=7, after=found["pageInfo"]["endCursor"])
        assert found["pageInfo"]["hasPreviousPage"]
        seen += offers(found)
    assert seen == whole


def test_a_ranking_stays_as_it_was_while_the_world_moves(served: Serving) -> None:
    buyer = market.buyer(6)
    whole = offers(matches(served, buyer, first=100))
    first = matches(served, buyer, first=5)
    bought = whole[7]
    served.data(
        "mutation ($input: RecordPurchaseInput!) { recordPurchase(input: $input) { seq } }",
        input={"buyerId": buyer, "offerId": bought},
    )
    rest = matches(served, buyer, first=100, after=first["pageInfo"]["endCursor"])
    assert offers(first) + offers(rest) == whole
    stale = [edge["node"] for edge in rest["edges"] if edge["node"]["stale"]]
    assert [node["offer"]["externalId"] for node in stale] == [bought]
    assert bought not in offers(matches(served, buyer, first=100))


def test_a_cursor_goes_with_its_arguments(served: Serving) -> None:
    cursor = matches(served, market.buyer(7), first=3)["pageInfo"]["endCursor"]
    for changed in (
        {"buyer": market.buyer(8)},
        {"buyer": market.buyer(7), "diversity": 0.5},
        {"buyer": market.buyer(7), "filter": {"inStock": False}},
    ):
        assert served.codes(MATCHES, after=cursor, **changed) == ["CURSOR_INVALID"]
    assert served.codes(MATCHES, buyer=market.buyer(7), after="x") == ["CURSOR_INVALID"]


def test_a_ranking_that_is_gone_is_expired(served: Serving) -> None:
    cursors = served.services.cursors
    cursor = matches(served, market.buyer(7), first=3)["pageInfo"]["endCursor"]
    place = cursors.read_ranking(cursor)
    gone = cursors.ranking_cursor("0" * 32, 3, place.arguments_hash)
    assert served.codes(MATCHES, buyer=market.buyer(7), after=gone) == ["CURSOR_EXPIRED"]


@pytest.mark.parametrize("form", ["externalId", "id"])
def test_filters_take_either_id(served: Serving, form: str) -> None:
    query = """query ($v: ID!, $c: ID!) {
      vendor(by: {externalId: $v}) { id externalId }
      category(by: {externalId: $c}) { id externalId } }"""
    ids = served.data(query, v=market.vendor(2), c="kitchen")
    filter_ = {"vendors": [ids["vendor"][form]], "categories": [ids["category"][form]]}
    found = matches(served, market.buyer(9), first=100, filter=filter_)
    assert found["total"] > 0
    for edge in found["edges"]:
        offer = edge["node"]["offer"]
        assert offer["vendor"]["externalId"] == market.vendor(2)
        assert {"externalId": "kitchen"} in offer["categories"]


@pytest.mark.parametrize("field", ["categories", "vendors"])
def test_a_filter_by_what_is_not_there_says_so(served: Serving, field: str) -> None:
    answer = served.post(MATCHES, buyer=market.buyer(9), filter={field: ["nope"]}).json()
    told = answer["errors"][0]
    assert told["extensions"]["code"] == "NOT_FOUND"
    assert told["extensions"]["field"] == ["filter", field]
    assert "nope" in told["message"]


def test_a_root_category_stands_for_what_is_below_it(served: Serving) -> None:
    below = matches(served, market.buyer(9), first=100, filter={"categories": [market.ROOT]})
    assert below["total"] > 30


def test_a_price_filter_is_exact_decimals(served: Serving) -> None:
    filter_ = {"price": {"min": "10.50", "max": "20.50", "currency": "GBP"}, "bought": "INCLUDE"}
    found = matches(served, market.buyer(9), first=100, filter=filter_)
    amounts = sorted(float(edge["node"]["offer"]["price"]["amount"]) for edge in found["edges"])
    assert amounts == [n + 0.5 for n in range(10, 21)]
    literal = """{ buyer(by: {externalId: "buyer-009"}) { matches(filter: {
      price: {max: "1.50", currency: GBP}, bought: INCLUDE}) { total } } }"""
    assert served.data(literal)["buyer"]["matches"]["total"] == 1
    wrong = {"price": {"max": "1.505", "currency": "GBP"}}
    answer = served.post(MATCHES, buyer=market.buyer(9), filter=wrong).json()
    assert answer["errors"][0]["extensions"] == {
        "code": "BAD_INPUT",
        "field": ["filter", "price", "max"],
    }


@pytest.mark.parametrize(
    "variables",
    [
        {"diversity": 1.5},
        {"maxPerVendor": 0},
        {"filter": {"minScore": 2}},
        {"filter": {"near": {"latitude": 91, "longitude": 0, "radiusKm": 1}}},
        {"filter": {"price": {"min": "2", "max": "1", "currency": "GBP"}}},
        {"first": 101},
        {"atLeastSeq": 10**9},
    ],
)
def test_what_cannot_be_meant_is_bad_input(served: Serving, variables: dict[str, Any]) -> None:
    answer = served.post(MATCHES, buyer=market.buyer(9), **variables).json()
    assert answer["data"] == {"buyer": {"matches": None}}
    assert [error["extensions"]["code"] for error in answer["errors"]] == ["BAD_INPUT"]


def test_caps_pins_and_exclusions(served: Serving) -> None:
    buyer = market.buyer(10)
    plain = offers(matches(served, buyer, first=100))
    pinned, excluded = plain[9], plain[0]
    found = matches(served, buyer, first=100, pinned=[pinned], excluded=[excluded], maxPerVendor=2)
    nodes = [edge["node"] for edge in found["edges"]]
    assert nodes[0]["offer"]["externalId"] == pinned
    assert nodes[0]["pinned"]
    assert excluded not in offers(found)
    vendors = Counter(
        node["offer"]["vendor"]["externalId"] for node in nodes[1:] if node["offer"]["vendor"]
    )
    assert max(vendors.values()) <= 2


def test_both_directions_say_the_same_score(served: Serving) -> None:
    query = """query ($offer: ID!) { offer(by: {externalId: $offer}) { matches(first: 100) {
      edges { node { score buyer { externalId } offer { externalId } } } } } }"""
    offer = market.offer(11)
    found = served.data(query, offer=offer)["offer"]["matches"]["edges"]
    assert found
    for edge in found[:5]:
        buyer = edge["node"]["buyer"]["externalId"]
        back = matches(served, buyer, first=100)["edges"]
        scores = {one["node"]["offer"]["externalId"]: one["node"]["score"] for one in back}
        assert scores[offer] == edge["node"]["score"]
        explained = served.data(
            "query ($b: ID!, $o: ID!) { explain(buyer: $b, offer: $o) { score } }", b=buyer, o=offer
        )
        assert explained["explain"]["score"] == edge["node"]["score"]


def test_peers_are_counted(served: Serving) -> None:
    query = """query ($b: ID!, $o: ID!) { explain(buyer: $b, offer: $o, top: 100) {
      stage position explanations { kind summary contribution path { kind id label count } } } }"""
    explained = served.data(query, b=market.buyer(1), o=market.plain(1))["explain"]
    assert explained["stage"] == "NONE"
    peers = [one for one in explained["explanations"] if one["kind"] == "PEERS"]
    assert peers
    counts = [step["count"] for one in peers for step in one["path"] if step["kind"] == "BUYERS"]
    assert 9 in counts


@pytest.mark.parametrize(
    ("buyer", "offer", "arguments", "stage"),
    [
        (market.buyer(2), market.offer(2), "", "ALREADY_BOUGHT"),
        (market.buyer(2), "nothing", "", "NOT_FOUND"),
        ("nobody", market.offer(2), "", "NOT_FOUND"),
        (market.buyer(2), market.offer(40), f', excluded: ["{market.offer(40)}"]', "EXCLUDED"),
        (market.buyer(2), market.offer(40), ', filter: {text: "submarine"}', "FILTER"),
        (market.buyer(2), market.offer(40), ", top: 1", "OUTSIDE_TOP"),
    ],
)
def test_why_not(served: Serving, buyer: str, offer: str, arguments: str, stage: str) -> None:
    query = (
        f'{{ explain(buyer: "{buyer}", offer: "{offer}"{arguments}) '
        "{ stage condition neededScore whatWouldChange } }"
    )
    explained = served.data(query)["explain"]
    assert explained["stage"] == stage
    assert explained["whatWouldChange"]
    assert (explained["condition"] == "text") is (stage == "FILTER")
    assert (explained["neededScore"] is not None) is (stage == "OUTSIDE_TOP")


def test_similar_offers(served: Serving) -> None:
    query = f"""{{ offer(by: {{externalId: "{market.offer(2)}"}}) {{
      similarOffers(first: 5) {{ similarity offer {{ externalId title }} }} }} }}"""
    found = served.data(query)["offer"]["similarOffers"]
    assert market.offer(2) not in [one["offer"]["externalId"] for one in found]
    assert [one["similarity"] for one in found] == sorted(
        (one["similarity"] for one in found), reverse=True
    )


@contextmanager
def counted_reads(serving: Serving) -> Iterator[Counter[str]]:
    """The reads of the engine, by the name of their query, while the block runs."""
    engine: Any = serving.services.store.engine
    counts: Counter[str] = Counter()
    read = engine.read

    async def counting(query: Query, parameters: Mapping[str, Any] | None = None) -> Any:
        counts[query.name] += 1
        return await read(query, parameters)

    engine.read = counting
    try:
        yield counts
    finally:
        del engine.read


# What those who follow the log, announce and send ask by themselves.
FOLLOWING = {
    "read_events", "read_events_of_types", "get_events", "get_events_of_types", "read_counters",
    "get_match_tops", "match_states_of_buyers", "match_states_of_offers", "list_webhooks",
    "get_webhooks",
}  # fmt: skip

LISTS = {
    "matches": """query ($n: Int) { buyer(by: {externalId: "buyer-005"}) { matches(first: $n) {
      edges { node { offer { title vendor { name } categories { name parent { name } } }
        buyer { kind preferences { weight category { name } } }
        explanations(first: 3) { summary path { kind } } } } } } }""",
    "buyers for an offer": """query ($n: Int) { offer(by: {externalId: "offer-005"}) {
      matches(first: $n) { edges { node { buyer { kind preferences { weight } }
        explanations { summary } offer { title } } } } } }""",
    "offers": """query ($n: Int) { offers(first: $n) { edges { node {
      title vendor { name } categories { name children { name } parent { name } } } } } }""",
    "purchases": """query ($n: Int) { buyer(by: {externalId: "buyer-005"}) {
      purchases(first: $n) { edges { node { offer { title vendor { name } } } } } } }""",
    "buyers' matches": """query ($n: Int) { buyers(first: $n) { edges { node {
      matches(first: 2) { edges { node { offer { title vendor { name } } } } } } } } }""",
    "offers' similar ones": """query ($n: Int) { offers(first: $n) { edges { node {
      similarOffers(first: 2) { offer { title vendor { name } } } } } } }""",
    "similar": """query ($n: Int) { offer(by: {externalId: "offer-005"}) {
      similarOffers(first: $n) { offer { title vendor { name } } } } }""",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_longer_list_costs_no_more_reads(served: Serving, name: str) -> None:
    reads = []
    for size in (5, 50):
        with counted_reads(served) as counts:
            served.data(LISTS[name], n=size)
        reads.append({key: n for key, n in counts.items() if key not in FOLLOWING})
    assert reads[0] == reads[1]
    assert sum(reads[0].values()) <= 12


@pytest.mark.parametrize(
    "query",
    [
        "{ vendors { edges { node { offers { edges { cursor } } } } } }",
        "{ buyers { edges { node { purchases { edges { cursor } } } } } }",
        "{ offers { edges { node { categories { offers { edges { cursor } } } } } } }",
        """{ buyer(by: {externalId: "buyer-005"}) { matches { edges { node { offer {
           vendor { ...Offers } } } } } } }
           fragment Offers on Vendor { offers { edges { cursor } } }""",
    ],
)
def test_what_is_read_for_one_parent_cannot_stand_below_a_list(served: Serving, query: str) -> None:
    assert served.codes(query) == ["TOO_COSTLY"]


def test_what_was_looked_at_can_be_left_out_or_asked_for_alone(served: Serving) -> None:
    buyer, record = market.buyer(13), "recordInteraction(input: $input) { seq }"
    whole = offers(matches(served, buyer, first=100))
    looked = [whole[-1], whole[-2]]
    for offer, kind in zip(looked, ("VIEWED", "ADDED_TO_CART"), strict=True):
        written = served.data(
            f"mutation ($input: RecordInteractionInput!) {{ {record} }}",
            input={"buyerId": buyer, "offerId": offer, "kind": kind},
        )
    seq = written["recordInteraction"]["seq"]

    def asked(seen: str) -> list[str]:
        found = matches(served, buyer, first=100, filter={"seen": seen}, atLeastSeq=seq)
        return offers(found)

    assert set(asked("INCLUDE")) == set(whole)
    # The last of all have come forward.
    assert {whole.index(offer) - asked("INCLUDE").index(offer) > 0 for offer in looked} == {True}
    assert set(asked("EXCLUDE")) == set(whole) - set(looked)
    assert set(asked("ONLY")) == set(looked)
    buyers = """query ($offer: ID!, $seen: Seen!) { offer(by: {externalId: $offer}) {
      matches(first: 100, filter: {seen: $seen}) { edges { node { buyer { externalId } } } } } }"""

    def held_by(seen: str) -> set[str]:
        found = served.data(buyers, offer=looked[0], seen=seen)["offer"]["matches"]["edges"]
        return {edge["node"]["buyer"]["externalId"] for edge in found}

    assert buyer in held_by("ONLY")
    assert buyer not in held_by("EXCLUDE")
    assert held_by("ONLY") | held_by("EXCLUDE") == held_by("INCLUDE")
