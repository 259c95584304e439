"""From the components of a pair to its score: a weighted sum and a small network, then logistic."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.components import AGAIN, COMPONENTS, CONTEXT, GROUP, PER_BUYER

Floats = NDArray[np.float64]
GROUPS = np.setdiff1d(np.unique(GROUP), PER_BUYER)
NOTHING_OWN = np.zeros(len(COMPONENTS))


class Combination(NamedTuple):
    """``logit = bias + context + weights . phi + outer . max(0, inner_bias + phi @ inner)``.

    What lies above ``knee``, without the context, counts ``above`` of what it is (> 0, so that the
    order stays): a sum fitted to orders is too sure of what it is surest of.
    A pair whose buyer bought the offer before (``again`` > 0) has ``own_bias + own_share * logit +
    own . phi`` instead: what is bought again follows other weights than what is bought first.
    The component ``context``, the last, is in log odds as it stands (scoring.context); ``weights``
    and ``inner`` are not read for it.

    weights and own (K,), inner (K, H), inner_bias (H,), outer (H,); H is 0 for a plain sum.
    """

    weights: Floats
    bias: float
    inner: Floats
    inner_bias: Floats
    outer: Floats
    own: Floats = NOTHING_OWN
    own_share: float = 1.0
    own_bias: float = 0.0
    knee: float = np.inf
    above: float = 1.0


# These two are inlined: a call would hand over every array of ``by``, for each pair anew.
@njit(cache=True, nogil=True, inline="always")
def logit_of(phi: Floats, by: Combination, hidden: Floats) -> float:
    """Components (K,) -> log odds; ``hidden`` (H,) is overwritten."""
    logit = by.bias
    for k in range(CONTEXT):
        logit += by.weights[k] * phi[k]
    size = len(by.outer)
    if size:
        for h in range(size):
            hidden[h] = by.inner_bias[h]
        for k in range(CONTEXT):
            value = phi[k]
            if value != 0.0:
                row = by.inner[k]
                for h in range(size):
                    hidden[h] += value * row[h]
        for h in range(size):
            if hidden[h] > 0.0:
                logit += by.outer[h] * hidden[h]
    if logit > by.knee:
        logit = by.knee + by.above * (logit - by.knee)
    if phi[AGAIN] > 0.0:
        logit = by.own_bias + by.own_share * logit
        for k in range(CONTEXT):
            logit += by.own[k] * phi[k]
    return float(logit + phi[CONTEXT])


@njit(cache=True, nogil=True, inline="always")
def score_of(phi: Floats, by: Combination, hidden: Floats) -> float:
    """Components (K,) -> the score in (0, 1]; ``hidden`` (H,) is overwritten."""
    return float(1.0 / (1.0 + np.exp(-logit_of(phi, by, hidden))))


@njit(cache=True, nogil=True)
def combine_rows(phi: Floats, by: Combination) -> Floats:
    """Components (n, K) -> scores (n,)."""
    scores = np.empty(len(phi), dtype=np.float64)
    hidden = np.empty(len(by.outer), dtype=np.float64)
    for n in range(len(phi)):
        scores[n] = score_of(phi[n], by, hidden)
    return scores


@njit(cache=True, nogil=True)
def logit_rows(phi: Floats, by: Combination) -> Floats:
    """Components (n, K) -> log odds (n,)."""
    logits = np.empty(len(phi), dtype=np.float64)
    hidden = np.empty(len(by.outer), dtype=np.float64)
    for n in range(len(phi)):
        logits[n] = logit_of(phi[n], by, hidden)
    return logits


def carriers(phi: Floats, masked: Floats, by: Combination) -> NDArray[np.int64]:
    """For pairs (n, K) and the same with evidence masked: the group that lost most by it (n,).

    A group's loss is that of the log odds when only its components are masked; of groups that lose
    the same, the first.
    """
    found: NDArray[np.int64] = _carriers(phi, masked, by, GROUPS, GROUP)
    return found


@njit(cache=True, nogil=True)
def _carriers(
    phi: Floats,
    masked: Floats,
    by: Combination,
    groups: NDArray[np.int64],
    group: NDArray[np.int64],
) -> NDArray[np.int64]:
    found = np.empty(len(phi), dtype=np.int64)
    hidden = np.empty(len(by.outer), dtype=np.float64)
    part = np.empty(phi.shape[1], dtype=np.float64)
    for n in range(len(phi)):
        whole = logit_of(phi[n], by, hidden)
        most = -np.inf
        for g in groups:
            changed = False
            for k in range(len(part)):
                own = group[k] == g
                part[k] = masked[n, k] if own else phi[n, k]
                changed = changed or (own and masked[n, k] != phi[n, k])
            # Few groups hang on one piece of evidence; the others lose nothing.
            lost = whole - logit_of(part, by, hidden) if changed else 0.0
            if lost > most:
                most, found[n] = lost, g
    return found
