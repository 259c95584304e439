"""`offerpath restore`: a backup into an empty graph."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import run_with_graph, session_of


def run(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="A backup.")],
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Fill an empty graph from a backup, also one taken on the other engine.

    Example: OFFERPATH_GRAPH_URI=bolt://127.0.0.1:7687 offerpath restore backups/
    """
    session = session_of(context)
    progress = session.terminal.progress
    run_with_graph(session.settings(), lambda store: store.restore(folder, progress))
    if json:
        session.terminal.answer_json({"folder": folder})
    else:
        session.terminal.say(f"The graph of {folder} is restored.")
