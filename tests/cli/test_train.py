"""`offerpath train` as people use it: interrupted, gone on with, refused, published anyway."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from cli.main import run
from core.progress import SILENT
from evaluation import training_report
from evaluation.judging import SAME, Comparison
from gnn.checkpoints import Journal
from scoring.artifact import Model, load_model
from synthetic.generate import generate
from synthetic.spec import MarketplaceSpec
from tests.cli.conftest import Answer, Command
from tests.gnn.conftest import NOW

OPTIONS = ("--epochs", 2, "--dimension", 4, "--threads", 1)


# Enough buyers to choose by and to be judged by.
MARKET = MarketplaceSpec(buyers=150, offers=80, vendors=4, purchases=2500, interactions=500)


@pytest.fixture(scope="module")
def left_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a model in service, and a second training that was interrupted near its end."""
    folder = tmp_path_factory.mktemp("market")
    home, data = folder / "home", folder / "data"
    generate(MARKET, data, progress=SILENT)
    assert run(["--home", str(home), "import", str(data)]) == 0
    command = ["--home", str(home), "train", *(str(word) for word in OPTIONS)]
    assert run(command) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(training_report, "report_training", interrupt)
        assert run([*command, "--seed", "1"]) == 130
    return home


@pytest.fixture
def home(left_home: Path, tmp_path: Path) -> Path:
    """A copy of the home, for the test alone."""
    return Path(shutil.copytree(left_home, tmp_path / "home"))


def interrupt(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def going_on(offerpath: Command, *options: str) -> Answer:
    """The interrupted training, given again."""
    return offerpath("train", *OPTIONS, "--seed", "1", *options)


def served(folder: Path) -> Model:
    model = load_model(folder)
    assert model is not None
    return model


class Worse:
    """Stands for a comparison that the new model loses."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        found = Comparison("the one before", SAME, 120, 0.1, 0.2, 0.01)
        monkeypatch.setattr(training_report, "compare", lambda *_: found)


def test_it_goes_on_publishes_and_reports(offerpath: Command, home: Path) -> None:
    before = served(home / "models")
    assert before.manifest["judged"]["judges"] > 10
    assert before.manifest["compared"] is None
    kept = torch.load(home / "training" / "final.pt", weights_only=True)["state"]["model"]
    answer = going_on(offerpath, "--json")
    assert answer.code == 0
    assert "Going on where this training stopped" in answer.err
    # Plain lines when this is no terminal, and nothing is learned twice.
    assert "Training to choose: done" in answer.err
    assert "Tuning the walk" not in answer.err
    now = served(home / "models")
    assert now.version == answer.json["version"] != before.version
    for name, source in {"kind_h0": "kind", "encoder_w1": "features.0.weight"}.items():
        assert np.array_equal(now.arrays[name], kept[source].numpy()), name
    report = json.loads((home / "reports" / "training.json").read_text(encoding="utf-8"))
    assert report["version"] == now.version
    assert (home / "reports" / "training.html").stat().st_size > 10_000
    assert not (home / "training").exists()


def test_an_interruption_says_what_is_kept_and_how_to_go_on(
    offerpath: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_report, "report_training", interrupt)
    stopped = going_on(offerpath)
    assert stopped.code == 130
    for words in ("Kept in", "Training on everything: done", "same command", "--restart"):
        assert words in stopped.err
    shutil.rmtree(home / "training")
    monkeypatch.setattr("gnn.train.train", interrupt)
    assert "before anything could be kept" in going_on(offerpath).err


@pytest.mark.parametrize(
    ("options", "said"),
    [(("--restart",), ""), (("--seed", "4"), "is of other data or settings")],
)
def test_it_begins_anew_when_told_or_when_it_is_another(
    options: tuple[str, ...], said: str, offerpath: Command, home: Path
) -> None:
    answer = going_on(offerpath, *options)
    assert answer.code == 0
    assert "Going on" not in answer.err and "Tuning the walk" in answer.err
    assert said in answer.err
    # How it learned, and the best so far.
    assert "NDCG@20 0." in answer.err and "best 0." in answer.err


def test_a_worse_model_is_refused_kept_aside_and_published_when_told(
    offerpath: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = served(home / "models")
    Worse(monkeypatch)
    refused = going_on(offerpath)
    assert refused.code == 1
    for words in ("not published", "0.1000", "0.2000", "--publish-worse", str(home / "refused")):
        assert words in refused.err
    assert served(home / "models").version == before.version
    aside = served(home / "refused")
    assert aside.manifest["compared"]["is_worse"] is True
    assert "It does worse" in (home / "reports" / "training.html").read_text(encoding="utf-8")
    told = going_on(offerpath, "--publish-worse", "--json")
    assert told.code == 0
    assert "Tuning the walk" not in told.err
    assert told.json["compared"]["is_worse"] is True
    published = served(home / "models")
    for name, rows in aside.arrays.items():
        assert np.array_equal(published.arrays[name], rows), name


def test_the_model_in_service_is_what_is_compared_with(
    offerpath: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(training_report, "compare", lambda *given: seen.append(given[4].version))
    before = served(home / "models").version
    assert going_on(offerpath).code == 0
    assert seen == [before]


def test_a_damaged_model_in_service_is_no_hindrance(offerpath: Command, home: Path) -> None:
    (home / "models" / served(home / "models").version / "arrays.npz").write_bytes(b"torn")
    answer = going_on(offerpath)
    assert answer.code == 0
    assert "not compared" in answer.err


def test_two_trainings_of_one_home_do_not_share_what_is_kept(
    offerpath: Command, home: Path
) -> None:
    with Journal(home / "training", {"another": 1}, NOW):
        answer = going_on(offerpath)
        assert answer.code == 0
        assert "Another training is under way" in answer.err
        assert (home / "training" / "about.json").exists()


def test_a_gpu_that_is_not_there_is_refused(
    offerpath: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    answer = going_on(offerpath, "--device", "cuda")
    assert answer.code == 2
    assert "--device cpu" in answer.err
