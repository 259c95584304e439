"""What is kept comes back the same, and what is not kept says so."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import CursorExpiredError, SettingsError
from matching.answers import RankedItem, Ranking
from matching.ranking_cache import RankingCache

SCORES = st.floats(min_value=0, max_value=1, exclude_min=True)


def ranking(key: str, scores: list[float], pins: int = 0) -> Ranking:
    items = tuple(
        RankedItem(f"offer-{at}", score, at + 1, pinned=at < pins)
        for at, score in enumerate(scores)
    )
    return Ranking(key, "buyer", items, 7, "walk", "hash", datetime(2026, 1, 1, tzinfo=UTC))


@given(st.lists(SCORES, max_size=50), st.integers(0, 5))
async def test_a_kept_ranking_comes_back_to_the_bit(scores: list[float], pins: int) -> None:
    cache = RankingCache()
    kept = ranking("r1", scores, min(pins, len(scores)))
    await cache.keep(kept)
    assert await cache.recall("r1") == kept
    await cache.close()


async def test_memory_is_bounded_and_the_oldest_give_way() -> None:
    cache = RankingCache(kept_lists=3)
    for number in range(5):
        await cache.keep(ranking(f"r{number}", [0.5]))
    for number in (0, 1):
        with pytest.raises(CursorExpiredError):
            await cache.recall(f"r{number}")
    for number in (2, 3, 4):
        assert (await cache.recall(f"r{number}")).id == f"r{number}"
    await cache.close()


@pytest.mark.parametrize("url", ["", "file:///tmp/x", "redis://", "memcached://host"])
def test_a_cache_url_of_no_known_kind_is_refused(url: str) -> None:
    with pytest.raises(SettingsError) as refused:
        RankingCache(url)
    assert "OFFERPATH_CACHE_URL" in refused.value.mend


async def test_a_redis_that_is_away_costs_following_pages_only() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        # Bound but not listening: whoever connects is refused.
        cache = RankingCache(f"redis://127.0.0.1:{taken.getsockname()[1]}/0")
        await cache.keep(ranking("r1", [0.5]))
        with pytest.raises(CursorExpiredError):
            await cache.recall("r1")
        await cache.close()
