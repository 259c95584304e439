"""Mutations of webhooks.

They take no idempotency key: replaying an answer would mean to keep its secret.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import strawberry

from announcing.filters import MatchEventFilter
from api.context import ApiInfo
from api.errors import ErrorCode, UserError
from api.match_log import position_of
from api.mutations.payloads import ROW, Payload
from api.permissions import Requires, check_match_filter, webhook_owner
from api.scalars import Cursor
from api.types.match_event import MatchEventFilterInput
from api.types.webhook import Webhook, WebhookDelivery
from core.errors import ForbiddenError, InputError, SettingsError
from core.webhooks import Delivery, WebhookEndpoint
from webhooks.registry import WebhookSecret

logger = logging.getLogger("offerpath.api")

T = TypeVar("T")
WebhookId = Annotated[strawberry.ID, strawberry.argument(description="The webhook's id.")]


@strawberry.input(description="A webhook to register.")
class RegisterWebhookInput:
    """Where, what, from when."""

    url: str = strawberry.field(
        description="Where to send events: an https address that everybody can reach, without "
        "user name or fragment."
    )
    name: str = strawberry.field(description="What it is for; 1 to 200 characters.")
    filter: MatchEventFilterInput | None = strawberry.field(
        default=None, description="Which events; absent: all that you may hear of."
    )
    after: Cursor | None = strawberry.field(
        default=None, description="Begin right after this cursor; absent: from now."
    )


@strawberry.input(description="What to change of a webhook; what is absent stays.")
class UpdateWebhookInput:
    """Some of a webhook's fields."""

    id: strawberry.ID = strawberry.field(description="The webhook's id.")
    url: str | None = strawberry.field(default=None, description="The new address.")
    name: str | None = strawberry.field(default=None, description="The new name.")
    filter: MatchEventFilterInput | None = strawberry.field(
        default=None, description="The new filter, whole; an empty one lets everything pass."
    )


@strawberry.type(description="What mutations of a webhook answer.")
class WebhookPayload(Payload):
    """The webhook as it is now."""

    webhook: Webhook | None = strawberry.field(description="As it is now; null when it failed.")


@strawberry.type(description="What registerWebhook and rotateWebhookSecret answer.")
class WebhookSecretPayload(Payload):
    """The webhook and its new secret."""

    webhook: Webhook | None = strawberry.field(description="As it is now; null when it failed.")
    secret: str | None = strawberry.field(
        description="What its events are signed with. Shown this once and kept nowhere; null when "
        "it failed."
    )


@strawberry.type(description="What sendTestEvent and redeliver answer.")
class WebhookDeliveryPayload(Payload):
    """What came of an attempt."""

    delivery: WebhookDelivery | None = strawberry.field(
        description="What came of it, a failure too; null when nothing was sent."
    )


@strawberry.type(description="What deleteWebhook answers.")
class DeleteWebhookPayload(Payload):
    """What is gone."""

    deleted_id: strawberry.ID | None = strawberry.field(
        description="Of what is gone now; null when it failed."
    )


