"""Webhooks, as their owners see them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated

import strawberry

from api.connections import After, Before, First, Last, PageInfo, PageRequest, read_page
from api.context import ApiInfo
from api.permissions import Requires, webhook_owner
from api.scalars import BigInt, Cursor
from api.types.enums import MatchEventType
from core import entities, webhooks
from core.webhooks import DeliveryState, WebhookState

strawberry.enum(
    WebhookState,
    description="ACTIVE is sent events; PAUSED was paused by its owner; DISABLED by the service, "
    "lastError says why. Both keep their place until the webhook is resumed.",
)
strawberry.enum(
    DeliveryState,
    description="What became of an attempt: DELIVERED; FAILED, which is tried again; DEAD, an "
    "event refused for good; REDELIVERED, a dead letter that was delivered later; TEST, whatever "
    "came of it.",
)


@strawberry.type(description="One attempt to send one event.")
class WebhookDelivery:
    """A row of the delivery log."""

    id: strawberry.ID = strawberry.field(
        description="The one that redeliver takes; not a global id."
    )
    event_id: strawberry.ID = strawberry.field(
        description="The event's id, which the webhook-id header carried."
    )
    seq: BigInt = strawberry.field(description="The event's place in the log.")
    cursor: Cursor = strawberry.field(description="To replay right after this event.")
    attempt: int = strawberry.field(description="Which attempt since the last success, from 1.")
    state: DeliveryState = strawberry.field(description="What became of it.")
    status_code: int | None = strawberry.field(
        description="The answer's HTTP status; null when none came."
    )
    error: str | None = strawberry.field(
        description="Why it failed, without the answer's body; null when it did not."
    )
    milliseconds: int = strawberry.field(description="From the attempt's begin to its end.")
    at: datetime = strawberry.field(description="When it began.")

    @classmethod
    def from_domain(cls, delivery: webhooks.Delivery, cursor: str) -> WebhookDelivery:
        """Translate the record."""
        return cls(
            id=strawberry.ID(delivery.id),
            event_id=strawberry.ID(delivery.event_id),
            seq=BigInt(delivery.seq),
            cursor=Cursor(cursor),
            attempt=delivery.attempt,
            state=delivery.state,
            status_code=delivery.status_code,
            error=delivery.error,
            milliseconds=delivery.milliseconds,
            at=delivery.at,
        )


@strawberry.type(description="An attempt in a list.")
class WebhookDeliveryEdge:
    """Relay's edge."""

    node: WebhookDelivery = strawberry.field(description="The attempt.")
    cursor: str = strawberry.field(description="To continue the list after it.")


@strawberry.type(description="A page of attempts, newest first.")
class WebhookDeliveryConnection:
    """Relay's connection."""

    edges: list[WebhookDeliveryEdge] = strawberry.field(description="The page.")
    page_info: PageInfo = strawberry.field(description="Where it stands.")


@strawberry.type(description="Which events a webhook is sent; null is no condition.")
class WebhookFilter:
    """The conditions as they were given, with external ids."""

    buyers: list[strawberry.ID] | None = strawberry.field(description="Of these buyers.")
    vendors: list[strawberry.ID] | None = strawberry.field(description="Of these vendors' offers.")
    categories: list[strawberry.ID] | None = strawberry.field(
        description="Of offers right in these categories."
    )
    types: list[MatchEventType] | None = strawberry.field(description="Of these types.")
    min_score: float = strawberry.field(description="At least this; withdrawals always pass.")


StateArgument = Annotated[
    DeliveryState | None, strawberry.argument(description="Only attempts of which this became.")
]


