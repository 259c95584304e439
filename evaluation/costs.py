"""What a computation costs: CPU of all threads, and the most memory the process held."""

from __future__ import annotations

import gc
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.memory import give_back_memory
from core.progress import Progress, Task

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"
MEGABYTE = 10**6


def cpu_seconds() -> float:
    """CPU that this process has used, user and system, over all its threads."""
    return time.process_time()


def forget_peak() -> None:
    """Give free memory back and begin to look for the peak anew, where the system can (Linux)."""
    gc.collect()
    give_back_memory()
    try:
        CLEAR.write_text(FORGET_PEAK)
    except OSError:
        return


def peak_rss_mb() -> float:
    """The most memory (10^6 bytes) this process held since ``forget_peak``, or ever."""
    try:
        lines = STATUS.read_text(encoding="utf-8").splitlines()
        (peak,) = (line.split()[1] for line in lines if line.startswith("VmHWM:"))
        return int(peak) * 1024 / MEGABYTE
    except (OSError, ValueError):
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MEGABYTE


class ClockedProgress:
    """Progress that also keeps the CPU seconds spent in each task, by label."""

    def __init__(self, shown: Progress) -> None:
        self.shown = shown
        self.seconds: dict[str, float] = {}

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        """Open the task where it is shown, and clock it."""
        start = cpu_seconds()
        try:
            with self.shown.task(label, total) as task:
                yield task
        finally:
            self.seconds[label] = self.seconds.get(label, 0.0) + cpu_seconds() - start
