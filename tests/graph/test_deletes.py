"""Deletes, on both engines."""

from __future__ import annotations

import polars as pl

from core.entities import EventType, OfferStatus, RowStatus
from graph.engine import GraphEngine
from graph.queries import load_query
from graph.store import GraphStore
from graph.tables import MATCH_STATE
from tests.graph.stores import (
    BRANCH,
    BUYER,
    LEAF,
    OFFER,
    OTHER_BUYER,
    OTHER_OFFER,
    ROOT,
    VENDOR,
    day,
    failure,
    purchase,
    statuses,
)

DELETED, UNCHANGED = RowStatus.DELETED, RowStatus.UNCHANGED


async def test_an_erased_buyer_leaves_nothing_but_its_event(
    market: GraphStore, engine: GraphEngine
) -> None:
    await market.record_purchases([purchase("p1", day(1))])
    await market.cancel_purchases([{"id": "x1", "purchase_id": "p1", "at": day(2)}])
    await market.record_interactions([{"buyer_id": BUYER, "offer_id": OFFER, "kind": "VIEWED"}])
    await market.set_preferences(BUYER, [{"category_id": ROOT}])
    state = {"id": "state-of-the-first", "buyerId": BUYER, "offerId": OFFER}
    other = {"id": "state-of-the-other", "buyerId": OTHER_BUYER, "offerId": OFFER}
    await engine.bulk_insert(MATCH_STATE, pl.DataFrame([state, other]))
    seq = await market.last_seq()
    result = await market.delete_buyers([BUYER, "nobody", BUYER])
    assert statuses(result) == [DELETED, UNCHANGED, UNCHANGED]
    for name in ("dump_purchased", "dump_cancelled", "dump_viewed", "dump_prefers"):
        assert await engine.read(load_query(name)) == []
    states = await engine.read(load_query("dump_match_state"))
    assert [row["id"] for row in states] == ["state-of-the-other"]
    assert await market.get_buyers([BUYER]) == {}
    (event,) = await market.read_events(seq)
    assert (event.type, event.buyer_id, event.payload) == (EventType.BUYER_ERASED, BUYER, None)


async def test_a_deleted_offer_is_withdrawn_and_keeps_its_history(market: GraphStore) -> None:
    await market.record_purchases([purchase("p1", day(1))])
    result = await market.delete_offers([OFFER, OFFER, "nothing"])
    assert statuses(result)[:2] == [DELETED, UNCHANGED]
    assert failure(result.rows[2]) == ("NOT_FOUND", ("id",))
    offer = (await market.get_offers([OFFER]))[OFFER]
    assert (offer.status, offer.vendor_id) == (OfferStatus.WITHDRAWN, VENDOR)
    assert await market.find_purchase_ids(BUYER, OFFER) == ["p1"]
    assert statuses(await market.delete_offers([OFFER])) == [UNCHANGED]
    back = await market.upsert_offers([{"id": OFFER, "status": "ACTIVE"}])
    assert statuses(back) == [RowStatus.UPDATED]


async def test_a_deleted_vendor_leaves_its_offers(market: GraphStore) -> None:
    assert statuses(await market.delete_vendors([VENDOR])) == [DELETED]
    assert (await market.get_offers([OFFER]))[OFFER].vendor_id is None
    assert statuses(await market.delete_vendors([VENDOR])) == [UNCHANGED]


async def test_a_category_goes_after_its_subcategories(market: GraphStore) -> None:
    await market.set_preferences(BUYER, [{"category_id": LEAF}])
    refused = await market.delete_categories([ROOT])
    assert failure(refused.rows[0]) == ("CONFLICT", ("id",))
    seq = await market.last_seq()
    result = await market.delete_categories([LEAF, BRANCH, "nowhere", ROOT])
    assert statuses(result) == [DELETED, DELETED, UNCHANGED, DELETED]
    events = await market.read_events(seq)
    assert [event.category_ids for event in events] == [(LEAF,), (BRANCH,), (ROOT,)]
    assert (await market.get_offers([OFFER, OTHER_OFFER]))[OFFER].category_ids == ()
    assert (await market.read_buyer_profiles([BUYER]))[BUYER].preferences == ()
