"""The subgraph behind matches: networkx says a second time that every line of it is there."""

from __future__ import annotations

import networkx as nx
import pytest

from core.entities import EvidenceKind
from graph.backup import dump_query
from graph.store import GraphStore
from graph.tables import TABLES
from matching.answers import (
    Explanation,
    ExplanationKind,
    PathElement,
    PathKind,
    RankedItem,
)
from matching.neighbourhood import (
    RELATIONSHIPS,
    Column,
    ExplainedMatch,
    in_reading_order,
    neighbourhood,
)
from matching.paths import FEW
from matching.requests import OfferMatchRequest
from matching.service import MatchingService

LABELS = {"BUYER": "Buyer", "OFFER": "Offer", "VENDOR": "Vendor", "CATEGORY": "Category"}
NAMED = [kind.value for kind in EvidenceKind] + ["PREFERS", "LISTS", "IN_CATEGORY"]


async def stored(store: GraphStore) -> nx.MultiGraph:
    """The graph as the engine holds it, read by no code that explains: nodes (label, id)."""
    graph = nx.MultiGraph()
    for name in (*NAMED, "SUBCATEGORY_OF"):
        table = TABLES[name]
        frame = await store.engine.read_frame(dump_query(table))
        if "quantity" in frame.columns:
            frame = frame.filter(frame["quantity"] > frame["cancelledQuantity"].fill_null(0))
        for start, end in frame.select("from_id", "to_id").iter_rows():
            graph.add_edge((table.from_label, start), (table.to_label, end), key=None, kind=name)
    return graph


def kinds_between(graph: nx.MultiGraph, one: tuple[str, str], two: tuple[str, str]) -> list[str]:
    if not graph.has_edge(one, two):
        return []
    return [data["kind"] for data in graph[one][two].values()]


async def matches_of(service: MatchingService, buyer: str, first: int = 6) -> list[ExplainedMatch]:
    ranking = await service.rank_offers(buyer, OfferMatchRequest())
    items = ranking.items[:first]
    told = await service.explanations([(buyer, item.id) for item in items], 3)
    return [ExplainedMatch(item, why) for item, why in zip(items, told, strict=True)]


async def drawn(service: MatchingService, buyer: str) -> nx.MultiDiGraph:
    return neighbourhood(service.state, buyer, await matches_of(service, buyer))


async def test_every_relationship_drawn_is_in_the_graph(
    filled: GraphStore, service: MatchingService
) -> None:
    truth = await stored(filled)
    seen: dict[str, int] = {}
    for buyer in service.state.buyer_table.ids:
        graph = await drawn(service, buyer)
        for source, target, data in graph.edges(data=True):
            ends = [graph.nodes[source], graph.nodes[target]]
            if data["kind"] not in RELATIONSHIPS or any(end["id"] is None for end in ends):
                continue
            found = kinds_between(truth, *((LABELS[end["kind"]], end["id"]) for end in ends))
            assert data["kind"] in found, (buyer, source, target)
            if data["count"] is not None:
                assert data["count"] == found.count(data["kind"])
            seen[data["kind"]] = seen.get(data["kind"], 0) + 1
    assert {"PURCHASED", "IN_CATEGORY", "LISTS", "PREFERS"} <= seen.keys()


async def test_counted_buyers_are_those_who_bought_both(
    filled: GraphStore, service: MatchingService
) -> None:
    truth = await stored(filled)
    bought = nx.Graph(
        (one, two) for one, two, kind in truth.edges(data="kind") if kind == "PURCHASED"
    )
    checked = few = 0
    for buyer in service.state.buyer_table.ids:
        graph = await drawn(service, buyer)
        for key, data in graph.nodes(data=True):
            sources = [graph.nodes[other] for other in graph.predecessors(key)]
            if data["kind"] != PathKind.BUYERS or [s["kind"] for s in sources] != ["OFFER"]:
                continue
            (target,) = (graph.nodes[other]["id"] for other in graph.successors(key))
            both = nx.common_neighbors(bought, ("Offer", sources[0]["id"]), ("Offer", target))
            count = len(set(both) - {("Buyer", buyer)})
            assert data["count"] == (count if count >= FEW else None)
            assert count > 0
            checked, few = checked + 1, few + (count < FEW)
    assert checked > 20 and few > 0


