"""The report of one training: how it learned, how good it is, what is served and why."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

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
from evaluation.judging import Comparison, Lift, compare, judge, lift_of
from gnn.train import TrainedModel
from gnn.walk_tuning import bought_rows
from reports.page import Section, write_page
from scoring.artifact import Model
from scoring.corpus_building import build_corpus
from scoring.scorer import build_scorer

AS_LONG = (
    "A score says how likely a buyer is to take the offer within a time as long as the "
    "validation slice. Points on the diagonal are as likely as they say."
)


@dataclass(frozen=True, slots=True)
class TrainingReport:
    """What is said of a training; all but ``trained`` is empty with too few buyers to judge by."""

    trained: TrainedModel
    evaluation: Evaluation | None = None
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
    choice = trained.choice
    if choice is None:
        return TrainingReport(trained)
    evaluation = judge(trained, choice, progress)
    lift = lift_of(evaluation, choice)
    corpus = build_corpus(choice.split.known)
    scorer, bought = build_scorer(corpus, choice.model), bought_rows(corpus)
    chosen = choose_examples(bought, choice.judges)
    examples = example_buyers(scorer, choice.split, chosen, bought)
    comparison = None
    if in_service:
        # One of an earlier version may not fit the scorer any more: then nothing can be compared.
        with suppress(DamagedError):
            comparison = compare(snapshot, choice, corpus, lift, in_service, progress)
    return TrainingReport(trained, evaluation, lift, comparison, tuple(examples))


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
    others = ", ".join(f"{NAMES.get(name, name)} {figure:.4f}" for name, figure in ranked[1:])
    name, best = ranked[0]
    won = f"NDCG@20 {best:.4f} on the validation slice, {others}."
    if name == "offerpath":
        return f"Offerpath's blend of all components is served: {won}"
    return f"A simpler model won, so {NAMES.get(name, name)} alone is what is served: {won}"


def compared_words(comparison: Comparison) -> str:
    """One sentence: how the new model and the one in service did, on what."""
    verdict = "worse" if comparison.is_worse else "not worse"
    unit = "NDCG@20" if comparison.new < 1 and "neither" in comparison.on else "lift"
    return (
        f"On {comparison.on} ({comparison.judges:,} buyers) the new model has {unit} "
        f"{comparison.new:.4f}, the one in service ({comparison.in_service}) "
        f"{comparison.old:.4f}, with a standard error of the difference of "
        f"{comparison.error:.4f}: {verdict}."
    )


def _intro(report: TrainingReport) -> str:
    if report.evaluation is None:
        return f"Model {report.trained.model.version}, which nothing could be held out for."
    data = report.evaluation.data
    return (
        f"Model {report.trained.model.version}. The figures are of the model as it was before it "
        f"learned the validation slice too, on {data['new_pairs']:,} purchases of "
        f"{data['testers']:,} buyers of that slice that nothing was fitted on, among "
        f"{data['offers']:,} offers. What is published has learned from everything; how good it is "
        "on purchases nothing was chosen by, offerpath evaluate says."
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
        words.append(compared_words(report.comparison))
    else:
        words.append("There was no model in service to compare it with fairly.")
    return Section("What is served, and why", words)


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
