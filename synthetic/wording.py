"""Names, titles and descriptions, so that text tells something true about an offer."""

from __future__ import annotations

import numpy as np
from faker import Faker

from synthetic.places import CITIES
from synthetic.taxonomy import ROOTS, SUB_CATEGORIES
from synthetic.trades import STYLES, TRADES
from synthetic.world import World

LOCALE = "en"


def vendor_names(world: World) -> list[str]:
    """Company names by Faker, unique among the vendors."""
    faker = _faker(world, 1)
    names: dict[str, None] = {}
    for number in range(world.vendors.city.size):
        name = faker.company()
        names[name if name not in names else f"{name} {number}"] = None
    return list(names)


def buyer_names(world: World) -> list[str]:
    """Shop names: a surname by Faker and what the shop is, or the town and what it is."""
    faker = _faker(world, 2)
    buyers = world.buyers
    names = []
    for number, (trade, city) in enumerate(
        zip(buyers.trade.tolist(), buyers.city.tolist(), strict=True)
    ):
        shops = TRADES[trade].shops
        shop = shops[number % len(shops)]
        surname = str(faker.last_name())
        local = number % 4 == 0
        names.append(f"{CITIES[city].name} {shop} {surname}" if local else f"{surname} {shop}")
    return names


def offer_texts(
    world: World, vendors: list[str], random: np.random.Generator
) -> tuple[list[str], list[str]]:
    """Titles and descriptions of one or two sentences.

    A title names the brand, the style and the thing; a description names the category, the style,
    the retailers it is for and the city it is sent from.
    """
    offers = world.catalogue
    picks = random.integers(0, 1 << 16, (offers.category.size, 3)).tolist()
    titles, descriptions = [], []
    columns = (offers.category, offers.style, offers.vendor, offers.city, offers.product)
    for row, (a, b, c) in zip(zip(*(x.tolist() for x in columns), strict=True), picks, strict=True):
        sub, style, city = SUB_CATEGORIES[row[0]], STYLES[row[1]], CITIES[row[3]]
        brand = vendors[row[2]].replace(",", " ").replace("-", " ").split()[0]
        product = sub.products[row[4]]
        variant = product.variants[a % len(product.variants)]
        adjective = style.adjectives[b % len(style.adjectives)]
        titles.append(f"{brand} {adjective} {product.name}, {variant}")
        opening = (
            f"{adjective} {product.name} from the {sub.name.lower()} range "
            f"({ROOTS[sub.root]}), sent from {city.name}."
        )
        # Some vendors write little.
        descriptions.append(opening if c % 5 == 0 else f"{opening} {style.sentence}")
    return titles, descriptions


def _faker(world: World, stage: int) -> Faker:
    faker = Faker(LOCALE)
    faker.seed_instance(world.spec.seed * 10 + stage)
    return faker
