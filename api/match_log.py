"""Match events for those who poll: pages of the log behind a cursor."""

from __future__ import annotations

from announcing.filters import MatchEventFilter, may_receive
from api.connections import PageInfo, page_size
from api.context import ApiInfo, Services
from api.permissions import check_match_filter
from api.scalars import Cursor
from api.types.match_event import MatchEventConnection, MatchEventEdge, match_event
from core.entities import Event
from core.errors import CursorExpiredError, CursorInvalidError

SCAN = 500
MOST_SCANNED = 5_000
"""Events looked at for one page: a filter that lets nearly nothing through is answered in parts."""


async def position_of(services: Services, cursor: str) -> int:
    """The seq that a client's cursor stands behind.

    Raises:
        CursorInvalidError: when this service has not given it out, or the log does not reach it.
    """
    seq = services.cursors.read_event(cursor)
    # Another process may be further than this one, but nobody is further than the log.
    if seq > services.feed.position and seq > await services.store.last_seq():
        raise CursorInvalidError(
            "The cursor lies behind the end of the log.",
            mend="Start again without it.",
            field=("after",),
        )
    return seq


async def read_match_events(
    info: ApiInfo, asked: MatchEventFilter, after: str | None, first: int | None
) -> MatchEventConnection:
    """A page of match events behind a cursor, or of the oldest that are kept.

    Raises:
        ForbiddenError: when the filter names whom the caller may not follow.
        CursorExpiredError: when events behind the cursor are no longer kept.
        CursorInvalidError: see position_of().
    """
    services, size = info.context.services, page_size(first)
    check_match_filter(info.context.require_principal(), asked)
    if after is None:
        start = await services.store.log_start()
    else:
        start = await position_of(services, after)
    try:
        events, end = await _scan(info, asked, start, size)
    except CursorExpiredError as error:
        raise CursorExpiredError(
            "Events behind the cursor are no longer kept.",
            mend="Start again without it, at the oldest that are.",
            field=("after",),
        ) from error
    return await _connection(services, events, start, end)


async def _scan(
    info: ApiInfo, asked: MatchEventFilter, start: int, size: int
) -> tuple[list[Event], int]:
    """Up to ``size`` events for the caller, and the seq up to which the log was looked at."""
    feed, principal = info.context.services.feed, info.context.require_principal()
    found: list[Event] = []
    at = start
    for _ in range(MOST_SCANNED // SCAN):
        if len(found) == size:
            break
        end = max(at, feed.position)
        events = await feed.read(at, SCAN)
        for event in events:
            at = event.seq
            if asked.passes(event) and may_receive(principal, event):
                found.append(event)
                if len(found) == size:
                    return found, at
        if len(events) < SCAN:
            return found, max(at, end)
    return found, at


async def _connection(
    services: Services, events: list[Event], start: int, end: int
) -> MatchEventConnection:
    cursors = services.cursors
    offers = await services.store.get_offers(
        sorted({event.offer_id for event in events if event.offer_id})
    )
    buyers = await services.store.get_buyers(
        sorted({event.buyer_id for event in events if event.buyer_id})
    )
    edges = [
        MatchEventEdge(
            node=match_event(
                event,
                cursor := cursors.event_cursor(event.seq),
                offers.get(event.offer_id or ""),
                buyers.get(event.buyer_id or ""),
            ),
            cursor=Cursor(cursor),
        )
        for event in events
    ]
    info = PageInfo(
        has_next_page=end < services.feed.position,
        has_previous_page=start > 0,
        start_cursor=edges[0].cursor if edges else None,
        end_cursor=cursors.event_cursor(end),
    )
    return MatchEventConnection(edges=edges, page_info=info)
