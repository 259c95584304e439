"""The model that scores, and how the service is."""

from __future__ import annotations

from datetime import datetime

import strawberry

from announcing.announcer import AnnouncerStatus
from api.permissions import Requires, admin
from api.scalars import BigInt, JSONObject
from matching.answers import MatchingHealth, ModelInfo


@strawberry.type(description="The model that scores now.")
class Model:
    """A published model, or the walk."""

    version: str = strawberry.field(description='"walk" when none is published.')
    trained: bool = strawberry.field(description="False for the walk.")
    created_at: datetime | None = strawberry.field(description="Null without a model.")
    metrics: JSONObject = strawberry.field(description="As it was evaluated, by name.")

    @classmethod
    def from_domain(cls, model: ModelInfo) -> Model:
        """Translate the record."""
        return cls(
            version=model.version,
            trained=model.trained,
            created_at=model.created_at,
            metrics=JSONObject(model.metrics),
        )


@strawberry.type(description="How the service is.")
class Health:
    """How far matching has followed the graph."""

    ready: bool = strawberry.field(description="It answers.")
    seq: BigInt = strawberry.field(description="How far it knows the event log; -1 before ready.")
    model_version: str = strawberry.field(description="What scores.")
    buyers: int = strawberry.field(description="How many it knows.")
    offers: int = strawberry.field(description="How many it knows.")
    purchases: BigInt = strawberry.field(description="How many order lines it knows.")
    rebuilding: bool = strawberry.field(
        description="A new state is being built; the present one answers meanwhile."
    )
    last_error: str | None = strawberry.field(
        description="What went wrong last. For admins.", extensions=[Requires(admin)]
    )
    announcing: bool = strawberry.field(
        description="This process is the one that tells of new matches; the others stand by."
    )
    unannounced: BigInt = strawberry.field(
        description="Rows of the log that it has yet to look at; 0 when it stands by."
    )

    @classmethod
    def from_domain(cls, health: MatchingHealth, announcer: AnnouncerStatus) -> Health:
        """Translate the records."""
        return cls(
            ready=health.ready,
            seq=BigInt(health.seq),
            model_version=health.model_version,
            buyers=health.buyers,
            offers=health.offers,
            purchases=BigInt(health.purchases),
            rebuilding=health.rebuilding,
            last_error=health.last_error or announcer.last_error,
            announcing=announcer.leading,
            unannounced=BigInt(announcer.behind),
        )
