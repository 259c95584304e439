"""Documents that are remembered, and what is remembered of them."""

from __future__ import annotations

import pytest
from graphql import GraphQLSyntaxError

from api.document_shape import MAX_TOKENS
from api.guard import DocumentCache
from core.entities import Role
from tests.api.conftest import key_of
from tests.api.serving import Serving


def test_a_document_is_parsed_once_and_forgotten_in_time() -> None:
    cache = DocumentCache()
    first = cache.parse("{ a }")
    cache.remember_valid("{ a }", introspection=True)
    assert cache.parse("{ a }") is first
    assert cache.is_valid("{ a }", introspection=True)
    assert not cache.is_valid("{ a }", introspection=False)
    for number in range(300):
        cache.parse(f"{{ a{number} }}")
    assert cache.parse("{ a }") is not first
    assert not cache.is_valid("{ a }", introspection=True)


def test_what_is_not_remembered_is_not_valid() -> None:
    cache = DocumentCache()
    cache.remember_valid("{ a }", introspection=True)
    assert not cache.is_valid("{ a }", introspection=True)


def test_tokens_are_bounded() -> None:
    with pytest.raises(GraphQLSyntaxError):
        DocumentCache().parse("{" + " a" * MAX_TOKENS + "}")


def test_what_one_caller_may_ask_is_checked_anew_for_another(production: Serving) -> None:
    query = "{ __schema { queryType { name } } model { version } }"
    for _ in range(2):
        assert production.codes(query, key_of(Role.ADMIN)) == []
        refused = set(production.codes(query, key_of(Role.PARTNER)))
        assert refused == {"GRAPHQL_VALIDATION_FAILED"}


def test_an_invalid_document_stays_invalid(served: Serving) -> None:
    for _ in range(3):
        assert served.codes("{ model { nothing } }") == ["GRAPHQL_VALIDATION_FAILED"]


def test_a_valid_document_is_still_priced_by_its_variables(served: Serving) -> None:
    query = """query ($n: Int) { buyers(first: $n) { edges { node { matches(first: 100) {
      edges { node { rank explanations(first: 10) { kind } } } } } } } }"""
    assert served.codes(query, n=1) == []
    assert served.codes(query, n=100) == ["TOO_COSTLY"]
    assert served.codes(query, n="x") == ["GRAPHQL_VALIDATION_FAILED"]
