"""The sum over all negatives of a sampled softmax, without the table of them in memory."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

# Rows of the table that exist at once: 8 MB at 8,192 negatives.
ROWS = 256


class _LogSum(torch.autograd.Function):
    """Rows of the table are made anew in the backward pass: one product more, no table kept."""

    @staticmethod
    def forward(
        ctx: Any, left: Tensor, right: Tensor, hidden_row: Tensor, hidden_column: Tensor
    ) -> Tensor:
        logs = left.new_empty(len(left))
        for rows, table in _tables(left, right, hidden_row, hidden_column):
            logs[rows] = torch.logsumexp(table, dim=1)
        ctx.save_for_backward(left, right, hidden_row, hidden_column, logs)
        return logs

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, None, None]:
        left, right, hidden_row, hidden_column, logs = ctx.saved_tensors
        (gradient,) = upstream
        to_left, to_right = torch.empty_like(left), torch.zeros_like(right)
        for rows, table in _tables(left, right, hidden_row, hidden_column):
            share = table.sub_(logs[rows, None]).exp_().mul_(gradient[rows, None])
            to_left[rows] = share @ right
            to_right += share.T @ left[rows]
        return to_left, to_right, None, None


def log_sum_exp(left: Tensor, right: Tensor, hidden_row: Tensor, hidden_column: Tensor) -> Tensor:
    """``log(sum over m of exp(left @ right[m]))`` (B,) of rows left (B, d) and right (M, d).

    The pairs (hidden_row, hidden_column) (E,), rows ascending, are left out of the sums.
    """
    logs: Tensor = _LogSum.apply(left, right, hidden_row, hidden_column)
    return logs


def _tables(
    left: Tensor, right: Tensor, hidden_row: Tensor, hidden_column: Tensor
) -> Iterator[tuple[slice, Tensor]]:
    starts = torch.arange(0, len(left) + ROWS, ROWS, device=left.device)
    edges = torch.searchsorted(hidden_row, starts).tolist()
    for number, (first, last) in enumerate(pairwise(edges)):
        rows = slice(number * ROWS, (number + 1) * ROWS)
        table = left[rows] @ right.T
        table[hidden_row[first:last] - rows.start, hidden_column[first:last]] = -1e4
        yield rows, table
