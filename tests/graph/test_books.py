"""API keys and models, on both engines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from core.entities import ApiKey, EventType, Role
from core.errors import NotFoundError
from graph.store import GraphStore
from tests.graph.stores import VENDOR, day

KEY = ApiKey("key-number-00001", "the first key", Role.VENDOR, VENDOR, "ab" * 32, day(1), day(9))


async def test_api_keys_are_found_by_hash_and_revoked_once(store: GraphStore) -> None:
    later = replace(KEY, id="key-0", hash="cd" * 32, created_at=day(2), expires_at=None)
    for key in (later, KEY):
        await store.create_api_key(key)
    assert await store.list_api_keys() == [KEY, later]
    assert await store.find_api_key("ab" * 32) == KEY
    assert await store.find_api_key("none") is None
    await store.revoke_api_key(KEY.id, day(3))
    await store.revoke_api_key(KEY.id, day(4))
    assert await store.find_api_key(KEY.hash) == replace(KEY, revoked_at=day(3))
    with pytest.raises(NotFoundError):
        await store.revoke_api_key("none", day(3))


async def test_a_model_is_recorded_with_its_event(store: GraphStore) -> None:
    seq = await store.record_model("model-00001", day(1), {"ndcg@20": 0.25}, "ef" * 32)
    await store.record_model("model-00000", day(2), {}, "ff" * 32, stage="ARCHIVED")
    first, second = await store.list_models()
    assert (first.id, first.metrics, first.artifact_sha256) == (
        "model-00001",
        {"ndcg@20": 0.25},
        "ef" * 32,
    )
    assert (second.id, second.stage) == ("model-00000", "ARCHIVED")
    event, _ = await store.read_events(seq - 1)
    assert event.type is EventType.MODEL_PUBLISHED
    assert event.payload == {"modelId": "model-00001", "stage": "SERVED"}
