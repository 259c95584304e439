"""Explanations held against a copy of the graph in which the evidence is really deleted.

Goes another way than the product: what to delete is read off the explanation's own path, deleted
by Cypher in a copy of the graph's file, and the buyer (or the offer) is read again by the store.
Only the model and the snapshot's constants stay.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from graph.embedded_engine import EmbeddedEngine
from graph.engine import GraphEngine
from graph.queries import Query, parse_query
from graph.store import GraphStore
from matching.answers import Explanation, ExplanationKind, PathElement, PathKind
from matching.growth import with_catalogue
from matching.state import MatcherState
from scoring.states import state_from_profile

DEEDS = ("PURCHASED", "VIEWED", "CLICKED", "ADDED_TO_CART", "INQUIRED_ABOUT", "DISMISSED")
_LABELS = {
    "LISTS": ("Vendor", "Offer"),
    "IN_CATEGORY": ("Offer", "Category"),
    "SUBCATEGORY_OF": ("Category", "Category"),
    "PREFERS": ("Buyer", "Category"),
    **dict.fromkeys(DEEDS, ("Buyer", "Offer")),
}


def _query(text: str, parameters: str, returns: str = "none") -> Query:
    header = f"// test\n// parameters: {parameters}\n// returns: {returns}\n"
    return parse_query("test", header + text)


def _between(kind: str, ending: str, returns: str) -> Query:
    start, end = _LABELS[kind]
    text = (
        f"MATCH (a:{start})-[r:{kind}]->(b:{end}) WHERE a.id = $first AND b.id = $second {ending}"
    )
    return _query(text, "first, second", returns)


_COUNT = {kind: _between(kind, "RETURN count(r) AS found", "found") for kind in _LABELS}
# Order lines that were taken back whole are in the graph, but are no evidence.
_COUNT["PURCHASED"] = _between(
    "PURCHASED",
    "AND r.quantity > coalesce(r.cancelledQuantity, 0) RETURN count(r) AS found",
    "found",
)
_DELETE = {kind: _between(kind, "DELETE r", "none") for kind in _LABELS}
_NODE = {
    label: _query(f"MATCH (n:{label}) WHERE n.id = $id RETURN count(n) AS found", "id", "found")
    for label in ("Buyer", "Offer", "Vendor", "Category")
}
# In two steps: as one pattern of two hops the embedded engine loses rows of it.
_PEERS = _query(
    "MATCH (x:Offer)<-[p:PURCHASED]-(v:Buyer) "
    "WHERE x.id = $first AND v.id <> $buyer AND p.quantity > coalesce(p.cancelledQuantity, 0) "
    "WITH DISTINCT v MATCH (v)-[q:PURCHASED]->(i:Offer) "
    "WHERE i.id = $second AND q.quantity > coalesce(q.cancelledQuantity, 0) "
    "RETURN count(DISTINCT v.id) AS found",
    "first, second, buyer",
    "found",
)
_BUYERS = _query(
    "MATCH (v:Buyer)-[q:PURCHASED]->(i:Offer) WHERE i.id = $offer AND v.id <> $buyer "
    "AND ($country = '' OR v.country = $country) AND q.quantity > coalesce(q.cancelledQuantity, 0) "
    "RETURN count(DISTINCT v.id) AS found",
    "offer, buyer, country",
    "found",
)
_FORGET_PLACE = _query(
    "MATCH (b:Buyer) WHERE b.id = $id SET b.country = NULL, b.latitude = NULL, b.longitude = NULL",
    "id",
)
_FORGET_KIND = _query("MATCH (b:Buyer) WHERE b.id = $id SET b.kind = NULL", "id")
_FORGET_DEALINGS = _query(
    f"MATCH (b:Buyer)-[r:{'|'.join(DEEDS)}|PREFERS]->() WHERE b.id = $id DELETE r", "id"
)
_FORGET_PRICE = _query("MATCH (o:Offer) WHERE o.id = $id SET o.priceMinor = NULL", "id")
_SET_PRICE = _query("MATCH (o:Offer) WHERE o.id = $id SET o.priceMinor = $price", "id, price")
_LIST = _query(
    "MATCH (v:Vendor), (o:Offer) WHERE v.id = $vendor AND o.id = $offer CREATE (v)-[:LISTS]->(o)",
    "vendor, offer",
)


@asynccontextmanager
async def copied(
    engine: EmbeddedEngine, source: Path, target: Path
) -> AsyncGenerator[GraphStore, None]:
    """Close the engine of the graph file and open a store on a copy of it."""
    await engine.checkpoint()
    await engine.close()
    shutil.copy(source, target)
    store = await GraphStore.open(await EmbeddedEngine.open(target))
    try:
        yield store
    finally:
        await store.close()


async def score_without(
    store: GraphStore, state: MatcherState, buyer_id: str, offer_id: str, told: Explanation
) -> float:
    """The pair's score once what the explanation stands on is deleted in the store's graph."""
    kind, path = told.kind, told.path
    if kind is ExplanationKind.POPULAR:
        for query in (_FORGET_DEALINGS, _FORGET_PLACE, _FORGET_KIND):
            await _run(store.engine, query, id=buyer_id)
    elif path[1].kind in (*DEEDS, PathKind.PREFERS):
        await _run(store.engine, _DELETE[path[1].kind], first=buyer_id, second=path[2].id)
    elif path[1].kind is PathKind.PLACE:
        await _run(store.engine, _FORGET_PLACE, id=buyer_id)
    else:
        return await _score_without_feature(store, state, buyer_id, offer_id, path)
    return await _score(store, state, buyer_id, offer_id)


async def _score_without_feature(
    store: GraphStore,
    state: MatcherState,
    buyer_id: str,
    offer_id: str,
    path: tuple[PathElement, ...],
) -> float:
    """Take the offer's price or vendor away, score, and put it back for the next."""
    before = (await store.get_offers([offer_id]))[offer_id]
    if path[1].kind is PathKind.PRICE:
        await _run(store.engine, _FORGET_PRICE, id=offer_id)
    else:
        assert path[1].kind is PathKind.VENDOR
        await _run(store.engine, _DELETE["LISTS"], first=path[1].id, second=offer_id)
    offer = (await store.get_offers([offer_id]))[offer_id]
    assert offer != before
    changed = state.with_corpus(with_catalogue(state.corpus, [offer]))
    score = await _score(store, changed, buyer_id, offer_id)
    if path[1].kind is PathKind.PRICE:
        await _run(store.engine, _SET_PRICE, id=offer_id, price=before.price_minor)
    else:
        await _run(store.engine, _LIST, vendor=path[1].id, offer=offer_id)
    return score


