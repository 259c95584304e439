"""What is said of CPU and memory follows what was used."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from core.progress import SILENT
from evaluation import costs
from evaluation.costs import ClockedProgress, cpu_seconds, forget_peak, peak_rss_mb


def spend(seconds: float) -> None:
    start = cpu_seconds()
    while cpu_seconds() - start < seconds:
        pass


def test_tasks_of_one_label_are_summed_and_others_are_apart() -> None:
    clock = ClockedProgress(SILENT)
    for _ in range(2):
        with clock.task("long", 3) as task:
            task.advance()
            spend(0.05)
    with clock.task("short"):
        pass
    assert clock.seconds["long"] >= 0.1
    assert clock.seconds["short"] < clock.seconds["long"]


def test_the_peak_is_of_what_came_after_it_was_forgotten() -> None:
    assert sys.platform == "linux"
    forget_peak()
    before = peak_rss_mb()
    held = np.ones(2 * 10**7)
    assert peak_rss_mb() > before + 100
    del held
    assert peak_rss_mb() > before + 100


def test_where_the_system_does_not_tell_the_peak_is_the_processs(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(costs, "STATUS", tmp_path / "none")
    monkeypatch.setattr(costs, "CLEAR", tmp_path / "none" / "none")
    forget_peak()
    assert peak_rss_mb() > 20
