"""Relay's Node: whatever has a global id."""

from __future__ import annotations

import strawberry


@strawberry.interface(description="Anything that `node(id:)` finds again.")
class Node:
    """What every entity has."""

    id: strawberry.ID = strawberry.field(
        description="Opaque and unique over all types; made of the type and externalId."
    )
