"""The embedded graph file as threads use it: one writes, several read.

Nothing here is asynchronous; graph.embedded_engine puts it on threads. Writing methods are called
from one thread only.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import ladybug
import polars as pl

from core.errors import ConflictError, GraphUnavailableError
from graph.embedded_files import GraphLock, open_database
from graph.embedded_rows import bind, convertible, plain_value
from graph.queries import Query, QueryFailedError
from graph.schema import schema_statements
from graph.tables import FROM, POLARS_TYPES, TABLES, TO, ColumnType, Table
from graph.values import checked_rows, plain_parameters, typed_columns

T = TypeVar("T")
# A connection keeps every statement it has run, with the parameters of its first run.
_STATEMENTS_OF_A_CONNECTION = 500
_ELEMENTS_WORTH_KEEPING = 256


class EmbeddedDatabase:
    """A graph file, opened once and locked for this process."""

    def __init__(self, path: Path) -> None:
        """Lock and open the file, which is made when absent.

        Raises:
            GraphBusyError: when another process, or another object of this one, has it.
            GraphUnavailableError: when it cannot be opened.
        """
        self.path = path.expanduser().resolve()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.lock = GraphLock(self.path)
        except OSError as error:
            raise GraphUnavailableError(
                f"The embedded graph {path} cannot be opened: {error}.",
                mend="Give OFFERPATH_GRAPH_URI a path that can be written.",
            ) from error
        try:
            self._database, self.torn_log = open_database(self.path)
        except BaseException:
            self.lock.release()
            raise
        self._log_in_doubt = False
        self._generation = 0
        self._local = threading.local()
        self._idle = threading.Condition()
        self._readers = 0

    def close(self) -> None:
        """Fold the log in, close the file and let go of it."""
        with self._alone():
            with suppress(RuntimeError):
                self._run_plain("CHECKPOINT")
            self._database.close()
        self.lock.release()

    def doubt_log(self) -> None:
        """Note that a commit failed: half of its record may stand at the end of the log."""
        self._log_in_doubt = True

    def settle_log(self) -> None:
        """Fold a log in doubt into the file: what is written behind half a record is not read.

        Raises:
            GraphUnavailableError: when that fails too; nothing may be written until it succeeds.
        """
        if not self._log_in_doubt:
            return
        try:
            self.checkpoint()
        except QueryFailedError as error:
            raise GraphUnavailableError(
                f"The embedded graph {self.path} cannot be written: {error}.",
                mend="See that its disk has space; it is tried again with the next write.",
            ) from error

    def connect(self) -> ladybug.Connection:
        """A new connection, for one write transaction."""
        return ladybug.Connection(self._database)

    def read(
        self,
        query: Query,
        parameters: Mapping[str, Any] | None,
        fetch: Callable[[ladybug.QueryResult], T],
    ) -> T:
        """Run one read on this thread's connection and return what ``fetch`` makes of it."""
        text, bound, elements = bind(query, plain_parameters(parameters))
        with self._reading():
            connection = self._connection_of_thread()
            try:
                return execute(connection, query, text, bound, fetch)
            finally:
                self._local.uses += 1
                if elements > _ELEMENTS_WORTH_KEEPING:
                    self._local.uses = _STATEMENTS_OF_A_CONNECTION

    def apply_schema(self) -> None:
        """Create the tables, columns and macros that are missing."""
        macros = {str(row[0]).upper() for row in self._run_plain("CALL show_macros() RETURN name")}
        for statement in schema_statements("embedded"):
            words = statement.split("(")[0].split()
            if words[1] != "MACRO" or words[2].upper() not in macros:
                self._run_plain(statement)
        for table in TABLES.values():
            rows = self._run_plain(f"CALL table_info('{table.name}') RETURN name")
            present = {str(row[0]) for row in rows}
            for name, kind in table.columns:
                if name not in present:
                    self._run_plain(f"ALTER TABLE {table.name} ADD {name} {kind.value}")

    def checkpoint(self) -> None:
        """Fold the write-ahead log into the file."""
        self._run_plain("CHECKPOINT")
        self._log_in_doubt = False

    def insert(self, table: Table, rows: pl.DataFrame) -> int:
        """Insert the rows that are not there yet by COPY; returns how many.

        Raises:
            InputError: for rows without an identity or with unknown columns.
            ConflictError: when an end of a relationship is missing; nothing is inserted.
        """
        frame, identity = checked_rows(table, rows), list(table.identity)
        frame = frame.join(self._identities(table), on=identity, how="anti", maintain_order="left")
        if frame.is_empty():
            return 0
        if not table.is_node:
            self._check_ends(table, frame)
        self._copy(table, frame)
        return frame.height

    def _copy(self, table: Table, frame: pl.DataFrame) -> None:
        times = [name for name, kind in table.columns if kind is ColumnType.TIME]
        frame = frame.with_columns(pl.col(times).dt.replace_time_zone(None))
        columns = ", ".join(name for name, _ in table.columns)
        target = f"{table.name}({columns})" if columns else table.name
        # A COPY that is undone over rows not yet checkpointed stores those twice.
        self._run_plain("CHECKPOINT")
        try:
            with self.connect() as connection:
                connection.execute(f"COPY {target} FROM $rows", {"rows": frame})
        except RuntimeError as error:
            self._reopen()
            raise QueryFailedError(f"COPY into {table.name} failed: {error}.") from error

    def _identities(self, table: Table) -> pl.DataFrame:
        if table.is_node:
            text = f"MATCH (n:{table.name}) RETURN n.id AS id"
        elif table.has_id:
            text = f"MATCH ()-[r:{table.name}]->() RETURN r.id AS id"
        else:
            text = (
                f"MATCH (a:{table.from_label})-[:{table.name}]->(b:{table.to_label}) "
                f"RETURN a.id AS {FROM}, b.id AS {TO}"
            )
        return self._frame(text)

    def _check_ends(self, table: Table, frame: pl.DataFrame) -> None:
        for column, label in ((FROM, table.from_label), (TO, table.to_label)):
            ends = frame.select(pl.col(column).alias("id")).unique()
            missing = ends.join(self._identities(TABLES[label]), on="id", how="anti")
            if missing.height:
                raise ConflictError(
                    f"{table.name}: there is no {label} {missing['id'].sort()[0]!r}.",
                    mend=f"Insert the {label} first.",
                )

    def _frame(self, text: str) -> pl.DataFrame:
        with self.connect() as connection:
            query = Query(name="identities", text=text)
            return execute(connection, query, text, {}, frame_of)

    def _run_plain(self, statement: str) -> list[list[Any]]:
        with self.connect() as connection:
            query = Query(name=statement.partition("(")[0], text=statement)
            return execute(connection, query, statement, {}, _lists_of)

    def _reopen(self) -> None:
        with self._alone():
            self._database.close()
            self._database, _ = open_database(self.path)
            self._generation += 1

    def _connection_of_thread(self) -> ladybug.Connection:
        local = self._local
        if getattr(local, "generation", None) != self._generation:
            local.connection, local.generation, local.uses = self.connect(), self._generation, 0
        elif local.uses >= _STATEMENTS_OF_A_CONNECTION:
            local.connection.close()
            local.connection, local.uses = self.connect(), 0
        connection: ladybug.Connection = local.connection
        return connection

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._idle:
            self._readers += 1
        try:
            yield
        finally:
            with self._idle:
                self._readers -= 1
                self._idle.notify_all()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """No reader runs inside, and none begins."""
        with self._idle:
            self._idle.wait_for(lambda: self._readers == 0)
            yield


