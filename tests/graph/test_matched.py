"""MATCHED relationships: only what differs is written, on both engines; nobody reads them back."""

from __future__ import annotations

import re
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import polars as pl

from graph.embedded_engine import EmbeddedEngine
from graph.matched import SCORE_STEP, Matched, Renewal
from graph.queries import Query, load_query
from graph.store import GraphStore
from graph.tables import MATCHED
from tests.graph.stores import BUYER, OFFER, OTHER_BUYER, OTHER_OFFER, SetClock, day

FIRST = Matched(BUYER, OFFER, 0.9, 1, "m1", "You prefer lamps.", "CATEGORY", 0.25)
SECOND = Matched(BUYER, OTHER_OFFER, 0.8, 2, "m1")
# A sentence of more than twelve bytes: the embedded engine keeps shorter ones another way.
THIRD = Matched(OTHER_BUYER, OFFER, 0.7, 1, "m1", "Buyers in Spain take to this.", "PLACE", 0.5)


async def shown(store: GraphStore) -> list[dict[str, Any]]:
    rows = await store.engine.read(load_query("dump_matched"))
    return sorted(rows, key=lambda row: (row["from_id"], row["to_id"]))


async def test_matches_are_written_with_what_explains_them(market: GraphStore) -> None:
    renewal = await market.renew_matched([BUYER, OTHER_BUYER], [FIRST, SECOND, THIRD])
    assert renewal == Renewal(written=3)
    assert await market.matched_buyers() == [BUYER, OTHER_BUYER]
    first, second, third = await shown(market)
    assert first == {
        "from_id": BUYER,
        "to_id": OFFER,
        "score": 0.9,
        "rank": 1,
        "modelVersion": "m1",
        "at": day(20),
        "explanation": "You prefer lamps.",
        "explanationKind": "CATEGORY",
        "contribution": 0.25,
    }
    assert (second["explanation"], second["explanationKind"], second["contribution"]) == (None,) * 3
    assert (third["explanation"], third["contribution"]) == (THIRD.explanation, 0.5)


async def test_only_what_differs_is_written(market: GraphStore, clock: SetClock) -> None:
    await market.renew_matched([BUYER, OTHER_BUYER], [FIRST, SECOND, THIRD])
    clock.now = day(21)
    same = replace(FIRST, score=0.9 + SCORE_STEP / 2, contribution=0.25 - SCORE_STEP / 2)
    moved = replace(SECOND, rank=3)
    renewal = await market.renew_matched([BUYER, OTHER_BUYER], [same, moved])
    assert renewal == Renewal(changed=1, removed=1, unchanged=1)
    first, second = await shown(market)
    assert (first["score"], first["at"]) == (0.9, day(20))
    assert (second["rank"], second["at"]) == (3, day(21))


async def test_every_property_can_differ(market: GraphStore) -> None:
    others: list[dict[str, Any]] = [
        {"score": 0.9 + 2 * SCORE_STEP},
        {"rank": 2},
        {"model_version": "m2"},
        {"explanation": "You prefer other lamps."},
        {"explanation_kind": "SIMILAR"},
        {"contribution": 0.3},
        {"explanation": None, "explanation_kind": None, "contribution": None},
    ]
    for other in others:
        await market.renew_matched([BUYER], [FIRST])
        assert await market.renew_matched([BUYER], [replace(FIRST, **other)]) == Renewal(changed=1)


async def test_other_buyers_are_left_alone(market: GraphStore) -> None:
    await market.renew_matched([BUYER, OTHER_BUYER], [FIRST, THIRD])
    assert await market.renew_matched([OTHER_BUYER], []) == Renewal(removed=1)
    assert [row["from_id"] for row in await shown(market)] == [BUYER]


async def test_a_match_of_somebody_gone_is_left_out(market: GraphStore) -> None:
    gone = [replace(FIRST, buyer_id="gone"), replace(FIRST, offer_id="gone")]
    assert await market.renew_matched(["gone", BUYER], [*gone, SECOND]) == Renewal(written=1)


async def test_nothing_that_matches_or_trains_sees_them(market: GraphStore) -> None:
    before, profiles = await market.read_snapshot(), await market.read_buyer_profiles([BUYER])
    await market.renew_matched([BUYER, OTHER_BUYER], [FIRST, SECOND, THIRD])
    after = await market.read_snapshot()
    assert after.seq == before.seq
    for name in ("buyers", "offers", "purchases", "interactions", "preferences"):
        assert getattr(after, name).equals(getattr(before, name)), name
    assert await market.read_buyer_profiles([BUYER]) == profiles
    assert await market.read_events(after=before.seq, limit=10) == []


def test_no_other_query_names_them_or_takes_any_relationship() -> None:
    own = {"matched_buyers", "read_matched", "write_matched", "drop_matched", "dump_matched"}
    texts = {
        entry.name.removesuffix(".cypher"): load_query(entry.name.removesuffix(".cypher")).text
        for entry in files("graph.queries").iterdir()
        if entry.name.endswith(".cypher")
    }
    assert {name for name, text in texts.items() if "MATCHED" in text} == own
    untyped = re.compile(r"-\[\s*\w*\s*(\*[\d.]*)?\]-|\)\s*<?--")
    assert [name for name, text in texts.items() if untyped.search(text)] == []


async def test_a_file_from_before_the_explanations_gets_them(
    tmp_path: Path, clock: SetClock
) -> None:
    engine = await EmbeddedEngine.open(tmp_path / "graph.lbug")
    store = await GraphStore.open(engine, clock)
    await store.upsert_buyers([{"id": BUYER}])
    await store.upsert_offers([{"id": OFFER}])
    ends = {"from_id": BUYER, "to_id": OFFER, "score": 0.9, "rank": 1, "modelVersion": "m1"}
    await engine.bulk_insert(MATCHED, pl.DataFrame([ends]))
    for column in ("explanation", "explanationKind", "contribution"):
        drop = Query("drop", f"ALTER TABLE MATCHED DROP {column}")
        await engine.write(lambda tx, drop=drop: tx.run(drop))  # type: ignore[misc]
    again = await GraphStore.open(engine, clock)
    assert [row["explanation"] for row in await shown(again)] == [None]
    assert await again.renew_matched([BUYER], [FIRST]) == Renewal(changed=1)
    assert [row["explanation"] for row in await shown(again)] == [FIRST.explanation]
    await engine.close()
