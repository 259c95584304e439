"""Places on grids: what lies in one cell lies near, at the sizes of GRID_KM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.components import GRID_KM

KM_PER_DEGREE = 111.195


def unit_vectors(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Places in radians (n,) -> (n, 3) on the unit sphere."""
    flat = np.cos(latitude)
    flat_east = (flat * np.cos(longitude), flat * np.sin(longitude))
    return np.stack([*flat_east, np.sin(latitude)], axis=1)


def cells_of(
    latitude: NDArray[np.float64], longitude: NDArray[np.float64]
) -> tuple[NDArray[np.int32], int]:
    """Degrees (N,) -> cells (N, 2 * sizes) int32 and how many there are; -1 for unknown places.

    Each size has two grids, the second half a cell aside, so that what an edge of one parts is
    together in the other. Cells are about square: their width in degrees grows with the latitude.
    """
    cells = np.full((len(latitude), 2 * len(GRID_KM)), -1, dtype=np.int32)
    known = np.flatnonzero(~(np.isnan(latitude) | np.isnan(longitude)))
    count = 0
    for number, (size, aside) in enumerate((s, a) for s in GRID_KM for a in (0.0, 0.5)):
        step = size / KM_PER_DEGREE
        north = np.floor(latitude[known] / step + aside)
        middle = np.clip((north - aside + 0.5) * step, -89.0, 89.0)
        east = np.floor(longitude[known] * np.cos(np.radians(middle)) / step + aside)
        kinds, cell = np.unique(np.stack([north, east]), axis=1, return_inverse=True)
        cells[known, number] = cell.ravel() + count
        count += kinds.shape[1]
    return cells, count


def density_of(
    cells: NDArray[np.int32], count: int, degree: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Cells (N, 2 * sizes), their ``count``, and the offers' buyers (N,) -> density (N, sizes).

    The logarithm of 1 + what is bought in the cells of an offer, the mean of its two; 0 where a
    place is unknown. A buyer's dealings there are shared by all that lies there (Huff, 1964,
    doi:10.1177/002224296402800307).
    """
    known = cells[:, 0] >= 0
    bought = np.bincount(cells[known].ravel(), np.repeat(degree[known], cells.shape[1]), count)
    around = np.zeros((len(cells), cells.shape[1] // 2))
    around[known] = bought[cells[known]].reshape(-1, around.shape[1], 2).mean(axis=2)
    density: NDArray[np.float64] = np.log1p(around)
    return density
