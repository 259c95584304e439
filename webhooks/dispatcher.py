"""The dispatcher: one process of a deployment sends, under a lease, with a courier an endpoint.

The others try to take the lease; when its holder is killed, another goes on from the books within
seconds. What the killed one had sent and not written down is sent again, with the same ids.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from random import SystemRandom
from time import monotonic
from typing import TYPE_CHECKING

from announcing.feed import MatchFeed
from core.entities import Lease
from core.errors import LeaseLostError, SettingsError
from core.settings import Settings
from core.webhooks import WebhookEndpoint, WebhookState
from webhooks.addresses import GuardedNetwork, Reach
from webhooks.authority import Authority
from webhooks.couriers import Courier, PostRoom
from webhooks.ledger import Ledger
from webhooks.sending import Sender
from webhooks.signing import Signer, read_signer
from webhooks.verdicts import Jitter

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


def spread(window: float) -> float:
    """A random number between 0 and the window."""
    return SystemRandom().uniform(0.0, window)


class Dispatcher:
    """Sends every endpoint its events while it holds the lease.

    Args:
        store: the graph.
        feed: the match events, followed by somebody else.
        settings: of the process.
        clock: what tells the time.
        cursor_of: the cursor after a seq of the log, as clients hand it in.
        network: opens connections, within the settings' reach.
        tls: what makes a server trusted.
        jitter: spreads attempts over their window.
        holder: this process, unlike every other that ever was.
    """

    def __init__(
        self,
        store: GraphStore,
        feed: MatchFeed,
        settings: Settings,
        clock: Callable[[], datetime],
        *,
        cursor_of: Callable[[int], str] = str,
        network: GuardedNetwork,
        tls: ssl.SSLContext | None = None,
        jitter: Jitter = spread,
        holder: str | None = None,
    ) -> None:
        self._store = store
        self._feed = feed
        self._settings = settings
        self._clock = clock
        self._cursor_of = cursor_of
        self._reach = Reach.of(settings)
        self._network = network
        self._tls = tls
        self._jitter = jitter
        self._holder = holder or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._complained = False

    async def run(self) -> None:
        """Send for ever, whenever the lease can be had and there is somebody to send to."""
        while True:
            try:
                signer = await self._needed_signer()
                lease = signer and await self._store.take_lease(LEASE, self._holder, LEASE_SECONDS)
                if signer and lease:
                    await self._send_under(lease, signer)
            except LeaseLostError:
                logger.warning("Another process sends the webhooks now.")
            except Exception as error:  # a graph that is away for a while must not end the task
                logger.warning("Webhooks wait: %s", error)
            await asyncio.sleep(LOOK_SECONDS)

    async def _needed_signer(self) -> Signer | None:
        """What signs; None when nobody is to be sent anything, or nothing can be signed."""
        endpoints = await self._store.list_webhooks()
        if not any(one.state is WebhookState.ACTIVE for one in endpoints):
            return None
        try:
            return read_signer(self._settings)
        except SettingsError as error:
            if not self._complained:
                logger.warning("Webhooks are not sent. %s", error)
            self._complained = True
            return None

    async def _send_under(self, lease: Lease, signer: Signer) -> None:
        sender = Sender(signer, self._reach, self._clock, network=self._network, tls=self._tls)
        round_ = _Round(self._store, self._settings, self._clock, lease)
        room = PostRoom(
            feed=self._feed,
            sender=sender,
            authority=round_.authority,
            ledger=round_.ledger,
            clock=self._clock,
            jitter=self._jitter,
            cursor_of=self._cursor_of,
            log_start=self._store.log_start,
            holds=round_.holds,
        )
        try:
            await round_.run(room)
        finally:
            await sender.close()


class _Round:
    """One holding of the lease: the couriers, the books, the renewals."""

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

    async def run(self, room: PostRoom) -> None:
        """Send until the lease is lost or nobody is left to send to.

        Raises:
            LeaseLostError: when another process has taken the lease.
        """
        renewing = asyncio.create_task(self._renew())
        keeping = asyncio.create_task(self._keep_books(room))
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
            tasks = (renewing, keeping, *self._running.values())
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
        looked_at = -LOOK_SECONDS
        while True:
            if self.ledger.is_due:
                self._learn(await self.ledger.write(self._lease))
                await self.ledger.purge(list(self._couriers))
            if monotonic() - looked_at >= LOOK_SECONDS:
                looked_at = monotonic()
                if not await self._look(room):
                    return
            if monotonic() - self._purged_at >= PURGE_SECONDS:
                self._purged_at = monotonic()
                await self.ledger.purge(list(self._couriers), all_of_them=True)
            await asyncio.sleep(WRITE_SECONDS)

    async def _look(self, room: PostRoom) -> bool:
        """Take in what owners have changed; whether anybody is left to send to."""
        self.authority.learn(await self._store.list_api_keys())
        found = {one.id: one for one in await self._store.list_webhooks()}
        for gone in self._couriers.keys() - found.keys():
            self._running.pop(gone).cancel()
            del self._couriers[gone], self.ledger.known[gone]
            self.ledger.drop(gone)
        self._learn(found)
        for one, endpoint in found.items():
            if one not in self._couriers:
                self.ledger.known[one] = endpoint
                courier = self._couriers[one] = Courier(endpoint, room)
                self._running[one] = asyncio.create_task(courier.run())
        return any(one.state is WebhookState.ACTIVE for one in found.values())

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


@asynccontextmanager
async def delivering(
    store: GraphStore,
    feed: MatchFeed,
    settings: Settings,
    clock: Callable[[], datetime],
    *,
    cursor_of: Callable[[int], str] = str,
    network: GuardedNetwork,
    tls: ssl.SSLContext | None = None,
    jitter: Jitter = spread,
    holder: str | None = None,
) -> AsyncIterator[Dispatcher]:
    """Send webhooks while the context is open; what the arguments are, Dispatcher says."""
    dispatcher = Dispatcher(
        store,
        feed,
        settings,
        clock,
        cursor_of=cursor_of,
        network=network,
        tls=tls,
        jitter=jitter,
        holder=holder,
    )
    task = asyncio.create_task(dispatcher.run())
    try:
        yield dispatcher
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
