"""Looking a buyer up by what people know it by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.errors import NotFoundError
from core.pseudonyms import pseudonym

if TYPE_CHECKING:
    from core.settings import Settings
    from graph.store import GraphStore


async def find_buyer_id(store: GraphStore, settings: Settings, given: str) -> str:
    """The buyer's id in the graph for the id given: as it stands, or its pseudonym.

    Raises:
        NotFoundError: when the graph has neither.
    """
    key = settings.pseudonym_key.get_secret_value()
    candidates = [given, pseudonym(given, key)] if key else [given]
    found = await store.get_buyers(candidates)
    for candidate in candidates:
        if candidate in found:
            return candidate
    some = await store.page_buyers(after=None, before=None, limit=3, backwards=False)
    listing = ", ".join(buyer.id for buyer in some)
    raise NotFoundError(
        f"There is no buyer {given!r}.",
        mend=f"Some that are there: {listing}." if some else "Import buyers first.",
    )
