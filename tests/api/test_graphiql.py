"""GraphiQL: all of it comes from the server itself, and in development only."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from importlib.resources import files
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from graphql import parse
from starlette.requests import Request

from api.graphiql import GraphiQL, is_local
from core.entities import Role
from tests.api.conftest import key_of
from tests.api.serving import Serving

FOLDER = files("api") / "static" / "graphiql"
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


class References(HTMLParser):
    """Whatever a page loads, and the text of its scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.urls: list[str] = []
        self.handlers: list[str] = []
        self.inline = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        self.urls += [value or "" for name, value in attrs if name in ("src", "href", "action")]
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside in ("script", "style"):
            self.inline += data.strip()


def page_of(serving: Serving) -> httpx.Response:
    return serving.client.get(serving.url, headers=HTML)


def assets_of(serving: Serving) -> list[str]:
    return [urljoin(serving.url, url) for url in References(page_of(serving).text).urls]


def test_the_page_refers_to_nothing_outside(served: Serving) -> None:
    response = page_of(served)
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    page = References(response.text)
    assert len(page.urls) == 7
    assert all(re.fullmatch(r"/graphiql/[0-9a-f]{16}/[a-z.-]+", url) for url in page.urls)
    assert not page.inline
    assert not page.handlers
    assert "://" not in response.text
    assert "{{" not in response.text


def test_the_pages_policy_lets_nothing_in_from_elsewhere(served: Serving) -> None:
    headers = page_of(served).headers
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data:",
        "font-src": "'self' data:",
        "connect-src": "'self'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"


def test_every_file_is_served_with_its_type_and_kept(served: Serving) -> None:
    for url in assets_of(served):
        response = served.client.get(url)
        name = urlsplit(url).path.rsplit("/", 1)[1]
        assert response.status_code == 200, url
        media_type = response.headers["content-type"].partition(";")[0]
        assert media_type == MEDIA_TYPES[name[name.rindex(".") :]]
        assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.content == (FOLDER / name).read_bytes()


def test_the_style_sheets_load_nothing(served: Serving) -> None:
    for url in assets_of(served):
        if url.endswith(".css"):
            sheet = served.client.get(url).text
            assert "@import" not in sheet
            found = re.findall(r"url\(\s*['\"]?([^)]{5})", sheet)
            assert set(found) <= {"data:"}


@pytest.mark.parametrize(
    "name", ["README.md", "page.html", "LICENSE-react.txt", "%2e%2e%2fgraphiql.py", ""]
)
def test_other_files_are_not_served(served: Serving, name: str) -> None:
    folder = assets_of(served)[0].rsplit("/", 1)[0]
    assert served.client.get(f"{folder}/{name}").status_code == 404


def test_a_file_under_another_digest_is_not_found(served: Serving) -> None:
    url = urljoin(served.url, "/graphiql/0000000000000000/boot.js")
    assert served.client.get(url).status_code == 404


def test_the_first_query_answers(served: Serving) -> None:
    text = re.search(r'<template id="first-query">(.*)</template>', page_of(served).text, re.S)
    assert text is not None
    query = unescape(text[1])
    assert query == (FOLDER / "first.graphql").read_text(encoding="utf-8")
    assert parse(query)
    buyers = served.data(query)["buyers"]["edges"]
    assert len(buyers) == 5
    matches = [edge["node"] for buyer in buyers for edge in buyer["node"]["matches"]["edges"]]
    assert matches
    assert all(match["explanations"] for match in matches)


def test_nothing_of_it_in_production(served: Serving, production: Serving) -> None:
    admin = {"Authorization": f"Bearer {key_of(Role.ADMIN)}"}
    assert page_of(production).status_code in (401, 406)
    assert production.client.get(production.url, headers=HTML | admin).status_code != 200
    for url in assets_of(served):
        hidden = urljoin(production.url, urlsplit(url).path)
        for headers in ({}, admin):
            assert production.client.get(hidden, headers=headers).status_code == 404


@pytest.mark.parametrize(
    ("client", "status"),
    [(("127.0.0.1", 5), 200), (("::1", 5), 200), (("192.0.2.7", 5), 404), (None, 404)],
)
async def test_only_this_machine_gets_it(client: tuple[str, int] | None, status: int) -> None:
    graphiql = GraphiQL()
    found = re.search(rb"/graphiql/([0-9a-f]+)/boot.js", bytes(graphiql.page().body))
    assert found is not None
    path = {"digest": found[1].decode(), "name": "boot.js"}
    request = Request(
        {"type": "http", "method": "GET", "client": client, "path_params": path, "headers": []}
    )
    assert (await graphiql.asset(request)).status_code == status
    assert is_local(request) is (status == 200)


def test_every_released_file_has_its_licence() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for released in (file.name for file in FOLDER.iterdir() if ".min." in file.name):
        row = next(line for line in readme.splitlines() if f"`{released}`" in line)
        licence = re.search(r"`(LICENSE-[a-z]+\.txt)`", row)
        assert licence is not None
        assert "MIT" in (FOLDER / licence[1]).read_text(encoding="utf-8")
