"""`offerpath graph`: matches written into the graph, and a page of one buyer's with their paths."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import gather_matches
from cli.buyers import find_buyer_id
from cli.session import run_with_matching, session_of
from core.errors import GraphBusyError

if TYPE_CHECKING:
    from core.progress import Progress
    from core.settings import Settings
    from graph.matched import Renewal
    from graph.store import GraphStore
    from matching.service import MatchingService

app = typer.Typer(help="Put matches into the graph, and look at them.", no_args_is_help=True)


@app.command("publish-matches")
def publish_matches(
    context: typer.Context,
    first: Annotated[int, typer.Option(min=1, max=1000, help="How many offers a buyer.")] = 20,
    min_score: Annotated[
        float, typer.Option(min=0, max=1, help="Leave out pairs that score below this.")
    ] = 0.0,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Write the current matches into the graph as MATCHED relationships, each with why.

    For people who look at the graph: Offerpath never reads them back. Only what differs from the
    last time is written; when it is stopped, run it again.

    Example: offerpath graph publish-matches --first 20
    """
    session = session_of(context)
    with _saying_what_to_do():
        done = publish(session.settings(), session.terminal.progress, first, min_score)
    if json:
        session.terminal.answer_json(asdict(done))
        return
    for name, count in asdict(done).items():
        session.terminal.out.print(f"{count:>12,}  {name}")


@app.command("explore")
def explore(
    context: typer.Context,
    buyer: Annotated[str, typer.Argument(help="The buyer's id.")],
    first: Annotated[int, typer.Option(min=1, max=50, help="How many matches to draw.")] = 10,
    out: Annotated[
        Path | None, typer.Option(help="The page; without it, one in the home's reports.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Write a page that draws a buyer's matches and the paths that lead to them.

    One file that needs neither a server nor the internet. Other buyers are counted, never named.

    Example: offerpath graph explore B00001 --first 10 --out matches.html
    """
    from matching.requests import OfferMatchRequest

    session = session_of(context)
    settings = session.settings()

    async def draw(store: GraphStore, matching: MatchingService) -> dict[str, object]:
        from cli.neighbourhood_page import write_neighbourhood_page

        buyer_id = await find_buyer_id(store, settings, buyer)
        shown = await gather_matches(store, matching, buyer_id, OfferMatchRequest(), first=first)
        name = re.sub(r"[^A-Za-z0-9._-]+", "-", buyer_id)
        path = out or settings.reports_dir / f"matches-{name}.html"
        graph = await asyncio.to_thread(write_neighbourhood_page, path, matching.state, shown)
        return {
            "page": path,
            "buyer": buyer_id,
            "matches": len(shown.matches),
            "nodes": graph.number_of_nodes(),
            "relationships": graph.number_of_edges(),
        }

    with _saying_what_to_do():
        answer = run_with_matching(settings, draw)
    if json:
        session.terminal.answer_json(answer)
        return
    session.terminal.out.print(answer["page"], soft_wrap=True)
    session.terminal.say(f"{answer['matches']} matches, {answer['nodes']} nodes. Open it.")


def publish(
    settings: Settings, progress: Progress, first: int = 20, min_score: float = 0.0
) -> Renewal:
    """Open the graph and publish the matches of a matcher that has caught up with it."""
    from matching.publishing import publish_matches as renew

    async def work(store: GraphStore, matching: MatchingService) -> Renewal:
        return await renew(
            store, matching.state, first=first, min_score=min_score, progress=progress
        )

    return run_with_matching(settings, work)


@contextmanager
def _saying_what_to_do() -> Iterator[None]:
    """Say how to go on when a server owns the graph."""
    try:
        yield
    except GraphBusyError as busy:
        if busy.url is None:
            raise
        mend = (
            "Stop that server, run this, and start it again. A server on Neo4j need not stop: "
            "several processes may use that graph."
        )
        raise GraphBusyError(busy.message, mend=mend, url=busy.url) from busy
