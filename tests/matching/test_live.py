"""New matches reach whoever listens, once, and only what is new."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

import pytest

from core.errors import InputError, NotFoundError
from graph.store import GraphStore
from matching.answers import LiveMatch
from matching.requests import OfferMatchRequest
from matching.service import MatchingService
from tests.matching.markets import NOW


class Listener:
    """Reads matches in the background, as a subscription does."""

    def __init__(self, matches: AsyncGenerator[LiveMatch, None]) -> None:
        self.heard: list[LiveMatch] = []
        self._matches = matches
        self._more = asyncio.Condition()
        self._task = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        async for match in self._matches:
            async with self._more:
                self.heard.append(match)
                self._more.notify_all()

    async def hear(self, count: int) -> list[LiveMatch]:
        async with asyncio.timeout(20), self._more:
            await self._more.wait_for(lambda: len(self.heard) >= count)
        return self.heard

    async def stop(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._matches.aclose()


async def test_what_enters_the_top_is_told_once(
    filled: GraphStore, service: MatchingService
) -> None:
    before = (await service.rank_offers("b004", OfferMatchRequest())).items[:5]
    listener = Listener(service.new_matches(["b004"], top=5))
    gone = before[0].id
    await filled.delete_offers([gone])
    await service.refresh()
    heard = await listener.hear(1)
    now = (await service.rank_offers("b004", OfferMatchRequest())).items[:5]
    entered = [item for item in now if item.id not in [old.id for old in before]]
    assert [(m.offer_id, m.score, m.rank) for m in heard] == [
        (item.id, item.score, item.rank) for item in entered
    ]
    assert heard[0].buyer_id == "b004"
    await filled.upsert_buyers([{"id": "b005", "name": "Somebody"}])
    await service.refresh()
    await asyncio.sleep(0.3)
    assert len(listener.heard) == len(entered)
    await listener.stop()


async def test_two_listeners_give_one_entry_one_id(
    filled: GraphStore, service: MatchingService
) -> None:
    listeners = [Listener(service.new_matches(["b004"], top=5)) for _ in range(2)]
    top = (await service.rank_offers("b004", OfferMatchRequest())).items[0].id
    await filled.record_interactions(
        [{"id": "i1", "buyer_id": "b004", "offer_id": top, "kind": "DISMISSED", "at": NOW}]
    )
    await service.refresh()
    first, second = [(await listener.hear(1))[0] for listener in listeners]
    assert first.event_id == second.event_id
    assert first.seq == await filled.last_seq()
    for listener in listeners:
        await listener.stop()


async def test_a_threshold_keeps_weak_matches_away(
    filled: GraphStore, service: MatchingService
) -> None:
    listener = Listener(service.new_matches(["b004"], top=5, threshold=1.0))
    top = (await service.rank_offers("b004", OfferMatchRequest())).items[0].id
    await filled.delete_offers([top])
    await service.refresh()
    await asyncio.sleep(0.3)
    assert listener.heard == []
    await listener.stop()


async def test_an_unknown_buyer_and_a_top_of_nothing_are_refused(
    service: MatchingService,
) -> None:
    with pytest.raises(NotFoundError):
        service.new_matches(["nobody"])
    with pytest.raises(InputError):
        service.new_matches(["b004"], top=0)
    with pytest.raises(InputError):
        service.new_matches(["b004"], threshold=1.5)
