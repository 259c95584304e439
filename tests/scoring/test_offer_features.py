"""Offers as features: what lies near is told from what does not, at every scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.corpus_building import build_corpus
from scoring.grid import KM_PER_DEGREE
from scoring.offer_features import PARTS, WAVES, fit_features
from tests.gnn.planted import snapshot_of


def rows_of_places(*places: tuple[float | None, float | None]) -> NDArray[np.float32]:
    """Latitudes and longitudes of offers that nothing else is known of -> their features."""
    latitude, longitude = zip(*places, strict=True)
    ids = [f"o{n}" for n in range(len(places))]
    snapshot = snapshot_of(
        buyers={"id": ["b"]},
        offers={"id": ids, "latitude": list(latitude), "longitude": list(longitude)},
    )
    corpus = build_corpus(snapshot)
    spec = fit_features(corpus, 0, seed=0)
    return spec.rows(corpus.offers, corpus.currencies, np.arange(len(ids)))


def apart(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """How far the waves of each are from those of the first."""
    waves = rows[:, PARTS[1] :]
    found: NDArray[np.float64] = np.linalg.norm(waves - waves[0], axis=1)
    return found


def test_the_further_the_less_alike_from_streets_to_regions() -> None:
    kilometres = np.array([0.0, 0.02, 0.1, 0.5, 4.0, 30.0, 200.0])
    for latitude, longitude in ((48.2, 16.4), (-33.9, 151.2), (40.7, -74.0)):
        north = [(latitude + km / KM_PER_DEGREE, longitude) for km in kilometres]
        width = KM_PER_DEGREE * np.cos(np.radians(latitude))
        east = [(latitude, longitude + km / width) for km in kilometres]
        for places in (north, east):
            found = apart(rows_of_places(*places))
            assert (np.diff(found) > 0.05).all()


def test_the_globe_has_no_seam() -> None:
    across = apart(rows_of_places((10.0, 179.9999), (10.0, -179.9999)))
    within = apart(rows_of_places((10.0, 20.0001), (10.0, 19.9999)))
    assert across[1] < 0.5
    assert abs(across[1] - within[1]) < 0.2


def test_an_unknown_place_is_nought_and_a_known_one_of_unit_scale() -> None:
    rows = rows_of_places((48.2, 16.4), (None, None))
    assert not rows[1].any()
    assert np.allclose((rows[0, PARTS[1] :] ** 2).sum(), 3 * len(WAVES), atol=1e-3)
