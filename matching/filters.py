"""Which offers (or buyers) a request lets through, and which condition stops one.

Every condition is one boolean column over all offers or all buyers; what passes is their
conjunction, and the reason why one does not is the first column that says no. One list serves
both, so that an explanation of a filter cannot differ from the filter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from core.errors import NotFoundError
from matching.answers import Stage
from matching.columns import containing, holding, of_code, priced, within
from matching.requests import (
    Bought,
    BuyerMatchRequest,
    OfferFilter,
    OfferMatchRequest,
    Seen,
)
from matching.state import DISMISSED, MatcherState
from scoring.corpus import PURCHASED, OfferColumns
from scoring.states import LOOKS, BuyerState

Mask = NDArray[np.bool_]


class Condition(NamedTuple):
    """One condition: ``passes`` (N,) per offer or buyer; ``field`` of the filter it comes from."""

    stage: Stage
    field: str
    passes: Mask


def check_known(state: MatcherState, asked: OfferFilter) -> None:
    """Refuse categories and vendors that are not there: a slip would look like an empty market.

    Raises:
        NotFoundError: naming the first of them, with the filter's field.
    """
    corpus = state.corpus
    for kind, name, ids, index in (
        ("category", "categories", asked.categories, corpus.categories.index),
        ("vendor", "vendors", asked.vendors, corpus.vendor_index),
    ):
        missing = next((key for key in ids if key not in index), None)
        if missing is not None:
            raise NotFoundError(
                f"There is no {kind} {missing}.",
                mend=f"Filter by the id of a {kind} that is in the graph.",
                field=("filter", name),
            )


def offer_conditions(
    state: MatcherState, buyer: BuyerState, request: OfferMatchRequest, now: datetime
) -> Iterator[Condition]:
    """What a request asks of a buyer's offers, in the order of Stage; not its ``min_score``."""
    yield from availability(state.corpus.offers, request.filter, now)
    yield from _dealings(state, buyer, request.filter)
    if request.excluded:
        excluded = mask_of(state.corpus.offers.index, request.excluded, len(state.corpus.offers))
        yield Condition(Stage.EXCLUDED, "excluded", ~excluded)
    yield from _wishes(state, request.filter)


def availability(offers: OfferColumns, asked: OfferFilter, now: datetime) -> Iterator[Condition]:
    """Whether offers are on offer at all: not withdrawn, valid, in stock."""
    yield Condition(Stage.WITHDRAWN, "status", offers.active)
    if asked.valid_now:
        at = round((asked.valid_at or now).timestamp() * 1e6)
        valid = (offers.valid_from <= at) & (at < offers.valid_to)
        yield Condition(Stage.NOT_VALID_NOW, "valid_now", valid)
    if asked.in_stock:
        yield Condition(Stage.OUT_OF_STOCK, "in_stock", offers.quantity != 0)


def conjunction(conditions: Iterable[Condition], count: int) -> Mask:
    """(count,) True where every condition passes."""
    passes = np.ones(count, dtype=bool)
    for condition in conditions:
        passes &= condition.passes
    return passes


def first_failure(conditions: Iterable[Condition], row: int) -> Condition | None:
    """The first condition that stops this row, or None."""
    return next((c for c in conditions if not c.passes[row]), None)


def mask_of(index: dict[str, int], ids: Iterable[str], count: int) -> Mask:
    """(count,) True for the rows of these ids; ids that are not there count for nothing."""
    mask = np.zeros(count, dtype=bool)
    mask[[index[key] for key in ids if key in index]] = True
    return mask


def _dealings(state: MatcherState, buyer: BuyerState, asked: OfferFilter) -> Iterator[Condition]:
    """What the buyer has done with offers already: bought, dismissed, looked at."""
    count = len(state.corpus.offers)
    if asked.bought is not Bought.INCLUDE:
        bought = np.zeros(count, dtype=bool)
        bought[buyer.offers[buyer.evidence_kinds == PURCHASED]] = True
        if asked.bought is Bought.EXCLUDE:
            yield Condition(Stage.ALREADY_BOUGHT, "bought", ~bought)
        else:
            yield Condition(Stage.FILTER, "bought", bought)
    if not asked.dismissed:
        dismissed = np.zeros(count, dtype=bool)
        dismissed[buyer.offers[buyer.evidence_kinds == DISMISSED]] = True
        yield Condition(Stage.DISMISSED, "dismissed", ~dismissed)
    if asked.seen is not Seen.INCLUDE:
        seen = np.zeros(count, dtype=bool)
        seen[buyer.offers[np.isin(buyer.evidence_kinds, LOOKS)]] = True
        yield _as_seen(seen, asked.seen)


def _as_seen(seen: Mask, asked: Seen) -> Condition:
    return Condition(Stage.FILTER, "seen", seen if asked is Seen.ONLY else ~seen)


def _wishes(state: MatcherState, asked: OfferFilter) -> Iterator[Condition]:
    offers = state.corpus.offers
    if asked.categories:
        wanted = mask_of(
            state.corpus.categories.index, asked.categories, len(state.corpus.categories.ids)
        )
        yield Condition(Stage.FILTER, "categories", holding(offers.closure, wanted))
    if asked.vendors:
        wanted = mask_of(state.corpus.vendor_index, asked.vendors, len(state.corpus.vendor_ids))
        yield Condition(Stage.FILTER, "vendors", of_code(offers.vendor, wanted))
    if asked.price is not None:
        yield Condition(Stage.FILTER, "price", priced(state.corpus, asked.price))
    if asked.near is not None:
        near = within(asked.near, offers.latitude, offers.longitude)
        yield Condition(Stage.FILTER, "near", near)
    words = asked.text.casefold().split() if asked.text else []
    if words:
        yield Condition(Stage.FILTER, "text", containing(state.search_texts, words))


def buyer_conditions(
    state: MatcherState, offer: int, request: BuyerMatchRequest
) -> Iterator[Condition]:
    """What a request asks of an offer's buyers, by the offer's row; not its ``min_score``."""
    asked = request.filter
    table = state.buyer_table
    yield Condition(Stage.NOT_FOUND, "id", table.present)
    if asked.bought is not Bought.INCLUDE:
        bought = state.buyers_with(offer, PURCHASED)
        if asked.bought is Bought.EXCLUDE:
            yield Condition(Stage.ALREADY_BOUGHT, "bought", ~bought)
        else:
            yield Condition(Stage.FILTER, "bought", bought)
    if not asked.dismissed:
        yield Condition(Stage.DISMISSED, "dismissed", ~state.buyers_with(offer, DISMISSED))
    if asked.seen is not Seen.INCLUDE:
        yield _as_seen(state.buyers_who_looked(offer), asked.seen)
    if request.excluded:
        excluded = mask_of(table.index, request.excluded, len(table.ids))
        yield Condition(Stage.EXCLUDED, "excluded", ~excluded)
    if asked.kinds:
        wanted = mask_of(table.kind_index, asked.kinds, len(table.kind_index))
        yield Condition(Stage.FILTER, "kinds", of_code(table.kind, wanted))
    if asked.countries:
        wanted = mask_of(table.country_index, asked.countries, len(table.country_index))
        yield Condition(Stage.FILTER, "countries", of_code(table.country, wanted))
    if asked.near is not None:
        yield Condition(Stage.FILTER, "near", within(asked.near, table.latitude, table.longitude))
