"""Followers of match events: each with a position of its own, together as long as they keep up.

A channel is everybody who asks the same (see selections.SelectionKey) and stands at the end of the
log. It reads each stretch of the log once, executes the selection once for each event, and hands
the same bytes to all. A follower that comes with an older cursor, or whose connection takes no
more just now, is on its own until it has caught up: it reads pages from its position on, and joins
the channel where the two positions meet. So a slow one costs others nothing, and costs the
process a position.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Protocol

from graphql import GraphQLError
from strawberry import Schema

from announcing.feed import MatchFeed
from announcing.filters import may_receive
from api.context import RequestContext
from api.guard import DocumentCache
from api.http_request import GraphQLParameters
from api.scalars import BigInt, Cursor
from api.selections import Message, Opening, Selection, SelectionKey, open_stream
from api.types.match_event import CursorExpired, Lagged
from core.entities import Event
from core.errors import CursorExpiredError, OfferpathError, UnauthenticatedError

logger = logging.getLogger("offerpath.api")

PAGE = 200
AT_ONCE = 20
"""Events of a page sent before the connection is asked again whether it takes more."""
LIVE_PAGE = 100
"""Events handed out together at most: what a connection must be able to keep on top of its mark."""
SWEEP_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
RETRY_SECONDS = 1.0


class ServerEndingError(OfferpathError):
    """The server ends; who follows should connect again."""


class Sink(Protocol):
    """A follower's way out: its connection and its operation."""

    def is_ready(self) -> bool:
        """Whether it takes more without keeping it."""

    async def wait_ready(self) -> None:
        """Wait until it does.

        Raises:
            OfferpathError: when that takes too long; the follower is given up.
        """

    def send(self, messages: Sequence[Message]) -> None:
        """Send these at once, in order."""

    def beat(self, cursor: str) -> None:
        """Say that the connection lives, and where it stands."""


class Follower:
    """One who follows: its position, its connection, and why it ends.

    Args:
        context: of its connection; its credential is checked again and again.
        sink: where its messages go.
        position: the seq it stands behind.
    """

    def __init__(self, context: RequestContext, sink: Sink, position: int) -> None:
        self.context = context
        self.sink = sink
        self.position = position
        self.failure: OfferpathError | None = None
        self.silent_since = 0.0
        self._apart: asyncio.Future[None] | None = None

    @property
    def is_live(self) -> bool:
        """Whether it follows together with its channel."""
        return self._apart is not None and not self._apart.done()

    def end(self, failure: OfferpathError) -> None:
        """Let follow() raise this."""
        self.failure = failure
        self.part()

    def part(self) -> None:
        """Let it go on by itself, outside of its channel."""
        if self._apart is not None and not self._apart.done():  # is_live, as mypy sees it
            self._apart.set_result(None)

    async def wait_apart(self) -> None:
        """Wait until part() or end() is called."""
        self._apart = asyncio.get_running_loop().create_future()
        await self._apart

    def has_expired(self) -> bool:
        """Whether its credential is known to have ended by now."""
        principal = self.context.principal
        ends = principal.expires_at if principal else None
        return ends is not None and ends <= self.context.services.clock()

    def check(self) -> None:
        """Raise what it ends with, if it ends."""
        if self.failure is not None:
            raise self.failure

    def send(self, messages: Sequence[Message]) -> None:
        """Send what is new to it."""
        fresh = [message for message in messages if message.seq > self.position]
        if fresh:
            self.sink.send(fresh)
            self.position = fresh[-1].seq
            self.silent_since = asyncio.get_running_loop().time()