@strawberry.type(description="Where match events are sent to, and how far that has come.")
class Webhook:
    """An endpoint, without its secret."""

    id: strawberry.ID = strawberry.field(
        description="The one that the webhook mutations take; not a global id."
    )
    url: str = strawberry.field(description="Where events are sent to.")
    name: str = strawberry.field(description="What it is for.")
    state: WebhookState = strawberry.field(description="Whether events are sent.")
    filter: WebhookFilter = strawberry.field(description="Which events it is sent.")
    cursor: Cursor = strawberry.field(
        description="Where it stands: every event up to here was delivered, passed over by the "
        "filter, or is a dead letter."
    )
    owner_role: entities.Role = strawberry.field(description="Of who registered it.")
    owner: str = strawberry.field(description="The subject of who registered it.")
    created_at: datetime = strawberry.field(description="When it was registered.")
    failures: int = strawberry.field(description="Failed attempts since the last success.")
    failing_since: datetime | None = strawberry.field(
        description="When the first of them was; after three days the webhook is disabled."
    )
    next_attempt_at: datetime | None = strawberry.field(
        description="Nothing is sent before; null: as soon as there is something."
    )
    last_error: str | None = strawberry.field(
        description="Why the last attempt failed, or why it is disabled; null after a success."
    )
    previous_secret_until: datetime | None = strawberry.field(
        description="Until then the secret before the last rotation signs too."
    )

    @classmethod
    def from_domain(cls, endpoint: webhooks.WebhookEndpoint, cursor: str) -> Webhook:
        """Translate the record; ``cursor`` is of its position."""
        asked = endpoint.filter
        return cls(
            id=strawberry.ID(endpoint.id),
            url=endpoint.url,
            name=endpoint.name,
            state=endpoint.state,
            filter=WebhookFilter(
                buyers=asked.get("buyers"),
                vendors=asked.get("vendors"),
                categories=asked.get("categories"),
                types=None
                if asked.get("types") is None
                else [MatchEventType(one) for one in asked["types"]],
                min_score=float(asked.get("minScore", 0.0)),
            ),
            cursor=Cursor(cursor),
            owner_role=endpoint.role,
            owner=endpoint.subject,
            created_at=endpoint.created_at,
            failures=endpoint.failures,
            failing_since=endpoint.failing_since,
            next_attempt_at=endpoint.next_attempt_at,
            last_error=endpoint.last_error,
            previous_secret_until=endpoint.previous_until,
        )

    @strawberry.field(
        description="What was sent, newest first. Kept for two weeks and a thousand attempts, "
        "unless the service is set otherwise.",
        extensions=[Requires(webhook_owner)],
    )
    async def deliveries(
        self,
        info: ApiInfo,
        state: StateArgument = None,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> WebhookDeliveryConnection | None:
        """The delivery log."""
        states = tuple(DeliveryState) if state is None else (state,)
        return await _page(info, self.id, states, first, after, last, before)

    @strawberry.field(
        description="Events that were refused for good, newest first: redeliver sends one again.",
        extensions=[Requires(webhook_owner)],
    )
    async def dead_letters(
        self,
        info: ApiInfo,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
    ) -> WebhookDeliveryConnection | None:
        """The dead-letter list."""
        return await _page(info, self.id, (DeliveryState.DEAD,), first, after, last, before)


async def _page(
    info: ApiInfo,
    endpoint_id: str,
    states: Collection[DeliveryState],
    first: int | None,
    after: str | None,
    last: int | None,
    before: str | None,
) -> WebhookDeliveryConnection:
    services = info.context.services

    async def read(page: PageRequest) -> Sequence[webhooks.Delivery]:
        return await services.store.page_deliveries(
            endpoint_id,
            states,
            after=page.after,
            before=page.before,
            limit=page.limit,
            backwards=page.backwards,
        )

    listing = f"deliveries/{endpoint_id}"
    page = await read_page(
        read, services.cursors, listing, first=first, after=after, last=last, before=before
    )
    edges = [
        WebhookDeliveryEdge(
            node=WebhookDelivery.from_domain(one, services.cursors.event_cursor(one.seq)),
            cursor=cursor,
        )
        for one, cursor in zip(page.rows, page.cursors, strict=True)
    ]
    return WebhookDeliveryConnection(edges=edges, page_info=page.info)
