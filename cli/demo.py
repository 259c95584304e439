"""`offerpath demo`: the whole main job, from data to a served API."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.rule import Rule

from cli.answers import ranking_view
from cli.demo_data import DemoData, data_of_folder, generated_data
from cli.demo_stages import (
    Demo,
    evaluate_model,
    fill_graph,
    rank_for_buyer,
    show_matches,
    train_model,
)
from cli.demo_view import first_query
from cli.evaluate import models_table
from cli.serve import require_port, serve
from cli.session import Session, session_of

if TYPE_CHECKING:
    from core.settings import Settings

NEO4J = "bolt://127.0.0.1:7687"


class Engine(StrEnum):
    """Where the demo's graph lives."""

    EMBEDDED = "embedded"
    NEO4J = "neo4j"


def run(
    context: typer.Context,
    data: Annotated[
        Path | None,
        typer.Option(exists=True, file_okay=False, help="A folder of data; without it, made up."),
    ] = None,
    engine: Annotated[Engine, typer.Option(help="Where the graph lives.")] = Engine.EMBEDDED,
    once: Annotated[bool, typer.Option("--once", help="End after printing.")] = False,
    buyer: Annotated[str | None, typer.Option(help="Whose matches to show.")] = None,
    buyers: Annotated[
        int, typer.Option(min=20, help="How many the made-up marketplace has.")
    ] = 2_000,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="Where to serve; 8000 unless said.")
    ] = None,
) -> None:
    """Generate or import, train, evaluate, show one buyer's matches, and serve them.

    A second run finds everything done and only shows and serves.

    Example: offerpath demo --data ../shared/data/online-retail --once
    """
    session = session_of(context)
    chosen = data_of_folder(data) if data else generated_data(buyers)
    settings = demo_settings(session, chosen, engine, port)
    if not once:
        require_port(settings.host, settings.port)
    demo = Demo(chosen, settings, session.terminal)
    fill_graph(demo)
    train_model(demo)
    models = evaluate_model(demo)
    show_matches(demo)
    shown = rank_for_buyer(demo, buyer)
    out = session.terminal.out
    out.print(Rule("How the models did on purchases they had not seen", align="left"))
    out.print(models_table(models))
    out.print(Rule(f"What fits buyer {shown.ranking.subject_id}, and why", align="left"))
    out.print(ranking_view(shown, out))
    if once:
        return
    out.print(Rule("What to try", align="left"))
    out.print(first_query(settings, shown.ranking.subject_id), soft_wrap=True)
    serve(settings, session.terminal)


def demo_settings(session: Session, data: DemoData, engine: Engine, port: int | None) -> Settings:
    """The settings with a home of the data set's own, and the graph on the engine chosen."""
    base = session.settings()
    overrides: dict[str, object] = {} if port is None else {"port": port}
    name = data.name if engine is Engine.EMBEDDED else f"{data.name}-neo4j"
    home = base.home / "demo" / name
    if engine is Engine.EMBEDDED:
        overrides["graph_uri"] = f"embedded:{home / 'graph.lbug'}"
    elif not base.graph_uri.startswith(("bolt", "neo4j")):
        overrides["graph_uri"] = NEO4J
    return Session(session.terminal, home=home).settings(**overrides)
