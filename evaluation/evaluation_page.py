"""The evaluation as a page to read."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from evaluation.evaluate import CUTS, Evaluation, Figures
from reports.figures import calibration, grouped_bars, learning_curve
from reports.page import Section, write_page
from scoring.metrics import METRICS

NAMES = {
    "popularity": "Popularity",
    "item_knn": "ItemKNN",
    "walk": "Walk",
    "slim": "Learned links",
    "low_rank": "Low rank",
    "graphsage": "GraphSAGE",
    "offerpath": "Offerpath",
}


# A point of fewer pairs would be drawn where chance put it.
FEWEST_PAIRS = 50
LONGER = (
    "A score says how likely a buyer is to take the offer within a time as long as the "
    "validation slice; the held-out part is longer, so that more is taken than predicted."
)


def write_evaluation_page(path: Path, evaluation: Evaluation) -> Path:
    """Write the evaluation into one self-contained HTML file. Returns ``path``."""
    sections = measured_sections(evaluation, LONGER)
    return write_page(path, "How good the matches are", _intro(evaluation), sections)


def measured_sections(evaluation: Evaluation, calibrated: str) -> list[Section]:
    """All that was measured, as parts of a page; ``calibrated`` says what a score predicts."""
    return [
        Section(
            "Offers bought for the first time",
            ["All offers a buyer had not bought before the cut are ranked."],
            _table(evaluation.new),
            [_bars("Models beside each other, first 20", evaluation.new)],
        ),
        *_again(evaluation),
        Section(
            "Slices",
            [
                "NDCG@20 for parts of the buyers and of the offers. For a slice of offers the "
                "ranking is the whole one and only offers of the slice count as found; offers that "
                "nobody had bought are ranked among themselves. Newcomers: the scores know a "
                "buyer's attributes and preferences, and nothing that it has done.",
            ],
            _slice_table(evaluation),
        ),
        evaluation.diversity.section(),
        *_learning(evaluation),
        _calibration(evaluation, calibrated),
    ]


def _again(evaluation: Evaluation) -> list[Section]:
    if not evaluation.data["repeated_pairs"]:
        return []
    words = "Only offers a buyer had bought before the cut are ranked."
    return [Section("Offers bought again", [words], _table(evaluation.again))]


def _intro(evaluation: Evaluation) -> str:
    data = evaluation.data
    where = (
        f"What was bought before {evaluation.cut:%d %B %Y} was known; what came after was held out"
        if evaluation.cut
        else "A random part of every buyer's purchases was held out, as there are no usable times"
    )
    return (
        f"{where}: {data['new_pairs']:,} new and {data['repeated_pairs']:,} repeated purchases of "
        f"{data['testers']:,} buyers, among {data['offers']:,} offers. "
        f"On the validation slice {NAMES[evaluation.served]} was best; it is what is served."
    )


def _table(figures: Figures) -> tuple[list[str], list[list[object]]]:
    headers = ["Model", *(f"{metric.replace('_', ' ')}@{k}" for k in CUTS for metric in METRICS)]
    return headers, [
        [NAMES[model], *(round(row[f"{metric}@{k}"], 4) for k in CUTS for metric in METRICS)]
        for model, row in figures.items()
    ]


def _bars(title: str, figures: Figures) -> Figure:
    shown = ("recall", "ndcg", "precision", "hit_rate")
    return grouped_bars(
        title,
        [f"{name.replace('_', ' ')}@20" for name in shown],
        {NAMES[model]: [row[f"{name}@20"] for name in shown] for model, row in figures.items()},
    )


def _slice_table(evaluation: Evaluation) -> tuple[list[str], list[list[object]]]:
    models = list(evaluation.new)
    return ["Slice", "Buyers", *(NAMES[model] for model in models)], [
        [
            name,
            int(rows[models[0]]["buyers"]),
            *(
                round(rows[model]["ndcg@20"], 4) if rows[model]["buyers"] else None
                for model in models
            ),
        ]
        for name, rows in evaluation.slices.items()
    ]


def _learning(evaluation: Evaluation) -> list[Section]:
    curve = evaluation.trained.curve
    if not curve:
        return []
    best = evaluation.trained.model.manifest["metrics"]["epochs"]
    figure = learning_curve(
        "Learning",
        [epoch for epoch, _, _ in curve],
        {"loss": [loss for _, loss, _ in curve], "NDCG@20": [found for _, _, found in curve]},
        best=best,
        y_label="epoch",
    )
    words = f"GraphSAGE alone on the validation slice; epoch {best} was kept."
    return [Section("Learning curve", [words], None, [figure])]


def _calibration(evaluation: Evaluation, words: str) -> Section:
    rows = [row for row in evaluation.calibration.as_rows() if row["pairs"] >= FEWEST_PAIRS]
    figure = calibration(
        "Calibration",
        [row["predicted"] for row in rows],
        [row["observed"] for row in rows],
        [row["pairs"] for row in rows],
    )
    left_out = f"Scores that fewer than {FEWEST_PAIRS} pairs have are left out."
    return Section("Calibration", [f"{words} {left_out}"], None, [figure])
