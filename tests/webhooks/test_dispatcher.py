"""Webhooks sent to real servers: what arrives, in which order, and what a bad endpoint costs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from announcing.filters import MatchEventFilter
from core.entities import EventType, Role
from core.webhooks import DeliveryState, WebhookState
from tests.webhooks.posting import Post, draft, until
from tests.webhooks.receivers import Answer, drip, hang, receiving, refusing, reset, status

FIRST = MatchEventFilter(vendors=frozenset({"vendor-1"}))


def spread(window: float) -> float:
    """As long as a window may be: nothing is tried again before the clock is moved."""
    return window


async def test_events_arrive_signed_in_order_once(post: Post) -> None:
    async with receiving() as receiver, post.dispatching():
        endpoint, secret = await post.register(receiver.url)
        told = await post.tell_many(30)
        requests = await receiver.wait_for(30)
        assert [one.id for one in requests] == told
        for request in requests:
            Webhook(secret).verify(request.text, request.headers)
        # One connection does for all of them.
        assert receiver.connections == 1
        await until(lambda: _stands_at_end(post, endpoint.id))
    made = await post.log(endpoint.id)
    assert [one.event_id for one in made] == told
    assert {one.state for one in made} == {DeliveryState.DELIVERED}
    assert {(one.attempt, one.status_code, one.error) for one in made} == {(1, 204, None)}


async def test_a_body_says_what_was_told_and_names_nobody(post: Post) -> None:
    async with receiving() as receiver, post.dispatching():
        await post.register(receiver.url)
        (told,) = await post.tell(draft(1, payload={"reason": "MODEL_PUBLISHED", "heldBack": 4}))
        (request,) = await receiver.wait_for(1)
        body = request.body
        event = (await post.store.read_events(0))[-1]
        assert request.headers["content-type"] == "application/json; charset=utf-8"
        assert body["type"] == "match.created"
        assert body["data"] == {
            "id": told,
            "seq": event.seq,
            "cursor": f"cursor-{event.seq}",
            "buyerId": "buyer-1",
            "offerId": "offer-1",
            "vendorId": "vendor-1",
            "categoryIds": ["kitchen"],
            "score": 0.5,
            "rank": 3,
            "modelVersion": "walk",
            "reason": "MODEL_PUBLISHED",
            "heldBack": 4,
        }


async def test_filters_and_roles_say_who_is_sent_what(post: Post) -> None:
    async with receiving() as shop, receiving() as vendor, post.dispatching():
        asked = MatchEventFilter(types=frozenset({EventType.MATCH_CREATED}), min_score=0.4)
        await post.register(shop.url, asked=asked)
        await post.register(vendor.url, role=Role.VENDOR, subject="vendor-2")
        told = await post.tell(
            draft(1),
            draft(2, score=0.3),
            draft(3, type=EventType.MATCH_UPDATED),
            draft(4, vendor_id="vendor-2", score=0.1),
            draft(5),
            draft(6, vendor_id=None, type=EventType.MATCH_WITHDRAWN, score=None, rank=None),
            draft(7, vendor_id="vendor-2", type=EventType.MATCH_WITHDRAWN, score=None, rank=None),
        )
        await shop.wait_for(2)
        await vendor.wait_for(2)
        assert shop.ids == [told[0], told[4]]
        assert vendor.ids == [told[3], told[6]]


async def test_one_bad_endpoint_delays_no_other_and_misses_nothing(post: Post) -> None:
    async with receiving() as good, receiving(hang) as bad, post.dispatching():
        await post.register(good.url)
        await post.register(bad.url)
        first = await post.tell_many(5)
        await bad.wait_for(1)
        assert await good.wait_taken(5, seconds=5) == first
        bad.answer = status(200)
        second = await post.tell_many(5, first=5)
        assert await good.wait_taken(10, seconds=5) == first + second
        # The attempt that hangs ends after ten seconds; what was missed follows in its order.
        assert await bad.wait_taken(10, seconds=30) == first + second


@pytest.mark.parametrize("answer", [status(500), reset, status(302, "Location: http://127.0.0.1/")])
async def test_a_failure_makes_the_event_wait_with_the_endpoint(post: Post, answer: Answer) -> None:
    async with receiving(answer) as receiver, post.dispatching(spread):
        endpoint, _ = await post.register(receiver.url)
        told = await post.tell_many(3)
        await receiver.wait_for(1)
        await until(lambda: _has_failed(post, endpoint.id, 1))
        failing = await post.endpoint(endpoint.id)
        assert failing.state is WebhookState.ACTIVE
        assert failing.position == endpoint.position
        assert failing.failing_since is not None
        assert failing.next_attempt_at is not None
        wait = failing.next_attempt_at - failing.failing_since
        assert timedelta(seconds=4.9) < wait < timedelta(seconds=6)
        receiver.answer = status(200)
        await asyncio.sleep(0.6)
        assert len(receiver.requests) == 1
        post.clock.shift += timedelta(seconds=6)
        assert await receiver.wait_taken(3) == told
        await until(lambda: _stands_at_end(post, endpoint.id))
        healed = await post.endpoint(endpoint.id)
        assert (healed.failures, healed.failing_since, healed.last_error) == (0, None, None)
    made = await post.log(endpoint.id)
    assert [one.state.value for one in made] == ["FAILED"] + ["DELIVERED"] * 3
    assert made[1].event_id == made[0].event_id


async def test_a_redirect_is_not_followed(post: Post) -> None:
    async with receiving() as inside, post.dispatching(spread):
        async with receiving(status(307, f"Location: {inside.url}")) as receiver:
            endpoint, _ = await post.register(receiver.url)
            await post.tell_many(1)
            await until(lambda: _has_failed(post, endpoint.id, 1))
        assert inside.requests == []
        assert "redirects" in str((await post.endpoint(endpoint.id)).last_error)


async def test_retry_after_is_honoured(post: Post) -> None:
    async with receiving(status(429, "Retry-After: 120")) as receiver, post.dispatching():
        endpoint, _ = await post.register(receiver.url)
        told = await post.tell_many(1)
        await until(lambda: _has_failed(post, endpoint.id, 1))
        failing = await post.endpoint(endpoint.id)
        assert failing.next_attempt_at is not None
        left = failing.next_attempt_at - post.clock()
        assert timedelta(seconds=110) < left <= timedelta(seconds=120)
        receiver.answer = status(200)
        post.clock.shift += timedelta(seconds=121)
        assert await receiver.wait_taken(1) == told


async def test_410_disables_and_resuming_goes_on_from_there(post: Post) -> None:
    async with receiving(status(410)) as receiver, post.dispatching():
        endpoint, _ = await post.register(receiver.url)
        told = await post.tell_many(3)
        await until(lambda: _is(post, endpoint.id, WebhookState.DISABLED))
        gone = await post.endpoint(endpoint.id)
        assert gone.position == endpoint.position
        assert "410" in str(gone.last_error)
        receiver.answer = status(200)
        told += await post.tell_many(2, first=3)
        await asyncio.sleep(0.3)
        assert len(receiver.requests) == 1
        await post.registry.resume(await post.principal(), endpoint.id)
        assert await receiver.wait_taken(5) == told


async def test_three_days_of_failing_disable_with_the_cursor_kept(post: Post) -> None:
    async with receiving(status(500)) as receiver, post.dispatching(spread):
        endpoint, _ = await post.register(receiver.url)
        told = await post.tell_many(2)
        await until(lambda: _has_failed(post, endpoint.id, 1))
        post.clock.shift += timedelta(days=2, hours=23)
        await until(lambda: _has_failed(post, endpoint.id, 2))
        assert (await post.endpoint(endpoint.id)).state is WebhookState.ACTIVE
        post.clock.shift += timedelta(hours=1)
        await until(lambda: _is(post, endpoint.id, WebhookState.DISABLED))
        disabled = await post.endpoint(endpoint.id)
        assert disabled.position == endpoint.position
        assert "3 days" in str(disabled.last_error)
        receiver.answer = status(200)
        await post.registry.resume(await post.principal(), endpoint.id)
        assert await receiver.wait_taken(2) == told


async def test_an_event_refused_for_good_lets_the_next_pass(post: Post) -> None:
    async with receiving() as receiver:
        endpoint, secret = await post.register(receiver.url)
        told = await post.tell_many(4)
        receiver.answer = refusing({told[1]})
        async with post.dispatching():
            assert await receiver.wait_taken(3) == [told[0], told[2], told[3]]
            await until(lambda: _stands_at_end(post, endpoint.id))
        assert receiver.ids.count(told[1]) == 5
        (dead,) = await post.log(endpoint.id, DeliveryState.DEAD)
        assert (dead.event_id, dead.attempt, dead.status_code) == (told[1], 5, 422)

        partner = await post.principal()
        refused = await post.trials.redeliver(partner, dead.id)
        assert (refused.state, refused.status_code) == (DeliveryState.FAILED, 422)
        assert len(await post.log(endpoint.id, DeliveryState.DEAD)) == 1
        receiver.answer = status(200)
        done = await post.trials.redeliver(partner, dead.id)
        assert (done.state, done.event_id, done.attempt) == (DeliveryState.DELIVERED, told[1], 6)
        assert receiver.taken[-1] == told[1]
        Webhook(secret).verify(receiver.requests[-1].text, receiver.requests[-1].headers)
        assert await post.log(endpoint.id, DeliveryState.DEAD) == []


async def test_both_secrets_are_good_for_a_day_after_a_rotation(post: Post) -> None:
    async with receiving() as receiver:
        endpoint, old = await post.register(receiver.url)
        rotated = await post.registry.rotate(await post.principal(), endpoint.id)
        new = rotated.secret
        assert old != new
        until_ = rotated.endpoint.previous_until
        assert until_ is not None
        assert timedelta(hours=23, minutes=59) < until_ - endpoint.created_at < timedelta(hours=25)
        async with post.dispatching():
            await post.tell_many(1)
            (request,) = await receiver.wait_for(1)
        assert len(request.headers["webhook-signature"].split(" ")) == 2
        for secret in (old, new):
            Webhook(secret).verify(request.text, request.headers)
        # As it is a day later, without moving the clock that the library goes by.
        await post.store.change_webhook(
            endpoint.id, lambda one: replace(one, previous_until=post.clock())
        )
        async with post.dispatching():
            await post.tell_many(1)
            request = (await receiver.wait_for(2))[1]
        Webhook(new).verify(request.text, request.headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(old).verify(request.text, request.headers)


async def test_replay_sends_again_with_the_same_ids(post: Post) -> None:
    async with receiving() as receiver, post.dispatching():
        endpoint, _ = await post.register(receiver.url)
        told = await post.tell_many(6)
        await receiver.wait_taken(6)
        await post.registry.replay(await post.principal(), endpoint.id, endpoint.position + 2)
        assert await receiver.wait_taken(10) == told + told[2:]


async def test_registering_after_a_cursor_tells_what_has_been(post: Post) -> None:
    told = await post.tell_many(4)
    start = await post.store.last_seq() - 2
    async with receiving() as receiver, post.dispatching():
        await post.register(receiver.url, after=start)
        told += await post.tell_many(1, first=4)
        assert await receiver.wait_taken(3) == told[2:]


async def test_a_paused_endpoint_keeps_its_place(post: Post) -> None:
    async with receiving() as receiver, post.dispatching():
        endpoint, _ = await post.register(receiver.url, asked=FIRST)
        told = await post.tell_many(1)
        await receiver.wait_taken(1)
        partner = await post.principal()
        await post.registry.pause(partner, endpoint.id)
        await _look(post)
        told += await post.tell_many(2, first=1)
        await asyncio.sleep(0.5)
        assert receiver.taken == told[:1]
        await post.registry.resume(partner, endpoint.id)
        assert await receiver.wait_taken(3) == told


async def test_a_revoked_key_ends_the_endpoint(post: Post) -> None:
    async with receiving() as receiver, post.dispatching():
        endpoint, _ = await post.register(receiver.url, asked=FIRST)
        await post.tell_many(1)
        await receiver.wait_taken(1)
        key = post.keys.pop(Role.PARTNER)
        await post.store.revoke_api_key(key.id, post.clock())
        await _look(post)
        told = await post.tell_many(2, first=1)
        await until(lambda: _is(post, endpoint.id, WebhookState.DISABLED))
        assert "revoked" in str((await post.endpoint(endpoint.id)).last_error)
        assert len(receiver.requests) == 1
        # Its owner comes with a new key and goes on where the old one ended.
        await post.registry.resume(await post.principal(), endpoint.id)
        assert await receiver.wait_taken(3)
        assert receiver.taken[-2:] == told


async def test_what_retention_took_is_said_and_the_rest_follows(post: Post) -> None:
    async with receiving() as receiver:
        endpoint, secret = await post.register(receiver.url)
        told = await post.tell_many(8)
        await post.feed.wait_beyond(endpoint.position + 7)
        await post.store.purge_events(post.clock() + timedelta(days=1), keep=3)
        post.feed._floor = await post.store.log_start()
        async with post.dispatching():
            first, *rest = await receiver.wait_for(4)
            Webhook(secret).verify(first.text, first.headers)
            assert first.body["type"] == "match.cursor_expired"
            oldest = await post.store.log_start()
            assert first.body["data"] == {
                "webhookId": endpoint.id,
                "afterSeq": endpoint.position,
                "goesOnAfterSeq": oldest,
                "cursor": f"cursor-{oldest}",
            }
            assert [one.id for one in rest] == told[5:]


async def test_a_log_that_was_put_back_is_followed_from_its_end(post: Post) -> None:
    async with receiving() as receiver:
        endpoint, _ = await post.register(receiver.url)
        await post.store.change_webhook(endpoint.id, lambda one: replace(one, position=1_000))
        async with post.dispatching():
            await until(lambda: _stands_before(post, endpoint.id, 1_000))
            told = await post.tell_many(2)
            assert await receiver.wait_taken(2) == told


async def test_a_deleted_endpoint_is_sent_nothing_more(post: Post) -> None:
    async with receiving() as receiver, post.dispatching():
        endpoint, _ = await post.register(receiver.url, asked=FIRST)
        await post.tell_many(1)
        await receiver.wait_taken(1)
        await post.registry.delete(await post.principal(), endpoint.id)
        await _look(post)
        await post.tell_many(1)
        await asyncio.sleep(0.4)
        assert len(receiver.requests) == 1
        assert await post.log(endpoint.id) == []


async def test_the_log_is_kept_to_its_number(post: Post) -> None:
    post.settings.webhook_log_count = 20
    async with receiving() as receiver, post.dispatching():
        endpoint, _ = await post.register(receiver.url)
        told = await post.tell_many(150)
        assert await receiver.wait_taken(150) == told
        await until(lambda: _stands_at_end(post, endpoint.id))
        await asyncio.sleep(2)
        made = await post.log(endpoint.id)
    # Cut when fifty more have come, so that not each write counts the log.
    assert 20 <= len(made) <= 70
    assert made[-1].event_id == told[-1]


async def test_a_slow_head_ends_with_its_ten_seconds(post: Post) -> None:
    async with receiving(drip) as receiver, post.dispatching(spread):
        endpoint, _ = await post.register(receiver.url)
        await post.tell_many(1)
        await until(lambda: _has_failed(post, endpoint.id, 1), seconds=20)
        (made,) = await post.log(endpoint.id)
        assert made.error == "No answer came within 10 seconds."
        assert 9_900 <= made.milliseconds < 15_000


async def test_what_is_refused_and_tried_again_at_once_is_not_passed_over(post: Post) -> None:
    async with receiving(status(500)) as receiver, post.dispatching():
        await post.register(receiver.url)
        told = await post.tell_many(3)
        await receiver.wait_for(4)
        assert set(receiver.ids[:4]) == {told[0]}
        receiver.answer = status(200)
        assert await receiver.wait_taken(3) == told


async def _look(post: Post) -> None:
    """Wait until the dispatcher has read the books: it has, when it serves who has just come."""
    async with receiving() as newcomer:
        made, _ = await post.register(newcomer.url, role=Role.VENDOR, subject="newcomer")
        await post.tell(draft(0, vendor_id="newcomer"))
        await newcomer.wait_for(1)
        await post.registry.delete(await post.principal(Role.VENDOR, "newcomer"), made.id)


async def _stands_at_end(post: Post, endpoint_id: str) -> bool:
    return (await post.endpoint(endpoint_id)).position >= await post.store.last_seq()


async def _stands_before(post: Post, endpoint_id: str, seq: int) -> bool:
    return (await post.endpoint(endpoint_id)).position < seq


async def _has_failed(post: Post, endpoint_id: str, times: int) -> bool:
    return (await post.endpoint(endpoint_id)).failures >= times


async def _is(post: Post, endpoint_id: str, state: WebhookState) -> bool:
    return (await post.endpoint(endpoint_id)).state is state