def execute(
    connection: ladybug.Connection,
    query: Query,
    text: str,
    bound: dict[str, Any],
    fetch: Callable[[ladybug.QueryResult], T],
) -> T:
    """Run a statement and return what ``fetch`` makes of its result, which is closed after.

    Raises:
        QueryFailedError: naming the query and what the engine said.
    """
    try:
        result = connection.execute(text, bound)
        assert isinstance(result, ladybug.QueryResult)
        try:
            return fetch(result)
        finally:
            result.close()
    except RuntimeError as error:
        raise QueryFailedError(f"Query {query.name} failed: {error}.") from error


def rows_of(result: ladybug.QueryResult) -> list[dict[str, Any]]:
    """All rows as dicts of plain values."""
    names = result.get_column_names()
    convert = convertible(result.get_column_data_types())
    rows = _lists_of(result)
    for index in (index for index, needed in enumerate(convert) if needed):
        for row in rows:
            row[index] = plain_value(row[index])
    return [dict(zip(names, row, strict=True)) for row in rows]


def _lists_of(result: ladybug.QueryResult) -> list[list[Any]]:
    rows: list[Any] = result.get_all()
    return rows


def frame_of(result: ladybug.QueryResult) -> pl.DataFrame:
    """All rows as a table."""
    if result.get_num_tuples() == 0:
        return _empty_frame(result)
    return typed_columns(result.get_as_pl())


def _empty_frame(result: ladybug.QueryResult) -> pl.DataFrame:
    kinds = {kind.value: POLARS_TYPES[kind] for kind in ColumnType}
    types = zip(result.get_column_names(), result.get_column_data_types(), strict=True)
    return pl.DataFrame(
        schema={
            name: kinds.get(kind, pl.Int64 if "INT" in kind or "DECIMAL" in kind else pl.String)
            for name, kind in types
        }
    )
