"""Imports: invisible while pending, whole when finished, on both engines."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from core.entities import Buyer, EventType, Preference, RowStatus
from core.errors import ConflictError, InputError, NotFoundError
from graph.imports import ImportState, ImportUpdates
from graph.store import GraphStore
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

BATCH = "batch-of-the-first-import"
NEW_BUYER, NEW_VENDOR = "imported-buyer-0001", "imported-vendor-0001"
NEW_OFFER, NEW_CATEGORY = "imported-offer-0001", "imported-category-0001"


def frame(*rows: dict[str, Any], batch: str | None = BATCH) -> pl.DataFrame:
    return pl.DataFrame([{**row, "batchId": batch} for row in rows])


def line(key: str, buyer: str, offer: str, quantity: int = 1) -> dict[str, Any]:
    return {
        "from_id": buyer, "to_id": offer, "id": key, "at": day(1), "quantity": quantity,
    }  # fmt: skip


async def insert(store: GraphStore) -> None:
    """New nodes of every kind, and relationships between them and older ones."""
    await store.insert_rows("Buyer", frame({"id": NEW_BUYER, "name": "Imported name"}))
    await store.insert_rows("Vendor", frame({"id": NEW_VENDOR}))
    await store.insert_rows("Category", frame({"id": NEW_CATEGORY}))
    await store.insert_rows("Offer", frame({"id": NEW_OFFER, "status": "ACTIVE"}))
    ends = [
        ("LISTS", NEW_VENDOR, NEW_OFFER),
        ("IN_CATEGORY", NEW_OFFER, NEW_CATEGORY),
        ("IN_CATEGORY", NEW_OFFER, LEAF),
        ("SUBCATEGORY_OF", NEW_CATEGORY, ROOT),
    ]
    for name, start, end in ends:
        await store.insert_rows(name, pl.DataFrame({"from_id": [start], "to_id": [end]}))
    await store.insert_rows(
        "PURCHASED",
        frame(
            line("imported-line-0001", NEW_BUYER, NEW_OFFER),
            line("imported-line-0002", BUYER, OFFER, 2),
        ),
    )
    viewed = {"from_id": BUYER, "to_id": OFFER, "id": "imported-view-0001", "at": day(2)}
    await store.insert_rows("VIEWED", frame(viewed))
    await store.insert_rows(
        "CANCELLED",
        frame({**line("imported-cancellation", BUYER, OFFER, 5), "matchedQuantity": 0}),
    )
    preference = {"from_id": BUYER, "to_id": ROOT, "weight": 0.5}
    await store.insert_rows("PREFERS", frame(preference))


async def seen(store: GraphStore) -> dict[str, Any]:
    """Everything that the reads show, as it can be compared."""
    snapshot = await store.read_snapshot()
    tables = {name: snapshot.table(name).rows() for name in ("buyers", "offers", "categories")}
    streams = {}
    for name in ("purchases", "interactions", "preferences", "cancellations", "vendors"):
        rows = [row async for part in store.stream_table(name) for row in part.rows()]
        streams[f"stream of {name}"] = sorted(rows, key=str)
    return {
        **tables,
        **streams,
        "edges": [snapshot.purchases.rows(), snapshot.interactions.rows()],
        "preferred": snapshot.preferences.rows(),
        "pages": [
            await store.page_buyers(),
            await store.page_vendors(),
            await store.page_categories(),
            await store.page_offers(),
            await store.page_offers(category_id=ROOT),
            await store.page_purchases(BUYER),
        ],
        "profiles": await store.read_buyer_profiles([BUYER, NEW_BUYER]),
        "children": await store.category_children([ROOT]),
        "lines": await store.find_purchase_ids(BUYER, OFFER),
        "existing": await store.existing_ids("PURCHASED", ["imported-line-0001"]),
        "events": await store.read_events(0),
    }


async def test_an_import_is_invisible_until_it_is_finished(market: GraphStore) -> None:
    before = await seen(market)
    assert await market.open_import(BATCH, "fingerprint", "canonical") is ImportState.NEW
    await insert(market)
    assert await seen(market) == before
    assert await market.open_import(BATCH, "fingerprint", "canonical") is ImportState.PENDING
    seq = await market.finish_import(BATCH, ImportUpdates(), {"lines": 2})
    assert seq == (await market.last_seq()) == len(before["events"]) + 1
    after = await seen(market)
    assert [name for name in after if after[name] == before[name]] == []
    (event,) = await market.read_events(seq - 1)
    assert (event.type, event.payload) == (EventType.IMPORT_FINISHED, {"batchId": BATCH})
    assert (await market.get_buyers([NEW_BUYER])) == {NEW_BUYER: Buyer(NEW_BUYER, "Imported name")}
    offer = (await market.get_offers([NEW_OFFER]))[NEW_OFFER]
    assert (offer.vendor_id, offer.category_ids) == (NEW_VENDOR, (LEAF, NEW_CATEGORY))
    (record,) = await market.list_imports()
    assert (record.state, record.seq, record.summary) == (ImportState.FINISHED, seq, {"lines": 2})


async def test_importing_again_changes_nothing(market: GraphStore) -> None:
    await market.open_import(BATCH, "f", "m")
    await insert(market)
    await insert(market)
    seq = await market.finish_import(BATCH, ImportUpdates(), {})
    after = await seen(market)
    assert await market.open_import(BATCH, "f", "m") is ImportState.FINISHED
    await insert(market)
    assert await market.finish_import(BATCH, ImportUpdates(), {"other": 1}) == seq
    assert await seen(market) == after


async def test_what_was_there_changes_when_the_import_finishes(market: GraphStore) -> None:
    await market.record_purchases([purchase("old-line", day(0), 5)])
    await market.cancel_purchases(
        [{"id": "kept", "buyer_id": OTHER_BUYER, "offer_id": OFFER, "quantity": 4, "at": day(3)}]
    )
    await market.open_import(BATCH, "f", "m")
    await insert(market)
    cancelled = {
        "buyer_id": BUYER, "offer_id": OFFER, "id": "old-line", "cancelled_quantity": 2,
        "cancelled_at": day(2),
    }  # fmt: skip
    updates = ImportUpdates(
        buyers=[{"id": BUYER, "kind": "a kind from the file"}],
        categories=[{"id": LEAF, "parent_id": NEW_CATEGORY}],
        offers=[{"id": OFFER, "vendor_id": NEW_VENDOR, "category_ids": [NEW_CATEGORY]}],
        preferences=[
            {"buyer_id": OTHER_BUYER, "category_id": LEAF, "weight": 0.25, "source": None}
        ],
        cancelled=[cancelled],
        matched=[{"buyer_id": OTHER_BUYER, "offer_id": OFFER, "id": "kept", "matched_quantity": 3}],
    )
    seq = await market.last_seq()
    assert await market.finish_import(BATCH, updates, {}) == seq + 1
    assert (await market.get_buyers([BUYER]))[BUYER].kind == "a kind from the file"
    assert (await market.get_categories([LEAF]))[LEAF].parent_id == NEW_CATEGORY
    offer = (await market.get_offers([OFFER]))[OFFER]
    assert (offer.vendor_id, offer.category_ids) == (NEW_VENDOR, (NEW_CATEGORY,))
    profile = (await market.read_buyer_profiles([OTHER_BUYER]))[OTHER_BUYER]
    assert profile.preferences == (Preference(LEAF, 0.25, None),)
    old = (await market.get_purchases(["old-line"]))["old-line"]
    assert (old.cancelled_quantity, old.cancelled_at) == (2, day(2))
    pairs = pl.DataFrame({"buyer_id": [OTHER_BUYER], "offer_id": [OFFER]})
    kept = await market.read_open_cancellations(pairs)
    assert kept.rows() == [(OTHER_BUYER, OFFER, "kept", day(3), 4, 3)]


async def test_a_change_that_cannot_be_made_leaves_the_import_pending(market: GraphStore) -> None:
    await market.open_import(BATCH, "f", "m")
    await insert(market)
    before = await seen(market)
    updates = ImportUpdates(
        buyers=[{"id": BUYER, "kind": "k"}], offers=[{"id": OFFER, "vendor_id": "nobody"}]
    )
    with pytest.raises(InputError, match="nobody"):
        await market.finish_import(BATCH, updates, {})
    assert await seen(market) == before
    await market.finish_import(BATCH, ImportUpdates(), {})


async def test_one_import_at_a_time_and_a_pending_one_can_be_discarded(market: GraphStore) -> None:
    before = await seen(market)
    await market.open_import(BATCH, "f", "m")
    await insert(market)
    with pytest.raises(ConflictError, match=BATCH):
        await market.open_import("another-import", "f", "m")
    await market.discard_import(BATCH)
    assert await seen(market) == before
    assert await market.list_imports() == []
    assert await market.open_import("another-import", "f", "m") is ImportState.NEW
    assert await market.insert_rows("Buyer", frame({"id": NEW_BUYER}, batch="another-import")) == 1
    await market.finish_import("another-import", ImportUpdates(), {})
    with pytest.raises(ConflictError):
        await market.discard_import("another-import")
    with pytest.raises(NotFoundError):
        await market.discard_import("never-opened")
    with pytest.raises(NotFoundError):
        await market.finish_import("never-opened", ImportUpdates(), {})


async def test_a_write_takes_over_what_is_pending(market: GraphStore) -> None:
    await market.open_import(BATCH, "f", "m")
    await insert(market)
    first = await market.upsert_offers([{"id": NEW_OFFER, "title": "written by hand"}])
    assert statuses(first) == [RowStatus.CREATED]
    refused = await market.upsert_offers([{"id": OFFER, "vendor_id": NEW_VENDOR}])
    assert failure(refused.rows[0]) == ("NOT_FOUND", ("vendor_id",))
    unknown = await market.record_purchases([purchase("p", day(1), buyer_id=NEW_BUYER)])
    assert failure(unknown.rows[0]) == ("NOT_FOUND", ("buyer_id",))
    line = await market.record_purchases([purchase("imported-line-0002", day(4), 1)])
    view = {
        "id": "imported-view-0001", "buyer_id": BUYER, "offer_id": OTHER_OFFER, "kind": "VIEWED",
        "at": day(4),
    }  # fmt: skip
    viewed = await market.record_interactions([view])
    assert statuses(line) == statuses(viewed) == [RowStatus.CREATED]
    for finish in (False, True):
        if finish:
            await insert(market)
            await market.finish_import(BATCH, ImportUpdates(), {})
        offer = (await market.get_offers([NEW_OFFER]))[NEW_OFFER]
        assert (offer.title, offer.status.value) == ("written by hand", "ACTIVE")
        line_now = (await market.get_purchases(["imported-line-0002"]))["imported-line-0002"]
        assert (line_now.quantity, line_now.at) == (1, day(4))
        frames = [part async for part in market.stream_table("interactions")]
        assert frames[0].select("id", "offer_id").rows() == [("imported-view-0001", OTHER_OFFER)]


async def test_erasing_a_buyer_takes_its_pending_rows(market: GraphStore) -> None:
    await market.open_import(BATCH, "f", "m")
    await insert(market)
    await market.delete_buyers([BUYER, NEW_BUYER])
    await market.finish_import(BATCH, ImportUpdates(), {})
    assert await market.get_buyers([BUYER, NEW_BUYER]) == {}
    assert [part async for part in market.stream_table("purchases")] == []


async def test_rows_without_their_batch_are_refused(store: GraphStore) -> None:
    for rows in (pl.DataFrame({"id": [BUYER]}), frame({"id": BUYER}, batch=None)):
        with pytest.raises(InputError, match="batchId"):
            await store.insert_rows("Buyer", rows)


@pytest.mark.parametrize("extra", [0, 600])
async def test_existing_ids_and_lines_by_list_and_by_scan(market: GraphStore, extra: int) -> None:
    await market.record_purchases([purchase("p1", day(1), 3), purchase("p2", day(2), 1)])
    await market.record_purchases([purchase("p3", day(2), 1, offer_id=OTHER_OFFER)])
    await market.cancel_purchases([{"id": "x1", "purchase_id": "p1", "quantity": 2}])
    unknown = [f"unknown-{n}" for n in range(extra + 1)]
    assert await market.existing_ids("PURCHASED", ["p1", "p2", *unknown]) == {"p1", "p2"}
    assert await market.existing_ids("CANCELLED", ["x1", *unknown]) == {"x1"}
    assert await market.existing_ids("Buyer", [BUYER, *unknown]) == {BUYER}
    assert await market.existing_ids("Vendor", [VENDOR, *unknown]) == {VENDOR}
    assert await market.existing_ids("Category", [BRANCH, *unknown]) == {BRANCH}
    assert await market.existing_ids("Offer", []) == set()
    pairs = pl.DataFrame({"buyer_id": [BUYER, *unknown], "offer_id": [OFFER, *unknown]})
    lines = await market.read_lines(pairs)
    assert lines.sort("id").drop("cancelled_at").rows() == [
        (BUYER, OFFER, "p1", day(1), 3, 2),
        (BUYER, OFFER, "p2", day(2), 1, 0),
    ]
    assert lines.columns[-1] == "cancelled_at"
    assert (await market.read_lines(pairs.clear())).schema == lines.schema
