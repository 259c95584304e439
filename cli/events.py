"""`offerpath events`: the event log on the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import aclosing
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.session import open_graph, session_of
from core.entities import MATCH_EVENTS, EventType
from core.errors import GraphBusyError, InputError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from cli.console import Terminal
    from core.settings import Settings

ALL, MATCHES = "all", "matches"

app = typer.Typer(help="Read the event log.", no_args_is_help=True)


@app.command("tail")
def tail(
    context: typer.Context,
    after: Annotated[
        str | None, typer.Option(metavar="SEQ|CURSOR", help="Begin right after this event.")
    ] = None,
    types: Annotated[
        str, typer.Option(help='"matches", "all", or types of events with commas between.')
    ] = MATCHES,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Wait for more.")] = False,
    limit: Annotated[int | None, typer.Option(min=1, help="End after so many.")] = None,
    key: Annotated[
        str, typer.Option(envvar="OFFERPATH_API_KEY", help="Credential for a server that is asked.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """Print events in the order of the log; without --after the oldest kept, or with -f the next.

    Each JSON line has the cursor to go on from. While a server has the embedded graph, the server
    is asked: for match events, behind a cursor.

    Example: offerpath events tail --after 0 --json
    """
    session = session_of(context)
    wanted = _types(types)
    printing = _print(session.terminal, session.settings(), after, wanted, follow, limit, key, json)
    asyncio.run(printing)


def _types(text: str) -> Collection[EventType] | None:
    """The types named; None for all.

    Raises:
        InputError: naming a type that there is not.
    """
    if text == ALL:
        return None
    if text == MATCHES:
        return MATCH_EVENTS
    names = [part.strip().upper() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in EventType.__members__]
    if unknown or not names:
        raise InputError(
            f"There is no type of events {', '.join(unknown) or text!r}.",
            mend=f"There are: {', '.join(EventType.__members__)}.",
            field=("types",),
        )
    return [EventType[name] for name in names]


async def _print(
    terminal: Terminal,
    settings: Settings,
    after: str | None,
    types: Collection[EventType] | None,
    follow: bool,
    limit: int | None,
    key: str,
    json: bool,
) -> None:
    left = limit
    async with aclosing(_lines(settings, after, types, follow, key)) as lines:
        async for line in lines:
            if json:
                terminal.answer_line(line)
            else:
                terminal.out.print(_text(line), markup=False, soft_wrap=True)
            if left is not None and (left := left - 1) == 0:
                return


async def _lines(
    settings: Settings,
    after: str | None,
    types: Collection[EventType] | None,
    follow: bool,
    key: str,
) -> AsyncGenerator[dict[str, Any], None]:
    """From the graph; from the server that has it when it is taken."""
    from cli.event_lines import lines_of_graph, lines_of_server

    try:
        async with open_graph(settings) as store:
            async for line in lines_of_graph(store, settings, after, types, follow=follow):
                yield line
    except GraphBusyError as busy:
        if busy.url is None:
            raise
        source: AsyncIterator[dict[str, Any]] = lines_of_server(
            busy.url, key, after, _known_to_server(types, busy), follow=follow
        )
        async for line in source:
            yield line


def _known_to_server(
    types: Collection[EventType] | None, busy: GraphBusyError
) -> Collection[EventType]:
    if types is None or not set(types) <= set(MATCH_EVENTS):
        mend = f"It tells of match events alone. For others stop that server ({busy.url}) first."
        raise GraphBusyError(busy.message, mend=mend, url=busy.url) from busy
    return types


def _text(line: dict[str, Any]) -> str:
    parts = [f"{line['seq']:>9}", line["at"][:19], f"{line['type']:<20}"]
    parts += [str(line[name]) for name in ("buyerId", "offerId", "vendorId") if line[name]]
    if line.get("score") is not None:
        parts.append(f"score {line['score']:.3f} rank {line['rank']}")
    if line.get("reason"):
        parts.append(line["reason"])
    return "  ".join(parts)
