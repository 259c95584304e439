"""What owners do with their webhooks: register, change, pause, resume, rotate, replay, delete."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import httpx

from announcing.filters import MatchEventFilter
from core.entities import Principal, Role
from core.errors import ConflictError, InputError, NotFoundError
from core.settings import Environment, Settings
from core.webhooks import WebhookEndpoint, WebhookState
from webhooks.addresses import GuardedNetwork, Reach, check_url
from webhooks.limits import MOST_ENDPOINTS, check_filter, check_name
from webhooks.signing import read_signer

if TYPE_CHECKING:
    from graph.store import GraphStore

ROTATION = timedelta(hours=24)
"""How long a secret stays good after it was replaced."""

_OWNERS = frozenset({Role.PARTNER, Role.VENDOR, Role.ADMIN})


@dataclass(frozen=True, slots=True)
class WebhookSecret:
    """An endpoint with the secret that its owner is shown this once."""

    endpoint: WebhookEndpoint
    secret: str


class WebhookRegistry:
    """The owners' side of the books.

    A principal sees and changes its own endpoints, an admin all; what is somebody else's is not
    there.

    Args:
        store: the graph.
        settings: of the process.
        clock: what tells the time.
        network: knows which hosts may be sent to.
    """

    def __init__(
        self,
        store: GraphStore,
        settings: Settings,
        clock: Callable[[], datetime],
        network: GuardedNetwork,
    ) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._reach = Reach.of(settings)
        self._network = network

    async def register(
        self,
        principal: Principal,
        *,
        url: str,
        name: str,
        filter: MatchEventFilter,
        after: int | None = None,
    ) -> WebhookSecret:
        """A new endpoint that is sent events behind ``after``, or from now on.

        Raises:
            InputError: naming the field that is not usable.
            ConflictError: when the owner has MOST_ENDPOINTS already.
            SettingsError: when nothing can be signed.
        """
        signer = read_signer(self._settings)
        self._check_key(principal)
        checked = await self._check_url(url)
        check_name(name)
        check_filter(filter)
        end = await self._check_position(after)
        own = [one for one in await self._store.list_webhooks() if _owns(principal, one)]
        if principal.role is not Role.ADMIN and len(own) >= MOST_ENDPOINTS:
            raise ConflictError(
                f"You have {len(own)} webhooks; {MOST_ENDPOINTS} are the most.",
                mend="Delete one, or widen another's filter.",
            )
        endpoint = WebhookEndpoint(
            id=f"wh_{secrets.token_hex(10)}",
            url=checked,
            name=name.strip(),
            role=principal.role,
            subject=principal.subject,
            api_key_id=principal.key_id,
            filter=filter.to_mapping(),
            position=end if after is None else after,
            created_at=self._clock(),
        )
        await self._store.create_webhook(endpoint)
        return WebhookSecret(endpoint, signer.secret(endpoint.id, endpoint.secret_version))

    async def list_for(self, principal: Principal) -> list[WebhookEndpoint]:
        """The principal's endpoints, oldest first."""
        return [one for one in await self._store.list_webhooks() if _owns(principal, one)]

    async def get(self, principal: Principal, endpoint_id: str) -> WebhookEndpoint:
        """One of the principal's endpoints.

        Raises:
            NotFoundError: when it has none with this id.
        """
        found = await self._store.get_webhook(endpoint_id)
        if found is None or not _owns(principal, found):
            raise missing(endpoint_id)
        return found

    async def update(
        self,
        principal: Principal,
        endpoint_id: str,
        *,
        url: str | None = None,
        name: str | None = None,
        filter: MatchEventFilter | None = None,
    ) -> WebhookEndpoint:
        """Change what is given; where it stands and its secrets stay.

        Raises:
            InputError: as ``register``.
            NotFoundError: as ``get``.
        """
        await self.get(principal, endpoint_id)
        checked = None if url is None else await self._check_url(url)
        if name is not None:
            check_name(name)
        if filter is not None:
            check_filter(filter)

        def change(endpoint: WebhookEndpoint) -> WebhookEndpoint:
            return replace(
                self._bound(principal, endpoint),
                url=endpoint.url if checked is None else checked,
                name=endpoint.name if name is None else name.strip(),
                filter=endpoint.filter if filter is None else filter.to_mapping(),
            )

        return await self._change(principal, endpoint_id, change)

    async def pause(self, principal: Principal, endpoint_id: str) -> WebhookEndpoint:
        """Send nothing until it is resumed; it keeps its place.

        Raises:
            NotFoundError: as ``get``.
        """
        return await self._change(
            principal, endpoint_id, lambda one: replace(one, state=WebhookState.PAUSED)
        )

    async def resume(self, principal: Principal, endpoint_id: str) -> WebhookEndpoint:
        """Send again, at once and from where it stands: what was paused, disabled or waits.

        From then on it is sent to in the name of the API key that its owner shows now.

        Raises:
            InputError: when the owner shows no API key.
            NotFoundError: as ``get``.
        """
        return await self._change(
            principal, endpoint_id, lambda one: _afresh(self._bound(principal, one))
        )

    async def rotate(self, principal: Principal, endpoint_id: str) -> WebhookSecret:
        """A new secret; the one before stays good for ROTATION, and both sign meanwhile.

        Raises:
            NotFoundError: as ``get``.
            SettingsError: as ``register``.
        """
        signer = read_signer(self._settings)
        until = self._clock() + ROTATION
        endpoint = await self._change(
            principal,
            endpoint_id,
            lambda one: replace(one, secret_version=one.secret_version + 1, previous_until=until),
        )
        return WebhookSecret(endpoint, signer.secret(endpoint.id, endpoint.secret_version))

    async def delete(self, principal: Principal, endpoint_id: str) -> None:
        """Remove an endpoint with its delivery log.

        Raises:
            NotFoundError: as ``get``.
        """
        await self.get(principal, endpoint_id)
        await self._store.delete_webhook(endpoint_id)

    async def replay(self, principal: Principal, endpoint_id: str, after: int) -> WebhookEndpoint:
        """Send everything behind ``after`` again, in its order and with its ids.

        Raises:
            InputError: when ``after`` lies behind the end of the log.
            NotFoundError: as ``get``.
        """
        await self._check_position(after)
        return await self._change(
            principal,
            endpoint_id,
            lambda one: replace(
                one,
                position=after,
                next_attempt_at=None,
                dead_seq=None,
                dead_count=0,
            ),
        )

    async def _change(
        self,
        principal: Principal,
        endpoint_id: str,
        change: Callable[[WebhookEndpoint], WebhookEndpoint],
    ) -> WebhookEndpoint:
        await self.get(principal, endpoint_id)
        return await self._store.change_webhook(endpoint_id, change)

    async def _check_url(self, url: str) -> str:
        checked = check_url(url, self._reach)
        parsed = httpx.URL(checked)
        # Refused here for the owner's sake; what counts is the check of each connection.
        await self._network.addresses(parsed.host, parsed.port or 443)
        return checked

    async def _check_position(self, after: int | None) -> int:
        end = await self._store.last_seq()
        if after is not None and after > end:
            raise InputError("The cursor lies behind the end of the log.", field=("after",))
        return end

    def _check_key(self, principal: Principal) -> None:
        """A webhook outlives a token: it needs a key whose revocation ends it."""
        development = self._settings.environment is Environment.DEVELOPMENT
        if principal.key_id is None and not (development and principal.expires_at is None):
            raise InputError(
                "A webhook is sent in the name of an API key, and you have shown a token.",
                mend="Ask for a key (offerpath keys create) and show that.",
            )

    def _bound(self, principal: Principal, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        """The endpoint in the name of the key that its owner shows; an admin changes no name."""
        if (principal.role, principal.subject) != (endpoint.role, endpoint.subject):
            return endpoint
        self._check_key(principal)
        return replace(endpoint, api_key_id=principal.key_id)


def may_own(principal: Principal) -> bool:
    """Whether a principal may have webhooks at all."""
    return principal.role in _OWNERS


def _owns(principal: Principal, endpoint: WebhookEndpoint) -> bool:
    own = (principal.role, principal.subject) == (endpoint.role, endpoint.subject)
    return principal.role is Role.ADMIN or (may_own(principal) and own)


def _afresh(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return replace(
        endpoint,
        state=WebhookState.ACTIVE,
        failures=0,
        failing_since=None,
        next_attempt_at=None,
        last_error=None,
        dead_seq=None,
        dead_count=0,
    )


def missing(sought: str, what: str = "webhook") -> NotFoundError:
    """That there is none, or that it is somebody else's: which of the two is not said."""
    return NotFoundError(f"You have no {what} {sought[:80]!r}.", field=("id",))
