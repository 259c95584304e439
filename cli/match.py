"""`offerpath match`: the best offers for one buyer, each with why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from cli.answers import ShownRanking, gather_matches, ranking_json, ranking_view
from cli.buyers import find_buyer_id
from cli.session import run_with_matching, session_of
from core.context import parse_context
from core.currencies import to_minor
from core.errors import InputError

if TYPE_CHECKING:
    from graph.store import GraphStore
    from matching.requests import Near, PriceRange
    from matching.service import MatchingService


def run(
    context: typer.Context,
    buyer: Annotated[str, typer.Argument(help="The buyer's id.")],
    first: Annotated[int, typer.Option(min=1, max=1000, help="How many offers.")] = 10,
    category: Annotated[
        list[str] | None, typer.Option(help="Only of this category or below it; repeatable.")
    ] = None,
    vendor: Annotated[
        list[str] | None, typer.Option(help="Only of this vendor; repeatable.")
    ] = None,
    min_price: Annotated[str | None, typer.Option(help="Lowest price, like 2.50.")] = None,
    max_price: Annotated[str | None, typer.Option(help="Highest price, like 10.")] = None,
    currency: Annotated[
        str | None, typer.Option(help="Of these prices, like GBP; needed with them.")
    ] = None,
    near: Annotated[
        str | None, typer.Option(metavar="LAT,LON,KM", help="At most KM kilometres from a place.")
    ] = None,
    text: Annotated[
        str | None, typer.Option(help="Only with all these words in title or description.")
    ] = None,
    bought: Annotated[
        str, typer.Option(help="Offers bought before: exclude, include or only.")
    ] = "exclude",
    sold_out: Annotated[bool, typer.Option(help="Let sold-out offers in.")] = False,
    diversity: Annotated[
        float, typer.Option(min=0, max=1, help="Spread the list: 0 not at all, 1 most.")
    ] = 0.0,
    under: Annotated[
        list[str] | None,
        typer.Option(
            "--context", metavar="NAME=VALUE", help="Asked under this circumstance; repeatable."
        ),
    ] = None,
    max_per_vendor: Annotated[
        int | None, typer.Option(min=1, help="At most so many of one vendor.")
    ] = None,
    max_per_category: Annotated[
        int | None, typer.Option(min=1, help="At most so many of one category.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Rank the offers for a buyer and say why each one fits.

    Example: offerpath match 12583 --first 5 --max-price 10 --currency GBP
    """
    from matching.requests import Bought, OfferFilter, OfferMatchRequest

    if bought.upper() not in set(Bought):
        raise InputError(f"--bought is {bought!r}.", mend="Use exclude, include or only.")
    request = OfferMatchRequest(
        filter=OfferFilter(
            categories=tuple(category or ()),
            vendors=tuple(vendor or ()),
            price=_price_range(min_price, max_price, currency),
            near=_near(near),
            in_stock=not sold_out,
            text=text,
            bought=Bought(bought.upper()),
        ),
        diversity=diversity,
        max_per_vendor=max_per_vendor,
        max_per_category=max_per_category,
        context=parse_context(under or (), "context"),
    )
    session = session_of(context)
    settings = session.settings()

    async def rank(store: GraphStore, matching: MatchingService) -> ShownRanking:
        buyer_id = await find_buyer_id(store, settings, buyer)
        return await gather_matches(store, matching, buyer_id, request, first=first)

    shown = run_with_matching(settings, rank)
    if json:
        session.terminal.answer_json(ranking_json(shown))
        return
    out = session.terminal.out
    if shown.matches:
        out.print(ranking_view(shown, out))
    else:
        session.terminal.say("No offer passes. Loosen the filter, or import and train first.")


def _price_range(low: str | None, high: str | None, currency: str | None) -> PriceRange | None:
    from matching.requests import PriceRange

    if low is None and high is None:
        return None
    if currency is None:
        raise InputError("A price needs its currency.", mend="Add --currency, like GBP.")
    return PriceRange(
        currency=currency.upper(),
        min_minor=None if low is None else to_minor(low, currency.upper()),
        max_minor=None if high is None else to_minor(high, currency.upper()),
    )


def _near(text: str | None) -> Near | None:
    from matching.requests import Near

    if text is None:
        return None
    try:
        latitude, longitude, radius = (float(part) for part in text.split(","))
    except ValueError as error:
        raise InputError(f"--near is {text!r}.", mend="Write it like 51.5,-0.12,50.") from error
    return Near(latitude, longitude, radius)
