"""The training loop: steps of the recipe, a learning curve, early stopping."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from math import cos, pi
from typing import Any

import torch

from core.memory import give_back_memory
from core.progress import Progress
from gnn.checkpoints import Stage, State
from gnn.devices import CPU, moved
from gnn.early_stopping import BestSoFar
from gnn.graph import TrainingGraph
from gnn.model import Layers, OfferSage
from gnn.recipe import Recipe, all_messages, draw_step, initial_identities, loss_of

# A module that answers by properties, which its stubs do not say.
memory: Any = import_module("torch.utils.deterministic")


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train.

    At most ``epochs``, each of ``steps``: as a step passes over the whole graph, more of them on a
    larger one would make time grow with the square of it. ``patience`` epochs without a better
    figure on the validation slice end it.
    """

    epochs: int = 20
    steps: int = 20
    patience: int = 8


@dataclass(frozen=True, slots=True)
class Fitted:
    """The model after its best epoch, and the curve of (epoch, loss, validation figure)."""

    model: OfferSage
    epochs: int
    curve: tuple[tuple[int, float, float], ...]


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Torch with so many threads, and as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def deterministic(seed: int, threads: int, device: torch.device = CPU) -> Iterator[torch.Generator]:
    """Torch with fixed threads, fixed draws and deterministic kernels, put back afterwards.

    On a GPU a kernel that has no deterministic form is used as it is.
    """
    before = torch.are_deterministic_algorithms_enabled()
    filled = memory.fill_uninitialized_memory
    # Nothing here reads memory before it is written; filling it costs a tenth of each step.
    memory.fill_uninitialized_memory = False
    if device.type == "cuda":
        # What cuBLAS asks for before its first use; without it every product would be refused.
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=device.type == "cuda")
    random = torch.Generator().manual_seed(seed)
    try:
        with torch_threads(threads), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            yield random
    finally:
        torch.use_deterministic_algorithms(before)
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
    device: torch.device = CPU,
    stage: Stage | None = None,
) -> Fitted:
    """Train a model; the one that is returned is on the CPU.

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
        device: where the steps run; draws are made on the CPU.
        stage: where it is kept how far the training is; what is kept there already is gone on
            with, to the very same model.
    """
    every = schedule.steps
    epochs = schedule.epochs if stop_at is None else stop_at
    kept = stage.load() if stage else None
    give_back_memory()
    with (
        deterministic(seed, threads, device) as random,
        progress.task(label, epochs * every) as task,
    ):
        run = _Run(graph, recipe, seed, device, random, BestSoFar(schedule.patience), kept)
        task.advance(run.epoch * every)
        if validate and not kept:
            run.best.keep(0, validate(run.read()), run.model)
        while run.epoch < epochs and not run.is_over:
            loss = 0.0
            for step in range(run.epoch * every, (run.epoch + 1) * every):
                fade = 0.5 * (1 + cos(pi * step / (schedule.epochs * every)))
                loss += run.advance(fade) / every
                task.advance()
            run.epoch += 1
            if validate:
                run.look(loss, validate)
                task.note(run.best.words(loss))
            if stage and stage.is_due:
                stage.keep(run.state(), f"{label}: {run.epoch} of at most {epochs} epochs")
        fitted = run.finish()
        if stage and not (kept and kept["is_whole"]):
            stage.keep(run.state(), f"{label}: done")
    return fitted


def read_layers(
    model: OfferSage, graph: TrainingGraph, recipe: Recipe, device: torch.device = CPU
) -> Layers:
    """All rows of the model, which is on ``device``, with nothing hidden or dropped; on the CPU."""
    with torch.no_grad():
        messages = moved(all_messages(graph, recipe), device)
        layers: Layers = model(moved(graph, device), messages)
    return moved(layers, CPU)


class _Run:
    """A training under way: all that the next step depends on."""

    def __init__(
        self,
        graph: TrainingGraph,
        recipe: Recipe,
        seed: int,
        device: torch.device,
        random: torch.Generator,
        best: BestSoFar,
        kept: State | None,
    ) -> None:
        self.graph, self.recipe, self.device = graph, recipe, device
        self.random, self.best = random, best
        self.epoch, self.is_over, self.is_whole = 0, False, False
        # Where a training goes on, the identities to start from are kept ones.
        start = (
            torch.zeros(graph.offers, recipe.dimension)
            if kept
            else initial_identities(graph, recipe.dimension, seed)
        )
        self.model = OfferSage(graph, start, relu=recipe.relu).to(device)
        self.on_device = moved(graph, device)
        self.rates = (recipe.identity_rate, recipe.learning_rate)
        others = [rows for name, rows in self.model.named_parameters() if name != "identity"]
        groups = ([self.model.identity], others)
        self.optimiser = torch.optim.Adam([{"params": group} for group in groups])
        if kept:
            self._take_up(kept)

    def advance(self, fade: float) -> float:
        """One step at ``fade`` of the recipe's rates; its loss."""
        for group, rate in zip(self.optimiser.param_groups, self.rates, strict=True):
            group["lr"] = rate * fade
        self.optimiser.zero_grad(set_to_none=True)
        step = moved(draw_step(self.graph, self.recipe, self.random), self.device)
        layers = self.model(self.on_device, step.messages, step.asked)
        loss = loss_of(layers, step, self.recipe)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        self.optimiser.step()
        return float(loss.detach())

    def read(self) -> Layers:
        """The model's rows as they are now."""
        return read_layers(self.model, self.graph, self.recipe, self.device)

    def look(self, loss: float, validate: Callable[[Layers], float]) -> None:
        """Measure, keep the best, and see whether it is time to stop."""
        self.is_over = not self.best.offer(self.epoch, loss, validate(self.read()), self.model)

    def finish(self) -> Fitted:
        """The model after its best epoch, or after the last where nothing was measured."""
        if self.best.state:
            self.model.load_state_dict(self.best.state)
        self.is_whole = True
        epoch = self.best.epoch if self.best.is_measured else self.epoch
        return Fitted(self.model.to(CPU), epoch, tuple(self.best.curve))

    def state(self) -> State:
        """All of it as plain values and tensors; of one that has ended, no more than its end."""
        made: State = {
            "epoch": self.epoch,
            "is_over": self.is_over,
            "is_whole": self.is_whole,
            "model": self.model.state_dict(),
            "best": self.best.as_state(),
        }
        if self.is_whole:
            # The model is the best one by now.
            made["best"]["state"] = {}
            return made
        return made | {
            "optimiser": self.optimiser.state_dict(),
            "random": self.random.get_state(),
            "global_random": torch.get_rng_state(),
        }

    def _take_up(self, kept: State) -> None:
        self.epoch, self.is_over = kept["epoch"], kept["is_over"] or kept["is_whole"]
        self.model.load_state_dict(kept["model"])
        self.best.take_up(kept["best"])
        if not kept["is_whole"]:
            self.optimiser.load_state_dict(kept["optimiser"])
            self.random.set_state(kept["random"])
            torch.set_rng_state(kept["global_random"])