@strawberry.type
class WebhookMutations:
    """What can be done with webhooks; partners and vendors with their own, admins with all."""

    @strawberry.mutation(
        description="Register a webhook. The secret is shown in this answer alone; sent twice, "
        "it makes two webhooks, of which one can be deleted. For partners, vendors and admins.",
        extensions=[Requires(webhook_owner)],
    )
    async def register_webhook(
        self, info: ApiInfo, input: Annotated[RegisterWebhookInput, ROW]
    ) -> WebhookSecretPayload:
        """Register a webhook."""
        services, principal = info.context.services, info.context.require_principal()

        async def register() -> WebhookSecret:
            asked = _filter_of(info, input.filter) or MatchEventFilter()
            after = None if input.after is None else await position_of(services, input.after)
            return await services.webhooks.register(
                principal, url=input.url, name=input.name, filter=asked, after=after
            )

        return _secret_payload(info, *await _attempt(register, "input"))

    @strawberry.mutation(
        description="Change a webhook's address, name or filter; its place and its secret stay.",
        extensions=[Requires(webhook_owner)],
    )
    async def update_webhook(
        self, info: ApiInfo, input: Annotated[UpdateWebhookInput, ROW]
    ) -> WebhookPayload:
        """Change a webhook."""
        principal = info.context.require_principal()

        async def update() -> WebhookEndpoint:
            return await info.context.services.webhooks.update(
                principal,
                input.id,
                url=input.url,
                name=input.name,
                filter=_filter_of(info, input.filter),
            )

        return _payload(info, *await _attempt(update, "input"))

    @strawberry.mutation(
        description="Send nothing more until the webhook is resumed; it keeps its place.",
        extensions=[Requires(webhook_owner)],
    )
    async def pause_webhook(self, info: ApiInfo, id: WebhookId) -> WebhookPayload:
        """Pause a webhook."""
        webhooks, principal = info.context.services.webhooks, info.context.require_principal()
        return _payload(info, *await _attempt(lambda: webhooks.pause(principal, id)))

    @strawberry.mutation(
        description="Send again, at once and from where the webhook stands: what was paused, was "
        "disabled, or waits for its next attempt. From now on it is sent to in the name of the "
        "key that you show here.",
        extensions=[Requires(webhook_owner)],
    )
    async def resume_webhook(self, info: ApiInfo, id: WebhookId) -> WebhookPayload:
        """Resume a webhook."""
        webhooks, principal = info.context.services.webhooks, info.context.require_principal()
        return _payload(info, *await _attempt(lambda: webhooks.resume(principal, id)))

    @strawberry.mutation(
        description="Make a new secret. The one before is good for 24 hours more: meanwhile every "
        "event carries both signatures.",
        extensions=[Requires(webhook_owner)],
    )
    async def rotate_webhook_secret(self, info: ApiInfo, id: WebhookId) -> WebhookSecretPayload:
        """Rotate a webhook's secret."""
        webhooks, principal = info.context.services.webhooks, info.context.require_principal()
        return _secret_payload(info, *await _attempt(lambda: webhooks.rotate(principal, id)))

    @strawberry.mutation(
        description="Delete a webhook with its delivery log.", extensions=[Requires(webhook_owner)]
    )
    async def delete_webhook(self, info: ApiInfo, id: WebhookId) -> DeleteWebhookPayload:
        """Delete a webhook."""
        webhooks, principal = info.context.services.webhooks, info.context.require_principal()
        _, errors = await _attempt(lambda: webhooks.delete(principal, id))
        if not errors:
            _log("deleted", id, info)
        return DeleteWebhookPayload(errors=errors, seq=None, deleted_id=None if errors else id)

    @strawberry.mutation(
        description="Send every event behind a cursor again, in order and with the same ids. A "
        "paused or disabled webhook is moved and sent nothing before it is resumed.",
        extensions=[Requires(webhook_owner)],
    )
    async def replay_webhook(
        self,
        info: ApiInfo,
        id: WebhookId,
        after: Annotated[Cursor, strawberry.argument(description="Where to begin.")],
    ) -> WebhookPayload:
        """Replay a webhook."""
        services, principal = info.context.services, info.context.require_principal()

        async def replay() -> WebhookEndpoint:
            position = await position_of(services, after)
            return await services.webhooks.replay(principal, id, position)

        return _payload(info, *await _attempt(replay))

    @strawberry.mutation(
        description="Send a signed message of type webhook.test now, whatever the webhook's state; "
        "waits for the answer, 10 seconds at most.",
        extensions=[Requires(webhook_owner)],
    )
    async def send_test_event(self, info: ApiInfo, id: WebhookId) -> WebhookDeliveryPayload:
        """Send a test."""
        trials, principal = info.context.services.webhook_trials, info.context.require_principal()
        made = await _attempt(lambda: trials.send_test(principal, id))
        return _delivery_payload(info, *made)

    @strawberry.mutation(
        description="Send a dead letter again now; waits for the answer, 10 seconds at most. "
        "Delivered, it leaves the list of dead letters.",
        extensions=[Requires(webhook_owner)],
    )
    async def redeliver(
        self,
        info: ApiInfo,
        delivery_id: Annotated[
            strawberry.ID, strawberry.argument(description="The dead letter's id.")
        ],
    ) -> WebhookDeliveryPayload:
        """Send a dead letter again."""
        trials, principal = info.context.services.webhook_trials, info.context.require_principal()
        made = await _attempt(lambda: trials.redeliver(principal, delivery_id), id_="deliveryId")
        return _delivery_payload(info, *made)


async def _attempt(
    work: Callable[[], Awaitable[T]], *prefix: str, id_: str = "id"
) -> tuple[T | None, list[UserError]]:
    """What the work answers, or why it was refused.

    Args:
        work: what to do.
        prefix: of the fields that a refusal names.
        id_: what the field of the id is called.
    """
    try:
        return await work(), []
    except SettingsError as error:
        # Not the caller's fault, but the caller is the one who can tell those whose it is.
        return None, [UserError(code=ErrorCode.CONFLICT, field=[], message=str(error))]
    except (InputError, ForbiddenError) as error:
        told = UserError.from_error(error) if isinstance(error, InputError) else None
        code = told.code if told else ErrorCode.FORBIDDEN
        field = [id_] if error.field == ("id",) else (told.field if told else list(error.field))
        path = [*prefix, *field] if field else []
        return None, [UserError(code=code, field=path, message=str(error))]


def _filter_of(info: ApiInfo, asked: MatchEventFilterInput | None) -> MatchEventFilter | None:
    if asked is None:
        return None
    filter_ = asked.to_domain()
    check_match_filter(info.context.require_principal(), filter_)
    return filter_


def _webhook(info: ApiInfo, endpoint: WebhookEndpoint) -> Webhook:
    cursors = info.context.services.cursors
    return Webhook.from_domain(endpoint, cursors.event_cursor(endpoint.position))


def _payload(
    info: ApiInfo, endpoint: WebhookEndpoint | None, errors: list[UserError]
) -> WebhookPayload:
    if endpoint is not None:
        _log("changed", endpoint.id, info)
    webhook = None if endpoint is None else _webhook(info, endpoint)
    return WebhookPayload(errors=errors, seq=None, webhook=webhook)


def _secret_payload(
    info: ApiInfo, made: WebhookSecret | None, errors: list[UserError]
) -> WebhookSecretPayload:
    if made is None:
        return WebhookSecretPayload(errors=errors, seq=None, webhook=None, secret=None)
    _log("given a secret", made.endpoint.id, info)
    webhook = _webhook(info, made.endpoint)
    return WebhookSecretPayload(errors=errors, seq=None, webhook=webhook, secret=made.secret)


def _delivery_payload(
    info: ApiInfo, made: Delivery | None, errors: list[UserError]
) -> WebhookDeliveryPayload:
    cursors = info.context.services.cursors
    delivery = (
        None if made is None else WebhookDelivery.from_domain(made, cursors.event_cursor(made.seq))
    )
    return WebhookDeliveryPayload(errors=errors, seq=None, delivery=delivery)


def _log(what: str, endpoint_id: str, info: ApiInfo) -> None:
    principal = info.context.require_principal()
    logger.info("Webhook %s was %s by %s %r", endpoint_id, what, principal.role, principal.subject)