async def _score(store: GraphStore, state: MatcherState, buyer_id: str, offer_id: str) -> float:
    profile = (await store.read_buyer_profiles([buyer_id]))[buyer_id]
    buyer = state_from_profile(state.corpus, profile)
    row = np.array([state.corpus.offers.index[offer_id]], np.int32)
    return float(state.scorer.score_pairs(buyer, row)[0])


async def missing_elements(
    store: GraphStore, buyer_id: str, offer_id: str, told: Explanation
) -> list[str]:
    """What of the explanation's path the graph does not have; empty when all of it exists."""
    engine, path = store.engine, told.path
    missing = []
    for element in path:
        label = element.kind.value.capitalize()
        if label in _NODE and not await _found(engine, _NODE[label], id=element.id):
            missing.append(f"{label} {element.id}")
    for at in range(1, len(path) - 1):
        link, ends = path[at], (path[at - 1], path[at + 1])
        if link.kind not in _LABELS or PathKind.BUYERS in (ends[0].kind, ends[1].kind):
            continue
        forwards = await _found(engine, _COUNT[link.kind], first=ends[0].id, second=ends[1].id)
        back = await _found(engine, _COUNT[link.kind], first=ends[1].id, second=ends[0].id)
        if not forwards + back:
            missing.append(f"{ends[0].id} {link.kind} {ends[1].id}")
        if link.count is not None and link.count != forwards:
            missing.append(f"{link.kind}: {link.count} told, {forwards} there")
    missing += await _miscounted(engine, buyer_id, offer_id, path)
    if path[-1].id != offer_id:
        missing.append("the path does not end at the offer")
    return missing


async def _miscounted(
    engine: GraphEngine, buyer_id: str, offer_id: str, path: tuple[PathElement, ...]
) -> list[str]:
    at = next((n for n, e in enumerate(path) if e.kind is PathKind.BUYERS), None)
    if at is None:
        return []
    if at >= 2 and path[at - 2].kind is PathKind.OFFER:
        parameters = {"first": path[at - 2].id, "second": offer_id, "buyer": buyer_id}
        there = await _found(engine, _PEERS, **parameters)
    else:
        country = path[1].label if at >= 2 and path[1].kind is PathKind.PLACE else ""
        parameters = {"offer": offer_id, "buyer": buyer_id, "country": country}
        there = await _found(engine, _BUYERS, **parameters)
    told = path[at].count
    if told is None:
        return [] if 0 < there < 3 else [f"a few buyers told, {there} there"]
    return [] if told == there else [f"{told} buyers told, {there} there"]


async def _found(engine: GraphEngine, query: Query, **parameters: object) -> int:
    return int((await engine.read(query, parameters))[0]["found"])


async def _run(engine: GraphEngine, query: Query, **parameters: object) -> None:
    await engine.write(lambda tx: tx.run(query, parameters))
