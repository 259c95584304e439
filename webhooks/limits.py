"""How much an owner may register."""

from __future__ import annotations

import json

from announcing.filters import MatchEventFilter
from core.errors import InputError

MOST_ENDPOINTS = 20
"""Endpoints that one owner may have."""

LONGEST_NAME = 200
LONGEST_FILTER = 40_000
"""Characters of JSON: the embedded engine keeps no longer rows."""


def check_name(name: str) -> None:
    """Refuse a name that cannot be shown.

    Raises:
        InputError: when it is empty, too long or holds control characters.
    """
    if not 0 < len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise InputError(
            f"A webhook's name has 1 to {LONGEST_NAME} printable characters.", field=("name",)
        )


def check_filter(asked: MatchEventFilter) -> None:
    """Refuse a filter that cannot be kept.

    Raises:
        InputError: when it names too much.
    """
    size = len(json.dumps(asked.to_mapping()))
    if size > LONGEST_FILTER:
        raise InputError(
            f"The filter takes {size:,} characters; {LONGEST_FILTER:,} are kept.",
            mend="Name fewer ids, or register several webhooks.",
            field=("filter",),
        )
