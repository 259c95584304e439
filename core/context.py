"""Context: under which named circumstances something was bought, or is asked for.

A context is a set of ``name=value``, such as ``weather=rain`` or ``device=phone``. Recorded with a
purchase or an interaction it is one text, ``device=phone; weather=rain``; any other text is kept
as it is and names no circumstances.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from core.errors import InputError

MOST_VALUES = 8
NAME_LENGTH = 32
VALUE_LENGTH = 64
JOINT = "; "

_NAME = rf"[a-z0-9_]{{1,{NAME_LENGTH}}}"
# No joint and no line break inside, no space around.
_VALUE = rf"[^\s;](?:[^;\r\n\t]{{0,{VALUE_LENGTH - 2}}}[^\s;])?"
_PART = rf"\s*{_NAME}={_VALUE}\s*"
VALUE_PATTERN = rf"^{_VALUE}$"
PATTERN = rf"^{_PART}(?:;{_PART})*$"
"""What a text with named circumstances looks like; names may still stand twice."""


class ContextValue(NamedTuple):
    """One circumstance."""

    name: str
    value: str

    def __str__(self) -> str:
        return f"{self.name}={self.value}"


Context = tuple[ContextValue, ...]


def is_name(name: str) -> bool:
    """Whether a circumstance can have this name."""
    return re.fullmatch(_NAME, name) is not None


def context_of(pairs: Iterable[tuple[str, str]], *field: str) -> Context:
    """The circumstances, by name; ``field`` is where an error says they stand.

    Raises:
        InputError: when a name is not of 1 to 32 small letters, digits and ``_``, a value not of
            1 to 64 characters without ``;``, a name stands twice, or there are more than 8.
    """
    context = tuple(sorted(ContextValue(name, value) for name, value in pairs))
    for name, value in context:
        if not is_name(name):
            raise InputError(
                f"The context's name {name[:80]!r} is not of 1 to {NAME_LENGTH} small letters, "
                "digits and _.",
                mend="Write it like weather.",
                field=field,
            )
        if not re.fullmatch(_VALUE, value):
            raise InputError(
                f"The context's value {value[:80]!r} of {name} is not of 1 to {VALUE_LENGTH} "
                "characters without ; and without space around them.",
                mend="Write it like rain.",
                field=field,
            )
    names = [name for name, _ in context]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"The context names {twice} twice.", mend="Name it once.", field=field)
    if len(context) > MOST_VALUES:
        raise InputError(
            f"The context has {len(context)} values; {MOST_VALUES} are the most.", field=field
        )
    return context


def parse_context(texts: Iterable[str], *field: str) -> Context:
    """Texts like ``weather=rain``, one for each circumstance, as ``context_of`` has them.

    Raises:
        InputError: as ``context_of``, and for a text without ``=``.
    """
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(
                f"The context {text[:80]!r} has no =.",
                mend="Write it like weather=rain.",
                field=field,
            )
        pairs.append((name.strip(), value.strip()))
    return context_of(pairs, *field)


def context_text(context: Context) -> str | None:
    """The text that is recorded; None for no circumstances."""
    return JOINT.join(str(value) for value in context) or None


def read_context(text: str | None) -> Context:
    """The circumstances that a recorded text names; none when it is any other text."""
    if text is None or not re.match(PATTERN, text):
        return ()
    try:
        return parse_context(text.split(";"))
    except InputError:
        return ()
