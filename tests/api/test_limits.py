"""What an operation may cost, and that pricing it stays cheap."""

from __future__ import annotations

import time
from typing import Any

import pytest
from graphql import build_schema, get_introspection_query, parse

import api.schema
from api.document_shape import (
    MAX_DIRECTIVES,
    MAX_REPEATS,
    MAX_ROOT_FIELDS,
    MAX_SPREADS,
    MAX_TOKENS,
)
from api.errors import CostError
from api.limits import MAX_ALIASES, MAX_COST, MAX_DEPTH, Price, check_document
from tests.api.serving import Serving

SCHEMA = api.schema.build_schema()._schema
DEMO = """
query ($buyer: ID!) { buyer(by: {externalId: $buyer}) { matches(first: 20) {
  edges { cursor node { score modelVersion
    offer { id title price { amount currency } vendor { name } categories { name } }
    explanations(first: 3) { kind summary contribution path { kind id label } }
  } } pageInfo { hasNextPage endCursor } } } }"""


def price(query: str, variables: dict[str, Any] | None = None, name: str | None = None) -> Price:
    return check_document(SCHEMA, parse(query), variables, name)


def refused(query: str, variables: dict[str, Any] | None = None) -> str:
    with pytest.raises(CostError) as caught:
        price(query, variables)
    return caught.value.message


def doubling(levels: int) -> str:
    fragments = "".join(
        f"fragment F{n} on Offer {{ ...F{n + 1} ...F{n + 1} }} " for n in range(levels)
    )
    return (
        f'{{ offer(by: {{id: "x"}}) {{ ...F0 }} }} {fragments}fragment F{levels} on Offer {{ id }}'
    )


def test_a_page_multiplies_what_is_asked_of_its_items() -> None:
    one = price("{ offers(first: 1) { edges { node { id title } } } }").cost
    ten = price("{ offers(first: 10) { edges { node { id title } } } }").cost
    default = price("{ offers { edges { node { id title } } } }").cost
    assert ten - 1 == 10 * (one - 1)
    assert default - 1 == 20 * (one - 1)


def test_sizes_come_from_variables_and_their_defaults() -> None:
    literal = price("{ offers(first: 50) { edges { cursor } } }").cost
    assert price("query ($n: Int) { offers(first: $n) { edges { cursor } } }", {"n": 50}).cost == (
        literal
    )
    assert price("query ($n: Int = 50) { offers(first: $n) { edges { cursor } } }").cost == literal


def test_a_fragment_costs_what_it_stands_for() -> None:
    plain = price("{ offers { edges { node { id title vendor { name } } } } }")
    spread = price(
        "{ offers { edges { node { ...A } } } } "
        "fragment A on Offer { ...B title } fragment B on Offer { id vendor { name } }"
    )
    inline = price("{ offers { edges { node { ... on Offer { id title vendor { name } } } } } }")
    assert plain.cost == spread.cost == inline.cost
    assert plain.depth == spread.depth == inline.depth


def test_the_first_query_of_the_guide_and_introspection_are_well_within() -> None:
    assert price(DEMO).cost < MAX_COST / 5
    assert price(get_introspection_query(input_value_deprecation=True)).cost <= MAX_COST
    assert price(DEMO.replace("first: 20", "first: 100")).cost <= MAX_COST


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("{ buyers(first: 100) { edges { node { matches(first: 100) { edges { node { "
         "explanations(first: 10) { path { label } } } } } } } } }", "fields"),
        ("{ offers(first: 99999999999999999999) { edges { cursor } } }", "fields"),
        ("{ category(by: {id: 1}) { " + "parent { " * 20 + "id" + " }" * 22, f"{MAX_DEPTH}"),
        ("{ " + " ".join(f"a{n}: model {{ version }}" for n in range(31)) + " }", "root"),
        ("{ model { " + " ".join(f"a{n}: version" for n in range(51)) + " } }", f"{MAX_ALIASES}"),
        ("{ model { " + "version " * (MAX_REPEATS + 1) + "} }", "repeated"),
        ("{ model { " + "...F " * (MAX_SPREADS + 1) + "} } fragment F on Model { version }",
         "spreads"),
        ("{ model { version " + "@skip(if: false) " * (MAX_DIRECTIVES + 1) + "} }", "directives"),
        ("mutation { " + " ".join(
            f'm{n}: deleteOffer(id: "x") {{ seq }}' for n in range(MAX_ROOT_FIELDS + 1)) + " }",
         "root"),
        ("{ __schema { types { fields { type { fields { type { fields { type { fields { args { "
         "name } } } } } } } } } } }", "fields"),
    ],
)  # fmt: skip
def test_what_is_too_much_is_refused(query: str, says: str) -> None:
    assert says in refused(query)


