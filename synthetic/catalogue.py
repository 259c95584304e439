"""Vendors and the offers they list, with everything hidden that makes an offer sell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthetic.calendar import Calendar
from synthetic.places import CITIES, city_weights
from synthetic.spec import (
    LATENT_DIMENSION,
    NEW_OFFER_DAYS,
    NEW_OFFER_SHARE,
    NEWBORN_OFFER_SHARE,
    MarketplaceSpec,
)
from synthetic.taxonomy import PRODUCTS_EACH, ROOTS, SUB_CATEGORIES

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NEVER = 10**6
"""A day after every history."""

ZIPF_EXPONENT = 0.55
EUR_PER_GBP = 1.17


@dataclass(frozen=True, slots=True)
class Vendors:
    """Vendors: city (V,) and what they sell, distributions over sub-categories (V, S)."""

    city: Integers
    assortment: Floats


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Offers' latents, one row an offer; days are numbered as in the calendar.

    Args:
        category: sub-category (N,).
        product: which of the sub-category's products (N,).
        vendor: who lists it (N,).
        city: where it is sent from (N,).
        style: the most visible style (N,).
        character: unit vectors in the taste space (N, LATENT_DIMENSION).
        price_level: log price in standard deviations from the product's median (N,).
        price_minor: price in the currency's minor units (N,).
        in_pounds: priced in GBP instead of EUR (N,).
        appeal: popularity whatever the buyer (N,), summing to 1.
        created_day: first day listed (N,).
        valid_from_day, valid_to_day: validity (N,), half-open; -NEVER and NEVER are open.
        out_from_day, out_to_day: a time out of stock (N,), half-open and mostly empty.
        withdrawn_day: taken off the market (N,); NEVER for most.
        stock: quantity available at the end (N,); -1 is unlimited.
    """

    category: Integers
    product: Integers
    vendor: Integers
    city: Integers
    style: Integers
    character: Floats
    price_level: Floats
    price_minor: Integers
    in_pounds: Flags
    appeal: Floats
    created_day: Integers
    valid_from_day: Integers
    valid_to_day: Integers
    out_from_day: Integers
    out_to_day: Integers
    withdrawn_day: Integers
    stock: Integers

    def live(self, days: int) -> Flags:
        """Whether each offer could be bought on each day (days, N)."""
        day = np.arange(days)[:, None]
        listed = (day >= self.created_day) & (day < self.withdrawn_day)
        valid = (day >= self.valid_from_day) & (day < self.valid_to_day)
        out = (day >= self.out_from_day) & (day < self.out_to_day)
        return np.asarray(listed & valid & ~out)


@dataclass(frozen=True, slots=True)
class _Life:
    created: Integers
    valid_from: Integers
    valid_to: Integers
    out_from: Integers
    out_to: Integers
    withdrawn: Integers


def draw_vendors(count: int, random: np.random.Generator) -> Vendors:
    """Vendors that sell mostly within one category, some in a second one."""
    roots = np.array([sub.root for sub in SUB_CATEGORIES])
    main = random.integers(0, len(ROOTS), count)
    second = np.where(random.random(count) < 0.3, random.integers(0, len(ROOTS), count), main)
    within = (roots == main[:, None]) | (roots == second[:, None])
    weights = random.standard_gamma(0.5, within.shape) * within + 1e-4
    # Every sub-category has a vendor of its own, however few the vendors.
    weights[np.arange(len(SUB_CATEGORIES)) % count, np.arange(len(SUB_CATEGORIES))] += 0.5
    assortment = weights / weights.sum(axis=1, keepdims=True)
    return Vendors(random.choice(len(CITIES), count, p=city_weights()), assortment)


def draw_catalogue(
    spec: MarketplaceSpec,
    calendar: Calendar,
    vendors: Vendors,
    styles: Floats,
    random: np.random.Generator,
) -> Catalogue:
    """Offers spread evenly over the sub-categories, each listed by a vendor that sells such."""
    count = spec.offers
    category = random.permutation(np.arange(count) % len(SUB_CATEGORIES))
    vendor = _draw_listing(category, vendors, random)
    product = random.integers(0, PRODUCTS_EACH, count)
    style, character = _draw_characters(count, styles, random)
    level = random.normal(0, 1, count)
    # A premium offer costs more than its like, a value line less.
    level = level * 0.85 + np.where(style == 1, 0.8, 0.0) - np.where(style == 2, 0.8, 0.0)
    city = _draw_warehouses(vendors.city[vendor], random)
    in_pounds = np.array([place.country == "GB" for place in CITIES])[vendors.city[vendor]]
    life = _draw_lives(count, calendar.days, random)
    stock = random.lognormal(5, 1, count).astype(np.int64) + 5
    stock[random.random(count) < 0.06] = 0
    stock[random.random(count) < 0.12] = -1
    rank = random.permutation(count) + 1.0
    appeal = rank**-ZIPF_EXPONENT
    return Catalogue(
        category=category,
        product=product,
        vendor=vendor,
        city=city,
        style=style,
        character=character,
        price_level=level,
        price_minor=_prices(category, product, level, in_pounds),
        in_pounds=in_pounds,
        appeal=appeal / appeal.sum(),
        created_day=life.created,
        valid_from_day=life.valid_from,
        valid_to_day=life.valid_to,
        out_from_day=life.out_from,
        out_to_day=life.out_to,
        withdrawn_day=life.withdrawn,
        stock=stock,
    )


