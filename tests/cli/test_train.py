"""`offerpath train` as people use it: interrupted, gone on with, refused, published anyway."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cli.main import run
from core.progress import SILENT
from evaluation import training_report
from evaluation.judging import SAME, Comparison
from gnn.checkpoints import Journal
from scoring.artifact import load_model
from synthetic.generate import generate
from synthetic.spec import MarketplaceSpec
from tests.cli.conftest import Answer, Command
from tests.gnn.conftest import NOW

OPTIONS = ("--epochs", 2, "--dimension", 4, "--threads", 1)


# Enough buyers to choose by and to be judged by.
MARKET = MarketplaceSpec(buyers=150, offers=80, vendors=4, purchases=2500, interactions=500)


@pytest.fixture(scope="module")
def market_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose graph holds a marketplace."""
    folder = tmp_path_factory.mktemp("market")
    generate(MARKET, folder / "data", progress=SILENT)
    assert run(["--home", str(folder / "home"), "import", str(folder / "data")]) == 0
    return folder / "home"


@pytest.fixture
def home(market_home: Path, tmp_path: Path) -> Path:
    """A copy of the home, for the test alone."""
    return Path(shutil.copytree(market_home, tmp_path / "home"))


def trained(offerpath: Command, *options: str) -> Answer:
    return offerpath("train", *OPTIONS, *options)


def arrays_of(home: Path) -> dict[str, Any]:
    model = load_model(home / "models")
    assert model is not None
    return model.arrays


class Worse:
    """Stands for a comparison that the new model loses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = Comparison("the one before", SAME, 120, 0.1, 0.2, 0.01)
        monkeypatch.setattr(training_report, "compare", lambda *_: found)


def test_it_publishes_and_reports(offerpath: Command, home: Path) -> None:
    answer = trained(offerpath, "--json")
    assert answer.code == 0
    assert answer.json["judged"]["judges"] > 10
    assert answer.json["compared"] is None
    report = json.loads((home / "reports" / "training.json").read_text(encoding="utf-8"))
    assert report["version"] == answer.json["version"]
    assert (home / "reports" / "training.html").stat().st_size > 10_000
    assert not (home / "training").exists()
    # Plain lines when this is no terminal: how it learned, and the best so far.
    assert "Training to choose: done" in answer.err
    assert "best 0." in answer.err and "at epoch" in answer.err


def test_an_interrupted_training_is_gone_on_with(
    offerpath: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(training_report, "report_training", interrupt)
        stopped = trained(offerpath)
    assert stopped.code == 130
    assert "Training on everything: done" in stopped.err and "--restart" in stopped.err
    assert not (home / "models").exists()
    kept = torch.load(home / "training" / "final.pt", weights_only=True)["state"]["model"]
    again = trained(offerpath)
    assert again.code == 0
    assert "Going on where this training stopped" in again.err
    assert "Tuning the walk" not in again.err
    for name, source in {"kind_h0": "kind", "encoder_w1": "features.0.weight"}.items():
        assert np.array_equal(arrays_of(home)[name], kept[source].numpy()), name
    assert not (home / "training").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--restart",), None), (("--seed", "4"), "is of other data or settings")],
)
def test_it_begins_anew_when_told_or_when_it_is_another(
    options: tuple[str, ...],
    said: str | None,
    offerpath: Command,
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patch:
        Worse(patch)
        assert trained(offerpath).code == 0
        assert trained(offerpath).code == 1
    answer = trained(offerpath, *options)
    assert answer.code == 0
    assert "Going on" not in answer.err and "Tuning the walk" in answer.err
    assert (said or "") in answer.err


def test_a_worse_model_is_refused_kept_aside_and_published_when_told(
    offerpath: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert trained(offerpath).code == 0
    in_service = load_model(home / "models")
    assert in_service is not None
    Worse(monkeypatch)
    refused = trained(offerpath, "--seed", "1")
    assert refused.code == 1
    for words in ("not published", "0.1000", "0.2000", "--publish-worse", str(home / "refused")):
        assert words in refused.err
    still = load_model(home / "models")
    assert still is not None and still.version == in_service.version
    aside = load_model(home / "refused")
    assert aside is not None
    assert aside.manifest["compared"]["is_worse"] is True
    assert "It does worse" in (home / "reports" / "training.html").read_text(encoding="utf-8")
    told = trained(offerpath, "--seed", "1", "--publish-worse", "--json")
    assert told.code == 0
    assert "Tuning the walk" not in told.err
    assert told.json["compared"]["is_worse"] is True
    for name, rows in aside.arrays.items():
        assert np.array_equal(arrays_of(home)[name], rows), name


def test_the_model_in_service_is_compared_with(offerpath: Command, home: Path) -> None:
    first = trained(offerpath, "--json").json
    model = load_model(home / "models")
    assert model is not None
    seen: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_report, "compare", lambda *given: seen.append(given[4].version))
        assert trained(offerpath).code == 0
    assert seen == [first["version"]]


def test_a_damaged_model_in_service_is_no_hindrance(offerpath: Command, home: Path) -> None:
    assert trained(offerpath).code == 0
    folder = home / "models" / (home / "models" / "current").read_text()
    (folder / "arrays.npz").write_bytes(b"torn")
    answer = trained(offerpath)
    assert answer.code == 0
    assert "not compared" in answer.err


def test_two_trainings_of_one_home_do_not_share_what_is_kept(
    offerpath: Command, home: Path
) -> None:
    with Journal(home / "training", {"another": 1}, NOW) as other:
        answer = trained(offerpath)
        assert answer.code == 0
        assert "Another training is under way" in answer.err
        assert (home / "training" / "about.json").exists()
        assert other.found is not None


def test_a_gpu_that_is_not_there_is_refused(
    offerpath: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    answer = trained(offerpath, "--device", "cuda")
    assert answer.code == 2
    assert "--device cpu" in answer.err
