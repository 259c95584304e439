"""Keeps the matcher's state current: loads it, follows the event log, rebuilds, reloads the model.

What an event names is read again from the graph, so applying an event twice, or late, does no
harm. Work that takes long runs in threads while the old state answers.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio

from core.entities import GRAPH_EVENTS, BuyerProfile, Category, Offer, Vendor
from core.errors import CursorExpiredError, CursorInvalidError, DamagedError, InputError
from core.progress import SILENT, Progress
from core.published import POINTER
from core.snapshot import GraphSnapshot, load_snapshot, publish_snapshot
from matching.changes import Changes, batches, changes_of
from matching.growth import with_catalogue
from matching.state import MatcherState, build_state
from scoring.artifact import Model, load_model
from scoring.scorer import build_scorer

if TYPE_CHECKING:
    from graph.store import GraphStore

logger = logging.getLogger(__name__)
T = TypeVar("T")
POLL_SECONDS = 0.25
STRETCH = 1_000
# Behind by more events than this, reading the whole graph again is quicker than following.
FAR_BEHIND = 50_000
# Changed buyers are scored one by one; with more than these a new snapshot pays.
CHANGED_LIMIT = 1_000
CHANGED_SHARE = 0.05
# What buyers do tells of other buyers (peers, popularity) only after a rebuild: one follows any
# change, but rests so long that rebuilding takes at most a twentieth of the time.
REST_SECONDS = 30.0
REST_PER_SECOND_OF_BUILD = 20.0


class Follower:
    """The current state, and the task that keeps it current."""

    def __init__(
        self,
        store: GraphStore,
        models_dir: Path,
        snapshots_dir: Path,
        progress: Progress = SILENT,
    ) -> None:
        self._error: str | None = None
        self._model_error: str | None = None
        self._store = store
        self._models_dir = models_dir
        self._snapshots_dir = snapshots_dir
        self._progress = progress
        self._state: MatcherState | None = None
        self._position = 0
        self._barrier: int | None = None
        self._pointer: str | None = None
        self._apply_lock = asyncio.Lock()
        self._heavy_lock = asyncio.Lock()
        self._moved = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()
        self._publishing: set[asyncio.Task[None]] = set()
        self._rebuilding = False
        self._log_is_lost = False
        self._rested_at = 0.0

    @property
    def state(self) -> MatcherState:
        """The newest state.

        Raises:
            InputError: before start() has returned.
        """
        if self._state is None:
            raise InputError("Matching is not ready yet.", mend="Try again in a moment.")
        return self._state

    @property
    def is_ready(self) -> bool:
        """Whether there is a state."""
        return self._state is not None

    @property
    def last_error(self) -> str | None:
        """Why it cannot catch up, else what is wrong with the published model; None: nothing."""
        return self._error or self._model_error

    @property
    def is_rebuilding(self) -> bool:
        """Whether a new state is being built beside the one that answers."""
        return self._rebuilding

    async def start(self) -> None:
        """Load or build the state, catch up with the log, and keep following it."""
        self._rest_after(self._seconds())
        model = await self._load_model()
        snapshot = await self._usable_snapshot()
        if snapshot is None:
            snapshot = await self._read_snapshot()
        await self._set(await _in_thread(partial(build_state, snapshot, model)), snapshot.seq)
        await self.refresh()
        _spawn(self._follow(), self._tasks)

    async def stop(self) -> None:
        """Stop following and rebuilding; a snapshot file being written is finished."""
        for task in list(self._tasks):
            task.cancel()
        for task in (*self._tasks, *self._publishing):
            with suppress(asyncio.CancelledError):
                await task

    async def refresh(self) -> int:
        """Apply every event there is now; returns the position in the log that was reached.

        What an import brought is there when its rebuild has finished; see wait_for().
        """
        async with self._apply_lock:
            try:
                await self._set(*await self._caught_up(self.state, self._position))
            except (CursorExpiredError, CursorInvalidError) as error:
                # The log no longer reaches back, or is another graph's: start from the graph.
                self._note(error)
                self._log_is_lost = True
        if self._wants_rebuild() and not self._rebuilding:
            self._rebuilding = True
            _spawn(self._rebuild(), self._tasks)
        return self._position

    async def wait_for(self, seq: int, timeout_seconds: float) -> None:
        """Wait until the state holds everything up to ``seq`` of the log.

        Raises:
            InputError: when it does not within the time.
        """
        if self.state.seq < seq:
            await self.refresh()
        try:
            async with asyncio.timeout(timeout_seconds), self._moved:
                await self._moved.wait_for(lambda: self.state.seq >= seq)
        except TimeoutError as error:
            raise InputError(
                f"Matching has caught up to {self.state.seq} of the log, not yet to {seq}.",
                mend="Ask again in a moment, or without atLeastSeq.",
                field=("atLeastSeq",),
            ) from error

    async def wait_beyond(self, seq: int, timeout_seconds: float) -> None:
        """Wait until the state holds more of the log than ``seq``, at most so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds), self._moved:
                await self._moved.wait_for(lambda: self.state.seq > seq)

    async def reload_model(self) -> bool:
        """Take up the published model when it is another one; returns whether it was."""
        if await _in_thread(self._read_pointer) == self._pointer:
            return False
        async with self._heavy_lock:
            model = await self._load_model()
            if model is None and self._model_error is not None:
                return False  # the one that scores now is better than none
            scorer = await _in_thread(partial(build_scorer, self.state.corpus, model))
            async with self._apply_lock:
                await self._set(self.state.scored_by(scorer, model), self._position)
        return True

    async def _caught_up(self, state: MatcherState, position: int) -> tuple[MatcherState, int]:
        while True:
            stretch = await self._store.read_stretch(position, STRETCH, GRAPH_EVENTS)
            if stretch.to == position:
                break
            changes = changes_of(stretch.events)
            if changes.imported_at is not None and self._barrier is None:
                self._barrier = changes.imported_at
            state = await self._applied(state, changes)
            position = stretch.to
        # Until its rebuild, the state holds everything up to an import, but not the import.
        return state.at(position if self._barrier is None else self._barrier - 1), position

    async def _applied(self, state: MatcherState, changes: Changes) -> MatcherState:
        store = self._store
        read = _Fresh(
            offers=await _read_all(store.get_offers, changes.offers_to_read(state)),
            vendors=await _read_all(store.get_vendors, changes.vendors),
            categories=await _read_all(store.get_categories, changes.categories),
            profiles=await _read_all(store.read_buyer_profiles, changes.buyers),
        )
        erased = changes.erased | (changes.buyers - read.profiles.keys())
        return await _in_thread(partial(_overlaid, state, read, erased))

    async def _rebuild(self) -> None:
        started = self._seconds()
        try:
            async with self._heavy_lock:
                snapshot = await self._read_snapshot()
                model = self.state.model
                state = await _in_thread(partial(build_state, snapshot, model))
                async with self._apply_lock:
                    await self._change_over(state, snapshot.seq)
        except Exception as error:  # the old state goes on answering; the next poll tries again
            self._note(error)
        finally:
            self._rebuilding = False
            self._rest_after(started)

    async def _change_over(self, state: MatcherState, seq: int) -> None:
        """Answer from a state that was read at ``seq``, once it has caught up."""
        asked = self._barrier, self._log_is_lost
        self._barrier, self._log_is_lost = None, False
        try:
            await self._set(*await self._caught_up(state, seq))
        except BaseException:
            self._barrier, self._log_is_lost = asked  # the old state stays and still lacks it
            raise

    def _wants_rebuild(self) -> bool:
        changed = len(self.state.changed) + len(self.state.erased)
        limit = max(CHANGED_LIMIT, CHANGED_SHARE * len(self.state.corpus.buyers))
        stale = changed > limit or (changed > 0 and self._seconds() >= self._rested_at)
        return self._barrier is not None or self._log_is_lost or stale

    def _rest_after(self, started: float) -> None:
        took = self._seconds() - started
        self._rested_at = self._seconds() + max(REST_SECONDS, REST_PER_SECOND_OF_BUILD * took)

    @staticmethod
    def _seconds() -> float:
        return asyncio.get_running_loop().time()

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            try:
                await self.refresh()
                await self.reload_model()
                self._error = None
            except Exception as error:  # a graph that is away for a while must not end the task
                self._note(error)

    async def _set(self, state: MatcherState, position: int) -> None:
        async with self._moved:
            self._state, self._position = state, position
            self._moved.notify_all()

    async def _load_model(self) -> Model | None:
        """The published model; None when there is none, or a damaged one, which is told of."""
        self._pointer = await _in_thread(self._read_pointer)
        try:
            model = await _in_thread(partial(load_model, self._models_dir))
        except DamagedError as error:
            logger.warning("The published model is not used: %s", error)
            self._model_error = str(error)
            return None
        self._model_error = None
        return model

    def _read_pointer(self) -> str | None:
        try:
            return (self._models_dir / POINTER).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None

    async def _usable_snapshot(self) -> GraphSnapshot | None:
        """The snapshot file, when it is of this graph and the log still reaches back to it."""
        try:
            snapshot = await _in_thread(partial(load_snapshot, self._snapshots_dir))
        except DamagedError as error:
            logger.warning("The snapshot file is not usable, the graph is read: %s", error)
            return None
        if snapshot is None or snapshot.graph_id != self._store.graph_id:
            return None
        try:
            await self._store.read_events(snapshot.seq, 1)
        except (CursorExpiredError, CursorInvalidError):
            return None
        return snapshot if await self._store.last_seq() - snapshot.seq <= FAR_BEHIND else None

    async def _read_snapshot(self) -> GraphSnapshot:
        snapshot = await self._store.read_snapshot(self._progress)
        _spawn(self._publish(snapshot), self._publishing)
        return snapshot

    async def _publish(self, snapshot: GraphSnapshot) -> None:
        try:
            await _in_thread(partial(publish_snapshot, self._snapshots_dir, snapshot))
        except OSError as error:
            logger.warning("The snapshot was not kept; the next start reads the graph: %s", error)

    def _note(self, error: Exception) -> None:
        if self._error != str(error):
            logger.warning("Matching could not catch up: %s", error)
        self._error = str(error)


