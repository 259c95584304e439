"""What the state follows besides plain events: models, a lost log, a crowd of changes."""

from __future__ import annotations

import asyncio
import shutil
from datetime import timedelta

import polars as pl
import pytest

from core.published import current_folder
from core.settings import Settings
from graph.imports import ImportUpdates
from graph.store import GraphStore
from matching import follower as follower_module
from matching.answers import ExplanationKind
from matching.requests import OfferMatchRequest
from matching.service import MatchingService
from matching.state import MatcherState
from scoring import tower as tower_module
from scoring.artifact import publish_model
from tests.matching.conftest import standing_clock
from tests.matching.markets import NOW
from tests.matching.test_ranking_oracle import NoEncoder
from tests.scoring.snapshots import random_model


async def until_model(service: MatchingService, version: str) -> None:
    async with asyncio.timeout(30):
        while service.model_info().version != version:  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.05)


async def test_a_published_model_is_taken_up_while_running(
    filled: GraphStore,
    service: MatchingService,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tower_module, "OfferEncoder", NoEncoder)
    before = await service.rank_offers("b004", OfferMatchRequest())
    await filled.record_purchases(
        [{"id": "p1", "buyer_id": "b004", "offer_id": before.items[0].id, "at": NOW}]
    )
    publish_model(settings.models_dir, random_model(await filled.read_snapshot()))
    await until_model(service, "random")
    after = await service.rank_offers("b004", OfferMatchRequest())
    assert after.model_version == "random"
    assert before.items[0].id not in [item.id for item in after.items]
    assert {item.score for item in after.items} != {item.score for item in before.items}


async def test_a_damaged_model_is_told_of_and_the_walk_answers(
    filled: GraphStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tower_module, "OfferEncoder", NoEncoder)
    publish_model(settings.models_dir, random_model(await filled.read_snapshot()))
    folder = current_folder(settings.models_dir)
    assert folder is not None
    (folder / "offers.json").write_text("[]")
    service = await MatchingService.open(filled, settings, standing_clock)
    assert service.model_info().trained is False
    assert (await service.rank_offers("b004", OfferMatchRequest())).items
    # It stays damaged, so following the log must not clear it away.
    await filled.upsert_buyers([{"id": "later"}])
    async with asyncio.timeout(30):
        while service.state.buyer_state("later") is None:  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(2 * follower_module.POLL_SECONDS)
    assert "offers.json" in (service.health().last_error or "")
    await service.close()


async def test_a_damaged_model_does_not_take_the_place_of_a_whole_one(
    filled: GraphStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tower_module, "OfferEncoder", NoEncoder)
    snapshot = await filled.read_snapshot()
    publish_model(settings.models_dir, random_model(snapshot))
    service = await MatchingService.open(filled, settings, standing_clock)
    assert service.model_info().trained is True
    folder = current_folder(settings.models_dir)
    assert folder is not None
    damaged = shutil.copytree(folder, settings.models_dir / "damaged")
    (damaged / "offers.json").write_text("[]")
    (settings.models_dir / "current").write_text("damaged\n")
    async with asyncio.timeout(30):
        while service.health().last_error is None:  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.05)
    assert "offers.json" in (service.health().last_error or "")
    assert service.model_info().trained is True
    await service.close()


async def test_an_import_is_seen_though_the_first_change_over_fails(
    filled: GraphStore, service: MatchingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_over = service._follower._change_over
    failed = asyncio.Event()

    async def away(*_: object) -> None:
        failed.set()
        raise ConnectionError("the graph is away")

    async def first_fails(state: MatcherState, seq: int) -> None:
        with monkeypatch.context() as patch:
            if not failed.is_set():
                patch.setattr(service._follower, "_caught_up", away)
            await change_over(state, seq)

    monkeypatch.setattr(service._follower, "_change_over", first_fails)
    await filled.open_import("batch", "fingerprint", "mapping")
    await filled.insert_rows("Buyer", pl.DataFrame({"id": ["imported"], "batchId": ["batch"]}))
    await filled.finish_import("batch", ImportUpdates(), {})
    async with asyncio.timeout(30):
        while service.state.buyer_state("imported") is None:  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.05)
    assert failed.is_set()


async def test_a_log_that_no_longer_reaches_back_leads_to_the_graph(
    filled: GraphStore, settings: Settings
) -> None:
    await (await MatchingService.open(filled, settings, standing_clock)).close()
    for number in range(4):
        await filled.upsert_buyers([{"id": f"later-{number}"}])
    await filled.purge_events(NOW + timedelta(days=1), keep=1)
    service = await MatchingService.open(filled, settings, standing_clock)
    assert service.state.seq == await filled.last_seq()
    assert service.state.buyer_state("later-0") is not None
    await service.close()


async def test_a_crowd_of_changed_buyers_leads_to_a_new_snapshot(
    filled: GraphStore, service: MatchingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "CHANGED_LIMIT", 5)
    await filled.upsert_buyers([{"id": f"later-{number}"} for number in range(10)])
    await service.refresh()
    async with asyncio.timeout(30):
        while service.state.changed:  # noqa: ASYNC110 - nothing to wait on
            await asyncio.sleep(0.05)
    assert "later-9" in service.state.corpus.buyers.index
    assert service.state.seq == await filled.last_seq()


async def test_what_one_buyer_did_tells_of_others_after_a_rest(
    store: GraphStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follower_module, "REST_SECONDS", 0.1)
    monkeypatch.setattr(follower_module, "REST_PER_SECOND_OF_BUILD", 0.0)
    service = await MatchingService.open(store, settings, standing_clock)
    await store.upsert_offers([{"id": "lamp"}, {"id": "bulb"}])
    await store.upsert_buyers([{"id": "ann"}, {"id": "bob"}])
    bought = [("ann", "lamp"), ("ann", "bulb"), ("bob", "lamp")]
    await store.record_purchases(
        [{"buyer_id": buyer, "offer_id": offer, "at": NOW} for buyer, offer in bought]
    )
    async with asyncio.timeout(30):
        while True:
            await asyncio.sleep(0.05)
            (told,) = await service.explanations([("bob", "bulb")])
            if told and told[0].kind is ExplanationKind.PEERS:
                break
    await service.close()


async def test_a_graph_that_is_away_for_a_while_does_not_end_the_following(
    filled: GraphStore, service: MatchingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise ConnectionError("the graph is away")

    with monkeypatch.context() as patch:
        patch.setattr(filled, "read_stretch", away)
        async with asyncio.timeout(30):
            while service.health().last_error is None:  # noqa: ASYNC110 - nothing to wait on
                await asyncio.sleep(0.05)
        assert (await service.rank_offers("b004", OfferMatchRequest())).items
    await filled.upsert_buyers([{"id": "later"}])
    await service.wait_for(await filled.last_seq(), timeout_seconds=30)
    assert service.state.buyer_state("later") is not None