async def test_each_explanation_is_a_path_of_the_drawing(service: MatchingService) -> None:
    for buyer in service.state.buyer_table.ids[:30]:
        matches = await matches_of(service, buyer)
        graph = neighbourhood(service.state, buyer, matches)
        for match in matches:
            end = f"OFFER:{match.item.id}"
            for explanation in match.explanations:
                sentence = f"{match.item.rank}. {explanation.summary}"
                if len([e for e in explanation.path if e.kind not in RELATIONSHIPS]) < 2:
                    continue
                lines = [
                    (source, target)
                    for source, target, reasons in graph.edges(data="reasons")
                    if sentence in reasons
                ]
                way = nx.DiGraph(lines)
                start = f"BUYER:{buyer}"
                if explanation.path[0].kind is PathKind.BUYER:
                    assert nx.has_path(way, start, end), sentence
                assert end in way


async def test_matches_are_drawn_with_place_score_and_origin(
    filled: GraphStore, service: MatchingService
) -> None:
    offers = await filled.get_offers(service.state.corpus.offers.ids)
    buyer = service.state.buyer_table.ids[0]
    matches = await matches_of(service, buyer)
    graph = neighbourhood(service.state, buyer, matches)
    shown = {data["id"]: data for _, data in graph.nodes(data=True) if "rank" in data}
    assert {key: (data["rank"], data["score"]) for key, data in shown.items()} == {
        match.item.id: (match.item.rank, match.item.score) for match in matches
    }
    for match in matches:
        around = {
            graph.nodes[other]["id"] for other in nx.all_neighbors(graph, f"OFFER:{match.item.id}")
        }
        offer = offers[match.item.id]
        assert around >= {*offer.category_ids, *([offer.vendor_id] if offer.vendor_id else [])}
        assert shown[match.item.id]["column"] is Column.MATCH


def test_two_dealings_with_one_offer_are_two_lines(service: MatchingService) -> None:
    state = service.state
    source, target = state.corpus.offers.ids[:2]
    others, offer = PathElement(PathKind.BUYERS, count=4), PathElement(PathKind.OFFER, target)
    bought = PathElement(PathKind.PURCHASED)
    reasons = tuple(
        Explanation(
            ExplanationKind.PEERS,
            kind.value,
            share,
            (
                PathElement(PathKind.BUYER, "b"), PathElement(kind, count=2),
                PathElement(PathKind.OFFER, source), bought, others, bought, offer,
            ),
        )
        for kind, share in ((PathKind.PURCHASED, 0.3), (PathKind.VIEWED, 0.1))
    )  # fmt: skip
    match = ExplainedMatch(RankedItem(target, 0.5, 1), reasons)
    graph = neighbourhood(state, "b", [match])
    first = graph["BUYER:b"][f"EVIDENCE:{source}"]
    assert {kind: data["reasons"] for kind, data in first.items()} == {
        "PURCHASED": ["1. PURCHASED"], "VIEWED": ["1. VIEWED"],
    }  # fmt: skip
    assert {kind: data["contribution"] for kind, data in first.items()} == {
        "PURCHASED": 0.3, "VIEWED": 0.1,
    }  # fmt: skip
    assert sum(data["kind"] == PathKind.BUYERS for _, data in graph.nodes(data=True)) == 1


@pytest.mark.parametrize("place", [0, 7, 19])
async def test_nobody_else_is_named_and_reading_order_is_by_rank(
    service: MatchingService, place: int
) -> None:
    buyer = service.state.buyer_table.ids[place]
    graph = await drawn(service, buyer)
    named = {data["id"] for _, data in graph.nodes(data=True) if data["kind"] == PathKind.BUYER}
    assert named == {buyer}
    others = set(service.state.buyer_table.ids) - {buyer}
    texts = {str(value) for _, data in graph.nodes(data=True) for value in data.values()}
    assert not others & texts
    ordered = in_reading_order(graph)
    assert nx.utils.graphs_equal(ordered, graph)
    ranks = [data["rank"] for _, data in ordered.nodes(data=True) if "rank" in data]
    assert ranks == sorted(ranks)


async def test_a_buyer_who_did_nothing_has_matches_all_the_same(
    filled: GraphStore, service: MatchingService
) -> None:
    await filled.upsert_buyers([{"id": "new"}])
    await service.refresh()
    graph = await drawn(service, "new")
    assert "BUYER:new" in graph
    assert sum("rank" in data for _, data in graph.nodes(data=True)) == 6
