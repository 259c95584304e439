"""Data sets of awkward shapes, to see whether what is served is ever behind a simple model.

Run: ``python benchmarks/hard_sets.py [DIR] [--only NAME ...] [--seed 0] [--scale 1.0]``.

Writes a folder with train.npz and test.npz for each (a fifth of every buyer's offers is the test)
and prints one JSON line a set. Without DIR they go into a temporary folder, and only the lines
stay. Feed the folders to ``offerpath bench quality --data`` or to ``benchmarks/never_behind.py``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp

ROWS = 256
TEST_SHARE = 0.2
FEWEST = 3


@dataclass(frozen=True)
class HardSet:
    """How buyers take offers: ``mean`` offers each, drawn by softmax without replacement.

    An offer's odds are its popularity (Zipf, with exponent ``zipf``), times exp of ``taste`` times
    the inner product of latent vectors, times exp of ``within`` where buyer and offer are of the
    same one of ``blocks``. A share of ``followers`` goes by popularity alone.
    """

    buyers: int
    offers: int
    mean: float
    zipf: float = 0.8
    taste: float = 0.0
    latent: int = 16
    blocks: int = 1
    within: float = 0.0
    followers: float = 0.0


SETS = {
    "dense_small": HardSet(800, 300, 50, zipf=0.5, taste=1.5, latent=8),
    "sparse": HardSet(6_000, 5_000, 6, taste=2.0),
    "many_offers_few_buyers": HardSet(300, 8_000, 60, taste=2.0),
    "few_offers_many_buyers": HardSet(8_000, 300, 12, taste=1.5, latent=8),
    "near_random": HardSet(2_000, 1_500, 15, zipf=0.1, taste=0.1),
    "popularity_only": HardSet(2_000, 1_500, 15, zipf=1.2),
    "one_cluster_popular": HardSet(2_500, 2_000, 20, zipf=1.0, taste=2.5, followers=0.5),
    "blockwise": HardSet(2_500, 2_500, 20, zipf=0.0, blocks=25, within=5.0),
    "tiny": HardSet(120, 80, 8, zipf=0.5, taste=1.5, latent=4),
}


def main() -> None:
    """Write the sets asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--only", nargs="*", choices=list(SETS), default=list(SETS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of buyers")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as spare:
        for name in asked.only:
            spec = replace(SETS[name], buyers=max(20, int(SETS[name].buyers * asked.scale)))
            counts = write_set((asked.folder or Path(spare)) / name, spec, asked.seed)
            print(json.dumps({"set": name, **counts, "spec": asdict(spec)}), flush=True)


def write_set(folder: Path, spec: HardSet, seed: int) -> dict[str, int]:
    """Draw and split a set; the same seed gives the same files. Returns how many pairs."""
    rng = np.random.default_rng(seed)
    pairs = draw_pairs(spec, rng)
    test = held_out(pairs, rng)
    folder.mkdir(parents=True, exist_ok=True)
    counts = {}
    for name, kept in (("train", ~test), ("test", test)):
        rows = np.repeat(np.arange(spec.buyers), np.diff(pairs.indptr))[kept]
        ones = np.ones(len(rows), dtype=np.int8)
        part = sp.csr_matrix((ones, (rows, pairs.indices[kept])), shape=pairs.shape)
        sp.save_npz(folder / f"{name}.npz", part)
        counts[name] = int(part.nnz)
    return counts


def draw_pairs(spec: HardSet, rng: np.random.Generator) -> sp.csr_array:
    """(buyers, offers) of ones."""
    popularity = -spec.zipf * np.log(rng.permutation(spec.offers) + 1.0)
    tastes = rng.normal(size=(spec.buyers, spec.latent))
    traits = rng.normal(size=(spec.offers, spec.latent)) / np.sqrt(spec.latent)
    tastes[rng.random(spec.buyers) < spec.followers] = 0.0
    sizes = rng.lognormal(np.log(spec.mean) - 0.32, 0.8, spec.buyers).astype(np.int64)
    sizes = np.clip(sizes, FEWEST, spec.offers // 2)
    block = rng.integers(0, spec.blocks, spec.buyers), rng.integers(0, spec.blocks, spec.offers)
    found = []
    for start in range(0, spec.buyers, ROWS):
        rows = slice(start, min(start + ROWS, spec.buyers))
        odds = popularity + spec.taste * (tastes[rows] @ traits.T)
        odds += spec.within * (block[0][rows, None] == block[1])
        # The largest of odds plus Gumbel noise are a draw without replacement.
        odds += rng.gumbel(size=odds.shape)
        order = np.argsort(-odds, axis=1)
        found += [np.sort(order[at, : sizes[start + at]]) for at in range(len(order))]
    ptr = np.concatenate([[0], np.cumsum(sizes)])
    ones = np.ones(int(ptr[-1]), dtype=np.int8)
    return sp.csr_array((ones, np.concatenate(found), ptr), shape=(spec.buyers, spec.offers))


def held_out(pairs: sp.csr_array, rng: np.random.Generator) -> np.ndarray:
    """Which pairs (n,) are the test: a fifth of each row, at least one."""
    test = np.zeros(pairs.nnz, dtype=bool)
    for start, stop in zip(pairs.indptr[:-1], pairs.indptr[1:], strict=True):
        count = max(1, round((stop - start) * TEST_SHARE))
        test[rng.choice(np.arange(start, stop), size=count, replace=False)] = True
    return test


if __name__ == "__main__":
    main()
