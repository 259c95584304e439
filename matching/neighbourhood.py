"""The subgraph behind a buyer's matches: its evidence, what explains them, where they are from.

Other buyers are one node a path, with their count; nobody is named.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum

import networkx as nx

from matching.answers import Explanation, PathElement, PathKind, RankedItem
from matching.state import MatcherState

RELATIONSHIPS = frozenset(
    {
        PathKind.PURCHASED, PathKind.VIEWED, PathKind.CLICKED, PathKind.ADDED_TO_CART,
        PathKind.INQUIRED_ABOUT, PathKind.DISMISSED, PathKind.PREFERS, PathKind.LISTS,
        PathKind.IN_CATEGORY, PathKind.SUBCATEGORY_OF,
    }
)  # fmt: skip
# Two offers side by side in a path are close to each other by the model.
CLOSE = "CLOSE"


class Column(IntEnum):
    """Where a node stands, from the buyer to what its matches are part of."""

    BUYER = 0
    EVIDENCE = 1
    BETWEEN = 2
    MATCH = 3
    BEYOND = 4


@dataclass(frozen=True, slots=True)
class ExplainedMatch:
    """One place of the buyer's ranking, and why."""

    item: RankedItem
    explanations: tuple[Explanation, ...]


def neighbourhood(
    state: MatcherState, buyer_id: str, matches: Sequence[ExplainedMatch]
) -> nx.MultiDiGraph:
    """The union of the paths that explain the matches, and each match's vendor and categories.

    Nodes have ``kind`` (a PathKind's value), ``id`` (None for what is no node of the graph),
    ``label``, ``count``, ``column`` (a Column), ``depth`` (how many nodes of its own column lie
    before it), and matches ``rank`` and ``score``. Edges lead away from the buyer, at most one of
    a kind from one node to another, and have ``kind`` (a relationship's type, CLOSE, or the kind of
    the attribute they touch), ``count``, ``contribution`` (the greatest of the explanations that
    use them; None where none does) and ``reasons`` (their sentences, with ranks).
    """
    graph = nx.MultiDiGraph()
    _add_node(graph, buyer_id, PathElement(PathKind.BUYER, buyer_id), Column.BUYER)
    for match in matches:
        key = _add_node(graph, "", _offer(state, match.item.id), Column.MATCH)
        graph.nodes[key].update(rank=match.item.rank, score=match.item.score)
    for match in matches:
        for explanation in match.explanations:
            _add_path(graph, match.item, explanation)
    for match in matches:
        _add_origin(graph, state, match.item.id)
    _set_depths(graph)
    return graph


def _add_path(graph: nx.MultiDiGraph, item: RankedItem, explanation: Explanation) -> None:
    """Add one explanation's path; what has no id is known by its neighbours or its label."""
    path = explanation.path
    before, relationship = None, None
    for place, element in enumerate(path):
        if element.kind in RELATIONSHIPS:
            relationship = element
            continue
        key = _add_node(graph, _anchor(path[:place], item), element, _column(path, place))
        if before is not None:
            kind = _edge_kind(relationship, graph.nodes[before]["kind"], element.kind)
            count = relationship.count if relationship else None
            _add_edge(graph, before, key, kind, count, (item, explanation))
        before, relationship = key, None


def _column(path: Sequence[PathElement], place: int) -> Column:
    if path[place].kind is PathKind.BUYER:
        return Column.BUYER
    if place == len(path) - 1:
        return Column.MATCH
    return Column.EVIDENCE if path[place].kind is PathKind.OFFER else Column.BETWEEN


def _anchor(before: Sequence[PathElement], item: RankedItem) -> str:
    """What tells counted buyers of one path from those of another: the two offers they join."""
    source = next((e.id for e in reversed(before) if e.kind is PathKind.OFFER), None)
    return f"{source or ''}>{item.id}"


def _edge_kind(relationship: PathElement | None, before: str, after: PathKind) -> str:
    if relationship is not None:
        return relationship.kind.value
    attributes = {PathKind.PLACE, PathKind.PRICE, PathKind.CONTEXT}
    for kind in (PathKind(before), after):
        if kind in attributes:
            return kind.value
    return CLOSE if after is PathKind.OFFER and before == PathKind.OFFER else after.value


