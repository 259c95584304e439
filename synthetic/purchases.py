"""Order lines drawn from what buyers need, with noise, reordering and season."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.progress import SILENT, Progress
from synthetic.calendar import DAY_US, Calendar
from synthetic.draws import draw_live, draw_offers, first_live, slot_factors
from synthetic.spec import LINES_PER_ORDER, NOISE_SHARE, REORDER_SHARE
from synthetic.taxonomy import SUB_CATEGORIES
from synthetic.world import World

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

OPENING_SECOND, CLOSING_SECOND = 7 * 3600, 20 * 3600


@dataclass(frozen=True, slots=True)
class Lines:
    """Order lines sorted by time, then order and place within it.

    Args:
        buyer, offer: rows of the world (n,).
        order: order numbers from 0 in the order of time (n,).
        at_us: microseconds since 1970 in UTC (n,); one order has one time.
        quantity: units, at least 1 (n,).
        unit_price_minor: paid per unit, in the minor units of the offer's currency (n,).
        noise: drawn from popularity alone (n,).
    """

    buyer: Integers
    offer: Integers
    order: Integers
    at_us: Integers
    quantity: Integers
    unit_price_minor: Integers
    noise: Flags


def draw_purchases(
    world: World,
    relevance: npt.NDArray[np.float32],
    live: Flags,
    random: np.random.Generator,
    progress: Progress = SILENT,
) -> Lines:
    """Draw exactly ``spec.purchases`` lines.

    Every line is of an offer that was live that day and of a buyer that had joined. When and how
    much a buyer orders follows its activity and the season of what it needs; what it orders is
    drawn from relevance x popularity x season, but for NOISE_SHARE from popularity alone.
    """
    factors = slot_factors(world, live)
    cells = _lines_per_cell(world, relevance, factors, random)
    buyer, slot, order, at_us = _draw_orders(world, cells, random)
    day = world.calendar.day_of(at_us)
    candidates = draw_offers(lambda rows: rows, relevance, factors, buyer, slot, random, progress)
    offer, found = first_live(candidates, live, day)
    noise = (random.random(buyer.size) < NOISE_SHARE) | ~found
    offer[noise] = draw_live(world.catalogue.appeal, live, day[noise], random)
    _reorder(offer, noise, buyer, order, live, day, world, random)
    sorting = np.lexsort((order, at_us))
    buyer, offer, order = buyer[sorting], offer[sorting], order[sorting]
    quantity, price = _quantities_and_prices(world, buyer, offer, random)
    # Orders placed in the same second are told apart by their number.
    number = np.cumsum(np.diff(order, prepend=order[:1]) != 0)
    return Lines(buyer, offer, number, at_us[sorting], quantity, price, noise[sorting])


def _lines_per_cell(
    world: World,
    relevance: npt.NDArray[np.float32],
    factors: Floats,
    random: np.random.Generator,
) -> Integers:
    """How many lines each buyer orders in each slot (B, slots), summing to spec.purchases."""
    calendar, buyers = world.calendar, world.buyers
    # einsum without BLAS, as in the truth: the last bit must not hang on the number of threads.
    demand = np.einsum("bn,sn->bs", relevance, factors.astype(np.float32), optimize=False).astype(
        np.float64
    )
    demand /= np.maximum(demand.mean(axis=1, keepdims=True), 1e-30)
    busy = np.concatenate([[0.0], np.cumsum(calendar.weight)])
    joined = np.clip(buyers.joined_day, 0, calendar.days)[:, None]
    begin = np.maximum(calendar.first_day[:-1][None, :], joined)
    present = np.maximum(busy[calendar.first_day[1:]][None, :] - busy[begin], 0.0)
    weight = demand * present * buyers.activity[:, None]
    return random.multinomial(world.spec.purchases, (weight / weight.sum()).ravel()).reshape(
        weight.shape
    )


def _draw_orders(
    world: World, cells: Integers, random: np.random.Generator
) -> tuple[Integers, Integers, Integers, Integers]:
    """Buyer, slot, order and time of every line; sorted by buyer, then time, then order."""
    count = cells.ravel()
    orders = np.where(count > 0, np.ceil(count / LINES_PER_ORDER), 0).astype(np.int64)
    base = np.cumsum(orders) - orders
    cell = np.repeat(np.arange(count.size), count)
    line_order = base[cell] + (random.random(cell.size) * orders[cell]).astype(np.int64)
    order_cell = np.repeat(np.arange(count.size), orders)
    moments = _draw_moments(
        world.calendar,
        order_cell % cells.shape[1],
        world.buyers.joined_day[order_cell // cells.shape[1]],
        random,
    )
    at_us, buyer = moments[line_order], cell // cells.shape[1]
    sorting = np.lexsort((line_order, at_us, buyer))
    return (
        buyer[sorting],
        (cell % cells.shape[1])[sorting],
        line_order[sorting],
        at_us[sorting],
    )


def _draw_moments(
    calendar: Calendar, slot: Integers, joined: Integers, random: np.random.Generator
) -> Integers:
    """A moment within opening hours of a day of the slot, not before the buyer joined."""
    busy = np.concatenate([[0.0], np.cumsum(calendar.weight)])
    first = np.maximum(calendar.first_day[slot], np.clip(joined, 0, calendar.days - 1))
    low, high = busy[first], busy[calendar.first_day[slot + 1]]
    day = np.searchsorted(busy, low + random.random(slot.size) * (high - low), side="right") - 1
    day = np.clip(day, first, calendar.first_day[slot + 1] - 1)
    second = np.clip(
        random.normal(11.5 * 3600, 2.6 * 3600, slot.size), OPENING_SECOND, CLOSING_SECOND
    )
    return np.asarray(calendar.start_us + day * DAY_US + second.astype(np.int64) * 1_000_000)


def _reorder(
    offer: Integers,
    noise: Flags,
    buyer: Integers,
    order: Integers,
    live: Flags,
    day: Integers,
    world: World,
    random: np.random.Generator,
) -> None:
    """Make some lines repeat an offer of an earlier order of the same buyer, in place.

    Lines are sorted by buyer and time. What a line would repeat may itself be a repetition: it
    then goes back to the line that started the habit, found by jumping over ever longer ways.
    """
    index = np.arange(offer.size)
    new_buyer = np.diff(buyer, prepend=-1) != 0
    new_order = np.diff(order, prepend=-1) != 0
    buyer_start = np.maximum.accumulate(np.where(new_buyer, index, 0))
    order_start = np.maximum.accumulate(np.where(new_order, index, 0))
    earlier = order_start - buyer_start
    tries = (random.random(offer.size) < REORDER_SHARE) & (earlier > 0) & ~noise
    parent = buyer_start + (random.random(offer.size) * earlier).astype(np.int64)
    parent = np.where(tries, parent, index)
    for _ in range(int(np.ceil(np.log2(offer.size + 1)))):
        parent = parent[parent]
    willing = np.array([sub.reorder for sub in SUB_CATEGORIES])[world.catalogue.category]
    source = offer[parent]
    takes = (parent != index) & (random.random(offer.size) < willing[source]) & live[day, source]
    # A chance purchase starts no habit; the share of noise stays what it is.
    takes &= ~noise[parent]
    offer[takes] = source[takes]


def _quantities_and_prices(
    world: World, buyer: Integers, offer: Integers, random: np.random.Generator
) -> tuple[Integers, Integers]:
    pack = np.array([sub.pack for sub in SUB_CATEGORIES])[world.catalogue.category[offer]]
    wanted = pack * world.buyers.budget[buyer] * random.lognormal(0, 0.5, buyer.size)
    quantity = np.maximum(1, np.round(wanted)).astype(np.int64)
    # Larger lines are cheaper by the unit, up to a tenth.
    rebate = np.clip(0.04 * np.log(np.maximum(quantity / pack, 1.0)), 0, 0.10)
    price = world.catalogue.price_minor[offer] * (1 - np.round(rebate, 2))
    return quantity, np.maximum(1, np.round(price)).astype(np.int64)
