"""`offerpath graph`: matches written into the graph, and a page of one buyer's with their paths."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

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
    try:
        done = publish(session.settings(), session.terminal.progress, first, min_score)
    except GraphBusyError as busy:
        if busy.url is None:
            raise
        mend = (
            "Stop that server, publish, and start it again. A server on Neo4j need not stop: "
            "several processes may use that graph."
        )
        raise GraphBusyError(busy.message, mend=mend, url=busy.url) from busy
    if json:
        session.terminal.answer_json(asdict(done))
        return
    for name, count in asdict(done).items():
        session.terminal.out.print(f"{count:>12,}  {name}")


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
