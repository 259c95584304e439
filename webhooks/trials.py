"""What owners have sent on the spot: tests, and dead letters once more."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from announcing.filters import may_receive
from core.entities import MATCH_EVENTS, Event, Principal
from core.errors import ConflictError, CursorExpiredError, CursorInvalidError, NotFoundError
from core.settings import Settings
from core.webhooks import Delivery, DeliveryState, WebhookEndpoint
from webhooks.addresses import GuardedNetwork, Reach
from webhooks.couriers import attempt
from webhooks.messages import Message, event_message, test_message
from webhooks.registry import WebhookRegistry, missing
from webhooks.sending import Outcome, Sender
from webhooks.signing import read_signer

if TYPE_CHECKING:
    from graph.store import GraphStore


class WebhookTrials:
    """Sends while its caller waits, beside the dispatcher and without moving an endpoint.

    Args:
        store: the graph.
        settings: of the process.
        clock: what tells the time.
        registry: knows whose endpoints are whose.
        network: opens the connections.
        cursor_of: the cursor after a seq of the log.
    """

    def __init__(
        self,
        store: GraphStore,
        settings: Settings,
        clock: Callable[[], datetime],
        registry: WebhookRegistry,
        network: GuardedNetwork,
        *,
        cursor_of: Callable[[int], str] = str,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._registry = registry
        self._network = network
        self._cursor_of = cursor_of

    async def send_test(self, principal: Principal, endpoint_id: str) -> Delivery:
        """Send a message that says nothing, now; what came of it.

        Raises:
            NotFoundError: as ``get``.
            SettingsError: as ``register``.
        """
        endpoint = await self._registry.get(principal, endpoint_id)
        now = self._clock()
        message = test_message(endpoint, f"test_{secrets.token_hex(10)}", now)
        made = attempt(
            endpoint, message, await self._send(endpoint, message), now, DeliveryState.TEST
        )
        made = replace(made, attempt=1)
        await self._store.write_deliveries([made])
        return made

    async def redeliver(self, principal: Principal, delivery_id: str) -> Delivery:
        """Send a dead letter again, now; what came of it.

        Delivered, it leaves the list of dead letters.

        Raises:
            NotFoundError: when the principal has no such delivery.
            ConflictError: when it is no dead letter, or its event may not be told or is gone.
        """
        dead = await self._store.get_delivery(delivery_id)
        if dead is None:
            raise missing(delivery_id, "delivery")
        try:
            endpoint = await self._registry.get(principal, dead.endpoint_id)
        except NotFoundError as error:
            raise missing(delivery_id, "delivery") from error
        message = await self._dead_message(endpoint, dead)
        now = self._clock()
        outcome = await self._send(endpoint, message)
        state = DeliveryState.FAILED if outcome.error else DeliveryState.DELIVERED
        made = replace(attempt(endpoint, message, outcome, now, state), attempt=dead.attempt + 1)
        again = [] if outcome.error else [replace(dead, state=DeliveryState.REDELIVERED)]
        await self._store.write_deliveries([made, *again])
        return made

    async def _dead_message(self, endpoint: WebhookEndpoint, dead: Delivery) -> Message:
        if dead.state is not DeliveryState.DEAD:
            raise ConflictError("This delivery is no dead letter.", field=("id",))
        found: list[Event] = []
        with suppress(CursorExpiredError, CursorInvalidError):
            found = await self._store.read_events(dead.seq - 1, 1, MATCH_EVENTS)
        if not found or found[0].id != dead.event_id:
            raise ConflictError("The event is no longer kept.", field=("id",))
        if not may_receive(endpoint.owner, found[0]):
            raise ConflictError("The event is not for this webhook's owner.", field=("id",))
        return event_message(found[0], self._cursor_of(found[0].seq))

    async def _send(self, endpoint: WebhookEndpoint, message: Message) -> Outcome:
        signer, reach = read_signer(self._settings), Reach.of(self._settings)
        sender = Sender(signer, reach, self._clock, network=self._network)
        try:
            return await sender.send(endpoint, message)
        finally:
            await sender.close()
