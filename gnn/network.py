"""The small network over the components: fitted for as long as other buyers profit by it.

How long that is depends on the data: some fifteen passes where buyers are sparse, a hundred where
they are dense, and few hundred examples are soon learned by heart (docs/decisions/0018).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from core.progress import Progress
from gnn.blending import Examples, Floats
from scoring.blend import Blend
from scoring.combination import Combination

# Buyers that are looked at at once: what bounds the memory.
LOOKED_AT = 256


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """How the network is fitted.

    ``hidden`` units; at most ``passes`` over the buyers, ``buyers_per_step`` at a time, by Adam at
    ``learning_rate``. What serves is the mean of the weights over about the last ``averaged``
    passes. Those watched are looked at every ``look_every`` passes; ``patience`` looks without a
    lower loss end it.
    """

    hidden: int = 24
    passes: int = 120
    buyers_per_step: int = 64
    learning_rate: float = 0.01
    weight_decay: float = 1e-5
    averaged: float = 3.0
    look_every: int = 3
    patience: int = 4


@dataclass(frozen=True, slots=True)
class FittedNetwork:
    """The blend, not calibrated, and after how many passes it was taken."""

    blend: Blend
    passes: int


def fit_network(
    examples: Examples,
    seed: int,
    progress: Progress,
    settings: NetworkSettings | None = None,
    *,
    watched: Examples | None = None,
) -> FittedNetwork:
    """A weighted sum and a layer of hidden units by a listwise softmax; not calibrated.

    The loss is that of gnn.blending.fit_weights without its ridge. Weights are averaged as they
    move (Polyak and Juditsky, 1992, doi:10.1137/0330046), so that one fit can be looked at after
    any number of passes.

    Args:
        examples: what is fitted on.
        seed: of the start and of the order.
        progress: told of each pass.
        settings: how.
        watched: examples of other buyers, whose loss decides after how many passes the network is
            taken; None: after all of them.
    """
    settings = settings or NetworkSettings()
    scale = _Scale.of(examples)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Network(len(scale.used), settings.hidden)
        pairs = _Pairs(examples, scale)
        others = _Pairs(watched, scale) if watched else None
        network, passes = _descend(network, pairs, others, settings, progress)
    return FittedNetwork(Blend(network.combination(scale)), passes)


class _Scale(NamedTuple):
    """The components that differ at all (U,), of K; their mean and 1 / deviation (U,)."""

    used: NDArray[np.int64]
    mean: Floats
    inverse: Floats
    width: int

    @classmethod
    def of(cls, examples: Examples) -> _Scale:
        mean, spread = examples.moments()
        used = np.flatnonzero(spread > 1e-6)
        return cls(used, mean[used], 1.0 / spread[used], len(mean))

    def applied(self, phi: NDArray[np.float32]) -> NDArray[np.float32]:
        """Components (P, K) -> those used, standardised (P, U)."""
        scaled = phi[:, self.used]
        scaled -= self.mean.astype(np.float32)
        scaled *= self.inverse.astype(np.float32)
        return scaled


class _Network(nn.Module):
    """Standardised components (P, U) -> log odds (P,), but for a constant.

    The first of what ``inner`` makes of them is a plain weighted sum, the rest are hidden units.
    """

    def __init__(self, components: int, hidden: int) -> None:
        super().__init__()
        self.inner = nn.Linear(components, 1 + hidden)
        self.outer = nn.Linear(hidden, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        within = self.inner(x)
        logits: Tensor = within[:, 0] + self.outer(within[:, 1:].relu())[:, 0]
        return logits

    @torch.no_grad()
    def combination(self, scale: _Scale) -> Combination:
        """The same of components (K,) as they are."""
        into = np.zeros((scale.width, len(self.inner.bias)))
        into[scale.used] = (self.inner.weight.double().numpy() * scale.inverse).T
        bias = self.inner.bias.double().numpy() - scale.mean @ into[scale.used]
        return Combination(
            into[:, 0].copy(),
            float(bias[0]),
            into[:, 1:].copy(),
            bias[1:],
            self.outer.weight[0].double().numpy(),
        )


class _Pairs:
    """Examples as tensors, and the loss of a network on some of their buyers."""

    def __init__(self, examples: Examples, scale: _Scale) -> None:
        self.phi, self.ptr = torch.from_numpy(scale.applied(examples.phi)), examples.ptr
        self.taken = torch.from_numpy(examples.taken.astype(np.float32))
        self.offset = torch.from_numpy(np.log(examples.importance).astype(np.float32))
        # Buyers of whom something taken is among the examples.
        self.buyers = torch.from_numpy(np.flatnonzero(examples.takes()))

    def loss(self, network: nn.Module, buyers: Tensor) -> Tensor:
        """Mean over buyers (n,) of the mean over what they took of -log softmax."""
        spans = [np.arange(self.ptr[b], self.ptr[b + 1]) for b in buyers.tolist()]
        rows = torch.from_numpy(np.concatenate(spans))
        number = torch.from_numpy(np.repeat(np.arange(len(spans)), [len(s) for s in spans]))
        logits = network(self.phi[rows])
        shifted, taken = logits + self.offset[rows], self.taken[rows]
        none = torch.zeros(len(spans))
        peak = (none - torch.inf).scatter_reduce(0, number, shifted.detach(), "amax")
        total = none.index_add(0, number, (shifted - peak[number]).exp())
        per_pair = (peak + total.log())[number] - logits
        takes = none.index_add(0, number, taken)
        loss: Tensor = (per_pair * taken / takes[number]).sum() / len(spans)
        return loss

    @torch.no_grad()
    def mean_loss(self, network: nn.Module) -> float:
        """The loss over all buyers."""
        parts = torch.split(self.buyers, LOOKED_AT)
        losses = [float(self.loss(network, part)) * len(part) for part in parts]
        return sum(losses) / max(len(self.buyers), 1)


def _descend(
    network: _Network,
    pairs: _Pairs,
    watched: _Pairs | None,
    settings: NetworkSettings,
    progress: Progress,
) -> tuple[_Network, int]:
    """The averaged network after its best pass, and which that is."""
    optimiser = torch.optim.Adam(
        network.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    per_pass = -(-len(pairs.buyers) // settings.buyers_per_step)
    averaged = AveragedModel(network, avg_fn=_fading_mean(settings.averaged * per_pass))
    best, lowest, passes = averaged, np.inf, settings.passes
    with progress.task("Fitting the blend", settings.passes) as task:
        for done in range(1, settings.passes + 1):
            order = pairs.buyers[torch.randperm(len(pairs.buyers))]
            for chosen in torch.split(order, settings.buyers_per_step):
                optimiser.zero_grad(set_to_none=True)
                pairs.loss(network, chosen).backward()  # type: ignore[no-untyped-call]  # torch's
                optimiser.step()
                averaged.update_parameters(network)
            task.advance()
            if watched is None or done % settings.look_every:
                continue
            figure = watched.mean_loss(averaged)
            if figure < lowest:
                best, lowest, passes = deepcopy(averaged), figure, done
            elif done - passes >= settings.patience * settings.look_every:
                break
    assert isinstance(best.module, _Network)
    return best.module, passes


def _fading_mean(steps: float) -> Callable[[Tensor, Tensor, Tensor | int], Tensor]:
    """Weights over about the last ``steps`` averaged; over fewer near the start."""

    def mean(so_far: Tensor, now: Tensor, count: Tensor | int) -> Tensor:
        share = max(1.0 / max(steps, 1.0), 10.0 / (int(count) + 10.0))
        return so_far + (now - so_far) * share

    return mean
