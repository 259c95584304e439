"""API keys, as admins see them."""

from __future__ import annotations

from datetime import datetime

import strawberry

from core import entities


@strawberry.type(description="A key to this API. Its secret is kept nowhere.")
class ApiKey:
    """A stored key, without the hash of its secret."""

    id: strawberry.ID = strawberry.field(
        description="The one that revokeApiKey takes; not a global id."
    )
    name: str = strawberry.field(description="What it is for.")
    role: entities.Role = strawberry.field(description="Who its holder is to the service.")
    subject: str = strawberry.field(
        description="The buyer's or vendor's externalId for those roles; else a name."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    expires_at: datetime | None = strawberry.field(
        description="When it ends; null: only when it is revoked."
    )
    revoked_at: datetime | None = strawberry.field(
        description="Since when it is refused; null when it was not revoked."
    )

    @classmethod
    def from_domain(cls, key: entities.ApiKey) -> ApiKey:
        """Translate the record; the hash stays behind."""
        return cls(
            id=strawberry.ID(key.id),
            name=key.name,
            role=key.role,
            subject=key.subject,
            created_at=key.created_at,
            expires_at=key.expires_at,
            revoked_at=key.revoked_at,
        )
