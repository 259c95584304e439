"""From tables to a Corpus, and from a Corpus with changed offers to the next one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.snapshot import GraphSnapshot
from scoring.context_counting import count_contexts
from scoring.corpus import (
    FOREVER,
    KINDS,
    PURCHASED,
    BuyerColumns,
    CategoryColumns,
    Corpus,
    OfferColumns,
)
from scoring.ragged import Ragged, ragged_from_pairs, row_pointers


def build_corpus(snapshot: GraphSnapshot) -> Corpus:
    """The arrays of a snapshot; O(rows), no engine involved."""
    categories = _category_columns(snapshot.categories)
    vendor_ids = snapshot.vendors["id"].to_list()
    vendor_index = {key: row for row, key in enumerate(vendor_ids)}
    latitude = _floats(snapshot.vendors["latitude"])
    longitude = _floats(snapshot.vendors["longitude"])
    currencies = _extended([], snapshot.offers["currency"])
    offers = _offer_columns(
        snapshot.offers, categories, vendor_index, latitude, longitude, currencies
    )
    kinds = _extended([], snapshot.buyers["kind"])
    countries = _extended([], snapshot.buyers["country"])
    buyers = _buyer_columns(snapshot, offers.index, categories.index, kinds, countries)
    return Corpus(
        graph_id=snapshot.graph_id,
        seq=snapshot.seq,
        taken_at=round(snapshot.taken_at.timestamp() * 1e6),
        offers=offers,
        buyers=buyers,
        categories=categories,
        vendor_ids=vendor_ids,
        vendor_names=[n or i for n, i in zip(snapshot.vendors["name"], vendor_ids, strict=True)],
        vendor_latitude=latitude,
        vendor_longitude=longitude,
        kinds=kinds,
        countries=countries,
        currencies=currencies,
        contexts=count_contexts(
            snapshot.purchases, snapshot.interactions, buyers.index, offers.index
        ),
    )


def with_offer_rows(corpus: Corpus, frame: pl.DataFrame) -> Corpus:
    """A corpus in which the offers of ``frame`` (SCHEMAS["offers"]) replace or follow others.

    Rows of offers that stay keep their numbers; new offers get the next ones.
    """
    kept = offers_frame(corpus).with_row_index("row")
    fresh = frame.with_row_index("turn")
    known = fresh.join(kept.select("id", "row"), on="id", how="left")
    start = len(corpus.offers)
    known = known.sort("row", "turn", nulls_last=True)
    missing = known["row"].is_null()
    numbers = pl.Series("row", range(start, start + int(missing.sum())), dtype=pl.UInt32)
    rows = pl.concat([known.filter(~missing)["row"], numbers]) if len(known) else numbers
    fresh = known.drop("turn", "row").with_columns(rows.alias("row"))
    merged = pl.concat(
        [kept.join(fresh.select("row"), on="row", how="anti"), fresh.select(kept.columns)]
    ).sort("row")
    currencies = _extended(corpus.currencies, merged["currency"])
    offers = _offer_columns(
        merged.drop("row"), corpus.categories, corpus.vendor_index,
        corpus.vendor_latitude, corpus.vendor_longitude, currencies,
    )  # fmt: skip
    return replace(corpus, offers=offers, currencies=currencies)


def offers_frame(corpus: Corpus) -> pl.DataFrame:
    """The offers of a corpus back as a table with the columns of SCHEMAS["offers"]."""
    o = corpus.offers
    inherited = o.inherits_place
    names = np.array(corpus.categories.ids, dtype=object)
    return pl.DataFrame(
        {
            "id": o.ids,
            "title": o.titles,
            "description": o.descriptions,
            "price_minor": pl.Series(o.price).fill_nan(None).cast(pl.Int64),
            "currency": [corpus.currencies[c] if c >= 0 else None for c in o.currency],
            "available_quantity": [int(q) if q >= 0 else None for q in o.quantity],
            "status": np.where(o.active, "ACTIVE", "WITHDRAWN").tolist(),
            "valid_from": _times(o.valid_from, -FOREVER),
            "valid_to": _times(o.valid_to, FOREVER),
            "latitude": pl.Series(np.where(inherited, np.nan, o.latitude)).fill_nan(None),
            "longitude": pl.Series(np.where(inherited, np.nan, o.longitude)).fill_nan(None),
            "created_at": _times(o.created_at, -FOREVER),
            "vendor_id": [corpus.vendor_ids[v] if v >= 0 else None for v in o.vendor],
            "category_ids": [names[o.categories.row(i)].tolist() for i in range(len(o))],
        },
        schema_overrides={"currency": pl.String, "vendor_id": pl.String,
                          "available_quantity": pl.Int64, "category_ids": pl.List(pl.String),
                          "title": pl.String, "description": pl.String, "id": pl.String,
                          "status": pl.String},
    )  # fmt: skip


def _category_columns(frame: pl.DataFrame) -> CategoryColumns:
    ids = frame["id"].to_list()
    index = {key: row for row, key in enumerate(ids)}
    parent = np.array([index.get(p, -1) for p in frame["parent_id"]], dtype=np.int32)
    rows, values = [], []
    for row in range(len(ids)):
        at, seen = row, set[int]()
        while at >= 0 and at not in seen:
            seen.add(at)
            at = int(parent[at])
        rows += [row] * len(seen)
        values += list(seen)
    ancestors = ragged_from_pairs(np.array(rows, np.int64), np.array(values, np.int64), len(ids))
    names = [name or key for name, key in zip(frame["name"], ids, strict=True)]
    return CategoryColumns(ids, names, parent, ancestors)


def _offer_columns(
    frame: pl.DataFrame,
    categories: CategoryColumns,
    vendor_index: dict[str, int],
    vendor_latitude: NDArray[np.float64],
    vendor_longitude: NDArray[np.float64],
    currencies: list[str],
) -> OfferColumns:
    vendor = _codes(frame["vendor_id"], vendor_index)
    latitude, longitude = _floats(frame["latitude"]), _floats(frame["longitude"])
    inherits = (np.isnan(latitude) | np.isnan(longitude)) & (vendor >= 0)
    if inherits.any():
        latitude[inherits] = vendor_latitude[vendor[inherits]]
        longitude[inherits] = vendor_longitude[vendor[inherits]]
    direct = _direct_categories(frame, categories)
    return OfferColumns(
        ids=frame["id"].to_list(),
        titles=frame["title"].fill_null("").to_list(),
        descriptions=frame["description"].fill_null("").to_list(),
        price=_floats(frame["price_minor"]),
        currency=_codes(frame["currency"], {c: k for k, c in enumerate(currencies)}),
        quantity=frame["available_quantity"].fill_null(-1).to_numpy().astype(np.int64),
        active=(frame["status"].fill_null("ACTIVE") == "ACTIVE").to_numpy(),
        valid_from=_micros(frame["valid_from"], -FOREVER),
        valid_to=_micros(frame["valid_to"], FOREVER),
        latitude=latitude,
        longitude=longitude,
        inherits_place=inherits,
        vendor=vendor,
        created_at=_micros(frame["created_at"], -FOREVER),
        categories=direct,
        closure=_closure(direct, categories),
    )


def _direct_categories(frame: pl.DataFrame, categories: CategoryColumns) -> Ragged:
    pairs = frame.select("category_ids").with_row_index("offer").explode("category_ids")
    codes = _codes(pairs["category_ids"], categories.index)
    known = codes >= 0
    return ragged_from_pairs(pairs["offer"].to_numpy()[known], codes[known], len(frame))


def _closure(direct: Ragged, categories: CategoryColumns) -> Ragged:
    count = len(direct.ptr) - 1
    offers = np.repeat(np.arange(count), np.diff(direct.ptr))
    widths = np.diff(categories.ancestors.ptr)[direct.values]
    above = [categories.ancestors.row(c) for c in direct.values]
    values = np.concatenate(above) if above else np.zeros(0, np.int32)
    pairs = np.unique(np.stack([np.repeat(offers, widths), values.astype(np.int64)]), axis=1)
    return ragged_from_pairs(pairs[0], pairs[1], count)


def _buyer_columns(
    snapshot: GraphSnapshot,
    offer_index: dict[str, int],
    category_index: dict[str, int],
    kinds: list[str],
    countries: list[str],
) -> BuyerColumns:
    frame = snapshot.buyers
    ids = frame["id"].to_list()
    index = {key: row for row, key in enumerate(ids)}
    evidence = _evidence(snapshot, index, offer_index)
    preferences = snapshot.preferences
    buyer = _codes(preferences["buyer_id"], index)
    category = _codes(preferences["category_id"], category_index)
    kept = np.flatnonzero((buyer >= 0) & (category >= 0))
    kept = kept[np.lexsort((category[kept], buyer[kept]))]
    return BuyerColumns(
        ids=ids,
        kind=_codes(frame["kind"], {k: r for r, k in enumerate(kinds)}),
        country=_codes(frame["country"], {k: r for r, k in enumerate(countries)}),
        latitude=_floats(frame["latitude"]),
        longitude=_floats(frame["longitude"]),
        ptr=row_pointers(evidence["buyer"].to_numpy(), len(ids)),
        offer=evidence["offer"].to_numpy(),
        evidence_kind=evidence["kind"].to_numpy(),
        count=evidence["count"].to_numpy(),
        first_at=evidence["first_at"].to_numpy(),
        last_at=evidence["last_at"].to_numpy(),
        preference_ptr=row_pointers(buyer[kept], len(ids)),
        preference_category=category[kept],
        preference_weight=preferences["weight"].fill_null(1.0).to_numpy()[kept],
    )


def _evidence(
    snapshot: GraphSnapshot, buyer_index: dict[str, int], offer_index: dict[str, int]
) -> pl.DataFrame:
    bought = snapshot.purchases.select(
        "buyer_id", "offer_id", pl.lit(PURCHASED, pl.Int8).alias("kind"), "at"
    )
    kind_codes = {kind.value: code for code, kind in enumerate(KINDS)}
    did = snapshot.interactions.select(
        "buyer_id", "offer_id",
        pl.col("kind").replace_strict(kind_codes, return_dtype=pl.Int8), "at",
    )  # fmt: skip
    both = pl.concat([bought, did])
    return (
        both.select(
            pl.Series("buyer", _codes(both["buyer_id"], buyer_index)),
            pl.Series("offer", _codes(both["offer_id"], offer_index)),
            "kind",
            pl.col("at").dt.epoch("us").alias("at"),
        )
        .filter((pl.col("buyer") >= 0) & (pl.col("offer") >= 0))
        .group_by("buyer", "offer", "kind")
        .agg(
            pl.len().cast(pl.Int32).alias("count"),
            pl.col("at").min().alias("first_at"),
            pl.col("at").max().alias("last_at"),
        )
        .sort("buyer", "offer", "kind")
    )


def _codes(values: pl.Series, index: dict[str, int]) -> NDArray[np.int32]:
    table = pl.DataFrame(
        {"value": list(index), "code": list(index.values())},
        schema={"value": pl.String, "code": pl.Int32},
    )
    joined = values.cast(pl.String).alias("value").to_frame().join(
        table, on="value", how="left", maintain_order="left"
    )  # fmt: skip
    return joined["code"].fill_null(-1).to_numpy().astype(np.int32)


def _extended(known: list[str], values: pl.Series) -> list[str]:
    fresh = values.drop_nulls().unique().sort().to_list()
    return known + [value for value in fresh if value not in set(known)]


def _floats(values: pl.Series) -> NDArray[np.float64]:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy().copy()


def _micros(values: pl.Series, missing: int) -> NDArray[np.int64]:
    return values.dt.epoch("us").fill_null(missing).to_numpy().astype(np.int64)


def _times(values: NDArray[np.int64], missing: int) -> pl.Series:
    series = pl.Series(np.where(values == missing, 0, values))
    known = pl.Series(values != missing)
    stamps = series.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    return pl.select(pl.when(known).then(stamps)).to_series()
