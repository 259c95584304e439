"""The Neo4j engine: the official asynchronous driver behind the GraphEngine protocol."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

import polars as pl
from neo4j import (
    READ_ACCESS,
    WRITE_ACCESS,
    AsyncDriver,
    AsyncGraphDatabase,
    AsyncManagedTransaction,
    AsyncSession,
)
from neo4j.exceptions import (
    AuthError,
    ConfigurationError,
    DriverError,
    Neo4jError,
    ServiceUnavailable,
    SessionExpired,
)

from core.errors import GraphUnavailableError
from graph.engine import Row, Transaction
from graph.neo4j_bulk import BATCH_ROWS, check_ends, insert_batch
from graph.neo4j_frames import (
    TooLargeError,
    packed_rows,
    packs,
    plain_rows,
    wide_frame,
    wide_read,
)
from graph.neo4j_values import plain_row, whole_rows
from graph.queries import Query, QueryFailedError
from graph.schema import schema_statements
from graph.tables import Table
from graph.values import checked_rows, plain_parameters, unwinds_nothing

T = TypeVar("T")
CLOSE_SECONDS = 5.0
"""How long closing waits for what is still running."""
# How often a read that meets what is being deleted is run, before such rows are just left out.
_READS = 3
_UNREACHABLE = (ServiceUnavailable, SessionExpired, AuthError, ConfigurationError, OSError)


class Neo4jEngine:
    """One database of a Neo4j server or cluster."""

    name = "neo4j"

    def __init__(self, driver: AsyncDriver, uri: str, database: str) -> None:
        self._driver = driver
        self._uri = without_secret(uri)
        self._database = database
        self._running: set[asyncio.Task[Any]] = set()

    @classmethod
    async def open(cls, uri: str, user: str, password: str, database: str) -> Neo4jEngine:
        """Connect; raises GraphUnavailableError, naming the URI, when that is not possible."""
        with _named(without_secret(uri)):
            driver = AsyncGraphDatabase.driver(
                uri,
                auth=(user, password),
                connection_timeout=5.0,
                connection_acquisition_timeout=30.0,
                max_transaction_retry_time=15.0,
                notifications_min_severity="OFF",
            )
            engine = cls(driver, uri, database)
            try:
                # Outside the driver's retries: who opens wants to know at once.
                async with engine._session(READ_ACCESS) as session:
                    await (await session.run("RETURN 1")).consume()
            except BaseException:
                await driver.close()
                raise
        return engine

    async def apply_schema(self) -> None:
        """Create what graph/schema/neo4j.cypher declares and the graph lacks."""
        with _named(self._uri):
            async with self._session(WRITE_ACCESS) as session:
                for statement in schema_statements("neo4j"):
                    await (await session.run(statement)).consume()

    async def read(self, query: Query, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run one read and return all of its rows.

        It is run again when it met what was being deleted: a page that is cut to its size would
        else come short.
        """
        for _ in range(_READS):
            keys, rows = await self._read(query, parameters)
            whole = whole_rows(query, rows)
            if len(whole) == len(rows):
                break
        return [plain_row(keys, row) for row in whole]

    async def read_frame(
        self, query: Query, parameters: Mapping[str, Any] | None = None
    ) -> pl.DataFrame:
        """Run one read and return it as a table."""
        read = wide_read(query)
        bound = plain_parameters(parameters)
        if unwinds_nothing(query, bound):
            return wide_frame(read, [])
        with _named(self._uri, query):
            try:
                rows = await self._transact(READ_ACCESS, lambda tx: packed_rows(tx, read, bound))
            except TooLargeError:
                rows = await self._transact(READ_ACCESS, lambda tx: plain_rows(tx, read, bound))
        return wide_frame(read, rows)

    async def stream(
        self, query: Query, parameters: Mapping[str, Any] | None = None, *, batch_rows: int
    ) -> AsyncIterator[pl.DataFrame]:
        """Run one read and hand out its rows, as they come, in tables of at most ``batch_rows``."""
        read = wide_read(query)
        bound = plain_parameters(parameters)
        if unwinds_nothing(query, bound):
            return
        fetch_rows = min(batch_rows, 10_000)
        with _named(self._uri, query):
            try:
                # One record is a whole batch.
                async with self._session(READ_ACCESS, fetch_size=10_000 // fetch_rows) as session:
                    async for rows in packs(session, read, bound, batch_rows):
                        yield wide_frame(read, rows)
            except TooLargeError:
                async with self._session(READ_ACCESS, fetch_size=fetch_rows) as session:
                    result = await session.run(read.plain, bound)
                    while records := await result.fetch(batch_rows):
                        yield wide_frame(read, [tuple(record) for record in records])

    async def write(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Run ``work`` in one write transaction; commit when it returns, else roll back.

        ``work`` runs again when the server asks for it (a deadlock, a leader that moved).
        """

        async def attempt(transaction: AsyncManagedTransaction) -> T:
            return await work(_Neo4jTransaction(transaction))

        with _named(self._uri):
            return await self._transact(WRITE_ACCESS, attempt)

    async def bulk_insert(self, table: Table, rows: pl.DataFrame) -> int:
        """Insert the rows that are not there yet, in transactions of 10,000.

        Each is durable when the next begins, so a failure keeps those before it.
        """
        frame = checked_rows(table, rows)
        if frame.is_empty():
            return 0
        inserted = 0
        with _named(self._uri):
            async with self._session(WRITE_ACCESS) as session:
                await session.execute_read(check_ends, table, frame)
                for batch in frame.iter_slices(BATCH_ROWS):
                    inserted += await session.execute_write(insert_batch, table, batch)
        return inserted

    async def checkpoint(self) -> None:
        """Do nothing: the server keeps its own log."""

    async def close(self) -> None:
        """Close every connection, after what is still running, or after five seconds."""
        if self._running:
            _, left = await asyncio.wait(self._running, timeout=CLOSE_SECONDS)
            for task in left:
                task.cancel()
        await self._driver.close()

    async def _read(
        self, query: Query, parameters: Mapping[str, Any] | None
    ) -> tuple[tuple[str, ...], list[list[Any]]]:
        bound = plain_parameters(parameters)
        if unwinds_nothing(query, bound):
            return query.returns, []

        async def attempt(
            transaction: AsyncManagedTransaction,
        ) -> tuple[tuple[str, ...], list[list[Any]]]:
            result = await transaction.run(query.text, bound)
            return result.keys(), await result.values()

        with _named(self._uri, query):
            return await self._transact(READ_ACCESS, attempt)

    async def _transact(
        self, access: str, work: Callable[[AsyncManagedTransaction], Awaitable[T]]
    ) -> T:
        """Run ``work`` in a transaction, as often as the server asks for it.

        Cancelled while it opens a connection, the driver (6.4) leaves the socket behind; so a
        caller that is cancelled meanwhile goes at once, and the driver stops when it has opened.
        """
        begun = abandoned = False

        async def attempt(transaction: AsyncManagedTransaction) -> T:
            nonlocal begun
            begun = True
            if abandoned:
                raise asyncio.CancelledError
            return await work(transaction)

        async def session_work() -> T:
            fetch_size = 10_000 if access == READ_ACCESS else 1_000
            async with self._session(access, fetch_size=fetch_size) as session:
                execute = session.execute_read if access == READ_ACCESS else session.execute_write
                return await execute(attempt)

        task = asyncio.create_task(session_work())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            abandoned = True
            if begun:
                task.cancel()
            raise

    def _session(self, access: str, *, fetch_size: int = 1_000) -> AsyncSession:
        return self._driver.session(
            database=self._database, default_access_mode=access, fetch_size=fetch_size
        )


class _Neo4jTransaction:
    """One write transaction of the driver."""

    def __init__(self, transaction: AsyncManagedTransaction) -> None:
        self._transaction = transaction

    async def run(self, query: Query, parameters: Mapping[str, Any] | None = None) -> list[Row]:
        """Run a query in this transaction and return its rows."""
        bound = plain_parameters(parameters)
        if unwinds_nothing(query, bound):
            return []
        try:
            result = await self._transaction.run(query.text, bound)
            values = await result.values()
        except Neo4jError as error:
            if error.is_retryable():
                raise
            raise QueryFailedError(f"Query {query.name} failed: {error.message}.") from error
        return [plain_row(result.keys(), row) for row in whole_rows(query, values)]


def without_secret(uri: str) -> str:
    """The URI without what stands before an @, which may be a password."""
    scheme, mark, rest = uri.partition("://")
    return f"{scheme}{mark}{rest.rpartition('@')[2]}"


@contextmanager
def _named(uri: str, query: Query | None = None) -> Iterator[None]:
    """Turn what the driver raises into errors that name the server and the query."""
    try:
        yield
    except AuthError as error:
        raise GraphUnavailableError(
            f"Neo4j at {uri} refused the user name and password.",
            mend="Check OFFERPATH_GRAPH_USER and OFFERPATH_GRAPH_PASSWORD.",
        ) from error
    except _UNREACHABLE as error:
        raise GraphUnavailableError(
            f"Neo4j at {uri} cannot be reached: {error}.",
            mend="Start it (docker compose up), or correct OFFERPATH_GRAPH_URI.",
        ) from error
    except (Neo4jError, DriverError) as error:
        if isinstance(error, Neo4jError) and str(error.code).endswith("DatabaseNotFound"):
            raise GraphUnavailableError(
                f"Neo4j at {uri} has no such database: {error.message}",
                mend="Correct OFFERPATH_GRAPH_DATABASE.",
            ) from error
        name = query.name if query else "of a transaction"
        raise QueryFailedError(f"Query {name} failed on {uri}: {error}.") from error
