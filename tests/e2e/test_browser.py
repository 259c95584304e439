"""Neo4j Browser as an analyst meets it: the page that the server itself serves, in Chromium."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import neo4j
import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e.chromium import chromium_page
from tests.e2e.guide import FOLDER, AnalystsGraph, Question, questions

# Starting and filling the server counts for the first test that asks for it.
pytestmark = pytest.mark.timeout(900)
DROP = """([name, text]) => {
  const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
  const transfer = new DataTransfer();
  transfer.items.add(new File([bytes], name));
  return transfer;
}"""


def frame_of(page: Page) -> Locator:
    """The newest answer."""
    return page.get_by_test_id("frame").first


def drop(page: Page, path: Path) -> None:
    """Drop a file on the page, as from a file manager."""
    data = [path.name, base64.b64encode(path.read_bytes()).decode()]
    transfer = page.evaluate_handle(DROP, data)
    page.dispatch_event(".filedrop", "drop", {"dataTransfer": transfer})


def type_in(page: Page, text: str) -> Locator:
    """Type into the editor and run it; the frame that answers."""
    page.get_by_test_id("activeEditor").locator(".view-lines").first.click()
    page.keyboard.type(text)
    page.get_by_test_id("editor-Run").click()
    expect(frame_of(page).get_by_test_id("frameCommand")).to_contain_text(text.strip())
    return frame_of(page)


def config_of(page: Page) -> dict[str, str]:
    """The Browser's settings, as it lists them."""
    shown = type_in(page, ":config").get_by_test_id("frameContents").inner_text()
    return dict(re.findall(r'"(\w+)": ([^,\n}]+)', shown))


@pytest.fixture(scope="module")
def browser(analysts_graph: AnalystsGraph) -> Iterator[Page]:
    """Neo4j Browser, connected, with the guide's style and favourites dropped on it."""
    server = analysts_graph.server
    expect.set_options(timeout=60_000)
    with chromium_page() as (page, _):
        page.goto(f"{server.http}/browser/?dbms={server.uri.replace('://', '://neo4j@')}&db=neo4j")
        page.get_by_test_id("password").fill(server.password, timeout=60_000)
        page.get_by_test_id("connect").click()
        expect(page.get_by_text("You are connected as user")).to_be_visible()
        # What the server tells it to be comes some time after that.
        until = time.monotonic() + 60
        while config_of(page)["useReadTransactions"] != "true" and time.monotonic() < until:
            page.wait_for_timeout(500)
        drop(page, FOLDER / "offerpath.grass")
        expect(page.get_by_test_id("styleResetButton")).to_be_visible()
        drop(page, FOLDER / "offerpath.zip")
        page.get_by_test_id("navigationFavorites").click()
        page.get_by_test_id("expandFolder-offerpath").click()
        yield page


def test_it_is_set_up_for_reading(browser: Page) -> None:
    settings = config_of(browser)
    assert settings["useReadTransactions"] == "true"
    assert settings["autoComplete"] == "false"
    assert (settings["maxRows"], settings["initialNodeDisplay"]) == ("1000", "150")


def test_a_write_by_accident_is_refused(browser: Page, analysts_graph: AnalystsGraph) -> None:
    frame = type_in(browser, "CREATE (:Diary) ")
    expect(frame).to_contain_text("read access mode", ignore_case=True)
    assert analysts_graph.ask("MATCH (n:Diary) RETURN count(n) AS notes") == [{"notes": 0}]


@pytest.mark.parametrize("question", questions(), ids=lambda question: question.title)
def test_a_favourite_is_drawn(
    browser: Page, analysts_graph: AnalystsGraph, question: Question, tmp_path: Path
) -> None:
    nodes, relationships = drawable(analysts_graph.ask(question.text))
    item = browser.get_by_test_id("savedScriptListItem").filter(has_text=question.title)
    item.hover()
    item.get_by_test_id("savedScriptsButton-Run").click()
    frame = frame_of(browser)
    expect(frame).to_contain_text(question.title)
    if not nodes:
        expect(frame.locator("table").first).to_contain_text("PURCHASED")
        return
    expect(frame.locator("g.node")).to_have_count(len(nodes))
    expect(frame.locator("g.relationship")).to_have_count(len(relationships))
    shown = {
        circle.get_attribute("fill") for circle in frame.locator("g.node circle.b-outline").all()
    }
    assert shown == {COLOURS[next(iter(node.labels))] for node in nodes.values()}
    picture = frame.screenshot(path=tmp_path / "drawn.png")
    assert len(picture) > 10_000


def drawable(rows: list[dict[str, Any]]) -> tuple[dict[str, Any], set[str]]:
    """Nodes by their id and ids of relationships in an answer, however deep they lie."""
    nodes: dict[str, Any] = {}
    relationships: set[str] = set()

    def visit(value: Any) -> None:
        if isinstance(value, neo4j.graph.Node):
            nodes[value.element_id] = value
        elif isinstance(value, neo4j.graph.Relationship):
            relationships.add(value.element_id)
        elif isinstance(value, neo4j.graph.Path):
            visit([*value.nodes, *value.relationships])
        elif isinstance(value, list):
            for part in value:
                visit(part)

    for row in rows:
        visit(list(row.values()))
    return nodes, relationships


COLOURS = dict(
    re.findall(
        r"node\.(\w+) \{[^}]*?\n  color: (#\w+);",
        (FOLDER / "offerpath.grass").read_text(encoding="utf-8"),
    )
)
