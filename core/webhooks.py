"""The books of webhooks: where events are sent to, and what became of sending them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from core.entities import Principal, Role


class WebhookState(StrEnum):
    """Whether events are sent to an endpoint."""

    ACTIVE = "ACTIVE"
    PAUSED = "PAUSED"  # by its owner
    DISABLED = "DISABLED"  # by the service, which says why


class DeliveryState(StrEnum):
    """What became of one attempt."""

    DELIVERED = "DELIVERED"
    FAILED = "FAILED"
    DEAD = "DEAD"  # refused for good: the dead-letter list
    REDELIVERED = "REDELIVERED"  # was dead; its owner had it sent again
    TEST = "TEST"


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """Where a partner wants match events to be sent, and how far that has come.

    An endpoint is a cursor: every event up to ``position`` has been dealt with. ``failures``
    counts the failed attempts since the last success, ``failing_since`` is when the first of them
    was; before ``next_attempt_at`` nothing is sent. The event ``dead_seq`` was refused
    ``dead_count`` times so far. Its secrets are derived from ``id`` and ``secret_version``; until
    ``previous_until`` the version before is good too.
    """

    id: str
    url: str
    name: str
    role: Role
    subject: str
    api_key_id: str | None
    position: int
    created_at: datetime
    filter: Mapping[str, Any] = field(default_factory=dict)
    state: WebhookState = WebhookState.ACTIVE
    secret_version: int = 1
    previous_until: datetime | None = None
    failures: int = 0
    failing_since: datetime | None = None
    next_attempt_at: datetime | None = None
    last_error: str | None = None
    dead_seq: int | None = None
    dead_count: int = 0

    @property
    def owner(self) -> Principal:
        """In whose name events are sent to it."""
        return Principal(self.role, self.subject, key_id=self.api_key_id)

    def stands_as(self, other: WebhookEndpoint) -> bool:
        """Whether nobody has moved it, or had it tried again, since it was ``other``."""
        return self == self.with_progress_of(other)

    def with_progress_of(self, other: WebhookEndpoint) -> WebhookEndpoint:
        """This endpoint, as far and as well as ``other``."""
        return replace(self, **other._progress)

    @property
    def _progress(self) -> dict[str, Any]:
        return {
            "position": self.position,
            "failures": self.failures,
            "failing_since": self.failing_since,
            "next_attempt_at": self.next_attempt_at,
            "last_error": self.last_error,
            "dead_seq": self.dead_seq,
            "dead_count": self.dead_count,
        }


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to send one event to one endpoint. Ids of an endpoint's rise with time.

    ``status_code`` is None when no answer came; ``error`` then says why, without the answer's body.
    """

    id: str
    endpoint_id: str
    event_id: str
    seq: int
    attempt: int
    state: DeliveryState
    at: datetime
    milliseconds: int
    status_code: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class WebhookProgress:
    """How far sending to an endpoint has come: from ``before``, as the books had it, to ``after``.

    Kept only while the books still say ``before``: its owner may have moved it meanwhile. The
    ``deliveries`` are kept in any case.
    """

    before: WebhookEndpoint
    after: WebhookEndpoint
    deliveries: tuple[Delivery, ...] = ()

    def merged_into(self, current: WebhookEndpoint) -> WebhookEndpoint:
        """What the books, which say ``current``, are to say."""
        if not current.stands_as(self.before):
            return current
        merged = current.with_progress_of(self.after)
        disabled = self.after.state is WebhookState.DISABLED
        return replace(merged, state=WebhookState.DISABLED) if disabled else merged
