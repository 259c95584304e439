"""What a resolver may reach: the services of the process and the principal of the request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from strawberry.types import Info

from api.authentication import Authenticator, credential_of
from api.cursors import Cursors
from api.loaders import Loaders
from core.entities import IdempotencyKey, Principal, Role
from core.errors import UnauthenticatedError
from core.settings import Environment, Settings

if TYPE_CHECKING:
    from announcing.announcer import Announcer
    from announcing.feed import MatchFeed
    from graph.store import GraphStore
    from matching.service import Clock, MatchingService
    from webhooks.registry import WebhookRegistry
    from webhooks.trials import WebhookTrials


@dataclass(frozen=True, slots=True)
class Services:
    """What lives as long as the process."""

    settings: Settings
    store: GraphStore
    matching: MatchingService
    cursors: Cursors
    authenticator: Authenticator
    clock: Clock
    feed: MatchFeed
    announcer: Announcer
    webhooks: WebhookRegistry
    webhook_trials: WebhookTrials


@dataclass(slots=True)
class RequestContext:
    """What lives as long as a request, or as a WebSocket connection.

    Attributes:
        services: of the process.
        principal: who asks; None when no credential came.
        credential: what the principal was read from; it is checked again during subscriptions.
        headers: of the request or of the WebSocket's handshake.
        client_host: the address that it came from.
        connection_params: the payload of a WebSocket's connection_init.
        resume_after: the cursor that a reconnecting event stream was at (Last-Event-ID).
    """

    services: Services
    principal: Principal | None = None
    credential: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    client_host: str | None = None
    connection_params: dict[str, Any] = field(default_factory=dict)
    resume_after: str | None = None
    _loaders: Loaders | None = None

    @property
    def loaders(self) -> Loaders:
        """What batches the reads of one level of a query; made when first asked for."""
        if self._loaders is None:
            self._loaders = Loaders(self.services)
        return self._loaders

    async def identify(self, credentials: Mapping[str, str]) -> None:
        """Set the principal from headers, or from a payload that carries the same names.

        Raises:
            UnauthenticatedError: when a credential is there and not valid.
        """
        self.credential = credential_of(credentials)
        authenticator = self.services.authenticator
        self.principal = await authenticator.authenticate(self.credential)
        if self.principal is None:
            self.principal = authenticator.open_to(self.client_host, self.headers.get("host"))

    async def identify_again(self) -> None:
        """Read the principal anew: a key may have been revoked, or a token have expired.

        Raises:
            UnauthenticatedError: when the credential is not valid any more.
        """
        if self.credential is not None:
            authenticator = self.services.authenticator
            self.principal = await authenticator.authenticate(self.credential)

    @property
    def may_introspect(self) -> bool:
        """Whether introspection and suggestions of names are open to the caller."""
        if self.services.settings.environment is Environment.DEVELOPMENT:
            return self.principal is not None
        return self.principal is not None and self.principal.role is Role.ADMIN

    def require_principal(self) -> Principal:
        """Who asks.

        Raises:
            UnauthenticatedError: when no credential came.
        """
        if self.principal is None:
            raise UnauthenticatedError(
                "This needs a credential.",
                mend="Send `Authorization: Bearer` with an API key or a token.",
            )
        return self.principal

    def idempotency(self, mutation: str, key: str | None) -> IdempotencyKey | None:
        """The key of a mutation, apart for each principal and each mutation."""
        if key is None:
            return None
        principal = self.require_principal()
        return IdempotencyKey(f"{principal.role}:{principal.subject}:{mutation}", key)


ApiInfo = Info[RequestContext, None]
