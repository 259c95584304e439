"""`offerpath backup`: the whole graph as one published folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import run_with_graph, session_of


def run(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where backups are kept; made when absent.")],
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Write every node and relationship of the graph, the event log and the books to FOLDER.

    Published whole or not at all; works on both engines.

    Example: offerpath backup backups/
    """
    session = session_of(context)
    progress = session.terminal.progress
    written = run_with_graph(session.settings(), lambda store: store.backup(folder, progress))
    if json:
        session.terminal.answer_json({"folder": written})
    else:
        session.terminal.say(f"Backup written to {written}. Bring it back: offerpath restore DIR")
