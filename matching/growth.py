"""Offers, vendors and categories that changed or came since the snapshot, in the arrays.

Rows keep their numbers and new ones follow behind, so that what is indexed by row stays true.
Deleted vendors and categories keep their row; nothing refers to it any more once the offers that
lost them are read again.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.entities import Category, Offer, OfferStatus, Vendor
from core.snapshot import SCHEMAS, empty_table
from scoring.corpus import FOREVER, CategoryColumns, Corpus, OfferColumns
from scoring.corpus_building import with_offer_rows
from scoring.ragged import ragged_from_pairs


def with_catalogue(
    corpus: Corpus,
    offers: Collection[Offer] = (),
    vendors: Collection[Vendor] = (),
    categories: Collection[Category] = (),
) -> Corpus:
    """The corpus in which these are as just read from the graph, the rest as before."""
    if vendors or categories:
        corpus = _with_vendors(corpus, vendors)
        corpus = replace(corpus, categories=_with_categories(corpus.categories, categories))
        # Every offer is laid out anew: its place may be its vendor's, its closure a parent's.
        return with_offer_rows(corpus, offers_table(offers))
    plain = [offer for offer in offers if _keeps_its_links(corpus, offer)]
    linked = [offer for offer in offers if not _keeps_its_links(corpus, offer)]
    if plain:
        corpus = replace(corpus, offers=_patched(corpus, plain))
    return with_offer_rows(corpus, offers_table(linked)) if linked else corpus


def offers_table(offers: Collection[Offer]) -> pl.DataFrame:
    """Offers as a table with the columns of SCHEMAS["offers"]."""
    columns = SCHEMAS["offers"]
    if not offers:
        return empty_table("offers")
    rows = [{name: _cell(offer, name) for name in columns} for offer in offers]
    return pl.DataFrame(rows, schema=columns)


def _cell(offer: Offer, name: str) -> object:
    value = getattr(offer, name)
    if name == "category_ids":
        return list(value)
    return value.value if isinstance(value, OfferStatus) else value


def _keeps_its_links(corpus: Corpus, offer: Offer) -> bool:
    """Whether only plain columns of a known offer can have changed."""
    offers = corpus.offers
    row = offers.index.get(offer.id)
    if row is None or (offer.currency is not None and offer.currency not in corpus.currencies):
        return False
    vendor = corpus.vendor_index.get(offer.vendor_id or "", -1)
    index = corpus.categories.index
    held = sorted(index[key] for key in offer.category_ids if key in index)
    return bool(offers.vendor[row] == vendor) and offers.categories.row(row).tolist() == held


def _patched(corpus: Corpus, changed: Sequence[Offer]) -> OfferColumns:
    old = corpus.offers
    rows = [old.index[offer.id] for offer in changed]
    codes = {currency: code for code, currency in enumerate(corpus.currencies)}
    places = [_place(corpus, offer) for offer in changed]
    titles, descriptions = list(old.titles), list(old.descriptions)
    for row, offer in zip(rows, changed, strict=True):
        titles[row], descriptions[row] = offer.title or "", offer.description or ""
    columns: dict[str, list[Any]] = {
        "price": [np.nan if o.price_minor is None else o.price_minor for o in changed],
        "currency": [codes.get(o.currency or "", -1) for o in changed],
        "quantity": [-1 if (q := o.available_quantity) is None else q for o in changed],
        "active": [o.status is OfferStatus.ACTIVE for o in changed],
        "valid_from": [_micros(o.valid_from, -FOREVER) for o in changed],
        "valid_to": [_micros(o.valid_to, FOREVER) for o in changed],
        "latitude": [place[0] for place in places],
        "longitude": [place[1] for place in places],
        "inherits_place": [place[2] for place in places],
        "created_at": [_micros(o.created_at, -FOREVER) for o in changed],
    }
    arrays: dict[str, Any] = {
        name: _set(getattr(old, name), rows, new) for name, new in columns.items()
    }
    offers = replace(old, titles=titles, descriptions=descriptions, **arrays)
    # The ids are the same, and the index of a million of them is slow to make.
    vars(offers)["index"] = old.index
    return offers


def _set(column: NDArray[Any], rows: list[int], values: list[Any]) -> NDArray[Any]:
    changed = column.copy()
    changed[rows] = values
    return changed


def _place(corpus: Corpus, offer: Offer) -> tuple[float, float, bool]:
    """An offer's own place, else its vendor's; and whether it is the vendor's."""
    vendor = corpus.vendor_index.get(offer.vendor_id or "", -1)
    if offer.latitude is not None and offer.longitude is not None:
        return offer.latitude, offer.longitude, False
    if vendor < 0:
        return np.nan, np.nan, False
    return float(corpus.vendor_latitude[vendor]), float(corpus.vendor_longitude[vendor]), True


def _micros(at: datetime | None, missing: int) -> int:
    return missing if at is None else round(at.timestamp() * 1e6)


def _with_vendors(corpus: Corpus, vendors: Collection[Vendor]) -> Corpus:
    latest = {vendor.id: vendor for vendor in vendors}
    ids = [*corpus.vendor_ids, *(key for key in latest if key not in corpus.vendor_index)]
    fresh = len(ids) - len(corpus.vendor_ids)
    names = [*corpus.vendor_names, *ids[len(corpus.vendor_names) :]]
    latitude = np.pad(corpus.vendor_latitude, (0, fresh), constant_values=np.nan)
    longitude = np.pad(corpus.vendor_longitude, (0, fresh), constant_values=np.nan)
    for row, key in enumerate(ids):
        if key in latest:
            vendor = latest[key]
            names[row] = vendor.name or key
            latitude[row] = np.nan if vendor.latitude is None else vendor.latitude
            longitude[row] = np.nan if vendor.longitude is None else vendor.longitude
    return replace(
        corpus, vendor_ids=ids, vendor_names=names,
        vendor_latitude=latitude, vendor_longitude=longitude,
    )  # fmt: skip


def _with_categories(old: CategoryColumns, categories: Collection[Category]) -> CategoryColumns:
    latest: Mapping[str, Category] = {category.id: category for category in categories}
    if not latest:
        return old
    ids = [*old.ids, *(key for key in latest if key not in old.index)]
    index = {key: row for row, key in enumerate(ids)}
    names = [*old.names, *ids[len(old.names) :]]
    parent = np.pad(old.parent, (0, len(ids) - len(old.ids)), constant_values=-1)
    for key, category in latest.items():
        names[index[key]] = category.name or key
        parent[index[key]] = index.get(category.parent_id or "", -1)
    rows: list[int] = []
    values: list[int] = []
    for row in range(len(ids)):
        above = _lineage(row, parent)
        rows += [row] * len(above)
        values += above
    ancestors = ragged_from_pairs(np.array(rows, np.int64), np.array(values, np.int64), len(ids))
    return CategoryColumns(ids, names, parent, ancestors)


def _lineage(row: int, parent: NDArray[np.int32]) -> list[int]:
    above: list[int] = []
    while row >= 0 and row not in above:
        above.append(row)
        row = int(parent[row])
    return above
