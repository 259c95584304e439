"""Cities where buyers, vendors and warehouses are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

EARTH_RADIUS_KM = 6371.0


@dataclass(frozen=True, slots=True)
class City:
    """A city: ISO 3166 country, degrees north and east, weight among all cities."""

    name: str
    country: str
    latitude: float
    longitude: float
    weight: float


CITIES: tuple[City, ...] = (
    City("Berlin", "DE", 52.5200, 13.4050, 3.6), City("Hamburg", "DE", 53.5511, 9.9937, 1.8),
    City("Munich", "DE", 48.1351, 11.5820, 1.5), City("Cologne", "DE", 50.9375, 6.9603, 1.1),
    City("Frankfurt", "DE", 50.1109, 8.6821, 0.8), City("Leipzig", "DE", 51.3397, 12.3731, 0.6),
    City("Paris", "FR", 48.8566, 2.3522, 3.4), City("Lyon", "FR", 45.7640, 4.8357, 1.0),
    City("Marseille", "FR", 43.2965, 5.3698, 0.9), City("Lille", "FR", 50.6292, 3.0573, 0.6),
    City("Bordeaux", "FR", 44.8378, -0.5792, 0.6), City("Nantes", "FR", 47.2184, -1.5536, 0.5),
    City("Amsterdam", "NL", 52.3676, 4.9041, 1.2), City("Rotterdam", "NL", 51.9244, 4.4777, 0.9),
    City("Utrecht", "NL", 52.0907, 5.1214, 0.6), City("Eindhoven", "NL", 51.4416, 5.4697, 0.4),
    City("Madrid", "ES", 40.4168, -3.7038, 2.4), City("Barcelona", "ES", 41.3874, 2.1686, 1.8),
    City("Valencia", "ES", 39.4699, -0.3763, 0.8), City("Seville", "ES", 37.3891, -5.9845, 0.7),
    City("Rome", "IT", 41.9028, 12.4964, 2.2), City("Milan", "IT", 45.4642, 9.1900, 1.8),
    City("Turin", "IT", 45.0703, 7.6869, 0.8), City("Naples", "IT", 40.8518, 14.2681, 0.9),
    City("London", "GB", 51.5074, -0.1278, 2.2), City("Manchester", "GB", 53.4808, -2.2426, 0.7),
    City("Birmingham", "GB", 52.4862, -1.8904, 0.7), City("Glasgow", "GB", 55.8642, -4.2518, 0.5),
    City("Dublin", "IE", 53.3498, -6.2603, 0.8), City("Cork", "IE", 51.8985, -8.4756, 0.3),
    City("Vienna", "AT", 48.2082, 16.3738, 1.2), City("Graz", "AT", 47.0707, 15.4395, 0.4),
)  # fmt: skip


def city_weights() -> npt.NDArray[np.float64]:
    """The share of each city (cities,), summing to 1."""
    weights = np.array([city.weight for city in CITIES])
    return np.asarray(weights / weights.sum())


def city_distances() -> npt.NDArray[np.float64]:
    """Great-circle distances (cities, cities) in kilometres (haversine)."""
    latitude = np.radians([city.latitude for city in CITIES])
    longitude = np.radians([city.longitude for city in CITIES])
    half = (
        np.sin((latitude[:, None] - latitude[None, :]) / 2) ** 2
        + np.cos(latitude[:, None])
        * np.cos(latitude[None, :])
        * np.sin((longitude[:, None] - longitude[None, :]) / 2) ** 2
    )
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def same_country() -> npt.NDArray[np.bool_]:
    """Whether two cities (cities, cities) are in one country."""
    countries = np.array([city.country for city in CITIES])
    return np.asarray(countries[:, None] == countries[None, :])
