"""One holding of the lease: the couriers, the books, the renewals."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING

from core.entities import Lease
from core.errors import LeaseLostError
from core.settings import Settings
from core.webhooks import WebhookEndpoint, WebhookState
from webhooks.authority import Authority
from webhooks.couriers import Courier, PostRoom
from webhooks.ledger import Ledger

if TYPE_CHECKING:
    from graph.store import GraphStore

logger = logging.getLogger(__name__)

LEASE = "webhooks"
LEASE_SECONDS = 5.0
WRITE_SECONDS = 0.25
"""How long an attempt waits to be written down with others."""

LOOK_SECONDS = 1.0
"""How often endpoints and API keys are read anew."""

PURGE_SECONDS = 3_600.0
_LAST_WRITE_SECONDS = 3.0


class Round:
    """Sends while the lease is held.

    Args:
        store: the graph.
        settings: of the process.
        clock: what tells the time.
        lease: just taken.
    """

    def __init__(
        self,
        store: GraphStore,
        settings: Settings,
        clock: Callable[[], datetime],
        lease: Lease,
    ) -> None:
        self.ledger = Ledger(store, settings, clock)
        self.authority = Authority(settings.environment, clock)
        self._store = store
        self._clock = clock
        self._lease = lease
        self._couriers: dict[str, Courier] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._purged_at = monotonic()
        self._looked_at = -LOOK_SECONDS

    async def run(self, room: PostRoom) -> None:
        """Send until the lease is lost or nobody is left to send to.

        Raises:
            LeaseLostError: when another process has taken the lease.
        """
        renewing = asyncio.create_task(self._renew())
        keeping = asyncio.create_task(self._keep_books(room))
        purging = asyncio.create_task(self._purge())
        held = True
        try:
            await asyncio.wait((renewing, keeping), return_when=asyncio.FIRST_COMPLETED)
            for task in (renewing, keeping):
                if task.done():
                    task.result()
        except LeaseLostError:
            held = False
            raise
        finally:
            tasks = (renewing, keeping, purging, *self._running.values())
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if held:
                await self._end()

    def holds(self) -> bool:
        """Whether the lease is surely this process's: nobody else could have taken it yet."""
        return self._clock() < self._lease.expires_at

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            try:
                renewed = await self._store.renew_lease(self._lease, LEASE_SECONDS)
            except Exception as error:  # the graph may be back before the lease expires
                if self._clock() >= self._lease.expires_at:
                    raise LeaseLostError("The lease could not be renewed in time.") from error
                continue
            if renewed is None:
                raise LeaseLostError(f"Another process has taken the lease {LEASE!r}.")
            self._lease = renewed

    async def _keep_books(self, room: PostRoom) -> None:
        # Written and read by one task, in turn: what is read is never older than what was written.
        while True:
            try:
                if not await self._keep(room):
                    return
            except LeaseLostError:
                raise
            except Exception as error:  # couriers stop by themselves when too much is unwritten
                logger.warning("The books of webhooks could not be kept: %s", error)
            await asyncio.sleep(WRITE_SECONDS)

    async def _keep(self, room: PostRoom) -> bool:
        """Write and read what is due; whether anybody is left to send to."""
        if self.ledger.is_due:
            self._learn(await self.ledger.write(self._lease))
        if monotonic() - self._looked_at < LOOK_SECONDS:
            return True
        self._looked_at = monotonic()
        return await self._look(room)

    async def _purge(self) -> None:
        # Beside the books and not in their turn: what is sent waits for them to be kept.
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            aged = monotonic() - self._purged_at >= PURGE_SECONDS
            if aged:
                self._purged_at = monotonic()
            try:
                await self.ledger.purge(list(self._couriers), all_of_them=aged)
            except Exception as error:  # a graph that is away is tried again the next time
                logger.warning("What is old of webhooks could not be let go: %s", error)

    async def _look(self, room: PostRoom) -> bool:
        """Take in what owners have changed; whether anybody is left to send to."""
        self.authority.learn(await self._store.list_api_keys())
        found = {one.id: one for one in await self._store.list_webhooks()}
        for gone in self._couriers.keys() - found.keys():
            self._running.pop(gone).cancel()
            del self._couriers[gone], self.ledger.known[gone]
            self.ledger.drop(gone)
            await room.sender.forget(gone)
        self._learn(found)
        if found.keys() - self._couriers.keys():
            await self._begin(found, room)
        return any(one.state is WebhookState.ACTIVE for one in found.values())

    async def _begin(self, found: dict[str, WebhookEndpoint], room: PostRoom) -> None:
        """Give couriers to the endpoints that have none."""
        end = await self._store.last_seq()
        for one, endpoint in found.items():
            if one in self._couriers:
                continue
            self.ledger.known[one] = endpoint
            courier = self._couriers[one] = Courier(endpoint, room)
            if endpoint.position > end:
                # The graph was put back to an earlier state; what is new then comes behind its end.
                courier.endpoint = replace(endpoint, position=end)
                self.ledger.note(courier.endpoint)
            self._running[one] = asyncio.create_task(courier.run())

    def _learn(self, fresh: dict[str, WebhookEndpoint]) -> None:
        """Tell couriers what the books know and they do not: what owners have changed."""
        for one, endpoint in fresh.items():
            if one not in self._couriers:
                continue
            courier, known = self._couriers[one], self.ledger.known[one]
            self.ledger.known[one] = endpoint
            moved = not endpoint.stands_as(known)
            if moved:
                self.ledger.drop(one)
            wanted = endpoint if moved else endpoint.with_progress_of(courier.endpoint)
            if not moved and self.ledger.disables(one):
                wanted = replace(wanted, state=WebhookState.DISABLED)
            if wanted != courier.endpoint:
                courier.adopt(wanted, moved=moved)

    async def _end(self) -> None:
        """Write what is noted and let go of the lease; if that fails, it expires."""
        with suppress(Exception):
            async with asyncio.timeout(_LAST_WRITE_SECONDS):
                await self.ledger.write(self._lease)
                await self._store.release_lease(self._lease)
