"""The files of an embedded graph: the lock beside it, and a write-ahead log that was torn."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
from pathlib import Path
from typing import Any

import ladybug

from core.errors import GraphBusyError, GraphUnavailableError

_LOG = logging.getLogger(__name__)
# The engine's own default is 80 % of the machine's memory.
BUFFER_POOL_BYTES = 512 * 2**20


class GraphLock:
    """Exclusive use of a graph file, told to others by a lock file beside it.

    The operating system lets go of the lock when its process ends, however it ends, so what a
    dead process left behind does not hinder the next.
    """

    def __init__(self, path: Path) -> None:
        """Take the lock of the graph at ``path``; GraphBusyError names who has it."""
        self._graph = path
        self._stream = Path(f"{path}.lock").open("a+", encoding="utf-8")  # noqa: SIM115 - held
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = self._owner()
            self._stream.close()
            raise _busy(path, owner) from None
        self.announce(None)

    def announce(self, url: str | None) -> None:
        """Write down this process, and the URL it serves the graph at, for others to read."""
        self._stream.seek(0)
        self._stream.truncate()
        self._stream.write(json.dumps({"pid": os.getpid(), "url": url}))
        self._stream.flush()

    def release(self) -> None:
        """Let go. The file stays: removing it would let two processes lock two files."""
        if not self._stream.closed:
            self._stream.seek(0)
            self._stream.truncate()
            self._stream.close()

    def _owner(self) -> dict[str, Any]:
        self._stream.seek(0)
        try:
            return dict(json.loads(self._stream.read()))
        except ValueError:
            return {}


def _busy(path: Path, owner: dict[str, Any]) -> GraphBusyError:
    who = f"process {owner['pid']}" if "pid" in owner else "another process"
    url = owner.get("url")
    if url:
        return GraphBusyError(
            f"The graph {path} is served by {who} at {url}.",
            mend=f"Use {url}, or stop that server first.",
            url=url,
        )
    return GraphBusyError(
        f"The graph {path} is in use by {who}.", mend="Wait until it has ended, or end it."
    )


def open_database(path: Path) -> tuple[ladybug.Database, Path | None]:
    """Open the graph file, mending a torn write-ahead log. The caller holds the lock.

    Returns:
        The database, and where the torn log was copied to (None: it was whole).

    Raises:
        GraphUnavailableError: when the file cannot be opened even so.
    """
    log = Path(f"{path}.wal")
    try:
        return _open(path, strict=True), None
    except RuntimeError as error:
        if not log.exists() or log.stat().st_size == 0:
            raise _unusable(path, error) from error
        reason = error
    aside = _copy_aside(log)
    try:
        database = _open(path, strict=False)
        # Folded in at once: the torn log must not be met again.
        with ladybug.Connection(database) as connection:
            connection.execute("CHECKPOINT")
    except RuntimeError as error:
        raise _unusable(path, error) from error
    _LOG.error(
        "The write-ahead log of %s was torn (%s). Everything before the tear is back; writes "
        "after it are lost. The torn log is kept as %s. Run `offerpath doctor`.",
        path, reason, aside,
    )  # fmt: skip
    return database, aside


def _open(path: Path, *, strict: bool) -> ladybug.Database:
    return ladybug.Database(
        path,
        buffer_pool_size=BUFFER_POOL_BYTES,
        max_num_threads=min(4, os.cpu_count() or 1),
        throw_on_wal_replay_failure=strict,
    )


def _copy_aside(log: Path) -> Path:
    taken = 1
    while (aside := log.with_name(f"{log.name}.torn-{taken}")).exists():
        taken += 1
    shutil.copyfile(log, aside)
    return aside


def _unusable(path: Path, error: Exception) -> GraphUnavailableError:
    full = "No space left" in str(error)
    restore = "Restore a backup (offerpath restore), or give OFFERPATH_GRAPH_URI another path."
    return GraphUnavailableError(
        f"The embedded graph {path} cannot be opened: {error}.",
        mend="Make room on its disk and start again." if full else restore,
    )
