"""What the guides print is what the service takes."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import parse, specified_rules, validate

import api.schema
from api.limits import check_document
from core.entities import Role
from tests.api import market
from tests.api.conftest import key_of
from tests.api.serving import Serving
from tests.api.test_websocket import buy_first

DOCS = Path(__file__).parents[2] / "docs"
SCHEMA = api.schema.build_schema()._schema


def blocks(file: str, language: str) -> list[str]:
    text = (DOCS / file).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


QUERIES = [query for file in ("front-end.md", "partners.md") for query in blocks(file, "graphql")]


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_is_valid_and_affordable(query: str) -> None:
    document = parse(query)
    assert validate(SCHEMA, document, specified_rules) == []
    check_document(SCHEMA, document, {}, None)


def test_the_guides_have_queries() -> None:
    assert len(QUERIES) >= 9


@pytest.fixture
def client(production: Serving) -> Iterator[subprocess.Popen[str]]:
    (program,) = blocks("partners.md", "python")
    environment = {
        "OFFERPATH_URL": production.socket_url,
        "OFFERPATH_KEY": key_of(Role.PARTNER),
        "OFFERPATH_BUYERS": market.buyer(51),
    }
    running = subprocess.Popen(
        [sys.executable, "-u", "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    yield running
    running.kill()
    running.communicate()


def test_the_python_client_hears_of_new_matches(
    production: Serving, client: subprocess.Popen[str]
) -> None:
    assert client.stdout is not None
    heard: list[str] = []
    # The program says nothing when it has subscribed, so the buyer goes on buying until it hears.
    for _ in range(10):
        buy_first(production, market.buyer(51), key_of(Role.ADMIN))
        try:
            out, _ = client.communicate(timeout=1)
        except subprocess.TimeoutExpired as waiting:
            out = (waiting.stdout or b"").decode() if waiting.stdout else ""
        heard = out.splitlines()
        if heard:
            break
    assert heard
    assert market.buyer(51) in heard[0]
    assert "errors" not in heard[0]
