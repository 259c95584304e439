"""An interrupted training goes on to the very same model, and trusts nothing that is damaged."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch

from core.progress import Progress
from core.snapshot import GraphSnapshot
from gnn.checkpoints import Found, Journal, digest_of_data
from gnn.fitting import Schedule
from gnn.provenance import journal_entry
from gnn.train import TrainedModel, train
from tests.gnn.conftest import NOW, Heard
from tests.gnn.killed_training import SLOW, few, journal_of

ROOT = Path(__file__).parents[2]
KILLS = 2
EPOCH = Schedule().steps


class Stopped(KeyboardInterrupt):
    """Stands for Ctrl-C."""


class Interrupting:
    """Progress that is interrupted at the n-th step of a task."""

    def __init__(self, label: str, step: int) -> None:
        self.label, self.step = label, step

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[_Steps]:
        yield _Steps(self.step if label == self.label else None)


class _Steps:
    def __init__(self, stop_at: int | None) -> None:
        self.left = stop_at

    def advance(self, steps: int = 1) -> None:
        if self.left is not None:
            self.left -= steps
            if self.left <= 0:
                raise Stopped

    def note(self, text: str) -> None:
        """Figures are not kept."""


def assert_same(ours: TrainedModel, theirs: TrainedModel) -> None:
    assert ours.model.arrays.keys() == theirs.model.arrays.keys()
    for name, rows in theirs.model.arrays.items():
        assert np.array_equal(ours.model.arrays[name], rows), name
    assert ours.model.manifest == theirs.model.manifest
    assert ours.curve == theirs.curve


@pytest.fixture(scope="module")
def market() -> GraphSnapshot:
    """What killed_training learns from."""
    return few()


@pytest.fixture(scope="module")
def uninterrupted(market: GraphSnapshot) -> TrainedModel:
    """The training of killed_training, from its beginning to its end."""
    trained = train(replace(market, taken_at=NOW), SLOW, now=NOW)
    assert trained.model.manifest["metrics"]["epochs"] >= 3, "too few epochs to interrupt"
    return trained


def interrupted(market: GraphSnapshot, folder: Path, progress: Progress) -> dict[str, str]:
    with journal_of(folder) as journal:
        with pytest.raises(Stopped):
            train(market, SLOW, progress, now=NOW, journal=journal)
        return journal.kept


@pytest.mark.parametrize(
    ("label", "step", "kept"),
    [
        (
            "Training to choose",
            3 * EPOCH + 5,
            {"choosing": "Training to choose: 3 of at most 6 epochs"},
        ),
        ("Comparing models", 3, {"choosing": "Training to choose: done"}),
        ("Training on everything", 1, {"choosing": "", "chosen": "Choosing: done"}),
        (
            "Training on everything",
            2 * EPOCH + 5,
            {"choosing": "", "chosen": "", "final": "2 of at most"},
        ),
    ],
)
def test_it_goes_on_to_the_very_same_model(
    label: str,
    step: int,
    kept: dict[str, str],
    market: GraphSnapshot,
    uninterrupted: TrainedModel,
    tmp_path: Path,
) -> None:
    found = interrupted(market, tmp_path, Interrupting(label, step))
    assert found.keys() == kept.keys()
    assert all(kept[name] in words for name, words in found.items())
    heard = Heard()
    # The graph is read anew, at another moment; nothing else of it has changed.
    journal = journal_of(tmp_path, NOW + timedelta(days=30))
    assert journal.found is Found.THIS
    again = train(market, SLOW, heard, now=NOW, journal=journal)
    assert_same(again, uninterrupted)
    assert ("Tuning the walk" in heard.tasks) == ("chosen" not in kept)
    journal.remove()
    assert not tmp_path.exists()


def test_it_goes_on_after_being_killed(uninterrupted: TrainedModel, tmp_path: Path) -> None:
    draw = random.Random(time.time_ns())
    kept, out = tmp_path / "kept", tmp_path / "arrays.npz"
    command = [sys.executable, "-m", "tests.gnn.killed_training", str(kept), str(out)]
    for _ in range(KILLS):
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        assert child.stdout is not None
        assert child.stdout.readline() == b"begun\n"
        # Not before it has kept something, or each would only begin anew.
        while not list(kept.glob("*.pt")) and child.poll() is None:
            time.sleep(0.02)
        time.sleep(draw.random())
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    with np.load(out) as arrays:
        assert set(arrays.files) == set(uninterrupted.model.arrays)
        for name, rows in uninterrupted.model.arrays.items():
            assert np.array_equal(arrays[name], rows), name


def test_a_checkpoint_that_was_cut_short_or_altered_is_not_used(
    market: GraphSnapshot, uninterrupted: TrainedModel, tmp_path: Path
) -> None:
    interrupted(market, tmp_path, Interrupting("Training on everything", 2 * EPOCH + 5))
    choosing, final = tmp_path / "choosing.pt", tmp_path / "final.pt"
    content = bytearray(choosing.read_bytes())
    content[len(content) // 2] ^= 1
    choosing.write_bytes(bytes(content))
    os.truncate(final, final.stat().st_size // 2)
    told: list[str] = []
    about = journal_entry(market, SLOW)
    with Journal(tmp_path, about, NOW, tell=told.append) as journal:
        assert_same(train(market, SLOW, now=NOW, journal=journal), uninterrupted)
    assert ["choosing.pt" in told[0], "final.pt" in told[1]] == [True, True]
    assert all("not used" in line for line in told)


def test_what_is_of_another_training_is_not_used(market: GraphSnapshot, tmp_path: Path) -> None:
    interrupted(market, tmp_path / "one", Interrupting("Training on everything", 2 * EPOCH + 5))
    other = journal_entry(market, replace(SLOW, seed=9))
    told: list[str] = []
    with Journal(tmp_path / "two", other, NOW, tell=told.append) as journal:
        shutil.copy(tmp_path / "one" / "final.pt", tmp_path / "two")
        assert journal.stage("final").load() is None
        assert "another training" in told[0]
    with Journal(tmp_path / "one", other, NOW) as journal:
        assert journal.found is Found.ANOTHER
    assert not list((tmp_path / "one").glob("*.pt"))


def test_a_checkpoint_runs_no_code(tmp_path: Path) -> None:
    with Journal(tmp_path, {}, NOW) as journal:
        whole = {"training": journal.training, "words": "", "state": Path("/")}
        torch.save(whole, tmp_path / "final.pt")
        assert journal.stage("final").load() is None


def test_restarting_begins_anew_and_only_one_may_train(tmp_path: Path) -> None:
    about = {"seed": 1}
    with Journal(tmp_path, about, NOW) as journal:
        assert journal.found is Found.NOTHING
        journal.stage("final").keep({"epoch": 3}, "three")
        with pytest.raises(BlockingIOError):
            Journal(tmp_path, about, NOW)
    with Journal(tmp_path, about, NOW + timedelta(days=1)) as again:
        assert (again.found, again.taken_at) == (Found.THIS, NOW)
        assert again.stage("final").load() == {"epoch": 3}
    with Journal(tmp_path, about, NOW, restart=True) as anew:
        assert anew.stage("final").load() is None
    (tmp_path / "about.json").write_text('{"format": 1, "abo')
    with Journal(tmp_path, about, NOW) as journal:
        assert journal.found is Found.DAMAGED


def test_a_state_is_kept_no_more_often_than_asked_for(tmp_path: Path) -> None:
    seconds = iter([0.0, 9.0, 10.0, 10.0, 19.0])
    with Journal(tmp_path, {}, NOW, clock=lambda: next(seconds)) as journal:
        stage = journal.stage("final")
        assert (stage.is_due, stage.is_due) == (False, True)
        stage.keep({}, "")
        assert not stage.is_due


def test_the_data_are_known_by_their_rows(planted: GraphSnapshot) -> None:
    known = digest_of_data(planted)
    assert digest_of_data(replace(planted, seq=99, taken_at=NOW)) == known
    assert digest_of_data(replace(planted, purchases=planted.purchases.reverse())) == known
    fewer = replace(planted, purchases=planted.purchases.head(-1))
    assert digest_of_data(fewer) != known
