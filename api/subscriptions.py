"""The root of subscriptions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Annotated, cast

import strawberry

from announcing.filters import MatchEventFilter
from api.context import ApiInfo, RequestContext
from api.match_log import position_of
from api.permissions import Requires, anyone, check_match_filter
from api.scalars import Cursor
from api.types.match_event import MatchEventFilterInput, MatchEventMessage

FilterArgument = Annotated[
    MatchEventFilterInput | None, strawberry.argument(description="Which of them to tell of.")
]
AfterArgument = Annotated[
    Cursor | None,
    strawberry.argument(
        description="Begin right after this cursor: first what has happened since, then what "
        "happens. Without it: from now."
    ),
]


@dataclass(frozen=True, slots=True)
class MatchStream:
    """What a subscription to match events asks for.

    The resolver hands it to the transport, which knows how to follow it together with everybody
    who asks the same (api.match_channels); it is not iterated itself.

    Attributes:
        filter: which events.
        after: the seq to begin behind.
    """

    filter: MatchEventFilter
    after: int

    def __aiter__(self) -> AsyncGenerator[MatchEventMessage, None]:
        """GraphQL wants a subscription to be iterable; this one is followed by channels."""
        raise TypeError("A MatchStream is followed by MatchChannels.")


@strawberry.type(description="Everything that can be followed.")
class Subscription:
    """The root of subscriptions."""

    @strawberry.subscription(
        description="New, changed and withdrawn matches, in the order of the log, each told at "
        "least once. A buyer hears of its own, a vendor of those on its own offers; partners, "
        "analysts and admins of all.",
        extensions=[Requires(anyone)],
    )
    async def match_events(
        self, info: ApiInfo, filter: FilterArgument = None, after: AfterArgument = None
    ) -> AsyncGenerator[MatchEventMessage, None]:
        """Match events."""
        asked = filter.to_domain() if filter else MatchEventFilter()
        check_match_filter(info.context.require_principal(), asked)
        stream = MatchStream(asked, await _start(info.context, after))
        return cast(AsyncGenerator[MatchEventMessage, None], stream)


async def _start(context: RequestContext, after: str | None) -> int:
    """The seq to begin behind: where a reconnecting client was, what it asks for, or now."""
    cursor = context.resume_after or after
    if cursor is None:
        return context.services.feed.position
    return await position_of(context.services, cursor)
