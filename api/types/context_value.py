"""Circumstances, such as weather=rain: as they are given and as they are shown."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from core import context


@strawberry.input(description="A circumstance: what is learned of weather=rain has these two.")
class ContextValueInput:
    """One circumstance."""

    name: str = strawberry.field(
        description="Such as weather, device, region, season or weekday: 1 to 32 small letters, "
        "digits and _."
    )
    value: str = strawberry.field(
        description="Such as rain: 1 to 64 characters without ; and without space around them."
    )


@strawberry.type(description="A circumstance of a purchase.")
class ContextValue:
    """One circumstance."""

    name: str = strawberry.field(description="Such as weather.")
    value: str = strawberry.field(description="Such as rain.")


def context_given(values: Sequence[ContextValueInput] | None, *field: str) -> context.Context:
    """The circumstances of an argument; ``field`` is where an error says they stand.

    Raises:
        InputError: when one is malformed (see core.context.context_of).
    """
    return context.context_of(((one.name, one.value) for one in values or ()), *field)


def context_shown(text: str | None) -> list[ContextValue]:
    """The circumstances that a recorded text names."""
    return [ContextValue(name=name, value=value) for name, value in context.read_context(text)]
