"""`offerpath explain`: why a buyer and an offer match, or which stage dropped the offer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import pair_json, pair_view
from cli.buyers import find_buyer_id
from cli.session import run_with_matching, session_of
from core.context import parse_context
from core.entities import Offer
from core.errors import NotFoundError

if TYPE_CHECKING:
    from graph.store import GraphStore
    from matching.answers import PairExplanation
    from matching.service import MatchingService


def run(
    context: typer.Context,
    buyer: Annotated[str, typer.Argument(help="The buyer's id.")],
    offer: Annotated[str, typer.Argument(help="The offer's id.")],
    under: Annotated[
        list[str] | None,
        typer.Option(
            "--context", metavar="NAME=VALUE", help="Asked under this circumstance; repeatable."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many places count.")] = 20,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Say why a pair matches and, when it does not, what would have to be different.

    Example: offerpath explain 12583 22423
    """
    from matching.answers import Stage
    from matching.requests import OfferMatchRequest

    request = OfferMatchRequest(context=parse_context(under or (), "context"))
    session = session_of(context)
    settings = session.settings()

    async def answer(
        store: GraphStore, matching: MatchingService
    ) -> tuple[PairExplanation, Offer | None]:
        buyer_id = await find_buyer_id(store, settings, buyer)
        pair = await matching.explain(buyer_id, offer, request, top=top)
        if pair.stage is Stage.NOT_FOUND:
            raise NotFoundError(pair.what_would_change or f"There is no offer {offer}.")
        return pair, (await store.get_offers([offer])).get(offer)

    pair, found = run_with_matching(settings, answer)
    if json:
        session.terminal.answer_json(pair_json(pair))
    else:
        session.terminal.out.print(pair_view(pair, found))
