"""A selection executed for one event after another.

The same selection of the same event, for the same permission, is the same bytes: it is executed
once and shared by all who asked for it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from typing import Any, NamedTuple

from graphql import ExecutionResult, GraphQLError, execute_subscription_event
from strawberry import Schema

from api.context import RequestContext, Services
from api.errors import present_errors
from api.loaders import Loaders
from api.stream_opening import DocumentReading, Opening, build_executor
from api.types.match_event import CursorExpired, Lagged, MatchEvent, match_event
from core.entities import Buyer, Event, Offer

_REMEMBERED_EVENTS = 1_000
_REMEMBERED_SECONDS = 10.0
_WITHOUT_A_BREAK = 25
"""Events executed before the event loop gets its turn."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class Message(NamedTuple):
    """What is told of one event: its seq, the JSON of the result, the cursor right after it."""

    seq: int
    payload: bytes
    cursor: str


class Selection:
    """Executes one subscription's selection, for everybody with the same SelectionKey.

    Args:
        schema: of the service.
        opening: of the first who asked.
        services: of the process. What is executed knows the principal and nothing else of who
            asked first.
        loaders: batch the reads of all selections that tell of the same events at one moment.
    """

    def __init__(
        self, schema: Schema, opening: Opening, services: Services, loaders: Loaders
    ) -> None:
        self._context = RequestContext(services, principal=opening.principal, _loaders=loaders)
        executor = build_executor(schema, opening.document, opening.parameters, self._context)
        assert not isinstance(executor, list)
        self._executor = executor
        fields = DocumentReading(opening.document).fields
        self._shows_offers, self._shows_buyers = "offer" in fields, "buyer" in fields
        self._known: dict[int, tuple[float, Message]] = {}

    async def tell(self, events: Sequence[Event]) -> list[Message]:
        """A message for each event, in order; offers and buyers are read in two batches at most."""
        now = asyncio.get_running_loop().time()
        since = now - _REMEMBERED_SECONDS
        known = {
            event.seq: found[1]
            for event in events
            if (found := self._known.get(event.seq)) and found[0] > since
        }
        missing = [event for event in events if event.seq not in known]
        for message in await self._told(missing):
            known[message.seq] = message
            self._known.pop(message.seq, None)
            self._known[message.seq] = (now, message)
        while len(self._known) > _REMEMBERED_EVENTS:
            del self._known[next(iter(self._known))]
        return [known[event.seq] for event in events]

    async def say(self, what: Lagged | CursorExpired) -> bytes:
        """The JSON of a message that is no event's."""
        result = self._execute(what)
        return self._show(result if isinstance(result, ExecutionResult) else await result)

    async def _told(self, events: Sequence[Event]) -> list[Message]:
        if not events:
            return []
        loaders, cursors = self._context.loaders, self._context.services.cursors
        offers: dict[str, Offer | None] = {}
        buyers: dict[str, Buyer | None] = {}
        if self._shows_offers:
            ids = list({event.offer_id for event in events if event.offer_id})
            offers = dict(zip(ids, await loaders.offers.load_many(ids), strict=True))
        if self._shows_buyers:
            ids = list({event.buyer_id for event in events if event.buyer_id})
            buyers = dict(zip(ids, await loaders.buyers.load_many(ids), strict=True))
        told: list[MatchEvent] = [
            match_event(
                event,
                cursors.event_cursor(event.seq),
                offers.get(event.offer_id or ""),
                buyers.get(event.buyer_id or ""),
            )
            for event in events
        ]
        messages: list[Message] = []
        for start in range(0, len(told), _WITHOUT_A_BREAK):
            part = told[start : start + _WITHOUT_A_BREAK]
            results = [self._execute(one) for one in part]
            # What asks for more than the event waits together, so that it is read in batches.
            waiting = [one for one in results if not isinstance(one, ExecutionResult)]
            awaited = iter(await asyncio.gather(*waiting))
            await asyncio.sleep(0)
            messages += [
                Message(
                    one.seq,
                    self._show(result if isinstance(result, ExecutionResult) else next(awaited)),
                    one.cursor,
                )
                for one, result in zip(part, results, strict=True)
            ]
        return messages

    def _execute(
        self, root: MatchEvent | Lagged | CursorExpired
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        return execute_subscription_event(self._executor.build_per_event_executor(root))

    def _show(self, result: ExecutionResult) -> bytes:
        payload: dict[str, Any] = {"data": result.data}
        if result.errors:
            shown = present_errors(result.errors, hints=self._context.may_introspect)
            payload["errors"] = [error.formatted for error in shown]
        return _encode(payload).encode()


def encode_errors(errors: Sequence[GraphQLError]) -> bytes:
    """The JSON of a result that has nothing but errors."""
    return _encode({"data": None, "errors": [error.formatted for error in errors]}).encode()
