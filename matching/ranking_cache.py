"""Where rankings are kept, so that the pages that follow repeat and skip nothing.

Memory (this process) or Redis (all processes), through aiocache, as JSON. A list is kept for
KEPT_SECONDS; in memory the oldest give way beyond KEPT_LISTS.
"""

from __future__ import annotations

import json
import logging
from base64 import b64decode, b64encode
from collections import OrderedDict
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from aiocache import RedisCache, SimpleMemoryCache
from redis.exceptions import RedisError

from core.errors import CursorExpiredError, SettingsError
from matching.answers import RankedItem, Ranking

logger = logging.getLogger(__name__)
AWAY = (OSError, TimeoutError, RedisError)
KEPT_SECONDS = 900
KEPT_LISTS = 2_000
NAMESPACE = "offerpath:ranking:"


class RankingCache:
    """Rankings by id."""

    def __init__(self, cache_url: str = "memory://", kept_lists: int = KEPT_LISTS) -> None:
        self._cache = _cache_at(cache_url)
        # Redis bounds its own memory; a dict in this process does not.
        self._bounded = isinstance(self._cache, SimpleMemoryCache)
        self._kept_lists = kept_lists
        self._order: OrderedDict[str, None] = OrderedDict()

    async def keep(self, ranking: Ranking) -> None:
        """Keep a ranking for the pages that follow.

        When the cache is away the first page is served all the same; the next finds nothing.
        """
        text = _written(ranking)
        if not self._bounded:
            try:
                # aiocache's own set() calls a command that redis-py has deprecated.
                await self._cache.raw("set", NAMESPACE + ranking.id, text, ex=KEPT_SECONDS)
            except AWAY as error:
                logger.warning("The ranking was not kept for following pages: %s", error)
            return
        await self._cache.set(ranking.id, text, ttl=KEPT_SECONDS)
        self._order[ranking.id] = None
        while len(self._order) > self._kept_lists:
            oldest, _ = self._order.popitem(last=False)
            await self._cache.delete(oldest)

    async def recall(self, ranking_id: str) -> Ranking:
        """The ranking as it was kept.

        Raises:
            CursorExpiredError: when it is not kept any more.
        """
        try:
            if self._bounded:
                text = await self._cache.get(ranking_id)
            else:
                text = await self._cache.raw("get", NAMESPACE + ranking_id)
        except AWAY as error:
            logger.warning("The cache of rankings is away: %s", error)
            text = None
        if text is None:
            raise CursorExpiredError(
                "The list behind this cursor is no longer kept.",
                mend="Start again without the cursor.",
                field=("after",),
            )
        return _read(ranking_id, text)

    async def close(self) -> None:
        """Let go of the cache's connections."""
        if self._bounded:
            await self._cache.close()
        else:
            await self._cache.client.aclose()


def _cache_at(url: str) -> Any:
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return SimpleMemoryCache(namespace=NAMESPACE)
    if parts.scheme != "redis" or not parts.hostname:
        raise SettingsError(
            f"The cache URL {url!r} is neither memory:// nor redis://HOST:PORT/DB.",
            mend="Set OFFERPATH_CACHE_URL.",
            field=("OFFERPATH_CACHE_URL",),
        )
    return RedisCache(
        endpoint=parts.hostname,
        port=parts.port or 6379,
        db=int(parts.path.strip("/") or 0),
        password=parts.password,
        namespace=NAMESPACE,
    )


def _written(ranking: Ranking) -> str:
    ids, scores, _, pinned, _ = zip(*ranking.items, strict=True) if ranking.items else [()] * 5
    return json.dumps(
        {
            "subject_id": ranking.subject_id,
            "ids": ids,
            # As bytes: a thousand floats as decimal text cost more than ranking them.
            "scores": b64encode(np.array(scores, np.float64).tobytes()).decode(),
            "pins": sum(pinned),
            "seq": ranking.seq,
            "model_version": ranking.model_version,
            "arguments_hash": ranking.arguments_hash,
            "made_at": ranking.made_at.isoformat(),
        }
    )


def _read(ranking_id: str, text: str) -> Ranking:
    stored = json.loads(text)
    scores = np.frombuffer(b64decode(stored["scores"]), dtype=np.float64).tolist()
    pairs = zip(stored["ids"], scores, strict=True)
    return Ranking(
        id=ranking_id,
        subject_id=stored["subject_id"],
        items=tuple(
            RankedItem(key, score, rank, pinned=rank <= stored["pins"])
            for rank, (key, score) in enumerate(pairs, start=1)
        ),
        seq=stored["seq"],
        model_version=stored["model_version"],
        arguments_hash=stored["arguments_hash"],
        made_at=datetime.fromisoformat(stored["made_at"]),
    )
