"""What an attempt's outcome means for its endpoint; pure, so that each rule can be read here.

| answer | means |
|---|---|
| 2xx | delivered |
| 410 | the endpoint is disabled |
| 4xx but 408 and 429 | refused; the fifth refusal puts the event on the dead-letter list |
| all else, or none | the endpoint fails; the event waits |

A failing endpoint is tried again after a random time within a window that doubles from 5 seconds
to an hour (exponential backoff with full jitter); after three days without a success it is
disabled where it stands. A dead letter is no success: it lets the next event pass at once, and
when that is refused too the window goes on growing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from core.webhooks import DeliveryState, WebhookEndpoint, WebhookState
from webhooks.sending import Outcome

Jitter = Callable[[float], float]
"""A random number between 0 and its argument."""

SHORTEST_WINDOW = 5.0
LONGEST_WINDOW = 3_600.0
LONGEST_RETRY_AFTER = 86_400.0
MOST_REFUSALS = 5
FAILING_FOR = timedelta(days=3)

GONE = 410
_PASSING = frozenset({408, 429})


def judge(
    endpoint: WebhookEndpoint, seq: int, outcome: Outcome, now: datetime, jitter: Jitter
) -> tuple[WebhookEndpoint, DeliveryState]:
    """The endpoint after an attempt to deliver the message of ``seq``, and what became of that."""
    if outcome.error is None:
        return succeeded(endpoint, seq), DeliveryState.DELIVERED
    failing = _failed(endpoint, outcome, now, jitter)
    if outcome.status_code == GONE:
        return disabled(failing, "The endpoint answered 410: it is gone."), DeliveryState.FAILED
    state = DeliveryState.FAILED
    if _refuses(outcome.status_code):
        refusals = endpoint.dead_count + 1 if endpoint.dead_seq == seq else 1
        failing = replace(failing, dead_seq=seq, dead_count=refusals)
        if refusals >= MOST_REFUSALS:
            state = DeliveryState.DEAD
            failing = replace(
                failing, position=seq, next_attempt_at=None, dead_seq=None, dead_count=0
            )
    if failing.failing_since is not None and now - failing.failing_since >= FAILING_FOR:
        reason = f"Nothing was taken for {FAILING_FOR.days} days; at last: {outcome.error}"
        return disabled(failing, reason), state
    return failing, state


def succeeded(endpoint: WebhookEndpoint, seq: int) -> WebhookEndpoint:
    """The endpoint after a success: past ``seq``, with nothing held against it."""
    return replace(
        endpoint,
        position=max(endpoint.position, seq),
        failures=0,
        failing_since=None,
        next_attempt_at=None,
        last_error=None,
        dead_seq=None,
        dead_count=0,
    )


def disabled(endpoint: WebhookEndpoint, reason: str) -> WebhookEndpoint:
    """The endpoint, sent nothing more until its owner says so."""
    return replace(endpoint, state=WebhookState.DISABLED, last_error=reason, next_attempt_at=None)


def window_seconds(failures: int) -> float:
    """Within how many seconds an endpoint is tried again after so many failures, 1 or more."""
    doublings = min(failures - 1, 20)  # far beyond the longest window
    return min(LONGEST_WINDOW, SHORTEST_WINDOW * 2.0**doublings)


def _failed(
    endpoint: WebhookEndpoint, outcome: Outcome, now: datetime, jitter: Jitter
) -> WebhookEndpoint:
    failures = endpoint.failures + 1
    asked = min(outcome.retry_after or 0.0, LONGEST_RETRY_AFTER)
    wait = max(jitter(window_seconds(failures)), asked)
    return replace(
        endpoint,
        failures=failures,
        failing_since=endpoint.failing_since or now,
        next_attempt_at=now + timedelta(seconds=wait),
        last_error=outcome.error,
    )


def _refuses(status: int | None) -> bool:
    return status is not None and 400 <= status < 500 and status not in _PASSING
