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
from datetime import datetime
from random import SystemRandom
from typing import TYPE_CHECKING

from announcing.feed import MatchFeed
from core.entities import Lease
from core.errors import LeaseLostError, SettingsError
from core.settings import Settings
from core.webhooks import WebhookState
from webhooks.addresses import GuardedNetwork, Reach
from webhooks.couriers import PostRoom
from webhooks.rounds import LEASE, LEASE_SECONDS, LOOK_SECONDS, Round
from webhooks.sending import Sender
from webhooks.signing import Signer, read_signer
from webhooks.verdicts import Jitter

if TYPE_CHECKING:
    from graph.store import GraphStore

logger = logging.getLogger(__name__)


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
        round_ = Round(self._store, self._settings, self._clock, lease)
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
