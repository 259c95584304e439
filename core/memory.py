"""How glibc deals with big arrays; elsewhere these do nothing."""

from __future__ import annotations

import ctypes
import sys
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER_TRIM = 2**31 - 1


def keep_memory_mapped() -> None:
    """Tell glibc not to map and unmap big arrays at every step, which doubles a step's time.

    MALLOC_MMAP_MAX_ and MALLOC_TRIM_THRESHOLD_ would do the same, but only from before the start.
    """
    mallopt = _glibc("mallopt")
    if mallopt is not None:
        mallopt(M_MMAP_MAX, 0)
        mallopt(M_TRIM_THRESHOLD, NEVER_TRIM)


def give_back_memory() -> None:
    """Give what is free back to the system, so that the next stage need not add to it."""
    trim = _glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
