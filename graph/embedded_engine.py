"""The embedded engine: LadybugDB in this process, behind the GraphEngine protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import ladybug
import polars as pl

from graph.embedded_database import EmbeddedDatabase, execute, frame_of, rows_of
from graph.embedded_rows import bind
from graph.engine import Row, Transaction
from graph.queries import Query, QueryFailedError
from graph.tables import Table
from graph.values import plain_parameters, unwinds_nothing

T = TypeVar("T")
READERS = 4


class EmbeddedEngine:
    """One graph file: writes queue for one thread, reads share a bounded pool of threads.

    Never fork a process that has one.
    """

    name = "embedded"

    def __init__(self, database: EmbeddedDatabase) -> None:
        self._database = database
        self._write_thread = ThreadPoolExecutor(1, thread_name_prefix="graph-write")
        self._read_threads = ThreadPoolExecutor(READERS, thread_name_prefix="graph-read")
        self._writing = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path) -> EmbeddedEngine:
        """Open the graph file; GraphBusyError when somebody else has it."""
        return cls(await asyncio.to_thread(EmbeddedDatabase, path))

    @property
    def torn_log(self) -> Path | None:
        """Copy of the write-ahead log that was torn when the file was opened, if it was."""
        return self._database.torn_log

    def announce(self, url: str | None) -> None:
        """Tell processes that meet the locked file at which URL it is served."""
        self._database.lock.announce(url)

    async def apply_schema(self) -> None:
        """Create what graph/schema/embedded.cypher declares and the graph lacks."""
        await self._write_alone(self._database.apply_schema)

    async def read(self, query: Query, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one read and return all of its rows."""
        if unwinds_nothing(query, parameters or {}):
            return []
        return await _on(self._read_threads, self._database.read, query, parameters, rows_of)

    async def read_frame(
        self, query: Query, parameters: Mapping[str, Any] | None = None
    ) -> pl.DataFrame:
        """Run one read and return it as a table."""
        return await _on(self._read_threads, self._database.read, query, parameters, frame_of)

    async def stream(
        self, query: Query, parameters: Mapping[str, Any] | None = None, *, batch_rows: int
    ) -> AsyncIterator[pl.DataFrame]:
        """Run one read and hand out its rows in tables of at most ``batch_rows``.

        The engine computes the whole result first, so the rows are of one moment.
        """
        frame = await self.read_frame(query, parameters)
        for start in range(0, frame.height, batch_rows):
            yield frame.slice(start, batch_rows)

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run ``work`` in one write transaction; commit when it returns, else roll back."""
        async with self._writing:
            transaction = _EmbeddedTransaction(self._database, self._write_thread)
            try:
                await _on(self._write_thread, transaction.begin)
                result = await work(transaction)
                await _on(self._write_thread, transaction.commit)
            except BaseException:
                # Not awaited, so that a cancelled caller need not wait: the one thread rolls back
                # after what it still runs and before the next transaction begins.
                self._write_thread.submit(transaction.roll_back)
                raise
            return result

    async def bulk_insert(self, table: Table, rows: pl.DataFrame) -> int:
        """Insert the rows that are not there yet by COPY; durable when it returns."""
        return await self._write_alone(self._database.insert, table, rows)

    async def checkpoint(self) -> None:
        """Fold the write-ahead log into the file."""
        await self._write_alone(self._database.checkpoint)

    async def close(self) -> None:
        """Finish running work and let go of the file."""
        async with self._writing:
            await asyncio.to_thread(self._shut_down)

    def _shut_down(self) -> None:
        self._read_threads.shutdown()
        self._write_thread.shutdown()
        self._database.close()

    async def _write_alone(self, work: Callable[..., T], *arguments: Any) -> T:
        async with self._writing:
            return await _on(self._write_thread, work, *arguments)


class _EmbeddedTransaction:
    """One write transaction; its statements run on the write thread."""

    def __init__(self, database: EmbeddedDatabase, thread: Executor) -> None:
        self._database = database
        self._thread = thread
        self._connection: ladybug.Connection | None = None
        self._failure: QueryFailedError | None = None

    async def run(self, query: Query, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a query in this transaction and return its rows."""
        if unwinds_nothing(query, parameters or {}):
            return []
        return await _on(self._thread, self._run, query, parameters)

    def begin(self) -> None:
        self._database.settle_log()
        self._connection = self._database.connect()
        self._connection.execute("BEGIN TRANSACTION")

    def commit(self) -> None:
        connection = self._alive()
        try:
            connection.execute("COMMIT")
        except RuntimeError as error:
            self._database.doubt_log()
            raise QueryFailedError(f"The commit failed: {error}.") from error
        self._connection = None
        connection.close()

    def roll_back(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(RuntimeError):
                connection.execute("ROLLBACK")
            connection.close()

    def _run(self, query: Query, parameters: Mapping[str, Any] | None) -> list[Row]:
        connection = self._alive()
        text, bound, _ = bind(query, plain_parameters(parameters))
        try:
            return execute(connection, query, text, bound, rows_of)
        except QueryFailedError as error:
            self._failure = error
            raise

    def _alive(self) -> ladybug.Connection:
        # A failed statement ends the transaction, and the engine would commit each later
        # statement by itself.
        if self._failure is not None:
            raise QueryFailedError("The transaction has failed already.") from self._failure
        if self._connection is None:
            raise QueryFailedError("The transaction has ended.")
        return self._connection


async def _on(executor: Executor, work: Callable[..., T], *arguments: Any) -> T:
    return await asyncio.get_running_loop().run_in_executor(executor, work, *arguments)
