"""The page of one buyer's matches: what is drawn, in which colours, and the words beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.answers import ShownRanking, price_of
from matching.answers import PathKind
from matching.neighbourhood import Column, ExplainedMatch, in_reading_order, neighbourhood
from reports.graph_drawing import NodeStyle, draw_columns
from reports.graph_page import write_graph_page

if TYPE_CHECKING:
    import networkx as nx

    from matching.state import MatcherState

HEADINGS = {
    Column.BUYER: "The buyer", Column.EVIDENCE: "What it did", Column.BETWEEN: "What leads on",
    Column.MATCH: "Its matches", Column.BEYOND: "Where they are from",
}  # fmt: skip
# How far steps within a column lie apart; columns lie 1 apart.
_STEP = 0.7
# The colours of docs/analysts/offerpath.grass.
STYLES: Mapping[str, NodeStyle] = {
    PathKind.BUYER: NodeStyle("buyer", "#2f6db5", 34),
    PathKind.OFFER: NodeStyle("offer", "#f2a93b"),
    PathKind.BUYERS: NodeStyle("other buyers, counted", "#86aedd"),
    PathKind.CATEGORY: NodeStyle("category", "#3e9c6d", 22),
    PathKind.VENDOR: NodeStyle("vendor", "#8a5ab5", 22),
    PathKind.PLACE: NodeStyle("place", "#7d8590", 18, "diamond"),
    PathKind.PRICE: NodeStyle("price", "#7d8590", 18, "square"),
    PathKind.CONTEXT: NodeStyle("circumstance", "#7d8590", 18, "triangle"),
}
COLOURS: Mapping[str, str] = {
    "PURCHASED": "#2f6db5", "PREFERS": "#3e9c6d", "IN_CATEGORY": "#8dc5a8",
    "SUBCATEGORY_OF": "#8dc5a8", "LISTS": "#b79acf", "CLOSE": "#d1495b",
}  # fmt: skip


def write_neighbourhood_page(
    path: Path, state: MatcherState, shown: ShownRanking
) -> nx.MultiDiGraph:
    """Write the page of a ranking and return the graph that is drawn in it."""
    buyer = shown.ranking.subject_id
    matches = [ExplainedMatch(match.item, match.explanations) for match in shown.matches]
    graph = in_reading_order(neighbourhood(state, buyer, matches))
    for _, data in graph.nodes(data=True):
        data["x"] = data["column"] + _STEP * data["depth"]
        data["caption"], data["told"] = _caption(data), _node_told(data)
    contributions = [c for _, _, c in graph.edges(data="contribution") if c is not None]
    most = max(contributions, default=1.0)
    for _, _, data in graph.edges(data=True):
        told = data["contribution"]
        data["strength"] = None if told is None else max(told, 0.0) / (most if most > 0 else 1.0)
        data["told"] = _edge_told(data)
    evidence = state.buyer_state(buyer)
    known = 0 if evidence is None else len(evidence.offers)
    write_graph_page(
        path,
        f"What matches buyer {buyer}, and why",
        (
            f"Scored by {shown.ranking.model_version} at position {shown.ranking.seq} of the event "
            f"log. Of {known:,} things the buyer did, those are drawn that explain a match.",
            "A thick line carries much of a score. Point at a node, or at the dot in the middle of "
            "a line, for its figures; click a word below the picture to hide what it stands for.",
        ),
        draw_columns(graph, _headings(graph), STYLES, COLOURS),
        (("Place", "Offer", "Price", "Score", "Why"), _rows(shown)),
    )
    return graph


def _headings(graph: nx.MultiDiGraph) -> dict[float, str]:
    """The headings of the columns that there are, by x; and those right of a step moved by it."""
    widest = max((depth for _, depth in graph.nodes(data="depth")), default=0)
    for _, data in graph.nodes(data=True):
        data["x"] += _STEP * widest if data["column"] > Column.BETWEEN else 0.0
    starts: dict[Column, float] = {}
    for _, data in graph.nodes(data=True):
        starts[data["column"]] = min(starts.get(data["column"], data["x"]), data["x"])
    return {x: HEADINGS[column] for column, x in starts.items()}


def _rows(shown: ShownRanking) -> list[list[str | float | Sequence[str]]]:
    return [
        [
            match.item.rank,
            [match.offer.title or "", match.offer.id],
            price_of(match.offer),
            match.item.score,
            [f"{told.contribution:+.0%} {told.summary}" for told in match.explanations],
        ]
        for match in shown.matches
    ]


def _caption(data: Mapping[str, Any]) -> str:
    label = str(data["label"])
    return f"{data['rank']}. {label}" if "rank" in data else label


def _node_told(data: Mapping[str, Any]) -> str:
    kind = PathKind(data["kind"])
    if kind is PathKind.BUYERS:
        return "Other buyers who bought both: " + str(data["count"] or "one or two")
    lines = [str(data["label"])]
    if data["id"] is not None:
        lines.append(f"{STYLES[kind].name} {data['id']}")
    if "rank" in data:
        lines.append(f"place {data['rank']}, score {data['score']:.3f}")
    return "\n".join(lines)


def _edge_told(data: Mapping[str, Any]) -> str:
    times = f", {data['count']} times" if (data["count"] or 0) > 1 else ""
    return "\n".join([f"{data['kind']}{times}", *data["reasons"]])
