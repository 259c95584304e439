"""Where compiled kernels are kept: a folder for each state of the source.

numba looks only at the file of the function it compiled. A kernel that calls into another file
would go on with that file's old code after an upgrade, and the two directions of a score would
differ; so every change of any kernel's source begins a folder of its own.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from numba.core import config

NAMED = "NUMBA_CACHE_DIR"
PREFIX = "kernels-"
ROOMS = ("scoring", "matching", "gnn")
DIGITS = 16


def keep_kernels_by_source() -> Path:
    """Have numba keep what it compiles from now on in a folder of this source; returns it.

    The folder lies in NUMBA_CACHE_DIR where that is set.
    """
    named = os.environ.get(NAMED)
    parent = Path(named) if named else Path(__file__).parent / "__pycache__"
    folder = parent / f"{PREFIX}{_digest()}"
    config.CACHE_DIR = str(folder)  # type: ignore[attr-defined]  # set by name from the environment
    return folder


def forget_other_kernels() -> None:
    """Remove what was compiled of any other source."""
    kept = keep_kernels_by_source()
    for folder in kept.parent.glob(f"{PREFIX}*"):
        if folder != kept:
            shutil.rmtree(folder, ignore_errors=True)


def _digest() -> str:
    home = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(path for room in ROOMS for path in (home / room).glob("*.py")):
        source = path.read_bytes()
        if b"njit" in source:
            digest.update(path.name.encode() + b"\0" + source)
    return digest.hexdigest()[:DIGITS]
