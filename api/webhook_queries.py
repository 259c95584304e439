"""The roots of reading webhooks."""

from __future__ import annotations

from typing import Annotated

import strawberry

from api.context import ApiInfo
from api.permissions import Requires, webhook_owner
from api.types.webhook import Webhook
from core.errors import NotFoundError

Id = Annotated[strawberry.ID, strawberry.argument(description="The webhook's id.")]


@strawberry.type
class WebhookQueries:
    """What owners can read of their webhooks."""

    @strawberry.field(
        description="Your webhooks, oldest first; an admin's are all. For partners, vendors and "
        "admins.",
        extensions=[Requires(webhook_owner)],
    )
    async def webhooks(self, info: ApiInfo) -> list[Webhook] | None:
        """The caller's webhooks."""
        services, principal = info.context.services, info.context.require_principal()
        cursors = services.cursors
        return [
            Webhook.from_domain(one, cursors.event_cursor(one.position))
            for one in await services.webhooks.list_for(principal)
        ]

    @strawberry.field(
        description="One of your webhooks; null when you have none with this id. For partners, "
        "vendors and admins.",
        extensions=[Requires(webhook_owner)],
    )
    async def webhook(self, info: ApiInfo, id: Id) -> Webhook | None:
        """One webhook."""
        services, principal = info.context.services, info.context.require_principal()
        try:
            found = await services.webhooks.get(principal, id)
        except NotFoundError:
            return None
        return Webhook.from_domain(found, services.cursors.event_cursor(found.position))