def test_a_size_in_a_variable_is_no_way_around() -> None:
    query = "query ($n: Int) { buyers(first: $n) { edges { node { matches { total } } } } }"
    assert "fields" in refused(query, {"n": 10**9})


def test_fragments_that_double_are_priced_in_no_time() -> None:
    text = doubling(28)
    document = parse(text)
    started = time.process_time()
    with pytest.raises(CostError):
        check_document(SCHEMA, document, None, None)
    # Expanding them would take 2**28 steps; the bound only tells one from the other.
    assert time.process_time() - started < 5


def test_circular_and_unknown_fragments_are_left_to_validation() -> None:
    price("{ model { ...A } } fragment A on Model { ...B } fragment B on Model { ...A }")
    price("{ model { ...Nothing } }")


def test_a_connection_without_a_default_costs_twenty() -> None:
    schema = build_schema("type Query { a(first: Int): [Query!] b(first: Int = 3): [Query!] }")
    assert check_document(schema, parse("{ a { __typename } }"), None, None).cost == 21
    assert check_document(schema, parse("{ b { __typename } }"), None, None).cost == 4


def test_a_stream_is_priced_as_a_page_of_events() -> None:
    event = "... on MatchEvent { id offer { title } }"
    one = price(f"subscription {{ matchEvents {{ {event} }} }}").cost
    more = price(f"subscription {{ matchEvents {{ {event} ... on MatchEvent {{ seq }} }} }}").cost
    assert more - one == 20
    assert "resolves up to" in refused(
        """subscription { matchEvents { ... on MatchEvent {
          offer { matches(first: 100) { edges { node { score rank modelVersion buyer { kind }
            offer { title } explanations(first: 10) { summary path { id kind } } } } } } } } }"""
    )
    assert "below a list" in refused(
        """subscription { matchEvents { ... on MatchEvent { offer { vendor {
          offers { edges { cursor } } } } } } }"""
    )


def test_over_http_the_price_comes_before_everything_else(served: Serving) -> None:
    million = """{ buyers(first: 100) { edges { node { matches(first: 100) { edges { node {
      buyer { matches(first: 100) { edges { cursor } } } } } } } } } }"""
    assert served.codes(million) == ["TOO_COSTLY"]
    assert served.codes(doubling(28)) == ["TOO_COSTLY"]


@pytest.mark.parametrize(
    "query", ["{ a " * 900 + "}" * 900, "{ a " * 1_900 + "}" * 1_900, "{ __typename " * 3]
)
def test_deep_documents_get_an_error_not_a_crash(served: Serving, query: str) -> None:
    codes = served.codes(query)
    assert codes
    assert set(codes) <= {"TOO_COSTLY", "GRAPHQL_PARSE_FAILED"}


def test_too_many_tokens_are_not_parsed(served: Serving) -> None:
    query = "{ " + "model " * (MAX_TOKENS + 1) + "}"
    assert served.codes(query) == ["GRAPHQL_PARSE_FAILED"]


def test_a_bulk_of_more_than_a_thousand_rows_is_refused_whole(served: Serving) -> None:
    query = """mutation ($rows: [UpsertVendorInput!]!) {
      upsertVendors(input: $rows) { errors { code field } results { status } seq } }"""
    rows = [{"externalId": f"many-{n}"} for n in range(1_001)]
    assert served.data(query, rows=rows)["upsertVendors"] == {
        "errors": [{"code": "BAD_INPUT", "field": ["input"]}],
        "results": [],
        "seq": None,
    }
    vendor = served.data('{ vendor(by: {externalId: "many-0"}) { id } }')
    assert vendor == {"vendor": None}
