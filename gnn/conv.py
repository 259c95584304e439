"""GraphSAGE's convolution over weighted links, several times as fast as scattering messages."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding_bag

from gnn.graph import Links

with warnings.catch_warnings():
    # It compiles a class with torch.jit.script, which torch has deprecated.
    warnings.simplefilter("ignore", FutureWarning)
    from torch_geometric.nn import SAGEConv


class _WeightedSum(torch.autograd.Function):
    """Rows of the sources, weighted by edge and summed at the targets; exact in both passes."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, links: Links, weights: Tensor) -> Tensor:
        ctx.links, ctx.weights = links, weights
        return _bags(links.source, rows, links.pointer, weights)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None, None]:
        links, weights = ctx.links, ctx.weights
        (gradient,) = upstream
        back = weights[links.back_edge]
        return _bags(links.back_target, gradient.contiguous(), links.back_pointer, back), None, None


def _bags(index: Tensor, rows: Tensor, pointer: Tensor, weights: Tensor) -> Tensor:
    if len(index) == 0:
        return rows.new_zeros(len(pointer) - 1, rows.shape[1])
    return embedding_bag(
        index, rows, pointer, per_sample_weights=weights, mode="sum", include_last_offset=True
    )


class NeighbourSage(SAGEConv):
    """``SAGEConv`` whose neighbourhood mean is weighted and runs over sorted links.

    ``out = lin_l(sum over edges of weight * x_source) + lin_r(x_target)``; with weights that sum
    to 1 over each target this is SAGEConv's mean (tests/gnn hold it to 1e-6 of it). The linear
    maps start at the identity, so that an untrained layer already propagates.
    """

    def __init__(self, dimension: int, *, root: bool = True) -> None:
        """A square layer; ``root`` False leaves out the target's own row and the bias."""
        super().__init__((dimension, dimension), dimension, root_weight=root, bias=root)
        nn.init.eye_(self.lin_l.weight)
        if root:
            nn.init.eye_(self.lin_r.weight)
            nn.init.zeros_(self.lin_l.bias)

    def forward(self, x: tuple[Tensor, Tensor], links: Links, weights: Tensor) -> Tensor:
        """Rows of (sources (S, d), targets (T, d)), edge weights (E,) -> (T, d)."""
        summed: Tensor = _WeightedSum.apply(x[0], links, weights)
        out: Tensor = self.lin_l(summed)
        # Added in place: a layer's rows are what a step's memory goes to.
        return out.addmm_(x[1], self.lin_r.weight.T) if self.root_weight else out
