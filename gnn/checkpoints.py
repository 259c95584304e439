"""Where a training keeps how far it is, so that an interrupted one goes on from there.

A folder with ``about.json``, which says of what settings and data, and one file a stage. Each file
is written beside its place, flushed and renamed; one that was cut short, altered or belongs to
another training is not read. Arrays are kept to the bit, so that a training that went on gives the
very same model as one that was never interrupted.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import pickle
import shutil
import time
import zipfile
from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

import polars as pl
import torch

from core.snapshot import SCHEMAS, GraphSnapshot

# Raised when what is kept changes: a training begun before begins anew.
FORMAT = 6
SECONDS_BETWEEN = 10.0
ABOUT = "about.json"
State = dict[str, Any]


class Found(StrEnum):
    """What a journal's folder held when it was opened; ANOTHER training is removed."""

    NOTHING = "nothing"
    THIS = "this training"
    ANOTHER = "another training"
    DAMAGED = "damaged"


class Stage:
    """One stage of a training: at most one state of it is kept, the newest.

    A state is a mapping of plain values and tensors; ``words`` say for people how far it is.
    """

    def __init__(self, journal: Journal, name: str) -> None:
        self._journal = journal
        self._name = name
        self._kept_at = journal.clock()

    def load(self) -> State | None:
        """The state as it was kept; None when there is none that can be trusted."""
        if not self._path.exists():
            return None
        kept = _read_whole(self._path)
        if kept is None or kept.get("training") != self._journal.training:
            self._journal.tell(f"{self._path} is damaged or of another training; it is not used.")
            return None
        self._journal.kept[self._name] = kept["words"]
        state: State = kept["state"]
        return state

    def keep(self, state: State, words: str) -> None:
        """Write the state in place of the one before, whole or not at all."""
        staged = self._path.with_suffix(".new")
        whole = {"training": self._journal.training, "words": words, "state": state}
        with staged.open("wb") as stream:
            torch.save(whole, stream)
            stream.flush()
            os.fsync(stream.fileno())
        staged.replace(self._path)
        _flush_folder(self._path.parent)
        self._kept_at = self._journal.clock()
        self._journal.kept[self._name] = words

    @property
    def is_due(self) -> bool:
        """Whether the last state was kept long enough ago to write another."""
        return self._journal.clock() - self._kept_at >= self._journal.seconds_between

    @property
    def _path(self) -> Path:
        return self._journal.folder / f"{self._name}.pt"


class Journal:
    """The stages of one training, in a folder; one process at a time.

    ``found`` says what lay there. ``kept`` is, by stage, how far what is kept of it goes.
    ``taken_at`` is the snapshot's of the training's first start: what depends on the age of things
    does not change when it goes on.
    """

    def __init__(
        self,
        folder: Path,
        about: Mapping[str, Any],
        taken_at: datetime,
        *,
        restart: bool = False,
        seconds_between: float = SECONDS_BETWEEN,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Take the folder, and what is kept there of the training that ``about`` describes.

        Args:
            folder: made when absent.
            about: settings and data, plain values; other ones are another training.
            taken_at: of the snapshot at hand.
            restart: begin anew, whatever lies there.
            seconds_between: how long an unfinished stage waits until it is kept again.
            clock: seconds that only grow.
            tell: told in a sentence of what cannot be used.

        Raises:
            BlockingIOError: when another process trains in the folder.
        """
        self.folder, self.seconds_between, self.clock = folder, seconds_between, clock
        self.tell, self.kept = tell, dict[str, str]()
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise
        mine = json.loads(json.dumps(dict(about)))
        known, self.found = self._read_about(mine)
        if known is None or restart:
            self._start_anew(mine, taken_at)
            known = taken_at
        self.taken_at = known
        self.training = _digest([mine, self.taken_at.isoformat()])

    def stage(self, name: str) -> Stage:
        """The stage of that name."""
        return Stage(self, name)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let another process have the folder; what is kept stays."""
        self._lock.close()

    def remove(self) -> None:
        """Forget the training: it is published."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.close()

    def _read_about(self, mine: State) -> tuple[datetime | None, Found]:
        try:
            text = (self.folder / ABOUT).read_text(encoding="utf-8")
        except OSError:
            return None, Found.NOTHING
        try:
            known = json.loads(text)
            taken_at = datetime.fromisoformat(known["taken_at"])
            same = known["format"] == FORMAT and known["about"] == mine
        except (ValueError, KeyError, TypeError):
            return None, Found.DAMAGED
        return (taken_at, Found.THIS) if same else (None, Found.ANOTHER)

    def _start_anew(self, about: State, taken_at: datetime) -> None:
        for path in (*self.folder.glob("*.pt"), *self.folder.glob("*.new")):
            path.unlink(missing_ok=True)
        text = json.dumps({"format": FORMAT, "about": about, "taken_at": taken_at.isoformat()})
        staged = self.folder / "about.new"
        staged.write_text(text, encoding="utf-8")
        staged.replace(self.folder / ABOUT)
        _flush_folder(self.folder)


def digest_of_data(snapshot: GraphSnapshot) -> str:
    """Names the rows of all tables, whatever their order, the log's position and the moment.

    Rows that are equal in all they are sorted by come in any order from the graph.
    """
    digests = [
        hashlib.sha256(snapshot.table(name).hash_rows(seed=0).sort().to_numpy().tobytes())
        for name in SCHEMAS
    ]
    # Polars keeps its hashes the same within one version only.
    named = [digest.hexdigest() for digest in digests]
    return _digest([snapshot.graph_id, pl.__version__, named])


def _read_whole(path: Path) -> State | None:
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.testzip() is not None:
                return None
        kept = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile):
        return None
    return kept if isinstance(kept, dict) else None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
