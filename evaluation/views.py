"""Rankings of blocks of buyers, each under one or more views of which offers are ranked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.progress import Task
from scoring.metrics import rank_top
from scoring.ragged import Ragged

BLOCK = 128
# Cells of one block of one model's scores: what bounds the memory, 8 MB of float64.
CELLS = 2**20

Scores = NDArray[np.floating]
Score = Callable[[NDArray[np.int64]], dict[str, Scores]]
Tops = dict[str, dict[str, NDArray[np.int32]]]


@dataclass(frozen=True, slots=True)
class View:
    """Which offers are ranked for the t-th of some testers.

    All but row t of ``masked``, only row t of ``within``, only those ``allowed`` (N,); what is
    None does not restrict.
    """

    masked: Ragged | None = None
    within: Ragged | None = None
    allowed: NDArray[np.bool_] | None = None

    def rank(self, scores: Scores, rows: slice, k: int) -> NDArray[np.int32]:
        """Scores (B, N) of testers ``rows`` -> their k best (B, k), -1 for none."""
        seen = scores
        if self.within is not None:
            mine = part(self.within, rows)
            at = np.repeat(np.arange(len(scores)), np.diff(mine.ptr)), mine.values
            seen = np.full(scores.shape, -np.inf)
            seen[at] = scores[at]
        if self.allowed is not None:
            seen = np.where(self.allowed, seen, -np.inf)
        if self.masked is not None and seen is scores:
            seen = scores.copy()
        return rank_top(seen, k, part(self.masked, rows) if self.masked is not None else None)


def rank_blocks(
    score: Score,
    buyers: NDArray[np.int64],
    offers: int,
    views: Mapping[str, View],
    k: int,
    *,
    threads: int = 1,
    task: Task | None = None,
) -> Tops:
    """The k best offers (T, k) int32 under each view, by each model.

    Args:
        score: rows of buyers (B,) -> scores (B, N) by model.
        buyers: the testers' rows (T,), at least one.
        offers: how many there are (N).
        views: what is ranked, by name; their rows are the testers'.
        k: how many; -1 fills the rest.
        threads: blocks scored at the same time; the result is the same with any number.
        task: told of each tester.
    """

    def ranked(rows: slice) -> Tops:
        scores = score(buyers[rows])
        found = {
            name: {model: view.rank(s, rows, k) for model, s in scores.items()}
            for name, view in views.items()
        }
        if task is not None:
            task.advance(rows.stop - rows.start)
        return found

    height = max(1, min(BLOCK, CELLS // max(offers, 1)))
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(ranked, blocks(len(buyers), height)))
    return {
        name: {model: np.concatenate([p[name][model] for p in parts]) for model in parts[0][name]}
        for name in views
    }


def blocks(count: int, height: int = BLOCK) -> Iterator[slice]:
    """The rows 0 to ``count``, ``height`` of them at a time."""
    for start in range(0, count, height):
        yield slice(start, min(start + height, count))


def part(ragged: Ragged, rows: slice) -> Ragged:
    """The rows of a slice, as a Ragged of their own."""
    ptr = ragged.ptr[rows.start : rows.stop + 1]
    return Ragged(ptr - ptr[0], ragged.values[ptr[0] : ptr[-1]])
