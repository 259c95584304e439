"""API keys: how they are made, under which hash they are kept, and when they are good."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from core.entities import ApiKey, Role
from core.errors import InputError

API_KEY_PREFIX = "opk_"

_SECRET_BYTES = 32
_LONGEST = 200


def hash_api_key(secret: str) -> str:
    """The sha-256 hex digest under which a key is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()


def make_api_key(
    name: str,
    role: Role,
    created_at: datetime,
    *,
    subject: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[str, ApiKey]:
    """A new key: its secret, which nothing keeps, and the record to store.

    Args:
        name: what the key is for, 1 to 200 characters.
        role: who its holder is to the service.
        created_at: now, with a time zone.
        subject: the buyer's or vendor's id, which those roles need; else the name stands for it.
        expires_at: when the key ends; None: only when it is revoked.

    Raises:
        InputError: when a field is not usable; names it.
    """
    for field, text in (("name", name), ("subject", subject)):
        if text is not None and not (text.strip() and len(text) <= _LONGEST):
            raise InputError(f"A key's {field} has 1 to {_LONGEST} characters.", field=(field,))
    if role in (Role.BUYER, Role.VENDOR) and subject is None:
        raise InputError(
            f"A {role.value}'s key needs the {role.value} it stands for.",
            mend=f"Name the {role.value}'s id as the key's subject (--subject).",
            field=("subject",),
        )
    if expires_at is not None and expires_at <= created_at:
        raise InputError("A key's end must lie ahead.", field=("expires_at",))
    secret = API_KEY_PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
    key = ApiKey(
        id=secrets.token_hex(8),
        name=name,
        role=role,
        subject=subject or name,
        hash=hash_api_key(secret),
        created_at=created_at,
        expires_at=expires_at,
    )
    return secret, key


def is_good(key: ApiKey, at: datetime) -> bool:
    """Whether a key is neither revoked nor ended at that time."""
    return key.revoked_at is None and (key.expires_at is None or key.expires_at > at)
