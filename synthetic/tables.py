"""The canonical tables of a generated marketplace."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from core.entities import OfferStatus
from core.snapshot import TIME
from synthetic.calendar import DAY_US
from synthetic.catalogue import NEVER
from synthetic.interactions import KINDS, Interactions
from synthetic.places import CITIES
from synthetic.purchases import Lines
from synthetic.taxonomy import ROOTS, SUB_CATEGORIES
from synthetic.trades import TRADES
from synthetic.wording import buyer_names, offer_texts, vendor_names
from synthetic.world import World, random_for, scatter_around

Integers = npt.NDArray[np.int64]

CHANNELS = ("web", "app", "phone", "rep")
STATED_SHARE = 0.6
"""Share of buyers who have said what they prefer."""


def ids(prefix: str, count: int, width: int) -> pl.Series:
    """Ids such as B00001, from 1."""
    numbers = pl.Series("id", np.arange(1, count + 1), dtype=pl.Int64)
    return prefix + numbers.cast(pl.String).str.zfill(width)


def buyer_ids(count: int) -> pl.Series:
    """Ids of buyers in row order."""
    return ids("B", count, 5)


def offer_ids(count: int) -> pl.Series:
    """Ids of offers in row order."""
    return ids("O", count, 5)


def node_tables(world: World) -> dict[str, pl.DataFrame]:
    """buyers, vendors, categories, offers, with the columns of the canonical files."""
    vendors = vendor_names(world)
    return {
        "buyers": _buyers(world),
        "vendors": _vendors(world, vendors),
        "categories": _categories(),
        "offers": _offers(world, vendors),
    }


def purchase_table(world: World, lines: Lines) -> pl.DataFrame:
    """The purchases file, in the order of time."""
    random = random_for(world.spec, "channels")
    count = lines.buyer.size
    orders = int(lines.order[-1]) + 1 if count else 0
    channel = random.choice(len(CHANNELS), orders, p=[0.5, 0.25, 0.1, 0.15])
    return pl.DataFrame(
        {
            "id": ids("P", count, 7),
            "order_id": _take(ids("R", orders, 7), lines.order),
            "buyer_id": _take(buyer_ids(world.spec.buyers), lines.buyer),
            "offer_id": _take(offer_ids(world.spec.offers), lines.offer),
            "at": _times(lines.at_us),
            "quantity": lines.quantity,
            "unit_price_minor": lines.unit_price_minor,
            "currency": _currency(world, lines.offer),
            "context": _take(pl.Series(CHANNELS), channel[lines.order]),
        }
    )


def interaction_table(world: World, interactions: Interactions) -> pl.DataFrame:
    """The interactions file, in the order of time."""
    names = pl.Series([kind.value for kind in KINDS])
    return pl.DataFrame(
        {
            "id": ids("I", interactions.buyer.size, 7),
            "buyer_id": _take(buyer_ids(world.spec.buyers), interactions.buyer),
            "offer_id": _take(offer_ids(world.spec.offers), interactions.offer),
            "kind": _take(names, interactions.kind),
            "at": _times(interactions.at_us),
            "value": pl.Series(interactions.value, nan_to_null=True),
            "context": pl.Series([None], dtype=pl.String).new_from_index(
                0, interactions.buyer.size
            ),
        }
    )


def preference_table(world: World) -> pl.DataFrame:
    """What some buyers have stated: their three strongest needs, sometimes what they avoid.

    Weights are in [-1, 1], with two decimals.
    """
    random = random_for(world.spec, "preferences")
    need = world.buyers.need
    best = np.argsort(-need, axis=1, kind="stable")[:, :3]
    worst = np.argmin(need, axis=1)
    count = world.spec.buyers
    states = random.random(count) < STATED_SHARE
    keeps = (random.random(best.shape) < np.array([1.0, 0.7, 0.4])) & states[:, None]
    row, place = np.nonzero(keeps)
    chosen = best[row, place]
    weight = np.clip(0.4 + need[row, chosen] + random.normal(0, 0.1, row.size), 0.1, 1)
    avoiding = np.flatnonzero(states & (random.random(count) < 0.15))
    buyer = np.concatenate([row, avoiding])
    category = np.concatenate([chosen, worst[avoiding]])
    weights = np.concatenate([weight, -random.uniform(0.3, 1, avoiding.size)])
    sorting = np.lexsort((category, buyer))
    leaves = pl.Series([sub.id for sub in SUB_CATEGORIES])
    return pl.DataFrame(
        {
            "buyer_id": _take(buyer_ids(count), buyer[sorting]),
            "category_id": _take(leaves, category[sorting]),
            "weight": np.round(weights[sorting], 2),
        }
    )


def _buyers(world: World) -> pl.DataFrame:
    buyers = world.buyers
    return pl.DataFrame(
        {
            "id": buyer_ids(buyers.trade.size),
            "name": buyer_names(world),
            "kind": _take(pl.Series([trade.kind for trade in TRADES]), buyers.trade),
            "country": _country(buyers.city),
            "latitude": buyers.latitude,
            "longitude": buyers.longitude,
            "created_at": _creation(world, buyers.joined_day, "joined"),
        }
    )


def _vendors(world: World, names: list[str]) -> pl.DataFrame:
    city = world.vendors.city
    latitude, longitude = scatter_around(city, random_for(world.spec, "vendor places"))
    return pl.DataFrame(
        {
            "id": ids("V", city.size, 4),
            "name": names,
            "country": _country(city),
            "latitude": latitude,
            "longitude": longitude,
        }
    )


def _categories() -> pl.DataFrame:
    roots = [(root.lower(), root, None) for root in ROOTS]
    leaves = [(sub.id, sub.name, ROOTS[sub.root].lower()) for sub in SUB_CATEGORIES]
    schema = dict.fromkeys(("id", "name", "parent_id"), pl.String)
    return pl.DataFrame([*roots, *leaves], schema=schema, orient="row")


def _offers(world: World, vendors: list[str]) -> pl.DataFrame:
    offers = world.catalogue
    titles, descriptions = offer_texts(world, vendors, random_for(world.spec, "wording"))
    latitude, longitude = scatter_around(offers.city, random_for(world.spec, "offer places"))
    gone = pl.Series(offers.withdrawn_day < NEVER)
    leaves = pl.Series([[sub.id] for sub in SUB_CATEGORIES])
    rows = np.arange(offers.category.size)
    return pl.DataFrame(
        {
            "id": offer_ids(rows.size),
            "title": titles,
            "description": descriptions,
            "price_minor": offers.price_minor,
            "currency": _currency(world, rows),
            "available_quantity": offers.stock,
            "withdrawn": gone,
            "valid_from": _days(world, offers.valid_from_day),
            "valid_to": _days(world, offers.valid_to_day),
            "latitude": latitude,
            "longitude": longitude,
            "created_at": _creation(world, offers.created_day, "listed"),
            "vendor_id": _take(ids("V", len(vendors), 4), offers.vendor),
            "category_ids": _take(leaves, offers.category),
        }
    ).select(
        "id", "title", "description", "price_minor", "currency",
        pl.when(pl.col("available_quantity") >= 0).then("available_quantity"),
        pl.when("withdrawn").then(pl.lit(OfferStatus.WITHDRAWN.value))
        .otherwise(pl.lit(OfferStatus.ACTIVE.value)).alias("status"),
        "valid_from", "valid_to", "latitude", "longitude", "created_at", "vendor_id",
        "category_ids",
    )  # fmt: skip


def _creation(world: World, day: Integers, stage: str) -> pl.Series:
    """A moment in the small hours of the day, so that it lies before anything else that day.

    A day after the history means its very last hour.
    """
    calendar = world.calendar
    second = random_for(world.spec, stage).integers(0, 3600, day.size)
    at_us = calendar.start_us + day * DAY_US + second * 1_000_000
    late = calendar.end_us - second * 1_000_000 - 1_000_000
    return _times(np.where(day >= calendar.days, late, at_us))


def _days(world: World, day: Integers) -> pl.Series:
    moments = _times(world.calendar.start_us + np.clip(day, -NEVER // 100, NEVER // 100) * DAY_US)
    bounded = pl.Series(np.abs(day) < NEVER)
    none = pl.Series([None], dtype=TIME)
    return moments.zip_with(bounded, none.new_from_index(0, day.size))


def _times(at_us: Integers) -> pl.Series:
    return pl.Series(at_us, dtype=pl.Int64).cast(pl.Datetime("us")).dt.replace_time_zone("UTC")


def _country(city: Integers) -> pl.Series:
    return _take(pl.Series([place.country for place in CITIES]), city)


def _currency(world: World, offer: Integers) -> pl.Series:
    return _take(pl.Series(["EUR", "GBP"]), world.catalogue.in_pounds[offer].astype(np.int64))


def _take(values: pl.Series, rows: Integers) -> pl.Series:
    return values.gather(pl.Series(rows))
