"""The stages of a demo; each does nothing when it finds its work done."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answers import ShownRanking, gather_matches
from cli.buyers import find_buyer_id
from cli.console import Terminal
from cli.demo_data import DemoData
from cli.evaluate import evaluate_and_report, read_evaluation
from cli.graph import publish
from cli.import_ import import_folder
from cli.session import run_with_graph, run_with_matching
from cli.train import train_and_publish, train_settings
from cli.training import read_training_snapshot
from core.errors import DamagedError, InputError

if TYPE_CHECKING:
    from core.settings import Settings
    from core.snapshot import GraphSnapshot
    from graph.store import GraphStore
    from matching.service import MatchingService

FIRST = 5
USUAL_OFFERS = 20


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a demo has come with one data set: kept in its home, as demo.json.

    ``graph_id`` is of the graph it fills, ``model`` the version it trained, ``published`` the one
    whose matches the graph shows.
    """

    fingerprint: str
    graph_id: str | None = None
    imported: bool = False
    published: str | None = None
    buyer_id: str | None = None
    model: str | None = None
    evaluated: bool = False


class Demo:
    """One data set's demo: where its things lie and how far it has come."""

    def __init__(self, data: DemoData, settings: Settings, terminal: Terminal) -> None:
        self.data = data
        self.settings = settings
        self.terminal = terminal
        self.progress = self._read()
        self._snapshot: GraphSnapshot | None = None

    @property
    def embedded(self) -> bool:
        """Whether the graph lies in the demo's home."""
        return self.settings.resolved_graph_uri.startswith("embedded:")

    def snapshot(self) -> GraphSnapshot:
        """The graph as tables, read once."""
        if self._snapshot is None:
            self._snapshot = read_training_snapshot(self.settings, self.terminal)
        return self._snapshot

    def keep(self, **changes: Any) -> None:
        """Remember how far the demo is."""
        self.progress = replace(self.progress, **changes)
        self.settings.home.mkdir(parents=True, exist_ok=True)
        staged = self._file.with_suffix(".new")
        staged.write_text(json.dumps(asdict(self.progress), indent=2), encoding="utf-8")
        staged.replace(self._file)

    @property
    def _file(self) -> Path:
        return self.settings.home / "demo.json"

    def _read(self) -> Progress:
        fresh = Progress(self.data.fingerprint)
        try:
            known = Progress(**json.loads(self._file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return fresh
        if known.fingerprint == self.data.fingerprint:
            return known
        if not self.embedded:
            raise InputError(
                "The graph holds another state of these data.",
                mend="Empty the Neo4j database, or name another by OFFERPATH_GRAPH_DATABASE.",
            )
        self.terminal.say("The data have changed since the last demo; starting anew.")
        shutil.rmtree(self.settings.home)
        return fresh


def fill_graph(demo: Demo) -> None:
    """Make up the data when they are to be made up, and import them.

    Raises:
        InputError: when the graph holds something else already.
    """
    if demo.progress.imported and run_with_graph(demo.settings, _id_of) == demo.progress.graph_id:
        return
    if not demo.embedded and demo.progress.graph_id is None:
        asyncio.run(_refuse_strange_graph(demo.settings))
    folder = demo.data.folder or _generated(demo)

    async def load(store: GraphStore) -> None:
        if store.graph_id != demo.progress.graph_id:
            await _refuse_other_data(store)
            demo.keep(
                graph_id=store.graph_id, imported=False, published=None, model=None, evaluated=False
            )
        await import_folder(store, demo.settings, demo.terminal, folder)

    run_with_graph(demo.settings, load)
    demo.keep(imported=True)


def train_model(demo: Demo) -> None:
    """Train and publish, unless the model of an earlier demo is there and whole."""
    from scoring.artifact import load_model

    try:
        model = load_model(demo.settings.models_dir)
    except DamagedError as damage:
        demo.terminal.say(f"{damage} Training anew.")
        model = None
    if model is not None and model.version == demo.progress.model:
        return
    chosen = train_settings()
    snapshot = demo.snapshot()
    manifest = train_and_publish(demo.settings, demo.terminal, snapshot, chosen)
    demo.keep(model=manifest["version"], buyer_id=usual_buyer(snapshot), evaluated=False)


def evaluate_model(demo: Demo) -> dict[str, Any]:
    """Evaluate on held-out purchases, or read what an earlier demo found."""
    if demo.progress.evaluated:
        known = read_evaluation(demo.settings.reports_dir / "evaluation.json")
        if known is not None:
            return known
    figures = evaluate_and_report(demo.settings, demo.terminal, demo.snapshot(), train_settings())
    demo.keep(evaluated=True)
    return figures


def show_matches(demo: Demo) -> None:
    """Publish the matches into a graph that people look at in Neo4j Browser."""
    if demo.embedded or demo.progress.published == demo.progress.model:
        return
    publish(demo.settings, demo.terminal.progress)
    demo.keep(published=demo.progress.model)


def rank_for_buyer(demo: Demo, buyer: str | None) -> ShownRanking:
    """The first matches of the buyer asked for, else of one with a usual history."""
    from matching.requests import OfferMatchRequest

    chosen = buyer or demo.progress.buyer_id or usual_buyer(demo.snapshot())

    async def rank(store: GraphStore, matching: MatchingService) -> ShownRanking:
        buyer_id = await find_buyer_id(store, demo.settings, chosen)
        return await gather_matches(
            store, matching, buyer_id, OfferMatchRequest(), first=FIRST, reasons=2
        )

    return run_with_matching(demo.settings, rank)


def usual_buyer(snapshot: GraphSnapshot) -> str:
    """The buyer whose number of different offers is closest to USUAL_OFFERS; ties by id."""
    import polars as pl

    counted = snapshot.purchases.group_by("buyer_id").agg(pl.col("offer_id").n_unique())
    distance = (pl.col("offer_id").cast(pl.Int64) - USUAL_OFFERS).abs()
    return str(counted.sort(distance, "buyer_id")["buyer_id"][0])


async def _id_of(store: GraphStore) -> str:
    return store.graph_id


async def _refuse_strange_graph(settings: Settings) -> None:
    """Refuse a server whose nodes are not Offerpath's, before anything is written into it."""
    from graph.drift import is_strange
    from graph.open import open_engine

    engine = await open_engine(settings)
    try:
        strange = await is_strange(engine)
    finally:
        await engine.close()
    if strange:
        raise _other_data()


async def _refuse_other_data(store: GraphStore) -> None:
    if await store.last_seq() or await store.list_imports():
        raise _other_data()


def _other_data() -> InputError:
    return InputError(
        "The graph holds other data already; a demo does not mix with them.",
        mend="Empty it, or name another: OFFERPATH_GRAPH_URI, OFFERPATH_GRAPH_DATABASE.",
    )


def _generated(demo: Demo) -> Path:
    from synthetic.generate import generate

    assert demo.data.spec is not None
    folder = demo.settings.home / "data"
    if not demo.progress.imported:
        generate(demo.data.spec, folder, progress=demo.terminal.progress)
    return folder
