"""Backup of a whole graph to Parquet, and its way back, on either engine."""

from __future__ import annotations

import asyncio
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import polars as pl

from core.errors import ConflictError, DamagedError
from core.progress import SILENT, Progress
from core.published import current_folder, publish_folder, read_manifest
from graph.engine import Transaction
from graph.migrations import FIRST_VERSION, MIGRATIONS
from graph.queries import Query, load_query
from graph.snapshots import Snapshots
from graph.tables import COUNTER, LEASE, SCHEMA_VERSION, TABLES, Table

FORMAT = 1
_BATCH_ROWS = 100_000
# A graph has these of its own: also one that was served, with nothing in it yet.
_OWN_TABLES = (COUNTER, SCHEMA_VERSION, LEASE)
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


class Backups(Snapshots):
    """Writing and reading back every label, relationship type and property."""

    async def backup(self, folder: Path, progress: Progress = SILENT) -> Path:
        """Write the whole graph under ``folder``, at one seq, and publish it atomically.

        Books are in it as well: pending imports, keys (only their hashes), the event log.

        Returns:
            The published folder, ``backup-SEQ``.
        """
        staging = await asyncio.to_thread(_make_staging, folder)
        try:
            seq, counts = await self.read_at_one_seq(lambda: self._dump_all(staging, progress))
            manifest = {
                "format": FORMAT,
                "schema_version": MIGRATIONS[-1].version if MIGRATIONS else FIRST_VERSION,
                "graph_id": self.graph_id,
                "seq": seq,
                "taken_at": self.clock().isoformat(),
                "rows": counts,
            }

            def write(target: Path) -> dict[str, Any]:
                for path in staging.iterdir():
                    shutil.move(path, target / path.name)
                return manifest

            name = f"backup-{seq:012d}"
            return await asyncio.to_thread(publish_folder, folder, name, write)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    async def restore(self, folder: Path, progress: Progress = SILENT) -> int:
        """Fill this empty graph from a backup, whichever engine wrote it; returns the log's seq.

        The graph keeps an id of its own: it goes its own way from here, so snapshots of the graph
        that was backed up are not its snapshots.

        Args:
            folder: the folder given to ``backup``, or one published in it.
            progress: who is told.

        Raises:
            DamagedError: when the backup fails its checksums or has another format.
            ConflictError: when this graph is not empty.
        """
        source = await asyncio.to_thread(current_folder, folder) or folder
        manifest = await asyncio.to_thread(read_manifest, source)
        if manifest.get("format") != FORMAT:
            raise DamagedError(
                f"{source} has backup format {manifest.get('format')}, not {FORMAT}.",
                mend="Restore it with the Offerpath that wrote it.",
            )
        await self._check_empty()
        tables = [table for table in TABLES.values() if table not in _OWN_TABLES]
        with progress.task("Restore", total=len(tables)) as task:
            for table in tables:
                await self._insert_file(table, source / _file_name(table))
                task.advance()
        await self._set_counters(pl.read_parquet(source / _file_name(COUNTER)))
        await self.engine.checkpoint()
        return int(manifest["seq"])

    async def _dump_all(self, folder: Path, progress: Progress) -> dict[str, int]:
        counts = {}
        with progress.task("Back up", total=len(TABLES)) as task:
            for table in TABLES.values():
                counts[table.name] = await self._dump(table, folder / _file_name(table))
                task.advance()
        return counts

    async def _dump(self, table: Table, path: Path) -> int:
        """Write a table as one Parquet file; returns its rows."""
        schema = table.frame_schema
        frames = []
        async for frame in self.engine.stream(dump_query(table), batch_rows=_BATCH_ROWS):
            frames.append(frame.select(pl.col(name).cast(kind) for name, kind in schema.items()))
        whole = pl.concat(frames) if frames else pl.DataFrame(schema=schema)
        keys = [name for name in ("id", "from_id", "to_id") if name in schema]
        await asyncio.to_thread(whole.sort(keys).write_parquet, path)
        return whole.height

    async def _check_empty(self) -> None:
        for table in TABLES.values():
            if table in _OWN_TABLES or not table.is_node:
                continue
            async for frame in self.engine.stream(dump_query(table), batch_rows=1):
                if frame.height:
                    raise ConflictError(
                        f"The graph is not empty (it holds a {table.name}).",
                        mend="Restore into a new graph: another path or database.",
                    )

    async def _insert_file(self, table: Table, path: Path) -> None:
        frame = await asyncio.to_thread(pl.read_parquet, path)
        for batch in frame.iter_slices(_BATCH_ROWS):
            await self.engine.bulk_insert(table, batch)

    async def _set_counters(self, counters: pl.DataFrame) -> None:
        async def work(tx: Transaction) -> None:
            # A position that the backup does not know is none in its log.
            await tx.run(load_query("drop_other_counters"), {"ids": counters["id"].to_list()})
            for name, value in counters.select("id", "value").iter_rows():
                await tx.run(load_query("make_counter"), {"id": name})
                await tx.run(load_query("set_counter"), {"id": name, "to": value})

        await self.engine.write(work)


def _make_staging(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return Path(tempfile.mkdtemp(prefix=".backup-", dir=folder))


def dump_query(table: Table) -> Query:
    """The query that reads a table whole."""
    name = table.name if table.name.isupper() else _HUMP.sub("_", table.name)
    return load_query(f"dump_{name.lower()}")


def _file_name(table: Table) -> str:
    return f"{table.name}.parquet"
