"""Folders published whole: models, snapshots, backups.

A folder is written beside its place, flushed, renamed, and then named by the pointer file
``current``. A reader sees the old folder or the new one, never half of one; every file is
checked against the manifest before it is trusted.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from core.errors import DamagedError

MANIFEST = "manifest.json"
POINTER = "current"


def sha256_of(path: Path) -> str:
    """The sha-256 hex digest of a file, read in blocks."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def publish_folder(
    root: Path, name: str, write: Callable[[Path], dict[str, Any]], *, keep: int = 3
) -> Path:
    """Write a folder under ``root``, publish it atomically as ``name`` and point to it.

    Args:
        root: folder that holds the published folders; made when absent.
        name: name of the new folder; replaced when it exists.
        write: fills the given empty folder and returns the manifest's own entries.
        keep: how many published folders stay; older ones are removed.

    Returns:
        The published folder.
    """
    root.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".staging-", dir=root))
    try:
        manifest = write(staging)
        files = {p.name: sha256_of(p) for p in sorted(staging.iterdir()) if p.name != MANIFEST}
        text = json.dumps({**manifest, "name": name, "files": files}, indent=2, sort_keys=True)
        (staging / MANIFEST).write_text(text, encoding="utf-8")
        for path in (*staging.iterdir(), staging):
            _fsync(path)
        final = root / name
        if final.exists():
            shutil.rmtree(final)
        staging.rename(final)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    _point_to(root, name)
    _prune(root, keep, name)
    return final


def current_folder(root: Path) -> Path | None:
    """The folder that ``root`` points to, or None when nothing was published."""
    try:
        name = (root / POINTER).read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return None
    folder = root / name
    if not folder.is_dir():
        raise DamagedError(
            f"{root / POINTER} names {name!r}, which is not there.",
            mend="Publish again (offerpath train) or remove the pointer file.",
        )
    return folder


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and verify a published folder's manifest.

    Raises:
        DamagedError: when the manifest is unreadable or a file is missing or altered.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DamagedError(
            f"{folder} has no readable {MANIFEST}: {error}.",
            mend="It was not published whole; publish it again.",
        ) from error
    for name, digest in files.items():
        path = folder / name
        if not path.is_file():
            raise DamagedError(f"{folder} lacks {name}.", mend="Publish it again.")
        if sha256_of(path) != digest:
            raise DamagedError(
                f"{path} does not match its checksum.", mend="It was altered; publish it again."
            )
    return dict(manifest)


def _point_to(root: Path, name: str) -> None:
    pointer = root / f".{POINTER}.new"
    pointer.write_text(name, encoding="utf-8")
    _fsync(pointer)
    pointer.replace(root / POINTER)
    _fsync(root)


def _prune(root: Path, keep: int, current: str) -> None:
    folders = [p for p in root.iterdir() if p.is_dir() and not p.name.startswith(".")]
    for folder in sorted(folders, key=lambda p: p.stat().st_mtime, reverse=True)[keep:]:
        if folder.name != current:
            shutil.rmtree(folder, ignore_errors=True)


def _fsync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
