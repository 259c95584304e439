"""Compiled kernels belong to one state of the source."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ASK = "from scoring.combination import score_of; import numpy as np; import scoring.blend as b;"
ASK += "print(score_of(np.ones(len(b.UNTRAINED.combination.weights)), b.UNTRAINED.combination,"
ASK += "np.zeros(0)))"


def test_a_change_in_a_kernel_that_others_call_is_seen(tmp_path: Path) -> None:
    for room in ("core", "scoring"):
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    before = _asked(tmp_path)
    rows = tmp_path / "scoring" / "combination.py"
    source = rows.read_text(encoding="utf-8")
    changed = source.replace("logit = by.bias\n", "logit = by.bias - 1.0\n")
    assert changed != source
    rows.write_text(changed, encoding="utf-8")
    assert _asked(tmp_path) < before
    assert len(list(tmp_path.glob("scoring/__pycache__/kernels-*"))) == 2


def _asked(folder: Path) -> float:
    clean = {name: value for name, value in os.environ.items() if name != "NUMBA_CACHE_DIR"}
    answer = subprocess.run(
        [sys.executable, "-c", ASK], cwd=folder, env=clean, capture_output=True, check=True
    )
    return float(answer.stdout)
