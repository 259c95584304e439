"""Offers on grids: who lies in one cell with whom, and how much is bought there."""

from __future__ import annotations

import numpy as np

from scoring.components import GRID_KM
from scoring.grid import KM_PER_DEGREE, cells_of, density_of

# In a row to the east along the equator: three within some 20 m, one 60 km off, one unknown.
EAST = np.array([0.0301, 0.0302, 0.0303, 0.0301 + 60.0 / KM_PER_DEGREE, np.nan])
NORTH = np.where(np.isnan(EAST), np.nan, 0.0302)
BUYERS = np.array([5, 3, 0, 7, 11])


def test_density_is_what_is_bought_around_an_offer() -> None:
    cells, count = cells_of(NORTH, EAST)
    density = density_of(cells, count, BUYERS)
    assert density.shape == (5, len(GRID_KM))
    street, land = density[:, 0], density[:, -1]
    # The three are together by the streets; what nobody bought lies among what others bought.
    np.testing.assert_allclose(street[:3], np.log1p(8.0))
    np.testing.assert_allclose(street[3], np.log1p(7.0))
    # By one of the two grids of a land all four are together, by the other perhaps not.
    assert np.log1p(8.0) <= land[0] <= np.log1p(15.0)
    assert land[0] > street[0]
    np.testing.assert_array_equal(density[4], 0.0)


def test_without_places_nothing_is_dense() -> None:
    nowhere = np.full(3, np.nan)
    np.testing.assert_array_equal(
        density_of(*cells_of(nowhere, nowhere), np.array([1, 2, 3])), np.zeros((3, len(GRID_KM)))
    )
