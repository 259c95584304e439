"""docs/analysts.md as the tests read it, and the graph that they put its questions to."""

from __future__ import annotations

import asyncio
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import neo4j
import polars as pl
import pytest

from cli.main import run
from core.progress import SILENT
from graph.store import GraphStore
from synthetic.generate import generate
from synthetic.spec import MarketplaceSpec
from tests.servers.compose import neo4j_settings
from tests.servers.engines import open_neo4j
from tests.servers.neo4j import ROOT, Neo4jServer, running_neo4j

GUIDE = ROOT / "docs" / "analysts.md"
FOLDER = ROOT / "docs" / "analysts"
_QUESTION = re.compile(r"^### \d+\. (.+?)\n.*?```cypher\n(.*?)\n```", re.MULTILINE | re.DOTALL)
SPEC = MarketplaceSpec(buyers=150, offers=120, vendors=8, purchases=4_000, interactions=2_500)


@dataclass(frozen=True)
class Question:
    """One question of the guide and its query."""

    title: str
    text: str


def questions() -> list[Question]:
    """The guide's questions, in its order."""
    return [Question(*found) for found in _QUESTION.findall(GUIDE.read_text(encoding="utf-8"))]


def favourites() -> list[str]:
    """The texts of the favourites, in the order of their files."""
    files = sorted((FOLDER / "offerpath").glob("*.cypher"))
    return [path.read_text(encoding="utf-8").strip() for path in files]


def packed_favourites() -> list[str]:
    """The texts of the favourites that the archive for the Browser holds."""
    with zipfile.ZipFile(FOLDER / "offerpath.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".cypher"))
        return [archive.read(name).decode().strip() for name in names]


@dataclass(frozen=True)
class AnalystsGraph:
    """A Neo4j with the compose file's configuration, filled and with matches published.

    ``lines`` are the order lines that count: buyer_id, offer_id, order_id, at, id.
    """

    server: Neo4jServer
    folder: Path
    lines: pl.DataFrame

    def ask(self, text: str) -> list[dict[str, Any]]:
        """Run a query as the Browser would and return its rows."""
        with (
            neo4j.GraphDatabase.driver(
                self.server.uri, auth=(self.server.user, self.server.password)
            ) as driver,
            driver.session(default_access_mode=neo4j.READ_ACCESS) as session,
        ):
            result = session.run(text)
            return [dict(record) for record in result]

    def table(self, name: str) -> pl.DataFrame:
        """One of the canonical files that the graph was filled from."""
        return pl.read_parquet(self.folder / f"{name}.parquet")

    @property
    def categories(self) -> pl.DataFrame:
        """The category of each offer: offer_id, category_id."""
        offers = self.table("offers").select(
            pl.col("id").alias("offer_id"), pl.col("category_ids").alias("category_id")
        )
        return offers.explode("category_id")


@contextmanager
def filled_graph(home: Path) -> Iterator[AnalystsGraph]:
    """Start a server, import a marketplace, take every ninth order line back, publish matches."""
    folder = home / "data"
    generate(SPEC, folder, progress=SILENT)
    (home / "neo4j").mkdir()
    with running_neo4j(home / "neo4j", neo4j_settings()) as server:
        purchases = pl.read_parquet(folder / "purchases.parquet").sort("id")
        gone = purchases.gather_every(9)["id"].to_list()
        # Other tests run while this graph is kept: they must not find it in their environment.
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("OFFERPATH_GRAPH_URI", server.uri)
            patch.setenv("OFFERPATH_GRAPH_PASSWORD", server.password)
            assert run(["--home", str(home), "import", str(folder)]) == 0
            asyncio.run(_cancel(server, gone))
            assert run(["--home", str(home), "graph", "publish-matches"]) == 0
        yield AnalystsGraph(server, folder, purchases.filter(~pl.col("id").is_in(gone)))


async def _cancel(server: Neo4jServer, ids: list[str]) -> None:
    store = await GraphStore.open(await open_neo4j(server))
    try:
        result = await store.cancel_purchases([{"purchase_id": key} for key in ids])
        assert all(row.error is None for row in result.rows)
    finally:
        await store.close()
