"""The match events of the log as they come, for every reader of this process.

One task follows the log. It keeps the newest match events in a ring; who is further behind reads
pages from the graph. A reader has a position and nothing else.
"""

from __future__ import annotations

import asyncio
import logging
from bisect import bisect_right
from contextlib import suppress
from typing import TYPE_CHECKING

from core.entities import MATCH_EVENTS, Event
from core.errors import CursorExpiredError, CursorInvalidError

if TYPE_CHECKING:
    from graph.store import GraphStore

logger = logging.getLogger(__name__)

POLL_SECONDS = 0.2
PAGE = 1_000
RING = 10_000
"""Match events kept in memory."""


class MatchFeed:
    """The end of the log, and what lies before it.

    Args:
        store: whose log it is.
        ring: match events kept in memory, at least.
        poll_seconds: how long a new event may go unnoticed without a hint.
    """

    def __init__(
        self, store: GraphStore, *, ring: int = RING, poll_seconds: float = POLL_SECONDS
    ) -> None:
        self._store = store
        self._most = ring
        self._poll_seconds = poll_seconds
        self._events: list[Event] = []
        self._seqs: list[int] = []
        self._floor = 0
        self._position = 0
        self._woken = asyncio.Event()
        self._moved: asyncio.Future[int] | None = None
        self._task: asyncio.Task[None] | None = None
        self._error: str | None = None

    @property
    def position(self) -> int:
        """Everything up to this seq of the log has been seen; other events than matches count."""
        return self._position

    @property
    def floor(self) -> int:
        """Behind this seq every match event seen is in memory."""
        return self._floor

    @property
    def last_error(self) -> str | None:
        """Why the log cannot be followed just now; None: it can."""
        return self._error

    async def start(self) -> None:
        """Stand at the end of the log and follow it from there."""
        self._position = self._floor = await self._store.last_seq()
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """Follow no longer; readers that wait are cancelled."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if self._moved is not None:
            self._moved.cancel()

    def wake(self) -> None:
        """Look at the log now: something was written."""
        self._woken.set()

    async def read(self, after: int, limit: int) -> list[Event]:
        """The first ``limit`` match events behind ``after``, in order.

        Fewer than ``limit``: there are no others up to the position that held when it was called.

        Raises:
            CursorExpiredError: when events behind ``after`` were purged.
        """
        if after >= self._floor:
            start = bisect_right(self._seqs, after)
            return self._events[start : start + limit]
        return await self._store.read_events(after, limit, MATCH_EVENTS)

    async def wait_beyond(self, seq: int) -> int:
        """Wait until the log's end lies behind ``seq``; returns that end."""
        while self._position <= seq:
            if self._moved is None or self._moved.done():
                self._moved = asyncio.get_running_loop().create_future()
            # The future is everybody's: one that stops waiting must not cancel it.
            await asyncio.shield(self._moved)
        return self._position

    async def _follow(self) -> None:
        while True:
            self._woken.clear()
            try:
                await self._catch_up()
                self._error = None
            except (CursorExpiredError, CursorInvalidError) as error:
                await self._start_again(error)
            except Exception as error:  # a graph that is away for a while must not end the task
                self._note(error)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._poll_seconds):
                    await self._woken.wait()

    async def _catch_up(self) -> None:
        while True:
            stretch = await self._store.read_stretch(self._position, PAGE, MATCH_EVENTS)
            if stretch.to == self._position:
                return
            self._keep(stretch.events)
            self._move(stretch.to)

    def _keep(self, events: list[Event]) -> None:
        self._events += events
        self._seqs += [event.seq for event in events]
        # Cut by halves: each cut moves the rest.
        if len(self._events) >= 2 * self._most:
            cut = len(self._events) - self._most
            self._floor = self._seqs[cut - 1]
            del self._events[:cut], self._seqs[:cut]

    def _move(self, position: int) -> None:
        self._position = position
        if self._moved is not None and not self._moved.done():
            self._moved.set_result(position)

    async def _start_again(self, error: Exception) -> None:
        """The log no longer reaches back, or was put back: stand at its end, with nothing kept."""
        self._note(error)
        try:
            end = await self._store.last_seq()
        except Exception as failure:  # as in _follow: the next look tries again
            self._note(failure)
            return
        self._events, self._seqs, self._floor = [], [], end
        self._move(end)

    def _note(self, error: Exception) -> None:
        if self._error != str(error):
            logger.warning("The match events could not be followed: %s", error)
        self._error = str(error)
