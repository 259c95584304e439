"""Places on grids: what lies in one cell lies near, at the sizes of GRID_KM."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scoring.components import GRID_KM

KM_PER_DEGREE = 111.195


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
