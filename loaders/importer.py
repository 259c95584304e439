"""Importing: read, validate all, then write under a pending batch that shows all at once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl

from core.errors import InputError
from core.progress import SILENT, Progress, Task
from core.pseudonyms import pseudonym
from graph.imports import ImportRecord, ImportState
from graph.store import GraphStore
from graph.tables import TABLES
from loaders.columns import Columns
from loaders.dataset import Files, detect_mapping, find_files, narrowed
from loaders.frames import to_graph
from loaders.lines import PRESENT, LineBook
from loaders.lookups import read_lookups
from loaders.mapping import Mapping
from loaders.plan import ALLOTTED, MET, READY, Plan
from loaders.planning import Planner
from loaders.present import Present
from loaders.problems import gathered, no_problems
from loaders.quality import Quality
from loaders.reading import Reader
from loaders.report import ImportReport, Outcome, make_report
from loaders.staging import Stage, batch_id, fingerprint

_INSERTED_AT_ONCE = 200_000
_READY = {
    "purchases": ALLOTTED,
    "cancellations": MET,
    "interactions": f"{READY}interactions",
    "preferences": f"{READY}preferences",
}


class OnError(StrEnum):
    """What a rejected row means for the rest."""

    REJECT_ROWS = "reject-rows"
    REJECT_ALL = "reject-all"


@dataclass(frozen=True, slots=True)
class _Run:
    """One import, told apart from others by its batch."""

    batch: str
    source: str
    mapping: Mapping
    files: Files


async def import_files(
    store: GraphStore | None,
    data: Path | Sequence[Path],
    *,
    home: Path,
    now: datetime,
    mapping: Mapping | None = None,
    on_error: OnError = OnError.REJECT_ROWS,
    dry_run: bool = False,
    pseudonym_key: str = "",
    again: bool = False,
    progress: Progress = SILENT,
) -> ImportReport:
    """Import files into the graph: canonical ones, or others by a mapping.

    All of it is validated before anything is written. What is written stays invisible until the
    last transaction. An import that was killed is finished by running it again; one that was
    finished changes nothing when it is run again.

    Args:
        store: the graph; None only for a dry run, which then knows of no graph.
        data: a folder or files.
        home: folder for the import's staging files; as it was before, afterwards.
        now: the present time, aware; later times are refused.
        mapping: how to read the files; None for canonical files and what a shipped mapping fits.
        on_error: whether rejected rows are left out or stop the import.
        dry_run: read and validate, write nothing.
        pseudonym_key: key of the hash for what the mapping pseudonymises.
        again: import a finished import's files again, say after deleting what it brought.
        progress: who shows how far it is.

    Raises:
        InputError: when files are missing, unreadable or do not fit the mapping; ConflictError
            when another import is not finished. Nothing has been written then.
    """
    if store is None and not dry_run:
        raise InputError("There is no graph to import into.", mend="Open one, or do a dry run.")
    run = await _prepare(store, data, mapping, pseudonym_key, again=again)
    stage = Stage(home / "imports" / run.batch)
    try:
        record = await _record(store, run.batch)
        state = record.state if record is not None else None
        if record is not None and state is ImportState.FINISHED and not dry_run:
            return _unchanged(run, record)
        return await _import(
            store, run, stage, now, on_error, pseudonym_key, progress,
            dry_run=dry_run, pending=state is ImportState.PENDING,
        )  # fmt: skip
    finally:
        stage.remove()


async def _prepare(
    store: GraphStore | None,
    data: Path | Sequence[Path],
    mapping: Mapping | None,
    key: str,
    *,
    again: bool,
) -> _Run:
    mapping = mapping or detect_mapping(data)
    files = find_files(data, mapping)
    mapping = narrowed(mapping, files)
    choices = []
    if mapping.pseudonymise:
        pseudonym("", key)
        choices.append(hashlib.sha256(key.encode()).hexdigest())
    source = fingerprint([path for paths in files.values() for path in paths])
    batch = batch_id(source, mapping, *choices)
    if again and store is not None:
        states = {record.id: record.state for record in await store.list_imports()}
        repeat = 0
        while states.get(batch) is ImportState.FINISHED:
            repeat += 1
            batch = batch_id(source, mapping, *choices, f"again {repeat}")
    return _Run(batch, source, mapping, files)


async def _record(store: GraphStore | None, batch: str) -> ImportRecord | None:
    records = await store.list_imports() if store is not None else []
    return {record.id: record for record in records}.get(batch)


def _unchanged(run: _Run, record: ImportRecord) -> ImportReport:
    """What is said of files that were imported before: every line is there."""
    report = make_report(
        Outcome.UNCHANGED, run.batch, run.mapping.name, LineBook(), Quality(),
        tables={}, problems=no_problems(), seq=record.seq,
    )  # fmt: skip
    lines = int(record.summary.get("lines", 0))
    return replace(report, lines=lines, dispositions={PRESENT: lines})


async def _import(
    store: GraphStore | None,
    run: _Run,
    stage: Stage,
    now: datetime,
    on_error: OnError,
    key: str,
    progress: Progress,
    *,
    dry_run: bool,
    pending: bool,
) -> ImportReport:
    reader = _read(run, stage, now, key, progress)
    planner = Planner(run.mapping, stage, reader.book, Present(store))
    with progress.task("Checking") as task:
        plan = await planner.make()
        task.advance()
    problems = gathered([reader.problems(), planner.problems()])

    def report(outcome: Outcome, seq: int | None = None) -> ImportReport:
        return make_report(
            outcome, run.batch, run.mapping.name, reader.book, reader.quality,
            tables=plan.counts, problems=problems, seq=seq,
        )  # fmt: skip

    if on_error is OnError.REJECT_ALL and problems.height:
        return report(Outcome.REJECTED)
    if dry_run or store is None:
        return report(Outcome.VALID)
    if plan.empty and not pending:
        return report(Outcome.UNCHANGED)
    summary = _summary(run, reader.book)
    return report(Outcome.IMPORTED, await _write(store, run, plan, stage, summary, progress))


def _read(run: _Run, stage: Stage, now: datetime, key: str, progress: Progress) -> Reader:
    book = LineBook()
    lookups = read_lookups(run.mapping, run.files, book)
    columns = Columns(lookups, run.mapping.category_synonyms)
    reader = Reader(run.mapping, columns, stage, book, Quality(run.mapping.time_zone), now, key)
    for name, paths in run.files.items():
        if not run.mapping.lookup_only(name):
            reader.read_source(name, paths, progress)
    return reader


async def _write(
    store: GraphStore,
    run: _Run,
    plan: Plan,
    stage: Stage,
    summary: dict[str, Any],
    progress: Progress,
) -> int:
    """Write the plan; returns the log's seq."""
    state = await store.open_import(run.batch, run.source, run.mapping.name)
    total = sum(counts.new for counts in plan.counts.values())
    with progress.task("Writing", total) as task:
        shapes = [to_graph(table, rows, run.batch) for table, rows in plan.entities.items()]
        for is_node in (True, False):
            for shape in shapes:
                chosen = {n: rows for n, rows in shape.items() if TABLES[n].is_node is is_node}
                await _insert(store, chosen, task if is_node else None)
        for table, name in _READY.items():
            for part in _gathered_parts(stage, name):
                await _insert(store, to_graph(table, part, run.batch), task)
    with progress.task("Finishing") as task:
        updates = plan.import_updates(resumed=state is ImportState.PENDING)
        seq = await store.finish_import(run.batch, updates, summary)
        task.advance()
    return seq


def _gathered_parts(stage: Stage, name: str) -> Iterator[pl.DataFrame]:
    """Parts put together: the embedded engine reads all ids of a table before each insert."""
    parts: list[pl.DataFrame] = []
    for part in stage.parts(name):
        parts.append(part)
        if sum(rows.height for rows in parts) >= _INSERTED_AT_ONCE:
            yield pl.concat(parts)
            parts = []
    if parts:
        yield pl.concat(parts)


async def _insert(store: GraphStore, frames: dict[str, pl.DataFrame], task: Task | None) -> None:
    for table, rows in frames.items():
        await store.insert_rows(table, rows)
        if task is not None:
            task.advance(rows.height)


def _summary(run: _Run, book: LineBook) -> dict[str, Any]:
    return {
        "files": [path.name for paths in run.files.values() for path in paths],
        "lines": book.total,
        "dispositions": book.dispositions(),
    }
