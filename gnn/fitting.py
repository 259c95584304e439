"""The training loop: steps of the recipe, a learning curve, early stopping."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from math import ceil, cos, pi
from typing import Any

import torch
from torch import Tensor

from core.progress import Progress
from gnn.graph import TrainingGraph
from gnn.model import Layers, OfferSage
from gnn.recipe import Recipe, all_messages, initial_identities, step_loss

# A module that answers by properties, which its stubs do not say.
memory: Any = import_module("torch.utils.deterministic")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train.

    At most ``epochs``, each about one pass over the buyers but no fewer than ``fewest_steps``;
    ``patience`` epochs without a better figure on the validation slice end it.
    """

    epochs: int = 20
    fewest_steps: int = 10
    patience: int = 4

    def steps_an_epoch(self, graph: TrainingGraph, recipe: Recipe) -> int:
        """Steps between two looks at validation."""
        return max(self.fewest_steps, ceil(graph.buyers / recipe.buyers_per_step))


@dataclass(frozen=True, slots=True)
class Fitted:
    """The model after its best epoch, and the curve of (epoch, loss, validation figure)."""

    model: OfferSage
    epochs: int
    curve: tuple[tuple[int, float, float], ...]


@contextmanager
def deterministic(seed: int, threads: int) -> Iterator[torch.Generator]:
    """Torch with fixed threads, fixed draws and deterministic kernels, put back afterwards."""
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    filled = memory.fill_uninitialized_memory
    # Nothing here reads memory before it is written; filling it costs a tenth of each step.
    memory.fill_uninitialized_memory = False
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    random = torch.Generator().manual_seed(seed)
    try:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield random
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        memory.fill_uninitialized_memory = filled


def fit(
    graph: TrainingGraph,
    recipe: Recipe,
    schedule: Schedule,
    *,
    seed: int,
    threads: int,
    progress: Progress,
    label: str = "Training",
    validate: Callable[[Layers], float] | None = None,
    stop_at: int | None = None,
) -> Fitted:
    """Train a model.

    Args:
        graph: what to learn from.
        recipe: what a step does.
        schedule: how many steps, and when to look.
        seed: of every draw; the same seed and threads give the same model.
        threads: torch threads.
        progress: told of each step.
        label: what the work is called there.
        validate: layers of the whole graph -> a figure, higher is better; None: no early stopping.
        stop_at: stop after this many epochs of the same schedule.
    """
    every = schedule.steps_an_epoch(graph, recipe)
    epochs = schedule.epochs if stop_at is None else stop_at
    best = _Best(schedule.patience)
    with (
        deterministic(seed, threads) as random,
        progress.task(label, epochs * every) as task,
    ):
        model = OfferSage(
            graph, initial_identities(graph, recipe.dimension, seed), relu=recipe.relu
        )
        optimiser = torch.optim.Adam(model.parameters(), lr=recipe.learning_rate)
        if validate:
            best.keep(0, validate(read_layers(model, graph, recipe)), model)
        for epoch in range(1, epochs + 1):
            loss = 0.0
            for step in range((epoch - 1) * every, epoch * every):
                fade = 0.5 * (1 + cos(pi * step / (schedule.epochs * every)))
                rate = recipe.learning_rate * fade
                loss += _advance(model, graph, recipe, optimiser, random, rate) / every
                task.advance()
            if validate:
                figure = validate(read_layers(model, graph, recipe))
                task.note(f"loss {loss:.3f}, NDCG@20 {figure:.4f}")
                if not best.offer(epoch, loss, figure, model):
                    break
        if validate:
            model.load_state_dict(best.state)
    return Fitted(model, best.epoch if validate else epochs, tuple(best.curve))


def read_layers(model: OfferSage, graph: TrainingGraph, recipe: Recipe) -> Layers:
    """All rows of the model with nothing hidden or dropped."""
    with torch.no_grad():
        layers: Layers = model(graph, all_messages(graph, recipe))
    return layers


def _advance(
    model: OfferSage,
    graph: TrainingGraph,
    recipe: Recipe,
    optimiser: torch.optim.Optimizer,
    random: torch.Generator,
    rate: float,
) -> float:
    for group in optimiser.param_groups:
        group["lr"] = rate
    optimiser.zero_grad(set_to_none=True)
    loss = step_loss(model, graph, recipe, random)
    loss.backward()  # type: ignore[no-untyped-call]  # torch's
    optimiser.step()
    return float(loss.detach())


class _Best:
    """The best state so far and how long ago it was."""

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.epoch, self.figure, self.state = 0, float("-inf"), dict[str, Tensor]()
        self.curve: list[tuple[int, float, float]] = []
        self.since = 0

    def offer(self, epoch: int, loss: float, figure: float, model: OfferSage) -> bool:
        """Take note of a figure; False when it is time to stop."""
        self.curve.append((epoch, loss, figure))
        self.since += 1
        if figure > self.figure:
            self.keep(epoch, figure, model)
        return self.since < self.patience

    def keep(self, epoch: int, figure: float, model: OfferSage) -> None:
        """Take the model as the best one so far."""
        self.epoch, self.figure, self.since = epoch, figure, 0
        self.state = {name: rows.clone() for name, rows in model.state_dict().items()}
