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
from collections.abc import AsyncIterator, Hashable, Sequence
from contextlib import asynccontextmanager, suppress

from graphql import GraphQLError
from strawberry import Schema

from announcing.feed import MatchFeed
from announcing.filters import may_receive
from api.context import RequestContext
from api.followers import Follower, Sink, ending, expired
from api.guard import DocumentCache
from api.http_request import GraphQLParameters
from api.loaders import Loaders
from api.scalars import BigInt, Cursor
from api.selections import Message, Selection
from api.stream_opening import Opening, SelectionKey, open_stream
from api.types.match_event import CursorExpired, Lagged
from core.api_keys import API_KEY_PREFIX
from core.entities import Event
from core.errors import CursorExpiredError, UnauthenticatedError

logger = logging.getLogger("offerpath.api")

PAGE = 500
AT_ONCE = 20
"""Events of a page sent before the connection is asked again whether it takes more."""
LIVE_PAGE = 100
"""Events handed out together at most: what a connection must be able to keep on top of its mark."""
SWEEP_SECONDS = 1.0
HEARTBEAT_SECONDS = 15.0
RETRY_SECONDS = 1.0


class Channel:
    """Everybody who asks the same, and where those of them stand who keep up."""

    def __init__(self, feed: MatchFeed, opening: Opening, selection: Selection) -> None:
        self.users = 0
        self.selection = selection
        self._feed = feed
        self._filter = opening.stream.filter
        self._principal = opening.principal
        self._position = 0
        self._complaint = ""
        self._followers: dict[Follower, None] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def position(self) -> int:
        """The seq that everybody in it stands behind, at least."""
        return self._position

    def can_join(self, follower: Follower) -> bool:
        """Whether everything that it lacks is still to come here."""
        return follower.position >= (self._position if self._runs() else self._feed.position)

    async def live(self, follower: Follower) -> None:
        """Follow together until the follower parts, or is parted."""
        if not self._runs():
            self._position = self._feed.position
            self._task = asyncio.get_running_loop().create_task(self._run())
        self._followers[follower] = None
        try:
            await follower.wait_apart()
        finally:
            del self._followers[follower]
            if not self._followers and self._task is not None:
                self._task.cancel()

    async def read(self, follower: Follower, limit: int) -> tuple[list[Message], int]:
        """The next messages for a follower, and how far that brings it.

        Raises:
            CursorExpiredError: when events behind it are no longer kept.
        """
        try:
            return await self._read(follower.position, limit)
        except CursorExpiredError:
            raise
        except Exception as error:  # a graph that is away for a while: go on when it is back
            self._complain(error)
            await asyncio.sleep(RETRY_SECONDS)
            return [], follower.position

    def _runs(self) -> bool:
        task = self._task
        return task is not None and not task.done() and not task.cancelling()

    async def _run(self) -> None:
        while True:
            try:
                await self._feed.wait_beyond(self._position)
                messages, reached = await self._read(self._position, LIVE_PAGE)
            except CursorExpiredError:
                for follower in self._followers:
                    follower.part(self._position)
                return
            except Exception as error:  # as in read()
                self._complain(error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            if messages:
                self._hand_out(messages)
            self._position = reached

    def _hand_out(self, messages: Sequence[Message]) -> None:
        now = asyncio.get_running_loop().time()
        encoded: dict[Hashable, bytes] = {}
        for follower in self._followers:
            sink = follower.sink
            # One that was parted is here until its task has run, and goes on by itself.
            if not follower.is_live:
                continue
            if follower.has_expired():
                follower.end(expired())
            elif not sink.is_ready():
                follower.part(self._position)
            elif follower.position > self._position:  # it came with a cursor from further on
                follower.send(messages)
            else:
                if sink.form not in encoded:
                    encoded[sink.form] = sink.encode(messages)
                sink.write(encoded[sink.form])
                follower.position = messages[-1].seq
                follower.silent_since = now

    def _complain(self, error: Exception) -> None:
        if self._complaint != str(error):
            logger.warning("Match events could not be told: %s", error, exc_info=error)
        self._complaint = str(error)

    async def _read(self, after: int, limit: int) -> tuple[list[Message], int]:
        end = max(after, self._feed.position)
        events = await self._feed.read(after, limit)
        if events:
            end = events[-1].seq if len(events) == limit else max(end, events[-1].seq)
        messages = await self.selection.tell([one for one in events if self._tells(one)])
        self._complaint = ""
        return messages, end

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
        self._followers: dict[Follower, Channel] = {}
        self._loaders: Loaders | None = None
        self._ends = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Check credentials and keep connections alive meanwhile."""
        self._ends, self._loaders = False, None
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
            follower.end(ending())

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
            raise ending()
        channel = self._channels.get(opening.key)
        if channel is None:
            if self._loaders is None:
                self._loaders = Loaders(context.services)
            selection = Selection(self._schema, opening, context.services, self._loaders)
            channel = Channel(context.services.feed, opening, selection)
            self._channels[opening.key] = channel
        follower = Follower(context, sink, opening.stream.after)
        self._followers[follower] = channel
        channel.users += 1
        try:
            await _follow(channel, follower)
        finally:
            del self._followers[follower]
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
        by_key: dict[str, list[Follower]] = {}
        for follower in self._followers:
            credential = follower.context.credential
            if follower.has_expired():
                follower.end(expired())
            elif credential is not None and credential.startswith(API_KEY_PREFIX):
                by_key.setdefault(credential, []).append(follower)
        if not by_key:
            return
        authenticator = next(iter(self._followers)).context.services.authenticator
        await authenticator.look_up(by_key)
        for credential, followers in by_key.items():
            try:
                await authenticator.authenticate(credential)
            except UnauthenticatedError:
                for follower in followers:
                    follower.end(expired())

    def _beat(self) -> None:
        now = asyncio.get_running_loop().time()
        for follower, channel in self._followers.items():
            if not follower.is_live:
                continue
            if now - follower.silent_since >= HEARTBEAT_SECONDS and follower.sink.is_ready():
                follower.silent_since = now
                services = follower.context.services
                position = max(follower.position, channel.position)
                follower.sink.beat(services.cursors.event_cursor(position))


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
    sink = follower.sink
    sink.write(sink.encode([Message(what.seq, payload, what.cursor)]))