@dataclass(frozen=True)
class _Fresh:
    """What was read again from the graph, by id."""

    offers: dict[str, Offer]
    vendors: dict[str, Vendor]
    categories: dict[str, Category]
    profiles: dict[str, BuyerProfile]


def _overlaid(state: MatcherState, read: _Fresh, erased: set[str]) -> MatcherState:
    """The state with everything that was read laid over it; offers first, buyers refer to them."""
    if read.offers or read.vendors or read.categories:
        corpus = with_catalogue(
            state.corpus, read.offers.values(), read.vendors.values(), read.categories.values()
        )
        state = state.with_corpus(corpus)
    if read.profiles:
        state = state.with_profiles(read.profiles)
    return state.without_buyers(erased) if erased else state


async def _read_all(
    read: Callable[[list[str]], Awaitable[dict[str, T]]], ids: set[str]
) -> dict[str, T]:
    found: dict[str, T] = {}
    for batch in batches(ids):
        found |= await read(batch)
    return found


async def _in_thread(work: Callable[[], T]) -> T:
    return await anyio.to_thread.run_sync(work)


def _spawn(work: Coroutine[None, None, None], running: set[asyncio.Task[None]]) -> None:
    task = asyncio.create_task(work)
    running.add(task)
    task.add_done_callback(running.discard)
