"""What is told of matches, on both engines."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.entities import (
    EventType,
    Lease,
    MatchChange,
    MatchReason,
    MatchState,
    MatchStatus,
    MatchTop,
)
from core.errors import ConflictError, LeaseLostError
from graph import announcements
from graph.engine import Transaction
from graph.session import EventDraft
from graph.store import GraphStore
from tests.graph.stores import BUYER, LEAF, OFFER, OTHER_BUYER, OTHER_OFFER, VENDOR, SetClock, day

CREATED = MatchChange(
    type=EventType.MATCH_CREATED,
    buyer_id=BUYER,
    offer_id=OFFER,
    vendor_id=VENDOR,
    category_ids=(LEAF,),
    score=0.625,
    rank=1,
    model_version="model-number-0001",
    reason=MatchReason.OFFER_CHANGED,
    terms="terms-0001",
)
UPDATED = replace(
    CREATED, type=EventType.MATCH_UPDATED, score=0.75, reason=MatchReason.SCORE_MOVED,
    previous_score=0.625,
)  # fmt: skip
GONE = replace(
    CREATED, type=EventType.MATCH_WITHDRAWN, score=None, rank=None, reason=MatchReason.SOLD_OUT
)
OTHERS = replace(CREATED, buyer_id=OTHER_BUYER, offer_id=OTHER_OFFER, vendor_id=None, held_back=7)
TOP = MatchTop(BUYER, ((OFFER, 0.625), (OTHER_OFFER, 0.1 + 0.2)), "2024-01-20", 3)
OTHER_TOP = MatchTop(OTHER_BUYER, ())


async def begun(market: GraphStore) -> tuple[Lease, int]:
    """A store whose announcer holds its lease and has had its first look."""
    lease = await market.take_lease("announcer", "process-number-0001", 5)
    assert lease is not None
    position = await market.last_seq()
    await market.begin_announcing(lease, position, [MatchTop(BUYER, ()), OTHER_TOP])
    return lease, position


def state(change: MatchChange, clock: SetClock) -> MatchState:
    assert change.score is not None
    return MatchState(
        change.buyer_id, change.offer_id, clock.now, change.score, MatchStatus.ANNOUNCED,
        change.terms, change.model_version,
    )  # fmt: skip


async def test_the_first_look_tells_nothing(market: GraphStore) -> None:
    assert await market.announced_position() is None
    assert await market.match_tops() == {}
    lease = await market.take_lease("announcer", "process-number-0001", 5)
    assert lease is not None
    with pytest.raises(ConflictError, match="not begun"):
        await market.announce(lease, 0, 1, [CREATED], [], now=day(1))
    seq = await market.last_seq()
    await market.begin_announcing(lease, seq, [TOP])
    assert await market.last_seq() == seq == await market.announced_position()
    assert await market.match_tops() == {BUYER: TOP}
    await market.begin_announcing(lease, 3, [OTHER_TOP, replace(TOP, digest_day=None)])
    assert await market.announced_position() == 3
    assert await market.match_tops() == {
        BUYER: replace(TOP, digest_day=None),
        OTHER_BUYER: OTHER_TOP,
    }
    assert await market.match_tops([OTHER_BUYER, "nobody", OTHER_BUYER]) == {OTHER_BUYER: OTHER_TOP}
    assert await market.match_tops([]) == {}


async def test_states_tops_events_and_position_are_written_at_once(
    market: GraphStore, clock: SetClock
) -> None:
    lease, position = await begun(market)
    await market.upsert_vendors([{"id": "somebody else"}])
    to = position + 1
    end = await market.announce(lease, position, to, [CREATED, OTHERS], [TOP], now=clock.now)
    # Its own events follow the stretch: they need not be looked at.
    assert end == to + 2 == await market.announced_position() == await market.last_seq()
    first, second = await market.read_events(to)
    assert (first.seq, first.id) == (to + 1, f"{market.graph_id}-{to + 1}")
    assert (first.type, first.occurred_at) == (EventType.MATCH_CREATED, clock.now)
    assert (first.buyer_id, first.offer_id, first.vendor_id) == (BUYER, OFFER, VENDOR)
    assert (first.category_ids, first.score, first.rank) == ((LEAF,), 0.625, 1)
    assert (first.model_version, first.payload) == (
        "model-number-0001",
        {"reason": "OFFER_CHANGED"},
    )
    assert second.payload == {"reason": "OFFER_CHANGED", "heldBack": 7}
    assert await market.match_tops() == {BUYER: TOP, OTHER_BUYER: OTHER_TOP}
    both = [state(CREATED, clock), state(OTHERS, clock)]
    assert await market.match_states(buyer_ids=[BUYER, "nobody"]) == both[:1]
    assert await market.match_states(offer_ids=[OTHER_OFFER]) == both[1:]
    pairs = [(OTHER_BUYER, OTHER_OFFER), (BUYER, OTHER_OFFER)]
    assert await market.match_states(pairs=pairs) == both[1:]
    assert await market.match_states(offer_ids=[]) == []
    many = [OFFER, *(f"offer without a state {n}" for n in range(40))]
    assert await market.match_states(offer_ids=many) == both[:1]


async def test_what_was_told_is_not_told_again(market: GraphStore, clock: SetClock) -> None:
    lease, position = await begun(market)
    await market.upsert_vendors([{"id": "somebody else"}])
    to = position + 1
    end = await market.announce(lease, position, to, [CREATED], [TOP], now=clock.now)
    assert await market.announce(lease, position, to, [CREATED], [TOP], now=clock.now) == end
    assert await market.last_seq() == end
    with pytest.raises(ConflictError, match=str(end)):
        await market.announce(lease, position, end + 1, [CREATED], [], now=clock.now)
    assert await market.last_seq() == end


async def test_a_stretch_without_facts_is_told_once(market: GraphStore, clock: SetClock) -> None:
    lease, position = await begun(market)
    end = await market.announce(lease, position, position, [CREATED], [TOP], now=clock.now)
    assert end == position + 1
    assert await market.announce(lease, position, position, [CREATED], [], now=clock.now) == end
    assert await market.announce(lease, end, end, [], [], now=clock.now) == end
    assert await market.last_seq() == end


async def test_a_cut_stretch_is_told_once(market: GraphStore, clock: SetClock) -> None:
    lease, position = await begun(market)
    await market.upsert_vendors([{"id": "somebody else"}])
    to = position + 1
    for _ in range(2):
        cut = await market.announce(
            lease, position, to, [CREATED], [TOP], now=clock.now, last=False
        )
        assert cut == position == await market.announced_position()
    assert await market.last_seq() == to + 1
    assert (await market.match_tops([BUYER]))[BUYER] == TOP
    end = await market.announce(lease, position, to, [CREATED, OTHERS], [OTHER_TOP], now=clock.now)
    # The cut's event lies between the stretch and its last event.
    assert end == to == await market.announced_position()
    told = await market.read_events(to)
    assert [event.offer_id for event in told] == [OFFER, OTHER_OFFER]


async def test_somebody_elses_event_is_not_passed_over(market: GraphStore, clock: SetClock) -> None:
    lease, position = await begun(market)
    await market.upsert_vendors([{"id": "somebody else"}, {"id": "and one more"}])
    to = position + 1
    assert await market.announce(lease, position, to, [CREATED], [], now=clock.now) == to
    assert await market.announced_position() == to
    between, own = await market.read_events(to)
    assert (between.type, own.type) == (EventType.VENDOR_UPSERTED, EventType.MATCH_CREATED)


async def test_a_pair_is_changed_and_withdrawn_while_it_stands(
    market: GraphStore, clock: SetClock
) -> None:
    lease, _ = await begun(market)
    told = clock.now

    async def announce(*changes: MatchChange) -> list[EventType]:
        at = await market.announced_position()
        assert at is not None
        await market.announce(lease, at, at, changes, [], now=clock.now)
        return [event.type for event in await market.read_events(at)]

    assert await announce(UPDATED, GONE) == []
    assert await announce(CREATED) == [EventType.MATCH_CREATED]
    clock.now += timedelta(days=1)
    assert await announce(UPDATED) == [EventType.MATCH_UPDATED]
    (kept,) = await market.match_states(buyer_ids=[BUYER])
    assert (kept.announced_at, kept.last_score) == (told, 0.75)
    (event,) = await market.read_events(await market.last_seq() - 1)
    assert event.payload == {"reason": "SCORE_MOVED", "previousScore": 0.625}
    assert await announce(UPDATED) == []
    assert await announce(replace(UPDATED, terms="terms-0002")) == [EventType.MATCH_UPDATED]
    assert await announce(GONE) == [EventType.MATCH_WITHDRAWN]
    (kept,) = await market.match_states(buyer_ids=[BUYER])
    assert (kept.status, kept.announced_at, kept.last_score) == (
        MatchStatus.WITHDRAWN,
        told,
        0.75,
    )
    (event,) = await market.read_events(await market.last_seq() - 1)
    assert (event.score, event.rank, event.model_version) == (None, None, "model-number-0001")
    assert await announce(GONE) == []
    assert await announce(CREATED, GONE, CREATED) == [
        EventType.MATCH_CREATED,
        EventType.MATCH_WITHDRAWN,
        EventType.MATCH_CREATED,
    ]
    assert await market.match_states(buyer_ids=[BUYER]) == [state(CREATED, clock)]


async def test_who_lost_the_lease_writes_nothing(market: GraphStore, clock: SetClock) -> None:
    lease, position = await begun(market)
    clock.now += timedelta(seconds=6)
    # Expired, and nobody took it: it may still write.
    after = await market.announce(lease, position, position, [CREATED], [], now=clock.now)
    other = await market.take_lease("announcer", "process-number-0002", 5)
    assert other is not None
    with pytest.raises(LeaseLostError):
        await market.announce(lease, after, after, [OTHERS], [TOP], now=clock.now)
    with pytest.raises(LeaseLostError):
        await market.begin_announcing(lease, 0, [TOP])
    assert await market.last_seq() == after == await market.announced_position()
    assert (await market.match_tops())[BUYER].offers == ()
    assert await market.announce(other, after, after, [OTHERS], [], now=clock.now) == after + 1


async def test_a_write_that_fails_leaves_nothing(
    market: GraphStore, clock: SetClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lease, position = await begun(market)

    async def fail(tx: Transaction, drafts: list[EventDraft], *rest: object) -> int:
        raise OSError("the log is full")

    with monkeypatch.context() as broken:
        broken.setattr(announcements, "append_events", fail)
        with pytest.raises(Exception, match="the log is full"):
            await market.announce(lease, position, position, [CREATED], [TOP], now=clock.now)
    assert await market.match_states(buyer_ids=[BUYER]) == []
    assert (await market.match_tops())[BUYER].offers == ()
    assert await market.last_seq() == position == await market.announced_position()


async def test_an_erased_buyer_leaves_no_state_and_no_top(
    market: GraphStore, clock: SetClock
) -> None:
    lease, position = await begun(market)
    at = await market.announce(lease, position, position, [CREATED, OTHERS], [TOP], now=clock.now)
    erased = (await market.delete_buyers([BUYER])).seq
    assert await market.match_states(buyer_ids=[BUYER, OTHER_BUYER]) == [state(OTHERS, clock)]
    assert list(await market.match_tops()) == [OTHER_BUYER]
    # What an announcer that had looked at the buyer before writes, goes with the next stretch.
    late = replace(CREATED, offer_id=OTHER_OFFER)
    again = await market.announce(lease, at, at, [late], [TOP], now=clock.now)
    assert again == at
    assert len(await market.match_states(buyer_ids=[BUYER])) == 1
    await market.announce(lease, at, erased, [], [], now=clock.now)
    assert await market.match_states(buyer_ids=[BUYER]) == []
    assert list(await market.match_tops()) == [OTHER_BUYER]


async def test_a_buyer_that_came_back_keeps_what_it_was_told(
    market: GraphStore, clock: SetClock
) -> None:
    lease, position = await begun(market)
    await market.delete_buyers([BUYER])
    to = (await market.upsert_buyers([{"id": BUYER}])).seq
    await market.announce(lease, position, to, [CREATED], [TOP], now=clock.now)
    assert await market.match_states(buyer_ids=[BUYER]) == [state(CREATED, clock)]
    assert (await market.match_tops())[BUYER] == TOP


async def test_many_changes_at_once(market: GraphStore, clock: SetClock) -> None:
    lease, position = await begun(market)
    changes = [replace(CREATED, offer_id=f"offer-number-{n:05}") for n in range(5_500)]
    tops = [MatchTop(f"buyer-number-{n:05}", ((OFFER, n / 7),)) for n in range(5_500)]
    end = await market.announce(lease, position, position, changes, tops, now=clock.now)
    assert end == position + 5_500
    ids = [change.offer_id for change in changes]
    assert len(await market.match_states(offer_ids=ids)) == 5_500
    found = await market.match_tops()
    assert [found[top.buyer_id] for top in tops] == tops


async def test_the_model_that_was_named_last_up_to_a_seq(market: GraphStore) -> None:
    before = await market.last_seq()
    assert await market.model_named(before) is None
    first = await market.append_event(EventType.MODEL_PUBLISHED, payload={"modelId": "first"})
    second = await market.append_event(EventType.MODEL_PUBLISHED, payload={"modelId": "second"})
    after = await market.append_event(EventType.OFFER_UPSERTED, offer_id=OFFER)
    assert await market.model_named(before) is None
    assert await market.model_named(first) == "first"
    assert await market.model_named(second) == "second"
    assert await market.model_named(after) == "second"


async def test_pairs_that_ended_are_forgotten_when_nothing_asks_for_them_any_more(
    market: GraphStore, clock: SetClock
) -> None:
    lease, position = await begun(market)
    other = replace(CREATED, offer_id=OTHER_OFFER)
    told = [CREATED, other, OTHERS, replace(GONE, offer_id=OTHER_OFFER)]
    await market.announce(lease, position, position, told, [], now=clock.now)
    await market.forget_match_states(lease, clock.now)
    assert len(await market.match_states(buyer_ids=[BUYER, OTHER_BUYER])) == 3
    # What stands is kept, however old; of what ended only what was told before that time goes.
    await market.forget_match_states(lease, clock.now + timedelta(microseconds=1))
    left = await market.match_states(buyer_ids=[BUYER, OTHER_BUYER])
    assert {(one.buyer_id, one.offer_id) for one in left} == {
        (BUYER, OFFER),
        (OTHER_BUYER, OTHER_OFFER),
    }
    with pytest.raises(LeaseLostError):
        await market.forget_match_states(replace(lease, epoch=lease.epoch - 1), clock.now)
