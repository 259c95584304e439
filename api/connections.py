"""Relay connections: pages forward and backward over lists that can grow.

https://relay.dev/graphql/connections.htm
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Generic, Protocol, TypeVar

import strawberry

from api.cursors import Cursors
from core.errors import InputError

DEFAULT_PAGE = 20
LONGEST_PAGE = 100

First = Annotated[
    int | None,
    strawberry.argument(description="How many from the start; 20 unless said, 100 at most."),
]
Last = Annotated[
    int | None, strawberry.argument(description="How many from the end; never with `first`.")
]
After = Annotated[
    str | None, strawberry.argument(description="Start after this cursor (pageInfo.endCursor).")
]
Before = Annotated[
    str | None, strawberry.argument(description="End before this cursor (pageInfo.startCursor).")
]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    """Relay's PageInfo."""

    has_next_page: bool = strawberry.field(description="Whether something follows the page.")
    has_previous_page: bool = strawberry.field(description="Whether something precedes the page.")
    start_cursor: str | None = strawberry.field(description="Cursor of the page's first edge.")
    end_cursor: str | None = strawberry.field(description="Cursor of the page's last edge.")


@dataclass(frozen=True, slots=True)
class PageRequest:
    """Which page of a list that pages by key: ``limit`` rows after or before a key.

    ``backwards`` counts from the end. Both keys may be there: they bound the list on both sides.
    """

    limit: int
    after: str | None = None
    before: str | None = None
    backwards: bool = False


class Keyed(Protocol):
    """A row with the key that its list pages by."""

    @property
    def id(self) -> str:
        """The key."""


R = TypeVar("R", bound=Keyed)
ReadPage = Callable[[PageRequest], Awaitable[Sequence[R]]]


@dataclass(frozen=True, slots=True)
class Page(Generic[R]):
    """One page of rows in the list's order, with a cursor for each."""

    rows: Sequence[R]
    cursors: Sequence[str]
    info: PageInfo


def page_size(first: int | None, last: int | None = None) -> int:
    """The number of rows asked for.

    Raises:
        InputError: when both are given, or one is not in [0, 100].
    """
    if first is not None and last is not None:
        raise InputError("first and last cannot go together.", field=("last",))
    name, size = ("first", first) if last is None else ("last", last)
    if size is None:
        return DEFAULT_PAGE
    if not 0 <= size <= LONGEST_PAGE:
        raise InputError(f"{name} is {size}; it lies in [0, {LONGEST_PAGE}].", field=(name,))
    return size


async def read_page(
    read: ReadPage[R],
    cursors: Cursors,
    listing: str,
    *,
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> Page[R]:
    """One page of a list that pages by key.

    Args:
        read: the rows of a PageRequest, always in the list's own order.
        cursors: of the service.
        listing: the list's name, which its cursors carry.
        first: rows from the start.
        after: cursor to start after.
        last: rows from the end.
        before: cursor to end before.

    Raises:
        InputError: when the arguments contradict each other or exceed the longest page.
        CursorInvalidError: when a cursor is not one of this list.
    """
    limit = page_size(first, last)
    backwards = last is not None
    request = PageRequest(
        limit=limit + 1,  # one more than asked says whether there is another page
        after=cursors.read_key(after, listing) if after is not None else None,
        before=cursors.read_key(before, listing, field="before") if before is not None else None,
        backwards=backwards,
    )
    rows = await read(request)
    more = len(rows) > limit
    rows = rows[len(rows) - limit :] if more and backwards else rows[:limit]
    marks = [cursors.key_cursor(listing, row.id) for row in rows]
    info = PageInfo(
        has_next_page=before is not None if backwards else more,
        has_previous_page=more if backwards else after is not None,
        start_cursor=marks[0] if marks else None,
        end_cursor=marks[-1] if marks else None,
    )
    return Page(rows, marks, info)
