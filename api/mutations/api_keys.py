"""Mutations of API keys.

They take no idempotency key: replaying an answer would mean to keep its secret.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Annotated

import strawberry

from api.context import ApiInfo
from api.errors import ErrorCode, UserError
from api.mutations.payloads import ROW, Payload
from api.permissions import Requires, admin
from api.types.api_key import ApiKey
from core import entities
from core.api_keys import make_api_key
from core.entities import RowError
from core.errors import InputError, NotFoundError

logger = logging.getLogger("offerpath.api")

KeyId = Annotated[strawberry.ID, strawberry.argument(description="The key's id.")]


@strawberry.input(description="An API key to make.")
class CreateApiKeyInput:
    """One key."""

    name: str = strawberry.field(description="What it is for; 1 to 200 characters.")
    role: entities.Role = strawberry.field(description="Who its holder is to the service.")
    subject: str | None = strawberry.field(
        default=None,
        description="The buyer's or vendor's externalId, which those roles need; else the name.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None, description="When it ends; absent: only when it is revoked."
    )


@strawberry.type(description="What createApiKey answers.")
class CreateApiKeyPayload(Payload):
    """The new key and its secret."""

    secret: str | None = strawberry.field(
        description="What its holder sends as the credential. Shown this once and kept nowhere; "
        "null when no key was made."
    )
    api_key: ApiKey | None = strawberry.field(description="The key; null when none was made.")


@strawberry.type(description="What revokeApiKey answers.")
class RevokeApiKeyPayload(Payload):
    """The revoked key."""

    api_key: ApiKey | None = strawberry.field(
        description="As it is now; null when there is no such key."
    )


@strawberry.type
class ApiKeyMutations:
    """What can be done with API keys."""

    @strawberry.mutation(
        description="Make an API key. The secret is shown in this answer alone; there is no "
        "idempotency key: sent twice, it makes two keys, of which one can be revoked. For admins.",
        extensions=[Requires(admin)],
    )
    async def create_api_key(
        self, info: ApiInfo, input: Annotated[CreateApiKeyInput, ROW]
    ) -> CreateApiKeyPayload:
        """Make an API key."""
        services = info.context.services
        try:
            secret, key = make_api_key(
                input.name,
                input.role,
                services.clock(),
                subject=input.subject,
                expires_at=input.expires_at,
            )
        except InputError as error:
            refused = RowError(error.code, error.message, error.field)
            return CreateApiKeyPayload(
                errors=[UserError.from_row(refused)], seq=None, secret=None, api_key=None
            )
        await services.store.create_api_key(key)
        _log("made", key.id, info)
        return CreateApiKeyPayload(
            errors=[], seq=None, secret=secret, api_key=ApiKey.from_domain(key)
        )

    @strawberry.mutation(
        description="Revoke an API key: this server refuses it from now on, on open sockets too; "
        "other servers of the same graph within 5 seconds. Doing it again changes nothing. "
        "For admins.",
        extensions=[Requires(admin)],
    )
    async def revoke_api_key(self, info: ApiInfo, id: KeyId) -> RevokeApiKeyPayload:
        """Revoke an API key."""
        services = info.context.services
        try:
            await services.store.revoke_api_key(id, services.clock())
        except NotFoundError:
            missing = UserError(
                code=ErrorCode.NOT_FOUND,
                field=["id"],
                message=f"There is no API key {id[:80]!r}. apiKeys lists them.",
            )
            return RevokeApiKeyPayload(errors=[missing], seq=None, api_key=None)
        finally:
            # Also when the write failed half-way: nobody knows then whether it was kept.
            services.authenticator.forget()
        _log("revoked", id, info)
        keys = await services.store.list_api_keys()
        revoked = next((key for key in keys if key.id == id), None)
        return RevokeApiKeyPayload(
            errors=[], seq=None, api_key=ApiKey.from_domain(revoked) if revoked else None
        )


def _log(what: str, key_id: str, info: ApiInfo) -> None:
    principal = info.context.require_principal()
    logger.info("API key %s was %s by %s %r", key_id, what, principal.role, principal.subject)
