"""Purchases to measure on: read into a graph of their own that is gone afterwards."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.text import Text

from cli.bench_tables import models_table, name_of
from cli.session import Session, now, open_graph
from core.errors import InputError

if TYPE_CHECKING:
    from core.settings import Settings
    from core.snapshot import GraphSnapshot
    from loaders.mapping import Mapping

NEEDED = ("buyer_id", "offer_id", "at")
PARTS = {
    "models": "New to buyer",
    "repeat": "Bought again",
    "next_basket": "Next basket",
    "next_basket_repeat": "Of it, bought before",
    "new_buyers": "New buyers",
    "new_offers": "New offers",
}


def read_purchases(session: Session, path: Path, mapping: str | None) -> GraphSnapshot:
    """A file or folder of purchases as a snapshot, imported as `offerpath import` does.

    A file with columns buyer_id, offer_id and at needs no mapping, and neither buyers' nor
    offers' files.

    Raises:
        InputError: when it is not there, no mapping fits, or no purchase is left of it.
    """
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        settings = session.settings(home=home, graph_uri=f"embedded:{home / 'graph.lbug'}")
        snapshot = asyncio.run(_imported(session, settings, path, _mapping(path, mapping)))
    if not len(snapshot.purchases):
        raise InputError(f"{path} leaves no purchases to measure on.", mend="See docs/mappings.md.")
    return snapshot


async def _imported(
    session: Session, settings: Settings, path: Path, mapping: Mapping | None
) -> GraphSnapshot:
    from loaders.importer import import_files

    async with open_graph(settings) as store:
        report = await import_files(
            store,
            path,
            home=settings.home,
            now=now(),
            mapping=mapping,
            pseudonym_key=settings.pseudonym_key.get_secret_value(),
            progress=session.terminal.progress,
        )
        refused = {k: v for k, v in report.dispositions.items() if k.startswith("rejected")}
        if refused:
            said = ", ".join(f"{count:,} {reason}" for reason, count in refused.items())
            session.terminal.say(f"Of {report.lines:,} lines: {said}.")
        return await store.read_snapshot(session.terminal.progress)


def _mapping(path: Path, name: str | None) -> Mapping | None:
    from loaders.mapping import find_mapping
    from loaders.sources import columns_of

    if name is not None:
        return find_mapping(name)
    if path.is_dir():
        return None
    columns = columns_of(path)
    return lone_mapping(columns) if set(NEEDED) <= set(columns) else None


def lone_mapping(columns: list[str]) -> Mapping:
    """The mapping of a file of purchases alone, whose buyers and offers are nothing but their ids.

    Args:
        columns: of the file; buyer_id, offer_id and at are among them.
    """
    from loaders.mapping import Mapping

    taken = [c for c in (*NEEDED, "order_id", "quantity", "context") if c in columns]
    return Mapping.model_validate(
        {
            "name": "purchases",
            "sources": {"lines": {"files": ["*"], "columns": list(NEEDED)}},
            "tables": {
                "buyers": {"source": "lines", "columns": {"id": "buyer_id"}},
                "offers": {"source": "lines", "columns": {"id": "offer_id"}},
                "purchases": {"source": "lines", "columns": {c: c for c in taken}},
            },
        }
    )


def purchases_view(figures: dict[str, Any]) -> RenderableType:
    """The report on purchases for people."""
    data = figures["data"]
    remark = (
        f"{data['train']:,} purchases before {data['cut']:.10}; after it {data['testers']:,} "
        f"buyers ({data['new_buyers']:,} of them new) bought {data['test']:,} offers for the "
        f"first time and {data['test_repeated']:,} again. {data['offers']:,} offers, nobody had "
        f"bought {data['new_offers']:,} of them. All metrics at 20.\n"
        f"On the validation slice {name_of(figures['settings']['served'])} was best: it is what is "
        "served as Offerpath."
    )
    tables: list[RenderableType] = []
    for part, title in PARTS.items():
        tables += [models_table(figures[part], title=title), Text()]
    return Group(*tables, Text(remark, style="dim"))
