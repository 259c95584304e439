"""Signatures after the Standard Webhooks specification (https://www.standardwebhooks.com).

Secrets are derived, not stored: HMAC-SHA256(webhook key, "endpoint id:version"). Who reads the
graph cannot sign, and a secret can be shown to its owner once and made again for each signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from standardwebhooks import Webhook

from core.errors import SettingsError
from core.settings import Environment, Settings
from core.webhooks import WebhookEndpoint

SHORTEST_KEY = 32
KEY_FILE = "webhook.key"


class Signer:
    """Derives secrets from one key, and signs with them."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()

    def secret(self, endpoint_id: str, version: int) -> str:
        """The secret of that version, as its owner is shown it: ``whsec_`` and base64."""
        derived = hmac.new(self._key, f"{endpoint_id}:{version}".encode(), hashlib.sha256)
        return "whsec_" + base64.b64encode(derived.digest()).decode("ascii")

    def headers(
        self, endpoint: WebhookEndpoint, message_id: str, body: str, at: datetime
    ) -> dict[str, str]:
        """The headers of an attempt made ``at`` (aware, UTC).

        For a while after a rotation there are two signatures, the new secret's first.
        """
        versions = [endpoint.secret_version]
        if endpoint.previous_until is not None and at < endpoint.previous_until:
            versions.append(endpoint.secret_version - 1)
        signatures = [
            Webhook(self.secret(endpoint.id, version)).sign(message_id, at, body)
            for version in versions
        ]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": " ".join(signatures),
        }


def read_signer(settings: Settings) -> Signer:
    """The signer of this deployment.

    In development without OFFERPATH_WEBHOOK_KEY a key is made once and kept in the home folder,
    for its owner's eyes only.

    Raises:
        SettingsError: without a key in production, and with one that is too short.
    """
    key = settings.webhook_key.get_secret_value()
    if not key and settings.environment is Environment.DEVELOPMENT:
        key = _kept_key(settings.home / KEY_FILE)
    if len(key) < SHORTEST_KEY:
        what = f"has {len(key)} characters" if key else "is empty"
        raise SettingsError(
            f"Webhooks cannot be signed: OFFERPATH_WEBHOOK_KEY {what}.",
            mend=f"Set it to {SHORTEST_KEY} random characters or more (openssl rand -hex 32), the "
            "same on every server, and keep it: another key changes every secret.",
            field=("OFFERPATH_WEBHOOK_KEY",),
        )
    return Signer(key)


def _kept_key(path: Path) -> str:
    """The key in a file, which is made whole or not at all when it is not there."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        made = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        with os.fdopen(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(secrets.token_hex(SHORTEST_KEY))
        with suppress(FileExistsError):
            path.hardlink_to(made)
        made.unlink()
    return path.read_text(encoding="ascii").strip()
