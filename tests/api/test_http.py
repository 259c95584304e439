"""GraphQL over HTTP as the specification has it, on a running server."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from api import http_request
from core.entities import Role
from tests.api.conftest import key_of
from tests.api.serving import Serving

GRAPHQL = "application/graphql-response+json"
JSON = "application/json"
QUERY = {"query": "{ __typename }"}


def send(serving: Serving, body: Any, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return serving.client.post(
        serving.url, content=content, headers={"Content-Type": JSON, **headers}
    )


@pytest.mark.parametrize(
    ("accept", "answered"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (GRAPHQL, GRAPHQL),
        (f"{GRAPHQL}, {JSON};q=0.9", GRAPHQL),
        (f"{GRAPHQL};q=0.1, {JSON}", JSON),
        (f"{GRAPHQL}; charset=utf-8, {JSON}; charset=utf-8", GRAPHQL),
    ],
)
def test_answers_in_the_media_type_that_is_asked_for(
    served: Serving, accept: str | None, answered: str
) -> None:
    request = served.client.build_request("POST", served.url, json=QUERY)
    del request.headers["accept"]
    if accept is not None:
        request.headers["accept"] = accept
    response = served.client.send(request)
    assert response.status_code == 200
    assert response.headers["content-type"] == f"{answered}; charset=utf-8"
    assert response.json() == {"data": {"__typename": "Query"}}


def test_what_it_cannot_answer_in_is_not_acceptable(served: Serving) -> None:
    assert send(served, QUERY, Accept="text/plain").status_code == 406


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON;charset=UTF-8", 200),
        ("application/json; charset=latin-1", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
def test_takes_json_in_utf8_only(served: Serving, content_type: str, status: int) -> None:
    response = send(served, QUERY, **{"Content-Type": content_type})
    assert response.status_code == status


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        [QUERY],
        7,
        {"query": 7},
        {"query": ["{ __typename }"]},
        {"query": ""},
        {**QUERY, "variables": "x"},
        {**QUERY, "variables": [1]},
        {**QUERY, "operationName": 1},
        {**QUERY, "extensions": 0.5},
        b"{",
        b"",
        b"\xff\xfe",
        b'{"query": "{ __typename }", "variables": {"a": NaN}}',
        b'{"query": "{ __typename }", "variables": {"a": "\\ud800"}}',
        b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 100 + b"]" * 100 + b"}}",
        b'{"query": "{ __typename }", "variables": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)
@pytest.mark.parametrize("accept", [GRAPHQL, JSON])
def test_a_body_that_is_no_request_is_a_bad_request(
    served: Serving, body: Any, accept: str
) -> None:
    response = send(served, body, Accept=accept)
    assert response.status_code == 400
    answer = response.json()
    assert "data" not in answer
    assert answer["errors"][0]["extensions"]["code"] == "BAD_REQUEST"


def test_null_parameters_are_absent_ones(served: Serving) -> None:
    body = {**QUERY, "variables": None, "operationName": None, "extensions": None}
    assert send(served, body).json() == {"data": {"__typename": "Query"}}


def test_a_body_over_a_megabyte_is_too_large(served: Serving) -> None:
    body = json.dumps({"query": "{ __typename }" + " " * 1_000_000}).encode()
    assert send(served, body).status_code == 413

    def chunks() -> Any:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]

    streamed = served.client.post(served.url, content=chunks(), headers={"Content-Type": JSON})
    assert streamed.status_code == 413


@pytest.mark.parametrize(
    "body",
    [
        {"query": "{"},
        {"query": "{ nothing }"},
        {"query": "query ($n: Int!) { offers(first: $n) { edges { cursor } } }"},
        {
            "query": "query ($n: Int!) { offers(first: $n) { edges { cursor } } }",
            "variables": {"n": "x"},
        },
    ],
)
def test_a_refused_document_is_400_only_in_the_new_media_type(served: Serving, body: Any) -> None:
    new = send(served, body, Accept=GRAPHQL)
    assert new.status_code == 400
    assert "data" not in new.json()
    old = send(served, body, Accept=JSON)
    assert old.status_code == 200
    assert old.json()["errors"]


def test_a_body_that_does_not_come_is_not_waited_for(
    served: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_request, "BODY_SECONDS", 0.1)
    address = urlsplit(served.url)
    head = f"POST /graphql HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: {JSON}\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=30) as connection:
        connection.sendall(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_one_of_several_operations_must_be_named(served: Serving) -> None:
    query = "query A { __typename } query B { health { ready } }"
    for body in ({"query": query}, {"query": query, "operationName": ""}):
        answer = send(served, body, Accept=GRAPHQL)
        assert answer.status_code == 400
        assert "operationName" in answer.json()["errors"][0]["message"]
    named = send(served, {"query": query, "operationName": "A"}).json()
    assert named == {"data": {"__typename": "Query"}}


def test_an_unknown_operation_is_a_bad_request(served: Serving) -> None:
    body = {"query": "query A { __typename } query B { __typename }", "operationName": "C"}
    assert send(served, body).status_code == 400


def test_a_get_reads(served: Serving) -> None:
    parameters = {
        "query": "query A($n: Int!) { offers(first: $n) { edges { node { externalId } } } }",
        "variables": '{"n": 1}',
        "operationName": "A",
    }
    response = served.client.get(served.url, params=parameters)
    assert response.status_code == 200
    assert len(response.json()["data"]["offers"]["edges"]) == 1


def test_a_get_never_writes(served: Serving) -> None:
    mutation = 'mutation { upsertVendor(input: {externalId: "by-get"}) { seq } }'
    response = served.client.get(served.url, params={"query": mutation})
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"
    assert served.data('{ vendor(by: {externalId: "by-get"}) { id } }') == {"vendor": None}


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"])
def test_other_methods_are_not_allowed(served: Serving, method: str) -> None:
    assert served.client.request(method, served.url).status_code == 405


def test_a_subscription_needs_a_socket(served: Serving) -> None:
    response = send(served, {"query": "subscription { matchEvents { __typename } }"})
    assert response.status_code == 400
    assert "WebSocket" in response.json()["errors"][0]["message"]


def test_graphiql_is_there_in_development_only(served: Serving, production: Serving) -> None:
    page = served.client.get(served.url, headers={"Accept": "text/html"})
    assert page.status_code == 200
    assert "text/html" in page.headers["content-type"]
    hidden = production.client.get(production.url, headers={"Accept": "text/html"})
    assert hidden.status_code in (401, 406)
    key = {"Authorization": f"Bearer {key_of(Role.ADMIN)}", "Accept": "text/html"}
    assert production.client.get(production.url, headers=key).status_code == 406


def test_liveness_and_readiness(served: Serving) -> None:
    base = served.url.removesuffix("/graphql")
    assert served.client.get(f"{base}/healthz").text == "ok\n"
    ready = served.client.get(f"{base}/readyz")
    assert ready.status_code == 200
    assert ready.json()["ready"] is True
