"""`offerpath graph`: matches in the graph, and the page of one buyer's."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image
from scipy import ndimage

from graph.embedded_files import GraphLock
from tests.cli.conftest import Command
from tests.e2e.chromium import chromium_page

AMBER = (0xF2, 0xA9, 0x3B)
NODES = """() => Bokeh.documents[0].roots()[0].renderers
  .filter(r => r.name && r.name.startsWith("nodes "))
  .flatMap(r => Array.from(r.data_source.data.key))"""


@pytest.fixture
def home(filled_home: Path, tmp_path: Path) -> Path:
    """A copy of the filled home, for the test alone."""
    return Path(shutil.copytree(filled_home, tmp_path / "home"))


def test_publishing_tells_what_it_wrote(offerpath: Command, home: Path) -> None:
    first = offerpath("graph", "publish-matches", "--first", 3, "--json")
    assert first.code == 0
    written = first.json["written"]
    assert written > 3 and first.json == {
        "written": written, "changed": 0, "removed": 0, "unchanged": 0,
    }  # fmt: skip
    again = offerpath("graph", "publish-matches", "--first", 3)
    assert [line.split() for line in again.out.splitlines()] == [
        ["0", "written"], ["0", "changed"], ["0", "removed"], [str(written), "unchanged"],
    ]  # fmt: skip
    fewer = offerpath("graph", "publish-matches", "--first", 1, "--json").json
    assert fewer["removed"] + fewer["unchanged"] == written
    assert offerpath("graph", "publish-matches", "--first", 0).code == 2


def usual_buyer(marketplace: Path) -> str:
    return str(pl.read_parquet(marketplace / "purchases.parquet")["buyer_id"].mode().sort()[0])


def test_exploring_writes_a_page_that_needs_nothing(
    offerpath: Command, home: Path, marketplace: Path, tmp_path: Path
) -> None:
    buyer, page = usual_buyer(marketplace), tmp_path / "pages" / "matches.html"
    answer = offerpath("graph", "explore", buyer, "--first", 5, "--out", page, "--json").json
    assert (answer["page"], answer["buyer"], answer["matches"]) == (str(page), buyer, 5)
    text = page.read_text(encoding="utf-8")
    assert not re.search(r"<(script|link|img)[^>]+(src|href)=", text)
    others = set(pl.read_parquet(marketplace / "buyers.parquet")["id"]) - {buyer}
    assert [other for other in others if other in text] == []
    ranked = offerpath("match", buyer, "--first", 5, "--json").json["matches"]
    for match in ranked:
        assert match["offer"]["id"] in text
    kept = offerpath("graph", "explore", buyer)
    assert Path(kept.out.strip()) == home / "reports" / f"matches-{buyer}.html"
    assert offerpath("graph", "explore", "nobody").code == 2


def test_the_page_draws_every_node(
    offerpath: Command, home: Path, marketplace: Path, tmp_path: Path
) -> None:
    path = tmp_path / "matches.html"
    buyer = usual_buyer(marketplace)
    answer = offerpath("graph", "explore", buyer, "--first", 4, "--out", path, "--json").json
    with chromium_page(1400, 1200) as (page, refused):
        failures: list[str] = []
        page.on("pageerror", lambda error: failures.append(str(error)))
        page.goto(path.as_uri())
        page.wait_for_function("window.Bokeh && Bokeh.documents.length === 1")
        page.wait_for_function("document.querySelector('.bk-Figure') !== null")
        page.wait_for_timeout(500)
        keys = page.evaluate(NODES)
        picture = Image.open(io.BytesIO(page.locator(".bk-Figure").screenshot()))
    assert (refused, failures) == ([], [])
    assert len(set(keys)) == len(keys) == answer["nodes"]
    offers = [key for key in keys if key.startswith(("OFFER:", "EVIDENCE:"))]
    amber = np.all(np.array(picture.convert("RGB")) == AMBER, axis=2)
    spots, _ = ndimage.label(amber)
    # A node has some 500 points, the one in the legend fewer.
    assert sum(np.bincount(spots.ravel())[1:] > 300) in (len(offers), len(offers) + 1)
    assert len(offers) > 4


def test_a_served_embedded_graph_says_what_to_do(offerpath: Command, home: Path) -> None:
    held = GraphLock(home / "graph.lbug")
    try:
        held.announce("http://127.0.0.1:8123/graphql")
        for words in (("publish-matches",), ("explore", "B00001")):
            answer = offerpath("graph", *words)
            assert answer.code == 2
            for named in ("http://127.0.0.1:8123/graphql", "Stop that server", "Neo4j"):
                assert named in answer.err
    finally:
        held.release()
