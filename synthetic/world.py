"""The hidden state of a marketplace: what every buyer needs and every offer is.

Nothing here is written to the canonical files as it is; it is what a model has to find out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from synthetic.calendar import Calendar, make_calendar
from synthetic.catalogue import Catalogue, Vendors, draw_catalogue, draw_vendors
from synthetic.places import CITIES, city_weights
from synthetic.spec import COLD_BUYER_SHARE, LATENT_DIMENSION, MarketplaceSpec
from synthetic.trades import STYLES, TRADES, needs_by_trade

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

NEED_CONCENTRATION = 9.0
"""How closely a buyer's needs follow its trade; low is more of its own."""

PERSONAS = 24
"""Types of taste that run across the trades; what other buyers tell of one buyer's taste."""

FAVOURED_VENDORS = 3
JOINED_WITHIN_SHARE = 0.15


@dataclass(frozen=True, slots=True)
class Buyers:
    """Buyers' latents, one row a buyer.

    Args:
        trade: index into TRADES (B,).
        city: index into CITIES (B,).
        latitude, longitude: degrees (B,).
        need: distribution over sub-categories (B, S).
        taste: unit vectors in the taste space (B, LATENT_DIMENSION).
        tier: preferred price, in standard deviations from a product's median (B,).
        budget: factor on quantities (B,).
        activity: relative number of order lines (B,); 0 for a cold buyer.
        joined_day: first day on the market (B,); below 0 is before the history.
        favoured: vendors bought from by habit (B, FAVOURED_VENDORS).
    """

    trade: Integers
    city: Integers
    latitude: Floats
    longitude: Floats
    need: Floats
    taste: Floats
    tier: Floats
    budget: Floats
    activity: Floats
    joined_day: Integers
    favoured: Integers


@dataclass(frozen=True, slots=True)
class World:
    """Everything hidden, drawn from the seed."""

    spec: MarketplaceSpec
    calendar: Calendar
    vendors: Vendors
    catalogue: Catalogue
    buyers: Buyers


def random_for(spec: MarketplaceSpec, stage: str) -> np.random.Generator:
    """The random numbers of one stage, independent of how many another stage draws."""
    return np.random.Generator(np.random.PCG64([spec.seed, *stage.encode()]))


def draw_world(spec: MarketplaceSpec) -> World:
    """Draw vendors, catalogue and buyers."""
    calendar = make_calendar(spec)
    styles = _style_vectors(random_for(spec, "styles"))
    vendors = draw_vendors(spec.vendors, random_for(spec, "vendors"))
    catalogue = draw_catalogue(spec, calendar, vendors, styles, random_for(spec, "catalogue"))
    buyers = _draw_buyers(spec, vendors, styles, random_for(spec, "buyers"))
    return World(spec, calendar, vendors, catalogue, buyers)


def unit_rows(matrix: Floats) -> Floats:
    """Rows scaled to length 1."""
    return np.asarray(matrix / np.linalg.norm(matrix, axis=-1, keepdims=True))


def scatter_around(
    city: Integers, random: np.random.Generator, degrees: float = 0.06
) -> tuple[Floats, Floats]:
    """Latitudes and longitudes near the cities, rounded to about 10 m."""
    places = np.array([(place.latitude, place.longitude) for place in CITIES])[city]
    spread = places + random.normal(0, degrees, (city.size, 2))
    return np.round(spread[:, 0], 4), np.round(spread[:, 1], 4)


def _style_vectors(random: np.random.Generator) -> Floats:
    """Orthonormal directions (styles, LATENT_DIMENSION)."""
    square, _ = np.linalg.qr(random.normal(size=(LATENT_DIMENSION, LATENT_DIMENSION)))
    return np.asarray(square[: len(STYLES)])


def _draw_buyers(
    spec: MarketplaceSpec, vendors: Vendors, styles: Floats, random: np.random.Generator
) -> Buyers:
    count = spec.buyers
    shares = np.array([trade.share for trade in TRADES])
    trade = random.choice(len(TRADES), count, p=shares / shares.sum())
    city = random.choice(len(CITIES), count, p=city_weights())
    latitude, longitude = scatter_around(city, random)
    prior = needs_by_trade()[trade]
    gamma = random.standard_gamma(NEED_CONCENTRATION * prior) + 1e-9
    need = gamma / gamma.sum(axis=1, keepdims=True)
    joined = np.where(
        random.random(count) < JOINED_WITHIN_SHARE,
        random.integers(0, max(1, int(spec.days * 0.8)), count),
        -random.integers(1, 1500, count),
    )
    activity = random.lognormal(0, 0.6, count)
    cold = random.permutation(count)[: max(1, round(count * COLD_BUYER_SHARE))]
    activity[cold] = 0.0
    joined[cold] = spec.days - random.integers(1, 28, cold.size)
    return Buyers(
        trade=trade,
        city=city,
        latitude=latitude,
        longitude=longitude,
        need=need,
        taste=_draw_tastes(count, styles, random),
        tier=random.normal(0, 0.8, count),
        budget=random.lognormal(0, 0.35, count),
        activity=activity,
        joined_day=joined,
        favoured=_draw_favoured(need, vendors, random),
    )


def _draw_tastes(count: int, styles: Floats, random: np.random.Generator) -> Floats:
    """Tastes (count, LATENT_DIMENSION): a persona's mixture of styles, and some of one's own."""
    mixtures = random.dirichlet(np.full(len(STYLES), 0.35), PERSONAS)
    hidden = random.normal(0, 0.35 / np.sqrt(LATENT_DIMENSION), (PERSONAS, LATENT_DIMENSION))
    personas = unit_rows(mixtures @ styles + hidden)
    own = random.normal(0, 0.7 / np.sqrt(LATENT_DIMENSION), (count, LATENT_DIMENSION))
    return unit_rows(personas[random.integers(0, PERSONAS, count)] + own)


def _draw_favoured(need: Floats, vendors: Vendors, random: np.random.Generator) -> Integers:
    """Favoured vendors (buyers, FAVOURED_VENDORS), likelier where they sell what is needed."""
    fit = need @ vendors.assortment.T + 1e-6
    # Gumbel noise on log weights draws without replacement, all buyers at once.
    keys = np.log(fit) + random.gumbel(size=fit.shape)
    width = min(FAVOURED_VENDORS, vendors.assortment.shape[0])
    chosen = np.argsort(-keys, axis=1, kind="stable")[:, :width]
    return np.asarray(np.resize(chosen, (need.shape[0], width)), dtype=np.int64)
