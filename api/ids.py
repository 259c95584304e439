"""Opaque global ids: base64url of ``Label:id``, so that one ``node(id:)`` finds every entity."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from enum import StrEnum

from core.errors import InputError


class Label(StrEnum):
    """The kinds of entities that have a global id."""

    BUYER = "Buyer"
    VENDOR = "Vendor"
    CATEGORY = "Category"
    OFFER = "Offer"
    PURCHASE = "Purchase"


def global_id(label: Label, external_id: str) -> str:
    """The opaque id of an entity; unpadded base64url, the same for the same entity for ever."""
    return urlsafe_b64encode(f"{label}:{external_id}".encode()).rstrip(b"=").decode("ascii")


def parse_global_id(text: str, *field: str) -> tuple[Label, str]:
    """The label and the external id behind a global id.

    Raises:
        InputError: when the text is not one of this service's ids; names ``field``.
    """
    found = _read(text)
    if found is None:
        raise InputError(
            f"{text[:80]!r} is not an id of this service.",
            mend="Use an `id` that a query has returned, or ask by externalId.",
            field=field or ("id",),
        )
    return found


def external_id_of(text: str, label: Label) -> str:
    """The external id that an ID argument means.

    An argument may carry either the opaque id or the entity's own externalId: what reads as an
    opaque id of that label is one, everything else is taken as it stands.
    """
    found = _read(text)
    return found[1] if found is not None and found[0] is label else text


def external_ids_of(texts: Iterable[str] | None, label: Label) -> tuple[str, ...]:
    """``external_id_of`` for each; nothing for None."""
    return tuple(external_id_of(text, label) for text in texts or ())


def _read(text: str) -> tuple[Label, str] | None:
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4)).decode()
        name, separator, external_id = raw.partition(":")
        label = Label(name)
    except ValueError:  # not ASCII, not base64, not UTF-8 or no such label
        return None
    if not separator or not external_id or global_id(label, external_id) != text:
        return None
    return label, external_id
