"""One endpoint's courier: reads the log behind the endpoint's position and sends, one by one."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime

from announcing.feed import MatchFeed
from announcing.filters import MatchEventFilter, may_receive
from core.entities import Event
from core.errors import CursorExpiredError, InputError
from core.webhooks import Delivery, DeliveryState, WebhookEndpoint, WebhookState
from webhooks.authority import Authority
from webhooks.ledger import Ledger
from webhooks.messages import Message, event_message, expired_message
from webhooks.sending import Outcome, Sender
from webhooks.verdicts import Jitter, disabled, judge

logger = logging.getLogger(__name__)

PAGE = 200
LOOK_SECONDS = 0.5
"""How often a courier that waits for a time looks at the clock."""

TROUBLE_SECONDS = 1.0
WAIT_SECONDS = 0.05
"""How soon a courier looks again whether the lease has been renewed."""


@dataclass(frozen=True, slots=True)
class PostRoom:
    """What all couriers share.

    Attributes:
        feed: the match events.
        sender: makes the attempts.
        authority: knows whose endpoints may still be sent to.
        ledger: takes down what was done.
        clock: what tells the time.
        jitter: spreads attempts over their window.
        cursor_of: the cursor after a seq of the log.
        log_start: the position before the oldest event that is kept.
        holds: whether no other process can be sending.
    """

    feed: MatchFeed
    sender: Sender
    authority: Authority
    ledger: Ledger
    clock: Callable[[], datetime]
    jitter: Jitter
    cursor_of: Callable[[int], str]
    log_start: Callable[[], Awaitable[int]]
    holds: Callable[[], bool]


class Courier:
    """Sends one endpoint its events in their order, at most one attempt at a time."""

    def __init__(self, endpoint: WebhookEndpoint, room: PostRoom) -> None:
        self.endpoint = endpoint
        self._room = room
        self._filter = _read_filter(endpoint)
        self._moves = 0
        self._changed = asyncio.Event()

    def adopt(self, fresh: WebhookEndpoint, *, moved: bool) -> None:
        """Go on with what the owner has changed.

        Args:
            fresh: the endpoint as the books have it.
            moved: whether its place is new too; what is being sent then counts for nothing.
        """
        self.endpoint = fresh if moved else fresh.with_progress_of(self.endpoint)
        self._filter = _read_filter(fresh)
        self._moves += moved
        self._changed.set()

    async def run(self) -> None:
        """Send for ever."""
        while True:
            try:
                await self._due()
                await self._go_on()
            except Exception as error:  # the graph is away, or an event cannot be read
                logger.warning("Webhook %s waits: %s", self.endpoint.id, error)
                await asyncio.sleep(TROUBLE_SECONDS)

    async def _due(self) -> None:
        """Wait until something may be sent."""
        while (wait := self._wait_seconds()) > 0:
            self._changed.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(min(wait, LOOK_SECONDS)):
                    await self._changed.wait()

    def _wait_seconds(self) -> float:
        endpoint = self.endpoint
        if endpoint.state is not WebhookState.ACTIVE:
            return LOOK_SECONDS
        if endpoint.next_attempt_at is None:
            return 0.0
        return (endpoint.next_attempt_at - self._room.clock()).total_seconds()

    async def _go_on(self) -> None:
        if self._filter is None:
            self._disable("Its filter cannot be read; update it.")
            return
        feed, moves = self._room.feed, self._moves
        end = feed.position
        try:
            events = await feed.read(self.endpoint.position, PAGE)
        except CursorExpiredError:
            await self._tell_expired()
            return
        if moves != self._moves:
            return
        for event in events:
            if not self._wants(event):
                self._pass_over(event.seq)
            elif not await self._send(self._message(event)):
                return
        if len(events) < PAGE:
            self._pass_over(end)
            await self._wait_beyond(max(end, self.endpoint.position))

    async def _wait_beyond(self, seq: int) -> None:
        """Wait for the log to go on, or for the owner."""
        self._changed.clear()
        waits = [
            asyncio.ensure_future(self._room.feed.wait_beyond(seq)),
            asyncio.ensure_future(self._changed.wait()),
        ]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waits:
                one.cancel()

    def _disable(self, reason: str) -> None:
        logger.warning("Webhook %s is disabled: %s", self.endpoint.id, reason)
        self.endpoint = disabled(self.endpoint, reason)
        self._room.ledger.note(self.endpoint)

    def _wants(self, event: Event) -> bool:
        # Who may hear of it is asked again for each event, as of each reader.
        asked = self._filter
        return asked is not None and asked.passes(event) and may_receive(self.endpoint.owner, event)

    def _message(self, event: Event) -> Message:
        return event_message(event, self._room.cursor_of(event.seq))

    def _pass_over(self, seq: int) -> None:
        if seq > self.endpoint.position:
            self.endpoint = replace(self.endpoint, position=seq)
            self._room.ledger.note(self.endpoint)

    async def _tell_expired(self) -> None:
        """Say that events are gone, then go on from the oldest that is kept."""
        room = self._room
        oldest = await room.log_start()
        if self.endpoint.position < oldest:
            message = expired_message(self.endpoint, oldest, room.cursor_of(oldest), room.clock())
            await self._send(message)

    async def _send(self, message: Message) -> bool:
        """Make one attempt; whether the message was dealt with and the next may follow."""
        room, moves = self._room, self._moves
        await room.ledger.room(self.endpoint.id)
        if not room.holds():
            await asyncio.sleep(WAIT_SECONDS)
            return False
        refusal = room.authority.refusal(self.endpoint)
        if refusal is not None:
            self._disable(refusal)
            return False
        if moves != self._moves or self._wait_seconds() > 0:
            return False
        sent, at = self.endpoint, room.clock()
        outcome = await room.sender.send(sent, message)
        if moves != self._moves:
            state = DeliveryState.FAILED if outcome.error else DeliveryState.DELIVERED
            room.ledger.log(attempt(sent, message, outcome, at, state))
            return False
        now = room.clock()
        judged, state = judge(self.endpoint, message.seq, outcome, now, room.jitter)
        if judged.state is WebhookState.DISABLED is not self.endpoint.state:
            logger.warning("Webhook %s is disabled: %s", judged.id, judged.last_error)
        self.endpoint = judged
        room.ledger.note(judged, attempt(sent, message, outcome, at, state))
        # Only what was dealt with lets the next one follow, however soon it may be tried again.
        return judged.position >= message.seq


def attempt(
    endpoint: WebhookEndpoint,
    message: Message,
    outcome: Outcome,
    at: datetime,
    state: DeliveryState,
) -> Delivery:
    """The record of an attempt that began ``at``; ids of an endpoint's rise with that time."""
    micros = int(at.timestamp() * 1_000_000)
    return Delivery(
        id=f"{endpoint.id}-{micros:017d}-{secrets.token_hex(3)}",
        endpoint_id=endpoint.id,
        event_id=message.id,
        seq=message.seq,
        attempt=endpoint.failures + 1,
        state=state,
        at=at,
        milliseconds=outcome.milliseconds,
        status_code=outcome.status_code,
        error=outcome.error,
    )


def _read_filter(endpoint: WebhookEndpoint) -> MatchEventFilter | None:
    """The endpoint's filter; None when it cannot be read, as one of a newer Offerpath's."""
    try:
        return MatchEventFilter.from_mapping(endpoint.filter)
    except InputError:
        return None
