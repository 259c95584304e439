"""`offerpath export`: the canonical files back out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.generate import FileFormat
from cli.session import run_with_graph, session_of

if TYPE_CHECKING:
    from graph.store import GraphStore


def run(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="Where the files go; made when absent.")],
    file_format: Annotated[FileFormat, typer.Option("--format")] = FileFormat.PARQUET,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Write buyers, vendors, categories, offers, purchases, interactions as canonical files.

    What `offerpath import` reads: the way from one engine to the other.

    Example: offerpath export data/ --format csv
    """
    from loaders.export import ExportFormat, export_files

    session = session_of(context)
    terminal = session.terminal

    async def write(store: GraphStore) -> dict[str, int]:
        chosen = ExportFormat(file_format.value)
        return await export_files(store, folder, format=chosen, progress=terminal.progress)

    rows = run_with_graph(session.settings(), write)
    if json:
        terminal.answer_json({"folder": folder, "rows": rows})
        return
    for table, count in rows.items():
        terminal.out.print(f"{count:>12,}  {table}")
    terminal.say(f"Written to {folder}. Into another graph: offerpath import {folder}")
