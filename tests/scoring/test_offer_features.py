"""Offers as features: what lies near is told from what does not, at every scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from scoring.corpus import Corpus
from scoring.corpus_building import build_corpus
from scoring.grid import KM_PER_DEGREE
from scoring.offer_features import PARTS, WAVES, fit_features
from tests.gnn.planted import snapshot_of


def corpus_of_places(*places: tuple[float | None, float | None]) -> Corpus:
    latitude, longitude = zip(*places, strict=True)
    offers = {
        "id": [f"o{n:02d}" for n in range(len(places))],
        "latitude": list(latitude),
        "longitude": list(longitude),
    }
    return build_corpus(snapshot_of(buyers={"id": ["b"]}, offers=offers))


def rows_of_places(
    *places: tuple[float | None, float | None], spacing: float = 0.0
) -> NDArray[np.float32]:
    """Latitudes and longitudes of offers that nothing else is known of -> their features."""
    corpus = corpus_of_places(*places)
    spec = replace(fit_features(corpus, 0, seed=0), spacing=spacing)
    return spec.rows(corpus.offers, corpus.currencies, np.arange(len(places)))


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


def test_waves_that_would_tell_single_places_apart_are_left_out() -> None:
    rows = rows_of_places((48.2, 16.4), (48.3, 16.4), spacing=5.0)
    by_wave = rows[:, PARTS[1] :].reshape(2, len(WAVES), 6).any(axis=(0, 2))
    assert by_wave.tolist() == (WAVES >= 10.0).tolist()


def test_the_spacing_is_the_way_to_the_eighth_other_place() -> None:
    """Half of the places twice: what lies at one place is one place."""
    east = [0.0] + [0.01 * 2**n for n in range(11)]
    places = [(0.0, at) for at in east]
    spec = fit_features(corpus_of_places(*places, *places[:6], (None, None)), 0, seed=0)
    eighth = [sorted(abs(at - other) for other in east)[8] for at in east]
    assert spec.spacing == pytest.approx(float(np.median(eighth)) * KM_PER_DEGREE, rel=1e-3)
    assert fit_features(corpus_of_places((1.0, 1.0), (None, None)), 0, seed=0).spacing == 0.0
