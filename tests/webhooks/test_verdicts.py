"""What an attempt's outcome means for its endpoint."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from core.entities import Role
from core.webhooks import DeliveryState, WebhookEndpoint, WebhookState
from tests.graph.stores import day
from webhooks.sending import Outcome
from webhooks.verdicts import judge, window_seconds

ENDPOINT = WebhookEndpoint(
    id="wh", url="https://example.com/", name="n", role=Role.PARTNER, subject="s",
    api_key_id="k", position=4, created_at=day(1),
)  # fmt: skip
TAKEN = Outcome(5, 200)


def refused(code: int | None, retry_after: float | None = None) -> Outcome:
    return Outcome(5, code, f"The endpoint answered {code}.", retry_after)


def whole(window: float) -> float:
    return window


def test_a_success_clears_what_was_held_against_the_endpoint() -> None:
    failing = replace(
        ENDPOINT, failures=3, failing_since=day(1), next_attempt_at=day(2), last_error="no",
        dead_seq=5, dead_count=2,
    )  # fmt: skip
    assert judge(failing, 5, TAKEN, day(2), whole) == (
        replace(ENDPOINT, position=5),
        DeliveryState.DELIVERED,
    )


@pytest.mark.parametrize("code", [None, 100, 301, 308, 408, 429, 500, 503, 599])
def test_these_make_the_event_wait_however_often(code: int | None) -> None:
    endpoint = ENDPOINT
    for failures in range(1, 20):
        endpoint, state = judge(endpoint, 5, refused(code), day(1), whole)
        assert (endpoint.position, endpoint.failures, state) == (4, failures, DeliveryState.FAILED)
    assert (endpoint.failing_since, endpoint.state) == (day(1), WebhookState.ACTIVE)


@pytest.mark.parametrize("code", [400, 401, 404, 413, 422, 451])
def test_the_fifth_refusal_of_one_event_is_its_last(code: int) -> None:
    endpoint = ENDPOINT
    states = []
    for _ in range(5):
        endpoint, state = judge(endpoint, 5, refused(code), day(1), whole)
        states.append(state)
    assert states == [DeliveryState.FAILED] * 4 + [DeliveryState.DEAD]
    assert (endpoint.position, endpoint.next_attempt_at) == (5, None)
    # A dead letter is no success: who refuses all is tried less and less.
    assert (endpoint.failures, endpoint.failing_since) == (5, day(1))
    endpoint, state = judge(endpoint, 6, refused(code), day(1), whole)
    assert (endpoint.position, endpoint.dead_count, state) == (5, 1, DeliveryState.FAILED)
    assert endpoint.next_attempt_at == day(1) + timedelta(seconds=160)


def test_refusals_of_different_events_are_not_added_up() -> None:
    endpoint = replace(ENDPOINT, dead_seq=3, dead_count=4)
    endpoint, state = judge(endpoint, 5, refused(400), day(1), whole)
    assert (state, endpoint.dead_seq, endpoint.dead_count) == (DeliveryState.FAILED, 5, 1)
    # A failure between two refusals of the same event forgives none of them.
    endpoint, _ = judge(endpoint, 5, refused(500), day(1), whole)
    assert (endpoint.dead_seq, endpoint.dead_count) == (5, 1)


def test_the_window_doubles_from_five_seconds_to_an_hour() -> None:
    windows = [window_seconds(failures) for failures in (1, 2, 3, 10, 11, 12, 1_000_000)]
    assert windows == [5, 10, 20, 2560, 3600, 3600, 3600]


@pytest.mark.parametrize(
    ("retry_after", "jittered", "wait"),
    [(None, 2, 2), (60, 2, 60), (1, 4, 4), (10**9, 1, 86_400)],
)
def test_the_endpoint_may_ask_to_be_left_alone(
    retry_after: float | None, jittered: float, wait: float
) -> None:
    outcome = refused(503, retry_after)
    after, _ = judge(ENDPOINT, 5, outcome, day(1), lambda _window: jittered)
    assert after.next_attempt_at == day(1) + timedelta(seconds=wait)


def test_410_disables_at_once_and_three_days_of_failing_do() -> None:
    gone, _ = judge(ENDPOINT, 5, refused(410), day(1), whole)
    assert (gone.state, gone.position) == (WebhookState.DISABLED, 4)
    failing = replace(ENDPOINT, failures=9, failing_since=day(1))
    almost, _ = judge(failing, 5, refused(None), day(3.99), whole)
    assert almost.state is WebhookState.ACTIVE
    over, _ = judge(failing, 5, refused(None), day(4), whole)
    assert (over.state, over.position) == (WebhookState.DISABLED, 4)
    assert over.next_attempt_at is None
