"""The sum over negatives, made in pieces."""

from __future__ import annotations

import torch

from gnn import softmax
from gnn.softmax import log_sum_exp


def test_the_sum_and_its_slopes_equal_those_over_the_whole_table() -> None:
    random = torch.Generator().manual_seed(0)
    buyers, offers = 2 * softmax.ROWS + 3, 50
    left = torch.randn(buyers, 6, generator=random).requires_grad_()
    right = torch.randn(offers, 6, generator=random).requires_grad_()
    hidden = torch.rand(buyers, offers, generator=random) < 0.1
    weight = torch.rand(buyers, generator=random)

    table = (left @ right.T).masked_fill(hidden, -torch.inf)
    expected = torch.logsumexp(table, dim=1)
    slopes = torch.autograd.grad((expected * weight).sum(), (left, right))

    found = log_sum_exp(left, right, *hidden.nonzero().T)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(torch.autograd.grad((found * weight).sum(), (left, right)), slopes)
