"""How matches and explanations look: as tables for people, as plain values for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from core.currencies import from_minor
from core.entities import Offer
from core.errors import InputError

if TYPE_CHECKING:
    from graph.store import GraphStore
    from matching.answers import Explanation, PairExplanation, RankedItem, Ranking
    from matching.requests import OfferMatchRequest
    from matching.service import MatchingService

NARROW = 76


@dataclass(frozen=True, slots=True)
class ShownMatch:
    """One place of a ranking with what there is to say about it."""

    item: RankedItem
    offer: Offer
    explanations: tuple[Explanation, ...]


@dataclass(frozen=True, slots=True)
class ShownRanking:
    """A ranking's first places, ready to be shown."""

    ranking: Ranking
    matches: tuple[ShownMatch, ...]


async def gather_matches(
    store: GraphStore,
    matching: MatchingService,
    buyer_id: str,
    request: OfferMatchRequest,
    *,
    first: int,
    reasons: int = 3,
) -> ShownRanking:
    """Rank offers for a buyer and read what is shown of the ``first`` of them.

    Raises:
        NotFoundError: when there is no such buyer.
        InputError: when the request cannot be meant.
    """
    ranking = await matching.rank_offers(buyer_id, request)
    items = ranking.items[:first]
    offers = await store.get_offers([item.id for item in items])
    reasoned = await matching.explanations(
        [(buyer_id, item.id) for item in items], reasons, request.context
    )
    matches = tuple(
        ShownMatch(item, offers[item.id], explanations)
        for item, explanations in zip(items, reasoned, strict=True)
        if item.id in offers
    )
    return ShownRanking(ranking, matches)


def ranking_json(shown: ShownRanking) -> dict[str, Any]:
    """The ranking as plain values for --json."""
    return {
        "buyer": shown.ranking.subject_id,
        "model_version": shown.ranking.model_version,
        "seq": shown.ranking.seq,
        "matches": [
            {
                "rank": match.item.rank,
                "score": match.item.score,
                "pinned": match.item.pinned,
                "offer": asdict(match.offer),
                "explanations": [asdict(explanation) for explanation in match.explanations],
            }
            for match in shown.matches
        ],
    }


def ranking_view(shown: ShownRanking, console: Console) -> RenderableType:
    """The ranking for people: a table, or blocks where the terminal is narrow."""
    if console.width < NARROW:
        return _blocks(shown.matches)
    table = Table(box=None, pad_edge=False, padding=(0, 2, 1, 0), expand=True)
    table.add_column("#", justify="right", style="dim", no_wrap=True)
    table.add_column("Offer", ratio=4)
    table.add_column("Price", justify="right", no_wrap=True)
    table.add_column("Score", justify="right", no_wrap=True, style="bold")
    table.add_column("Why", ratio=7)
    for match in shown.matches:
        table.add_row(
            str(match.item.rank),
            _title(match.offer),
            price_of(match.offer),
            f"{match.item.score:.3f}",
            _reasons(match.explanations),
        )
    return table


def pair_json(answer: PairExplanation) -> dict[str, Any]:
    """The explanation of a pair as plain values for --json."""
    return asdict(answer)


def pair_view(answer: PairExplanation, offer: Offer | None) -> RenderableType:
    """The explanation of a pair for people."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    table.add_row("Offer", _title(offer) if offer else escape(answer.offer_id))
    if answer.score is not None:
        table.add_row("Score", f"{answer.score:.4f} (rank {answer.rank} of all by score alone)")
    table.add_row("Verdict", _verdict(answer))
    if answer.what_would_change:
        table.add_row("What would change it", escape(answer.what_would_change))
    for number, explanation in enumerate(answer.explanations):
        table.add_row("" if number else "Why", _reasons([explanation]))
        table.add_row("", Text(_path(explanation), style="dim"))
    return table


def price_of(offer: Offer) -> str:
    """The offer's price for people, as `GBP 2.55`; empty when it has none."""
    if offer.price_minor is None or offer.currency is None:
        return ""
    try:
        return f"{offer.currency} {from_minor(offer.price_minor, offer.currency)}"
    except InputError:  # a currency that has left the list since it was stored
        return f"{offer.currency} {offer.price_minor} (minor units)"


def _title(offer: Offer) -> Text:
    text = Text(offer.title or offer.id)
    if offer.title:
        text.append(f"  {offer.id}", style="dim")
    return text


def _reasons(explanations: Sequence[Explanation]) -> Text:
    text = Text()
    for number, explanation in enumerate(explanations):
        text.append("\n" if number else "")
        text.append(f"{explanation.contribution:+.0%} ", style="cyan")
        text.append(explanation.summary)
    return text


def _path(explanation: Explanation) -> str:
    parts = []
    for element in explanation.path:
        name = element.label or element.id or ""
        count = f" x{element.count}" if element.count is not None else ""
        parts.append(f"{element.kind}{' ' if name else ''}{name}{count}")
    return " > ".join(parts)


def _verdict(answer: PairExplanation) -> str:
    if answer.position is not None:
        return f"It matches: place {answer.position} of the ranking."
    stage = answer.stage.value.replace("_", " ").lower()
    condition = f" ({answer.condition})" if answer.condition else ""
    return f"It does not match: {stage}{condition}."


def _blocks(matches: Sequence[ShownMatch]) -> RenderableType:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(justify="right")
    grid.add_column()
    for match in matches:
        head = _title(match.offer)
        head.append(f"\n{price_of(match.offer)}  score {match.item.score:.3f}", style="bold")
        grid.add_row(f"{match.item.rank}.", head)
        grid.add_row("", Padding(_reasons(match.explanations), (0, 0, 1, 0)))
    return grid
