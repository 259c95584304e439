"""What has been sent and is not yet in the books.

Couriers note what they have done; it is written for all endpoints in one transaction a moment
later, so that a fast endpoint does not wait for a commit after each event. What is noted and lost
(a killed process) is sent again, with the same ids.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from time import monotonic
from typing import TYPE_CHECKING

from core.entities import Lease
from core.settings import Settings
from core.webhooks import Delivery, DeliveryState, WebhookEndpoint, WebhookProgress, WebhookState

if TYPE_CHECKING:
    from graph.store import GraphStore

MOST_UNSAVED = 250
"""Attempts of one endpoint that may be noted and not written: what a kill can repeat."""

LAZY_SECONDS = 5.0
"""How long a position that only passed over events may wait to be written."""

_LOGGED = frozenset(DeliveryState) - {DeliveryState.DEAD}
_SHARE_PURGED_AT = 4


class Ledger:
    """The books of the endpoints, and what is to be added to them.

    Args:
        store: where the books are.
        settings: how long the delivery log is kept.
        clock: what tells the time.
    """

    def __init__(
        self, store: GraphStore, settings: Settings, clock: Callable[[], datetime]
    ) -> None:
        self.known: dict[str, WebhookEndpoint] = {}
        self._store = store
        self._settings = settings
        self._clock = clock
        self._ahead: dict[str, WebhookEndpoint] = {}
        self._deliveries: dict[str, list[Delivery]] = defaultdict(list)
        self._lazy_since: float | None = None
        self._urgent = False
        self._written: dict[str, int] = defaultdict(int)
        self._room = asyncio.Event()
        self.noted = asyncio.Event()

    def note(self, endpoint: WebhookEndpoint, *deliveries: Delivery) -> None:
        """Keep how far an endpoint has come, and the attempts that took it there."""
        self._ahead[endpoint.id] = endpoint
        self.log(*deliveries)
        if deliveries or endpoint.state is not self.known[endpoint.id].state:
            self._urgent = True
            self.noted.set()
        elif self._lazy_since is None:
            self._lazy_since = monotonic()

    def log(self, *deliveries: Delivery) -> None:
        """Keep attempts that took their endpoint nowhere."""
        for delivery in deliveries:
            self._deliveries[delivery.endpoint_id].append(delivery)

    def drop(self, endpoint_id: str) -> None:
        """Forget what was noted of an endpoint's place: its owner has moved it."""
        self._ahead.pop(endpoint_id, None)

    def disables(self, endpoint_id: str) -> bool:
        """Whether it is noted, and not yet written, that an endpoint is disabled."""
        ahead = self._ahead.get(endpoint_id)
        return ahead is not None and ahead.state is WebhookState.DISABLED

    async def room(self, endpoint_id: str) -> None:
        """Wait while too much of an endpoint is unwritten."""
        while len(self._deliveries[endpoint_id]) >= MOST_UNSAVED:
            self._room.clear()
            await self._room.wait()

    @property
    def is_due(self) -> bool:
        """Whether there is something that should be written now."""
        if self._urgent or any(self._deliveries.values()):
            return True
        return self._lazy_since is not None and monotonic() - self._lazy_since >= LAZY_SECONDS

    async def write(self, lease: Lease) -> dict[str, WebhookEndpoint]:
        """Write what is noted; the endpoints concerned as the books have them then.

        Raises:
            LeaseLostError: when another process has taken the lease.
        """
        ahead = dict(self._ahead)
        counts = {one: len(made) for one, made in self._deliveries.items() if made}
        progress = [
            WebhookProgress(
                before=self.known[one],
                after=ahead.get(one, self.known[one]),
                deliveries=tuple(self._deliveries[one][: counts.get(one, 0)]),
            )
            for one in sorted(ahead.keys() | counts.keys())
            if one in self.known
        ]
        if not progress:
            return {}
        self._urgent, self._lazy_since = False, None
        try:
            kept = await self._store.keep_webhook_progress(lease, progress)
        except BaseException:
            self._urgent = True
            raise
        for one, count in counts.items():
            del self._deliveries[one][:count]
            self._written[one] += count
        for one, noted in ahead.items():
            # What the books were to say; if they say something else, their owner was quicker.
            self.known[one] = kept[one].with_progress_of(noted) if one in kept else noted
            if self._ahead.get(one) is noted:
                del self._ahead[one]
        self._room.set()
        return kept

    async def purge(self, endpoint_ids: Iterable[str], *, all_of_them: bool = False) -> None:
        """Remove what the delivery log keeps no longer, of endpoints that have grown."""
        most = self._settings.webhook_log_count
        now = self._clock()
        logged = now - timedelta(days=self._settings.webhook_log_days)
        # A dead letter can be sent again as long as its event is there.
        dead = now - timedelta(days=self._settings.event_retention_days)
        for one in endpoint_ids:
            if not all_of_them and self._written[one] < max(50, most // _SHARE_PURGED_AT):
                continue
            self._written[one] = 0
            await self._store.purge_deliveries(one, _LOGGED, before=logged, keep=most)
            await self._store.purge_deliveries(one, (DeliveryState.DEAD,), before=dead, keep=most)
