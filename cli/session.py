"""What a command is given: the terminal, the settings and, when it asks, the open graph."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import typer

from cli.console import Terminal

if TYPE_CHECKING:
    from core.settings import Settings
    from graph.store import GraphStore
    from matching.service import MatchingService

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Session:
    """One invocation of the command: where it speaks and what its options override."""

    terminal: Terminal
    home: Path | None = None
    debug: bool = False

    def settings(self, **overrides: object) -> Settings:
        """Read the settings; --home and ``overrides`` win over the environment.

        Raises:
            SettingsError: when a variable is malformed.
        """
        from core.settings import load_settings

        if self.home is not None:
            overrides.setdefault("home", self.home)
        settings = load_settings(**overrides)
        logging.getLogger().setLevel(settings.log_level.upper())
        return settings


def session_of(context: typer.Context) -> Session:
    """The session that the root command put into the context."""
    return cast(Session, context.obj)


def now() -> datetime:
    """The present, in UTC: the clock of every command."""
    return datetime.now(UTC)


def graph_is_there(settings: Settings) -> bool:
    """Whether opening the graph would not make it: an embedded file that exists, or a server."""
    path = settings.resolved_graph_uri.removeprefix("embedded:")
    return path == settings.resolved_graph_uri or Path(path).exists()


@asynccontextmanager
async def open_graph(settings: Settings) -> AsyncIterator[GraphStore]:
    """Open the graph that the settings name, and close it afterwards.

    Raises:
        GraphBusyError: when another process owns the embedded file.
        GraphUnavailableError: when the Neo4j server cannot be reached.
        SettingsError: when the graph's address cannot be read.
        SchemaVersionError: when a newer Offerpath wrote the graph.
    """
    from graph.open import open_engine
    from graph.store import GraphStore

    engine = await open_engine(settings)
    try:
        store = await GraphStore.open(engine, now)
    except BaseException:
        await engine.close()
        raise
    try:
        yield store
    finally:
        await store.close()


def run_with_graph(settings: Settings, work: Callable[[GraphStore], Awaitable[T]]) -> T:
    """Run ``work`` on the open graph, to its end, in an event loop of its own."""

    async def call() -> T:
        async with open_graph(settings) as store:
            return await work(store)

    return asyncio.run(call())


def run_with_matching(
    settings: Settings, work: Callable[[GraphStore, MatchingService], Awaitable[T]]
) -> T:
    """Run ``work`` on the open graph and a matcher that has caught up with it."""

    async def call(store: GraphStore) -> T:
        from matching.service import MatchingService

        matching = await MatchingService.open(store, settings)
        try:
            return await work(store, matching)
        finally:
            await matching.close()

    return run_with_graph(settings, call)
