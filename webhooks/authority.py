"""Whose endpoints may still be sent to: asked before each attempt."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from core.api_keys import is_good
from core.entities import ApiKey
from core.settings import Environment
from core.webhooks import WebhookEndpoint


class Authority:
    """The API keys as last looked at, less than about a second ago while a dispatcher runs."""

    def __init__(self, environment: Environment, clock: Callable[[], datetime]) -> None:
        self._environment = environment
        self._clock = clock
        self._keys: dict[str, ApiKey] = {}

    def learn(self, keys: Iterable[ApiKey]) -> None:
        """Take in every key that there is."""
        self._keys = {key.id: key for key in keys}

    def refusal(self, endpoint: WebhookEndpoint) -> str | None:
        """Why an endpoint may not be sent to; None when it may."""
        if endpoint.api_key_id is None:
            if self._environment is Environment.DEVELOPMENT:
                return None
            return "It was registered without an API key, which only development allows."
        wrong = self._fault(self._keys.get(endpoint.api_key_id), endpoint)
        return wrong and f"The API key that it was registered with {wrong}."

    def _fault(self, key: ApiKey | None, endpoint: WebhookEndpoint) -> str | None:
        if key is None:
            return "is gone"
        if key.revoked_at is not None:
            return "was revoked"
        if not is_good(key, self._clock()):
            return "has expired"
        same = (key.role, key.subject) == (endpoint.role, endpoint.subject)
        return None if same else "stands for another now"