def _draw_listing(category: Integers, vendors: Vendors, random: np.random.Generator) -> Integers:
    share = np.cumsum(vendors.assortment / vendors.assortment.sum(axis=0), axis=0)
    ticket = random.random(category.size)
    vendor = np.empty(category.size, dtype=np.int64)
    for sub in range(len(SUB_CATEGORIES)):
        rows = category == sub
        vendor[rows] = np.searchsorted(share[:, sub], ticket[rows], side="right")
    return np.asarray(np.minimum(vendor, share.shape[0] - 1))


def _draw_characters(
    count: int, styles: Floats, random: np.random.Generator
) -> tuple[Integers, Floats]:
    """The visible style (count,), and the whole character (count, LATENT_DIMENSION)."""
    first = random.integers(0, styles.shape[0], count)
    second = random.integers(0, styles.shape[0], count)
    hidden = random.normal(0, 0.55 / np.sqrt(LATENT_DIMENSION), (count, LATENT_DIMENSION))
    vectors = styles[first] + 0.45 * styles[second] + hidden
    return first, np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _draw_warehouses(home: Integers, random: np.random.Generator) -> Integers:
    """Most offers leave from their vendor's city, some from another of its country."""
    country = np.array([city.country for city in CITIES])
    other = random.choice(len(CITIES), home.size, p=city_weights())
    moves = (random.random(home.size) < 0.5) & (country[other] == country[home])
    return np.where(moves, other, home)


def _prices(category: Integers, product: Integers, level: Floats, in_pounds: Flags) -> Integers:
    medians = np.array([[item.price for item in sub.products] for sub in SUB_CATEGORIES])
    median = medians[category, product]
    spread = np.array([sub.spread for sub in SUB_CATEGORIES])[category]
    euros = median * np.exp(spread * level)
    amount = np.where(in_pounds, euros / EUR_PER_GBP, euros)
    # Shops end prices on 5 or 9; under 2 they count every cent.
    cents = np.where(amount < 2, np.round(amount * 100), np.round(amount * 10) * 10 - 1)
    return np.maximum(cents, 9).astype(np.int64)


def _draw_lives(count: int, days: int, random: np.random.Generator) -> _Life:
    created = -random.integers(1, 1200, count)
    age = random.random(count)
    newborn = age < NEWBORN_OFFER_SHARE
    new = ~newborn & (age < NEWBORN_OFFER_SHARE + NEW_OFFER_SHARE)
    recent = (age >= NEWBORN_OFFER_SHARE + NEW_OFFER_SHARE) & (age < 0.25)
    created = np.where(recent, random.integers(0, max(1, int(days * 0.8)), count), created)
    lately = days - random.integers(2, max(3, min(NEW_OFFER_DAYS, days // 2)), count)
    created = np.where(new, lately, created)
    # Created within the last day, too late for anybody to buy: live() knows whole days only.
    created = np.where(newborn, days, created)
    valid_from = np.full(count, -NEVER)
    valid_to = np.full(count, NEVER)
    kind = random.random(count)
    old = age >= 0.25
    expired = old & (kind < 0.06)
    valid_to[expired] = random.integers(days // 2, days, int(expired.sum()))
    running = ~expired & (kind < 0.20)
    valid_from[running] = created[running]
    valid_to[running] = days + random.integers(700, 2000, int(running.sum()))
    upcoming = newborn & (random.random(count) < 0.4)
    valid_from[upcoming] = days + random.integers(30, 200, int(upcoming.sum()))
    valid_to[upcoming] = days + 2000
    out = old & (random.random(count) < 0.12)
    out_from = np.where(out, random.integers(0, days, count), 0)
    out_to = np.where(out, out_from + random.integers(7, 40, count), 0)
    withdrawn = np.full(count, NEVER)
    gone = old & ~running & (random.random(count) < 0.012)
    withdrawn[gone] = random.integers(days // 2, days, int(gone.sum()))
    return _Life(created, valid_from, valid_to, out_from, out_to, withdrawn)
