"""The report of one training: how it learned, how good it is, what is served and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import DamagedError
from core.progress import SILENT, Progress
from core.snapshot import GraphSnapshot
from evaluation.evaluate import Evaluation
from evaluation.evaluation_page import NAMES, measured_sections
from evaluation.example_buyers import (
    ExampleBuyer,
    choose_examples,
    example_buyers,
    examples_section,
)
from evaluation.judging import (
    Comparison,
    Lift,
    compare,
    judge,
    lift_of,
    ndcg_by_model,
    standard_error,
    with_judges,
)
from gnn.train import TrainedModel
from gnn.walk_tuning import bought_rows
from reports.page import Section, write_page
from scoring.artifact import Model
from scoring.corpus_building import build_corpus
from scoring.scorer import build_scorer

# The forms that a blend may take, beside the models that are ranked.
FORMS = {
    "network": "the blend as a network",
    "weights": "the blend as weights",
}
AS_LONG = (
    "A score says how likely a buyer is to take the offer within a time as long as the "
    "validation slice. Points on the diagonal are as likely as they say."
)


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What is said of a training; all but ``trained`` is empty with too few buyers to judge by.

    ``ndcg`` is NDCG@20 of each judge (J,) by model.
    """

    trained: TrainedModel
    evaluation: Evaluation | None = None
    ndcg: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    lift: Lift | None = None
    comparison: Comparison | None = None
    examples: tuple[ExampleBuyer, ...] = ()

    def with_figures(self) -> TrainedModel:
        """The trained model, its manifest saying what it was judged by and compared with."""
        model = self.trained.model
        said = {
            "judged": asdict(self.lift) if self.lift else None,
            "compared": self.comparison.as_json() if self.comparison else None,
        }
        return replace(self.trained, model=replace(model, manifest=model.manifest | said))

    def as_json(self) -> dict[str, Any]:
        """Everything as plain values that json can write."""
        made = self.evaluation.as_json() if self.evaluation else {}
        return made | {
            "version": self.trained.model.version,
            "served": self.trained.served,
            "why": served_because(self.trained),
            "judged": asdict(self.lift) if self.lift else None,
            "compared": self.comparison.as_json() if self.comparison else None,
            "examples": [example.as_json() for example in self.examples],
        }


def report_training(
    snapshot: GraphSnapshot,
    trained: TrainedModel,
    in_service: Model | None = None,
    progress: Progress = SILENT,
) -> TrainingReport:
    """Judge a training by the part of its validation slice that nothing was fitted on.

    Args:
        snapshot: what was trained on.
        trained: what came of it.
        in_service: what it would replace; None: nothing.
        progress: told of each part.
    """
    if trained.choice is None:
        return TrainingReport(trained)
    choice = with_judges(trained.choice)
    evaluation = judge(trained, choice, progress)
    ndcg = ndcg_by_model(evaluation, choice)
    lift = lift_of(ndcg)
    corpus = build_corpus(choice.split.known)
    scorer, bought = build_scorer(corpus, choice.model), bought_rows(corpus)
    chosen = choose_examples(bought, choice.judges)
    examples = example_buyers(scorer, choice.split, chosen, bought)
    comparison = None
    if in_service:
        # One of an earlier version may not fit the scorer any more: then nothing can be compared.
        with suppress(DamagedError):
            comparison = compare(snapshot, choice, corpus, lift, in_service, progress)
    return TrainingReport(trained, evaluation, ndcg, lift, comparison, tuple(examples))


def write_training_report(folder: Path, report: TrainingReport) -> Path:
    """Write training.html and training.json into ``folder``. Returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    staged = folder / ".training.json.new"
    staged.write_text(json.dumps(report.as_json(), indent=2), encoding="utf-8")
    staged.replace(folder / "training.json")
    sections = [_served(report)]
    if report.evaluation:
        sections += measured_sections(report.evaluation, AS_LONG)
        sections.append(examples_section(list(report.examples)))
    sections.append(_made_of(report.trained))
    return write_page(folder / "training.html", "How the training went", _intro(report), sections)


def served_because(trained: TrainedModel) -> str:
    """One sentence: what is served, and what it was better than."""
    if not trained.validation:
        return (
            "Too few buyers took anything new to choose by: the weights are the fixed ones, and "
            "nothing was measured."
        )
    ranked = sorted(trained.validation.items(), key=lambda item: -item[1])
    others = ", ".join(
        f"{_name(name)} {figure:.4f}"
        for name, figure in ranked
        if name != trained.served and (name, figure) not in _forms(trained)
    )
    best = trained.validation[trained.served]
    won = f"NDCG@20 {best:.4f} on the validation slice, where the others have: {others}."
    if trained.served == "offerpath":
        return f"Offerpath's blend of all components is served: {won}"
    return f"A simpler model won, so {_name(trained.served)} alone is what is served: {won}"


def _forms(trained: TrainedModel) -> set[tuple[str, float]]:
    """The form of the blend that is the blend: it is no other model."""
    if trained.served != "offerpath":
        return set()
    best = trained.validation["offerpath"]
    return {(name, best) for name in ("network", "weights")}


def _name(model: str) -> str:
    return (NAMES | FORMS).get(model, model)


def _intro(report: TrainingReport) -> str:
    if report.evaluation is None:
        return f"Model {report.trained.model.version}, which nothing could be held out for."
    data = report.evaluation.data
    return (
        f"Model {report.trained.model.version}. The figures are of the model as it was before it "
        f"learned the validation slice too, on {data['new_pairs']:,} purchases of "
        f"{data['testers']:,} buyers of that slice that no weight was fitted on (when to stop and "
        f"a few settings were chosen with them), among {data['offers']:,} offers. What is "
        "published has learned from everything; how good it is on purchases that nothing was "
        "chosen by, offerpath evaluate says."
    )


def _served(report: TrainingReport) -> Section:
    words = [served_because(report.trained)]
    if report.lift:
        lift = report.lift
        words.append(
            f"It finds {lift.lift:.2f} (± {lift.error:.2f}) times what the best simple model, "
            f"{NAMES[lift.baseline]}, finds: NDCG@20 {lift.served_ndcg:.4f} against "
            f"{lift.baseline_ndcg:.4f}."
        )
    if report.comparison:
        words.append(report.comparison.words())
    else:
        words.append("There was no model in service that it could be compared with fairly.")
    rows: list[list[object]] = [
        [NAMES[name], round(float(found.mean()), 4), round(standard_error(found), 4)]
        for name, found in report.ndcg.items()
        if len(found) > 1
    ]
    if not rows:
        return Section("What is served, and why", words)
    words.append(
        "Over the buyers that no weight was fitted on, with the standard error of each mean; "
        "Offerpath stands for what is served, here and in all that follows."
    )
    return Section("What is served, and why", words, (["Model", "NDCG@20", "±"], rows))


def _made_of(trained: TrainedModel) -> Section:
    manifest = trained.model.manifest
    data, settings = manifest["data"], manifest["settings"]
    rows: list[list[object]] = [[f"{n} rows", f"{count:,}"] for n, count in data["counts"].items()]
    rows += [["graph", data["graph_id"]], ["position in the log", str(data["seq"])]]
    rows += [[name, str(value)] for name, value in _flat(settings)]
    rows += [[name, text] for name, text in manifest["versions"].items()]
    return Section("What it was made of", [], (["", ""], rows))


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        words = prefix + name.replace("_", " ")
        if isinstance(value, Mapping):
            yield from _flat(value, f"{words}: ")
        else:
            yield words, value
