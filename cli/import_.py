"""`offerpath import`: files into the graph."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import Terminal
from cli.session import Session, graph_is_there, now, open_graph, run_with_graph, session_of
from core.errors import InputError

if TYPE_CHECKING:
    from core.settings import Settings
    from graph.store import GraphStore
    from loaders.mapping import Mapping
    from loaders.report import ImportReport

BAD_INPUT = 2


class OnErrorChoice(StrEnum):
    """What a rejected row means for the rest."""

    REJECT_ROWS = "reject-rows"
    REJECT_ALL = "reject-all"


def run(
    context: typer.Context,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="A folder, or files.")
    ] = None,
    mapping: Annotated[
        str | None,
        typer.Option(help="A TOML file, or a shipped mapping: online-retail, complete-journey."),
    ] = None,
    currency: Annotated[
        str | None, typer.Option(help="Of canonical files without a currency column.")
    ] = None,
    on_error: Annotated[
        OnErrorChoice, typer.Option(help="Leave bad rows out, or import nothing.")
    ] = OnErrorChoice.REJECT_ROWS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all, write nothing.")] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Import files again that were imported before.")
    ] = False,
    discard: Annotated[
        str | None, typer.Option(metavar="BATCH", help="Take this half-way import back instead.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Import CSV, JSONL or Parquet files (also .gz), canonical ones or by a mapping.

    Everything is validated before anything is written. A file imported twice changes nothing.

    An import that was killed is finished by running it again.

    Example: offerpath import sales.csv --mapping shop.toml --dry-run
    """
    session = session_of(context)
    settings = session.settings()
    if discard is not None:
        run_with_graph(settings, lambda store: store.discard_import(discard))
        session.terminal.say(f"Import {discard} is taken back.")
        return
    if not paths:
        raise InputError("There is nothing to import.", mend="Name a folder or files.")
    chosen = _mapping(mapping, currency)
    report = asyncio.run(
        _import(session, settings, paths, chosen, on_error, dry_run=dry_run, again=again)
    )
    if json:
        session.terminal.answer_json(report.as_json())
    else:
        report.print_to(session.terminal.out)
    if report.outcome.value == "rejected":
        raise typer.Exit(BAD_INPUT)


async def import_folder(
    store: GraphStore, settings: Settings, terminal: Terminal, data: Path
) -> ImportReport:
    """Import a folder by whatever mapping fits it, and leave the report; rejected rows stay out."""
    from loaders.importer import import_files

    report = await import_files(
        store,
        data,
        home=settings.home,
        now=now(),
        pseudonym_key=settings.pseudonym_key.get_secret_value(),
        progress=terminal.progress,
    )
    _leave_report(report, settings, terminal)
    return report


async def _import(
    session: Session,
    settings: Settings,
    paths: Sequence[Path],
    mapping: Mapping | None,
    on_error: OnErrorChoice,
    *,
    dry_run: bool,
    again: bool,
) -> ImportReport:
    from loaders.importer import OnError, import_files

    async def work(store: GraphStore | None) -> ImportReport:
        return await import_files(
            store,
            paths[0] if len(paths) == 1 else paths,
            home=settings.home,
            now=now(),
            mapping=mapping,
            on_error=OnError(on_error.value),
            dry_run=dry_run,
            pseudonym_key=settings.pseudonym_key.get_secret_value(),
            again=again,
            progress=session.terminal.progress,
        )

    if dry_run and not graph_is_there(settings):
        return await work(None)
    async with open_graph(settings) as store:
        report = await work(store)
    if not dry_run:
        _leave_report(report, settings, session.terminal)
    return report


def _leave_report(report: ImportReport, settings: Settings, terminal: Terminal) -> None:
    from loaders.report import write_report

    if not report.files:  # files imported before: their report is there already
        return
    page = write_report(report, settings.reports_dir / f"import-{report.batch_id}")
    terminal.say(f"The quality report: {page}")


def _mapping(name: str | None, currency: str | None) -> Mapping | None:
    from loaders.dataset import canonical_mapping
    from loaders.mapping import find_mapping

    if name is not None:
        if currency is not None:
            raise InputError("A mapping names its currency itself.", mend="Leave --currency out.")
        return find_mapping(name)
    return canonical_mapping(currency.upper()) if currency is not None else None
