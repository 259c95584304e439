"""The books of webhooks: endpoints and what was delivered to them."""

from __future__ import annotations

from graph.session import GraphSession


class WebhookBooks(GraphSession):
    """Endpoints and their deliveries."""