def _add_node(graph: nx.MultiDiGraph, anchor: str, element: PathElement, column: Column) -> str:
    """Add what is not there yet, and return its key.

    An offer that is both evidence and a match (one that was viewed) stands in both columns.
    """
    name = element.id or (anchor if element.kind is PathKind.BUYERS else element.label)
    key = f"{'EVIDENCE' if column is Column.EVIDENCE else element.kind.value}:{name}"
    if key not in graph:
        graph.add_node(
            key,
            kind=element.kind.value,
            id=element.id,
            label=element.label or element.id or "",
            count=element.count,
            column=column,
        )
    return key


def _add_edge(
    graph: nx.MultiDiGraph,
    source: str,
    target: str,
    kind: str,
    count: int | None,
    told: tuple[RankedItem, Explanation] | None,
) -> None:
    if not graph.has_edge(source, target, kind):
        graph.add_edge(source, target, kind, kind=kind, count=count, contribution=None, reasons=[])
    if told is not None:
        item, explanation = told
        edge = graph.edges[source, target, kind]
        edge["contribution"] = max(edge["contribution"] or 0.0, explanation.contribution)
        edge["reasons"].append(f"{item.rank}. {explanation.summary}")


def _add_origin(graph: nx.MultiDiGraph, state: MatcherState, offer_id: str) -> None:
    """The vendor and the direct categories of a match: beyond it, or where a path has them."""
    corpus = state.corpus
    row = corpus.offers.index[offer_id]
    offer = f"{PathKind.OFFER.value}:{offer_id}"
    origins: list[tuple[PathElement, PathKind]] = []
    vendor = int(corpus.offers.vendor[row])
    if vendor >= 0:
        name = corpus.vendor_names[vendor]
        element = PathElement(PathKind.VENDOR, corpus.vendor_ids[vendor], name)
        origins.append((element, PathKind.LISTS))
    for category in corpus.offers.categories.row(row).tolist():
        name = corpus.categories.names[category]
        element = PathElement(PathKind.CATEGORY, corpus.categories.ids[category], name)
        origins.append((element, PathKind.IN_CATEGORY))
    for element, kind in origins:
        key = _add_node(graph, "", element, Column.BEYOND)
        beyond = graph.nodes[key]["column"] is Column.BEYOND
        source, target = (offer, key) if beyond else (key, offer)
        _add_edge(graph, source, target, kind.value, None, None)


def _set_depths(graph: nx.MultiDiGraph) -> None:
    """Count steps between nodes of one column, as up and down the categories, the shortest way."""
    nx.set_node_attributes(graph, 0, "depth")
    column = {key: data["column"] for key, data in graph.nodes(data=True)}
    inside = nx.subgraph_view(graph, filter_edge=lambda a, b, _: column[a] == column[b])
    entered = [
        key
        for key in graph
        if any(column[other] != column[key] for other in graph.predecessors(key))
        or graph.in_degree(key) == 0
    ]
    for depth, layer in enumerate(nx.bfs_layers(inside, entered)):
        nx.set_node_attributes(graph, dict.fromkeys(layer, depth), "depth")


def _offer(state: MatcherState, offer_id: str) -> PathElement:
    offers = state.corpus.offers
    return PathElement(PathKind.OFFER, offer_id, offers.titles[offers.index[offer_id]] or None)


def in_reading_order(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """The same graph, its nodes by column and by the matches they serve: edges cross little."""
    ranks = {key: [data["rank"]] for key, data in graph.nodes(data=True) if "rank" in data}
    served: dict[str, list[int]] = {}
    for key, data in graph.nodes(data=True):
        reach: Iterable[str] = nx.descendants(graph, key)
        if data["column"] is Column.BEYOND:
            reach = graph.predecessors(key)
        served[key] = ranks.get(key) or [rank for other in reach for rank in ranks.get(other, [])]
    ordered = nx.MultiDiGraph()
    places = {key: (sum(found) / len(found) if found else 0.0) for key, found in served.items()}
    ordered.add_nodes_from(
        sorted(graph.nodes(data=True), key=lambda node: (node[1]["column"], places[node[0]]))
    )
    ordered.add_edges_from(graph.edges(keys=True, data=True))
    return ordered