class Channel:
    """Everybody who asks the same, and where those of them stand who keep up."""

    def __init__(self, feed: MatchFeed, opening: Opening, selection: Selection) -> None:
        self.users = 0
        self.selection = selection
        self._feed = feed
        self._filter = opening.stream.filter
        self._principal = opening.principal
        self._position = 0
        self._followers: dict[Follower, None] = {}
        self._task: asyncio.Task[None] | None = None

    def can_join(self, follower: Follower) -> bool:
        """Whether everything that it lacks is still to come here."""
        return follower.position >= (self._position if self._task else self._feed.position)

    async def live(self, follower: Follower) -> None:
        """Follow together until the follower parts, or is parted."""
        self._followers[follower] = None
        if self._task is None:
            self._position = self._feed.position
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            await follower.wait_apart()
        finally:
            del self._followers[follower]
            if not self._followers:
                self._task.cancel()
                self._task = None

    async def read(self, follower: Follower, limit: int) -> tuple[list[Message], int]:
        """The next messages for a follower, and how far that brings it."""
        return await self._read(follower.position, limit)

    async def _run(self) -> None:
        complaint = ""
        while True:
            try:
                await self._feed.wait_beyond(self._position)
                messages, reached = await self._read(self._position, LIVE_PAGE)
                complaint = ""
            except CursorExpiredError:
                for follower in self._followers:
                    follower.part()
                return
            except Exception as error:  # a graph that is away for a while: go on when it is back
                if complaint != str(error):
                    logger.warning("Match events could not be told: %s", error)
                complaint = str(error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self._position = reached
            self._hand_out(messages, reached)

    def _hand_out(self, messages: Sequence[Message], reached: int) -> None:
        for follower in self._followers:
            # One that was parted is here until its task has run, and goes on by itself.
            if not follower.is_live:
                continue
            if messages and follower.has_expired():
                follower.end(_expired())
            elif messages and not follower.sink.is_ready():
                follower.part()
            else:
                follower.send(messages)
                follower.position = max(follower.position, reached)

    async def _read(self, after: int, limit: int) -> tuple[list[Message], int]:
        end = max(after, self._feed.position)
        events = await self._feed.read(after, limit)
        if events:
            end = events[-1].seq if len(events) == limit else max(end, events[-1].seq)
        return await self.selection.tell([one for one in events if self._tells(one)]), end

    def _tells(self, event: Event) -> bool:
        return self._filter.passes(event) and may_receive(self._principal, event)


class MatchChannels:
    """All who follow match events in this process.

    Args:
        schema: of the service.
        documents: parsed ones.
    """

    def __init__(self, schema: Schema, documents: DocumentCache) -> None:
        self.documents = documents
        self._schema = schema
        self._channels: dict[SelectionKey, Channel] = {}
        self._followers: set[Follower] = set()
        self._ends = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Check credentials and keep connections alive meanwhile."""
        self._ends = False
        task = asyncio.get_running_loop().create_task(self._sweep_on())
        try:
            yield
        finally:
            self.end()
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def end(self) -> None:
        """Let everybody go, to connect again."""
        self._ends = True
        for follower in self._followers:
            follower.end(_ending())

    async def open(
        self, parameters: GraphQLParameters, context: RequestContext
    ) -> Opening | list[GraphQLError]:
        """Check and open a subscription; errors are fit to be shown."""
        return await open_stream(self._schema, self.documents, parameters, context)

    async def follow(self, opening: Opening, context: RequestContext, sink: Sink) -> None:
        """Send an opened subscription's messages; returns when it is complete.

        Raises:
            UnauthenticatedError: when the credential is not valid any more.
            ServerEndingError: when the server ends.
            OfferpathError: what the sink's wait_ready() raises.
        """
        if self._ends:
            raise _ending()
        channel = self._channels.get(opening.key)
        if channel is None:
            selection = Selection(self._schema, opening, context.services)
            channel = Channel(context.services.feed, opening, selection)
            self._channels[opening.key] = channel
        follower = Follower(context, sink, opening.stream.after)
        follower.silent_since = asyncio.get_running_loop().time()
        self._followers.add(follower)
        channel.users += 1
        try:
            await _follow(channel, follower)
        finally:
            self._followers.discard(follower)
            channel.users -= 1
            if not channel.users:
                del self._channels[opening.key]

    async def _sweep_on(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                await self._check_credentials()
            except Exception as error:  # the graph may be away: its keys are read when it is back
                logger.warning("The keys of followers could not be checked: %s", error)
            self._beat()

    async def _check_credentials(self) -> None:
        by_credential: dict[str, list[Follower]] = {}
        for follower in self._followers:
            if follower.context.credential is not None:
                by_credential.setdefault(follower.context.credential, []).append(follower)
        for followers in by_credential.values():
            try:
                await followers[0].context.identify_again()
            except UnauthenticatedError:
                for follower in followers:
                    follower.end(_expired())

    def _beat(self) -> None:
        now = asyncio.get_running_loop().time()
        for follower in self._followers:
            if now - follower.silent_since >= HEARTBEAT_SECONDS and follower.sink.is_ready():
                follower.silent_since = now
                cursors = follower.context.services.cursors
                follower.sink.beat(cursors.event_cursor(follower.position))


async def _follow(channel: Channel, follower: Follower) -> None:
    services = follower.context.services
    # One that begins far behind knows that it does.
    told = follower.position < services.feed.floor
    while True:
        follower.check()
        if channel.can_join(follower):
            await channel.live(follower)
            told = False
            continue
        await follower.sink.wait_ready()
        if not told and follower.position < services.feed.floor:
            told = True
            behind = BigInt(services.feed.position - follower.position)
            cursor = Cursor(services.cursors.event_cursor(follower.position))
            seq = BigInt(follower.position)
            await _say(channel, follower, Lagged(behind=behind, seq=seq, cursor=cursor))
        try:
            messages, reached = await channel.read(follower, PAGE)
        except CursorExpiredError:
            oldest = await services.store.log_start()
            cursor = Cursor(services.cursors.event_cursor(oldest))
            await _say(channel, follower, CursorExpired(cursor=cursor, seq=BigInt(oldest)))
            return
        for start in range(0, len(messages), AT_ONCE):
            await follower.sink.wait_ready()
            follower.check()
            follower.send(messages[start : start + AT_ONCE])
        follower.position = max(follower.position, reached)


async def _say(channel: Channel, follower: Follower, what: Lagged | CursorExpired) -> None:
    payload = await channel.selection.say(what)
    follower.sink.send([Message(what.seq, payload, what.cursor)])


def _ending() -> ServerEndingError:
    return ServerEndingError("The server ends.", mend="Connect again.")


def _expired() -> UnauthenticatedError:
    return UnauthenticatedError("The credential is not valid any more.")
