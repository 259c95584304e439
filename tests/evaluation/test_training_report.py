"""The report of a training: true figures, plain reasons, nobody named who should not be."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from core.errors import DamagedError
from core.progress import SILENT
from core.snapshot import GraphSnapshot
from evaluation import training_report
from evaluation.evaluation_page import measured_sections
from evaluation.example_buyers import EXAMPLES, MATCHES
from evaluation.judging import SAME, Comparison
from evaluation.training_report import (
    TrainingReport,
    report_training,
    served_because,
    write_training_report,
)
from gnn.train import TrainedModel, train
from matching.explanations import explain_offers
from matching.state import build_state
from scoring.states import state_of
from tests.gnn.conftest import NOW, SMALL
from tests.gnn.planted import planted_snapshot


@pytest.fixture(scope="module")
def report(planted: GraphSnapshot, trained: TrainedModel) -> TrainingReport:
    return report_training(planted, trained)


@pytest.fixture(scope="module")
def page(report: TrainingReport, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("reports")
    assert write_training_report(folder, report) == folder / "training.html"
    again = json.loads((folder / "training.json").read_text(encoding="utf-8"))
    assert again == json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert sorted(path.name for path in folder.iterdir()) == ["training.html", "training.json"]
    return (folder / "training.html").read_text(encoding="utf-8")


def test_the_page_holds_all_that_is_asked_of_a_training(page: str, trained: TrainedModel) -> None:
    for words in ("What is served", "ItemKNN", "GraphSAGE", "Popularity", "rare offers", "heavy",
                  "nobody had bought", "What diversity costs", "Learning curve", "Calibration",
                  "Ten buyers", "position in the log", trained.model.version):  # fmt: skip
        assert words in page, words
    assert page.count("<svg") == 4


def test_the_figures_beside_the_reason_are_those_of_the_tables(report: TrainingReport) -> None:
    assert report.evaluation is not None and report.lift is not None
    for name, found in report.ndcg.items():
        assert found.mean() == pytest.approx(report.evaluation.new[name]["ndcg@20"])
    assert report.lift.served_ndcg == pytest.approx(report.evaluation.new["offerpath"]["ndcg@20"])


def test_examples_are_matches_with_the_reasons_that_matching_gives(
    planted: GraphSnapshot, trained: TrainedModel, report: TrainingReport
) -> None:
    assert trained.choice is not None
    assert len(report.examples) == EXAMPLES
    state = build_state(trained.choice.split.known, trained.choice.model)
    taken = 0
    for example in report.examples:
        row = state.corpus.buyers.index[example.buyer_id]
        buyer = state_of(state.corpus, row)
        scores = state.scorer.score_offers(buyer)
        bought = set(buyer.offers[buyer.evidence_kinds == 0].tolist())
        shown = [state.corpus.offers.index[match.offer_id] for match in example.matches]
        assert len(shown) == MATCHES and not bought & set(shown)
        rest = np.delete(scores, [*bought, *shown])
        assert scores[shown].min() >= rest.max()
        assert [match.score for match in example.matches] == scores[shown].tolist()
        told = explain_offers(state, example.buyer_id, buyer, np.array(shown, np.int32), 2)
        for match, reasons in zip(example.matches, told, strict=True):
            assert [r.split(" ", 1)[1] for r in match.reasons] == [r.summary for r in reasons]
        fresh = set(trained.choice.split.fresh.row(row).tolist())
        assert [match.taken for match in example.matches] == [o in fresh for o in shown]
        taken += sum(match.taken for match in example.matches)
    # Some came true, or the planted blocks were not found.
    assert taken > 0
    assert [example.bought for example in report.examples] == sorted(
        example.bought for example in report.examples
    )


def test_nobody_is_named_but_the_examples(page: str, report: TrainingReport) -> None:
    named = set(re.findall(r"\bb\d{4}\b", page))
    assert named == {example.buyer_id for example in report.examples}


def test_the_manifest_says_what_was_judged_and_compared(
    report: TrainingReport, trained: TrainedModel
) -> None:
    compared = replace(report, comparison=Comparison("before", SAME, 60, 0.2, 0.1, 0.01))
    manifest = compared.with_figures().model.manifest
    assert manifest["judged"]["baseline"] in {"popularity", "item_knn", "walk"}
    assert manifest["judged"]["lift"] > 1
    assert manifest["compared"]["in_service"] == "before"
    assert manifest["compared"]["is_worse"] is False
    assert manifest.keys() - trained.model.manifest.keys() == {"judged", "compared"}
    json.dumps(manifest, allow_nan=False)


def test_it_says_when_a_simpler_model_won(trained: TrainedModel) -> None:
    assert served_because(trained).startswith("Offerpath's blend")
    figures = {"offerpath": 0.1, "walk": 0.2, "popularity": 0.05}
    walked = served_because(replace(trained, validation=figures, served="walk"))
    assert walked.startswith("A simpler model won, so Walk alone is what is served: NDCG@20 0.2000")
    assert "Offerpath 0.1000" in walked


def test_too_few_buyers_leave_a_page_that_says_so(tmp_path: Path) -> None:
    few = planted_snapshot(buyers=6, offers=12, purchases=20, cold=1)
    report = report_training(few, train(few, SMALL, now=NOW))
    assert report.evaluation is None
    text = write_training_report(tmp_path, report).read_text(encoding="utf-8")
    assert "Too few buyers" in text
    manifest = report.with_figures().model.manifest
    assert (manifest["judged"], manifest["compared"]) == (None, None)


def test_a_model_in_service_that_fits_no_more_is_not_compared(
    planted: GraphSnapshot, trained: TrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(*_: object) -> None:
        raise DamagedError("It weighs unknown components.")

    monkeypatch.setattr(training_report, "compare", damaged)
    assert report_training(planted, trained, trained.model, SILENT).comparison is None


def test_a_slice_without_buyers_shows_no_figure(report: TrainingReport) -> None:
    assert report.evaluation is not None
    slices = next(s for s in measured_sections(report.evaluation, "") if s.heading == "Slices")
    assert slices.table is not None
    for row in slices.table[1]:
        assert all(value is None for value in row[2:]) == (row[1] == 0)
