"""Folders of small matrices with blocks planted in them."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

BLOCKS = 5


def planted_pairs(
    seed: int = 0, buyers: int = 200, offers: int = 150, within: float = 0.3, across: float = 0.01
) -> NDArray[np.bool_]:
    """(buyers, offers): buyer b and offer n are of block b % BLOCKS and n % BLOCKS."""
    same = np.arange(buyers)[:, None] % BLOCKS == np.arange(offers) % BLOCKS
    draw: NDArray[np.float64] = np.random.default_rng(seed).random(same.shape)
    return draw < np.where(same, within, across)


def write_matrices(folder: Path, *, seed: int = 0, tune: bool = False, **sizes: float) -> Path:
    """Write train and test (a fifth), and on demand tune (a tenth), of planted pairs."""
    pairs = planted_pairs(seed, **sizes)  # type: ignore[arg-type]  # whole numbers where sizes are
    draw = np.random.default_rng(seed + 1).random(pairs.shape)
    folder.mkdir(parents=True, exist_ok=True)
    save(folder / "test.npz", pairs & (draw < 0.2))
    held = 0.3 if tune else 0.2
    if tune:
        save(folder / "tune.npz", pairs & (draw >= 0.2) & (draw < held))
    save(folder / "train.npz", pairs & (draw >= held))
    return folder


def save(path: Path, matrix: object, dtype: type[np.generic] = np.int8) -> None:
    """Write a dense array as a sparse matrix."""
    sp.save_npz(path, sp.csr_matrix(np.asarray(matrix).astype(dtype)))


def write_gzipped(path: Path, lines: list[str]) -> None:
    """Write lines, packed."""
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))


def write_features(folder: Path, offers: int = 150) -> None:
    """Places and categories that say an offer's block."""
    rows = [f"{n},{10 * (n % BLOCKS)}.{n},{n / 1000}" for n in range(offers)]
    write_gzipped(folder / "poi_coords.csv.gz", ["item,lat,lon", *rows])
    rows = [f"{n},block {n % BLOCKS}" for n in range(offers)]
    write_gzipped(folder / "poi_categories.csv.gz", ["item,category", *rows])
