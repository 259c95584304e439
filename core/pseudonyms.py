"""Keyed hashes that stand for personal fields and ids; look-ups hash the same way."""

from __future__ import annotations

import hashlib
import hmac

from core.errors import SettingsError

PREFIX = "p_"


def pseudonym(value: str, key: str) -> str:
    """``p_`` and 32 hex digits of HMAC-SHA256(key, value): the same for the same value and key.

    Raises:
        SettingsError: when the key is empty, as an unkeyed hash of a name can be guessed.
    """
    if not key:
        raise SettingsError(
            "There is no key to pseudonymise with.",
            mend="Set OFFERPATH_PSEUDONYM_KEY to a long random text and keep it.",
            field=("OFFERPATH_PSEUDONYM_KEY",),
        )
    digest = hmac.new(key.encode(), value.encode(), hashlib.sha256).hexdigest()
    return PREFIX + digest[:32]
