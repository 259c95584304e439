"""What is shown while a model learns, and the way to and from a device."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from core.errors import InputError
from core.snapshot import GraphSnapshot
from gnn.devices import CPU, device_named, moved
from gnn.early_stopping import sparkline
from gnn.fitting import Schedule, fit
from gnn.graph import TrainingGraph, build_graph
from gnn.recipe import Recipe, draw_step
from scoring.corpus_building import build_corpus
from scoring.offer_features import fit_features

META = torch.device("meta")


@pytest.fixture(scope="module")
def graph(planted: GraphSnapshot) -> TrainingGraph:
    corpus = build_corpus(planted)
    return build_graph(corpus, fit_features(corpus, 0, seed=0))


class Noted:
    """Progress that keeps what is noted."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Noted]:
        yield self

    def advance(self, steps: int = 1) -> None:
        """Steps are not kept."""

    def note(self, text: str) -> None:
        self.notes.append(text)


def test_each_epoch_shows_its_figures_the_best_so_far_and_the_way_there(
    graph: TrainingGraph,
) -> None:
    figures = iter([0.1, 0.2, 0.5, 0.4])
    noted = Noted()
    fit(
        graph, Recipe(dimension=4), Schedule(epochs=3, steps=1), seed=0, threads=1,
        progress=noted, validate=lambda _: next(figures),
    )  # fmt: skip
    assert [note.split("NDCG@20 ")[1] for note in noted.notes] == [
        "0.2000 best 0.2000 ▁",
        "0.5000 best 0.5000 ▁█",
        "0.4000 best 0.5000 ▁█▆",
    ]
    assert all(note.startswith("loss ") for note in noted.notes)


def test_a_sparkline_reaches_from_the_lowest_to_the_highest() -> None:
    assert sparkline([0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]) == "▁▂▃▄▅▆▇█"
    assert sparkline([0.3, 0.3]) == "▁▁"
    assert sparkline([]) == ""
    assert len(sparkline([float(n) for n in range(99)])) == 12


def test_all_that_a_step_reads_is_moved(graph: TrainingGraph) -> None:
    step = draw_step(graph, Recipe(dimension=4), torch.Generator().manual_seed(0))
    on_meta = moved(graph, META), moved(step, META), moved({"rows": [1], "at": (CPU,)}, META)

    def devices(thing: object) -> Iterator[str]:
        if isinstance(thing, torch.Tensor):
            yield thing.device.type
        elif isinstance(thing, tuple):
            for part in thing:
                yield from devices(part)
        elif hasattr(thing, "__dataclass_fields__"):
            for name in thing.__dataclass_fields__:
                yield from devices(getattr(thing, name))

    found = list(devices(on_meta[:2]))
    assert set(found) == {"meta"} and len(found) > 30
    assert on_meta[0].buyers == graph.buyers
    assert on_meta[2] == {"rows": [1], "at": (CPU,)}


def test_the_cpu_is_no_move(graph: TrainingGraph) -> None:
    assert moved(graph, CPU).to_buyer.source is graph.to_buyer.source


def test_a_device_is_taken_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_named("auto") == device_named("cpu") == CPU
    with pytest.raises(InputError, match="no GPU"):
        device_named("cuda")
    with pytest.raises(InputError, match="no device 'tpu'"):
        device_named("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device_named("auto").type == device_named("cuda").type == "cuda"
    assert device_named("cpu") == CPU
