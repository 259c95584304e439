"""How glibc deals with big arrays, and what of the libraries stays in memory; Linux only.

Elsewhere these do nothing.
"""

from __future__ import annotations

import ctypes
import sys
from importlib import import_module
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER_TRIM = 2**31 - 1
MADV_DONTNEED = 4


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


def give_back_libraries() -> None:
    """Forget the pages of libraries that were read while they were loaded.

    What of them is run comes back from the system's cache of files when it is: of torch and what it
    brings that is a tenth. Only parts that nobody can have written to are forgotten. Needs psutil,
    which the train extra brings.
    """
    advise = _glibc("madvise")
    if advise is None:
        return
    for part in import_module("psutil").Process().memory_maps(grouped=False):
        of_a_file = part.path.startswith("/")
        if of_a_file and part.rss and not part.anonymous and "w" not in part.perms:
            first, last = (int(end, 16) for end in part.addr.split("-"))
            advise(ctypes.c_void_p(first), ctypes.c_size_t(last - first), MADV_DONTNEED)


def _glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
