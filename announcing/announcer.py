"""The announcer: one process at a time says which matches are new.

Every process that serves has one; who holds the lease works, the others try to take it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from announcing.rounds import Rounds
from announcing.transitions import Rules
from core.entities import Lease
from core.errors import LeaseLostError
from core.settings import Settings

if TYPE_CHECKING:
    from graph.store import GraphStore
    from matching.service import Clock, MatchingService

logger = logging.getLogger(__name__)

LEASE = "announcer"
LEASE_SECONDS = 5.0
RETRY_SECONDS = 1.0
"""Between two tries to take the lease, and after a failure."""

FORGET_SECONDS = 86_400.0
"""Between two times of forgetting pairs that ended longer ago than anything asks for."""

TICK_SECONDS = 0.5
"""How long a validity that begins or ends, or a new model, may go unnoticed."""


@dataclass(frozen=True, slots=True)
class AnnouncerStatus:
    """How the announcer of this process is.

    Attributes:
        leading: whether it is the one that announces.
        position: the log is settled up to here; of the process that leads, else -1.
        behind: events of the log that it has not looked at.
        last_error: why it cannot go on just now; None: it can.
    """

    leading: bool
    position: int
    behind: int
    last_error: str | None


class Announcer:
    """Takes the lease when it is free, and tells of matches while it holds it."""

    def __init__(
        self,
        store: GraphStore,
        matching: MatchingService,
        rules: Rules,
        clock: Clock,
        holder: str,
    ) -> None:
        self._store = store
        self._matching = matching
        self._rules = rules
        self._clock = clock
        self._holder = holder
        self._lease: Lease | None = None
        self._rounds: Rounds | None = None
        self._error: str | None = None

    def status(self) -> AnnouncerStatus:
        """How it is."""
        rounds = self._rounds
        if rounds is None:
            return AnnouncerStatus(False, -1, 0, self._error)
        behind = max(0, self._matching.state.seq - rounds.seen)
        return AnnouncerStatus(True, rounds.position, behind, self._error)

    async def run(self) -> None:
        """Announce whenever the lease can be had; never returns."""
        logger.info("Standing by to announce matches, as %s.", self._holder)
        while True:
            try:
                self._lease = await self._store.take_lease(LEASE, self._holder, LEASE_SECONDS)
                if self._lease is None:
                    self._error = None
                else:
                    await self._lead(self._lease)
            except LeaseLostError:
                logger.info("Another process announces matches now.")
            except Exception as error:  # a graph that is away for a while must not end the task
                self._note(error)
            await asyncio.sleep(RETRY_SECONDS)

    async def release(self) -> None:
        """Let another process announce at once; a graph that is away finds out by itself."""
        if self._lease is not None:
            with suppress(Exception):
                await self._store.release_lease(self._lease)

    async def _lead(self, lease: Lease) -> None:
        """Work until the lease is lost; a failure ends the work too."""
        work = asyncio.create_task(self._work(lease))
        try:
            while not (await asyncio.wait({work}, timeout=LEASE_SECONDS / 3))[0]:
                if await self._store.renew_lease(lease, LEASE_SECONDS) is None:
                    raise LeaseLostError(f"The lease {LEASE!r} was not renewed in time.")
            await work
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await work
            self._rounds = None

    async def _work(self, lease: Lease) -> None:
        rounds = Rounds(self._store, self._matching, lease, self._rules, self._clock)
        await rounds.begin()
        self._rounds = rounds
        logger.info("Announcing from %d of the log on, as %s.", rounds.position, self._holder)
        forget_at = monotonic()
        while True:
            is_busy = await rounds.turn()
            self._error = None
            if is_busy:
                continue
            if monotonic() >= forget_at:
                # By who announces, between two of its turns: no other reads and writes states.
                over = self._clock() - self._rules.window
                await self._store.forget_match_states(lease, over)
                forget_at = monotonic() + FORGET_SECONDS
            await self._matching.wait_beyond(rounds.seen, TICK_SECONDS)

    def _note(self, error: Exception) -> None:
        if self._error != str(error):
            logger.warning("Matches could not be announced: %s", error, exc_info=error)
        self._error = str(error)


@asynccontextmanager
async def announcing(
    store: GraphStore,
    matching: MatchingService,
    settings: Settings,
    clock: Clock,
    holder: str | None = None,
) -> AsyncIterator[Announcer]:
    """Announce new matches as long as this is open, or stand by while another process does.

    Args:
        store: of the graph.
        matching: that follows its log.
        settings: the rules of what is new, ``match_*``.
        clock: what tells the time, aware.
        holder: of the lease, unlike every other process; None: a name of this one.
    """
    name = holder or f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
    announcer = Announcer(store, matching, rules_of(settings), clock, name)
    task = asyncio.create_task(announcer.run())
    try:
        yield announcer
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await announcer.release()


def rules_of(settings: Settings) -> Rules:
    """What counts as new, by the settings."""
    return Rules(
        size=settings.match_top,
        threshold=settings.match_threshold,
        window=timedelta(days=settings.match_window_days),
        per_day=settings.match_digest_per_day,
        step=settings.match_update_step,
    )
