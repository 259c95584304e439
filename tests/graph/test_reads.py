"""Pages and look-ups of entities, on both engines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from graph.engine import GraphEngine
from graph.queries import Query
from graph.store import GraphStore
from tests.graph.stores import BRANCH, LEAF, OFFER, OTHER_OFFER, ROOT, VENDOR

IDS = sorted([*(f"a-key-of-many-{n:03}" for n in range(11)), "Zebra", "é-accented", "~", "東京"])


async def pages(store: GraphStore, kind: str, backwards: bool, **more: Any) -> list[str]:
    """The ids of all pages, in order; each page but the last is full."""
    read = getattr(store, f"page_{kind}")
    seen: list[str] = []
    while True:
        bounds: dict[str, str] = {}
        if seen:
            bounds = {"before": seen[0]} if backwards else {"after": seen[-1]}
        page = [item.id for item in await read(limit=4, backwards=backwards, **bounds, **more)]
        assert len(page) <= 4
        if not page:
            return seen
        seen = page + seen if backwards else seen + page


@pytest.mark.parametrize("backwards", [False, True])
async def test_pages_repeat_and_skip_nothing(store: GraphStore, backwards: bool) -> None:
    rows = [{"id": key} for key in reversed(IDS)]
    await store.upsert_buyers(rows)
    await store.upsert_vendors(rows)
    await store.upsert_categories(rows)
    await store.upsert_offers(rows)
    for kind in ("buyers", "vendors", "categories", "offers"):
        assert await pages(store, kind, backwards) == IDS, kind


async def test_a_page_lies_between_its_bounds(store: GraphStore) -> None:
    await store.upsert_buyers([{"id": key} for key in IDS])
    inside = IDS[3:7]
    between: dict[str, Any] = {"after": IDS[2], "before": IDS[7]}
    assert [b.id for b in await store.page_buyers(limit=9, **between)] == inside
    assert [b.id for b in await store.page_buyers(limit=2, **between)] == inside[:2]
    last = await store.page_buyers(limit=2, backwards=True, **between)
    assert [b.id for b in last] == inside[-2:]
    assert await store.page_buyers(after=IDS[7], before=IDS[2]) == []


async def test_offers_of_a_vendor_and_below_a_category(market: GraphStore) -> None:
    await market.upsert_categories([{"id": "elsewhere-category"}])
    await market.upsert_offers(
        [
            {"id": OTHER_OFFER, "category_ids": [BRANCH, LEAF, "elsewhere-category"]},
            {"id": "offer-number-0003", "vendor_id": VENDOR},
        ]
    )
    for backwards in (False, True):
        assert await pages(market, "offers", backwards, vendor_id=VENDOR) == [
            OFFER,
            "offer-number-0003",
        ]
        for category in (ROOT, BRANCH, LEAF):
            found = await pages(market, "offers", backwards, category_id=category)
            assert found == [OFFER, OTHER_OFFER]
        both = await pages(market, "offers", backwards, category_id=ROOT, vendor_id=VENDOR)
        assert both == [OFFER]
        assert await pages(market, "offers", backwards, category_id="nowhere") == []


async def test_a_longer_list_makes_no_more_reads(
    market: GraphStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads: list[str] = []
    read = market.engine.read

    async def counted(query: Query, parameters: Mapping[str, Any] | None = None) -> Any:
        reads.append(query.name)
        return await read(query, parameters)

    await market.upsert_buyers([{"id": key} for key in IDS])
    monkeypatch.setattr(market.engine, "read", counted)
    counts = []
    for limit in (1, 10):
        reads.clear()
        ids = [buyer.id for buyer in await market.page_buyers(limit=limit)]
        assert len(ids) == limit
        await market.read_buyer_profiles(ids)
        await market.get_offers([OFFER, OTHER_OFFER][:limit])
        await market.category_children([ROOT, BRANCH, LEAF][:limit])
        counts.append(len(reads))
    assert counts[0] == counts[1] == 7


async def test_nothing_asked_is_nothing_read(store: GraphStore, engine: GraphEngine) -> None:
    assert await store.get_offers([]) == {}
    assert await store.read_buyer_profiles([]) == {}
    assert await store.category_children([]) == {}
