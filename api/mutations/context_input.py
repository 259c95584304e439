"""The circumstances of what is recorded, as an input."""

from __future__ import annotations

from typing import Any

from api.types.context_value import context_given
from core.context import context_text
from core.errors import InputError

FIELD = ("input", "contextValues")


def with_context(row: dict[str, Any]) -> dict[str, Any]:
    """The row with its ``context_values`` written into its ``context``.

    Raises:
        InputError: when it has both, or a circumstance is malformed.
    """
    given = row.pop("context_values", None)
    if given is None:
        return row
    if row.get("context") is not None:
        raise InputError(
            "context and contextValues are two ways to say the same.", mend="Give one.", field=FIELD
        )
    return row | {"context": context_text(context_given(given, *FIELD))}
