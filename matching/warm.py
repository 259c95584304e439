"""Compile the kernels of scoring and matching and keep them on disk: set-up runs this once."""

from __future__ import annotations

import numpy as np

from matching.diversity import diversified
from matching.paths import count_common
from scoring import warm


def compile_kernels() -> None:
    """Run every kernel once; later processes load the machine code."""
    warm.compile_kernels()
    rows = np.arange(3, dtype=np.int32)
    count_common(rows, rows, -1)
    diversified(np.ones(3), np.eye(3), 0.5, 0)


if __name__ == "__main__":
    compile_kernels()
