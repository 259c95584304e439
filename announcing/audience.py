"""Everybody of one state, ready for one offer after the other to be held against.

Most buyers are as the snapshot has them and are summed up once; who has changed since, or holds an
offer that has, is summed up anew for each state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from announcing.bounding import Neighbours, neighbours_of, odds_of, upper_odds
from announcing.crowd import Crowd, Floats, Rows, Singles, crowd_of, pieces_of, pieces_of_states
from matching.state import MatcherState
from scoring.kernels import OfferSide
from scoring.scorer import Scorer
from scoring.states import BuyerState, state_of

# With more buyers than this share to sum up anew for each state, all are summed up once more.
MOVED_SHARE = 0.05
MOVED_LEAST = 1_000
Floors = Callable[[Sequence[str]], Floats]


@dataclass(frozen=True)
class _Base:
    """The snapshot's buyers summed up, and the scorer and the offers by which they were."""

    scorer: Scorer
    crowd: Crowd

    def fits(self, scorer: Scorer) -> bool:
        """Whether the snapshot and the model are the same."""
        mine = self.scorer
        same_buyers = mine.corpus.buyers is scorer.corpus.buyers
        return same_buyers and mine.tower.buyer is scorer.tower.buyer

    def changed_offers(self, side: OfferSide) -> NDArray[np.bool_]:
        """(N,) the offers of the crowd whose evidence counts otherwise now."""
        old = self.scorer.side
        count = len(old.vendor)
        if side is old:
            return np.zeros(count, dtype=bool)
        changed: NDArray[np.bool_] = old.vendor != side.vendor[:count]
        changed |= old.currency != side.currency[:count]
        for name in ("log_price", "latitude", "longitude"):
            before, now = getattr(old, name), getattr(side, name)[:count]
            changed |= (before != now) & ~(np.isnan(before) & np.isnan(now))
        changed |= _other_closure(old, side)
        return changed

    def cells_now(self, side: OfferSide, changed: NDArray[np.bool_]) -> Rows:
        """The crowd's number of each cell of now, -1 where none of its offers lies."""
        old = self.scorer.side.cell
        if side.cell is old:
            return np.arange(int(old.max(initial=-1)) + 1, dtype=np.int32)
        numbers = np.full(int(side.cell.max(initial=-1)) + 1, -1, dtype=np.int32)
        same = ~changed & (old[:, 0] >= 0)
        numbers[side.cell[: len(old)][same]] = old[same]
        return numbers


@dataclass(frozen=True)
class Audience:
    """See the module. ``moved_ids`` are summed up in ``moved``; of ``base`` they are left out."""

    state: MatcherState
    base: _Base
    outdated: NDArray[np.bool_]
    cells: Rows
    moved_ids: list[str]
    moved: Crowd

    def bounds(self, offer: int) -> dict[str, float]:
        """A bound of the score of every buyer for an offer (its row); see upper_odds()."""
        ids = self.state.corpus.buyers.ids
        base, moved = (_scores(odds) for odds in self._odds(offer))
        found = {
            key: bound
            for key, bound, gone in zip(ids, base.tolist(), self.outdated.tolist(), strict=True)
            if not gone
        }
        return found | dict(zip(self.moved_ids, moved.tolist(), strict=True))

    def survivors(self, offer: int, floors: tuple[Floats, Floats]) -> list[str]:
        """The buyers whose bound for an offer (its row) reaches their floor (see floors())."""
        base, moved = self._odds(offer)
        ids = self.state.corpus.buyers.ids
        rows = np.flatnonzero((base >= floors[0]) & (base > -np.inf))
        late = np.flatnonzero((moved >= floors[1]) & (moved > -np.inf))
        return [ids[row] for row in rows.tolist()] + [self.moved_ids[row] for row in late.tolist()]

    def floors(self, floors: Floors) -> tuple[Floats, Floats]:
        """What survivors() asks for, from the floors (n,) of buyers by id."""
        base = np.where(self.outdated, np.inf, floors(self.state.corpus.buyers.ids))
        return odds_of(base), odds_of(floors(self.moved_ids))

    def _odds(self, offer: int) -> tuple[Singles, Singles]:
        scorer = self.state.scorer
        side, by = scorer.side, scorer.blend.combination
        own = side.cell[offer]
        # No cell is -1 and stays it; in a market without places there is no other.
        known = np.append(self.cells, np.int32(-1))[own]
        near = self._neighbours(offer, known)
        base = upper_odds(self.base.crowd, side, by, offer, near)
        if not self.moved_ids:
            return base, np.zeros(0, dtype=np.float32)
        return base, upper_odds(self.moved, side, by, offer, near._replace(cells=own))

    def _neighbours(self, offer: int, cells: Rows) -> Neighbours:
        walk, slim = self.base.scorer.walk_columns, self.base.scorer.slim_columns
        if offer < len(walk.ptr) - 1:
            return neighbours_of(walk, slim, offer, cells)
        # An offer that came after the snapshot is nobody's neighbour.
        nobody, nothing = np.zeros(0, np.int32), np.zeros(0, np.float32)
        return Neighbours(nobody, nothing, nobody, nothing, cells)


def audience_of(state: MatcherState, before: Audience | None = None) -> Audience:
    """The buyers of a state; what still holds is taken over from an audience before."""
    scorer = state.scorer
    base = before.base if before is not None and before.base.fits(scorer) else _base_of(scorer)
    changed = base.changed_offers(scorer.side)
    outdated = _holders(state, changed)
    limit = max(MOVED_LEAST, MOVED_SHARE * len(outdated))
    if outdated.sum() > limit:
        base = _base_of(scorer)
        changed = base.changed_offers(scorer.side)
        outdated = _holders(state, changed)
    rows = np.flatnonzero(outdated).tolist()
    index = state.corpus.buyers.index
    ids = state.corpus.buyers.ids
    moved: dict[str, BuyerState] = {
        ids[row]: state_of(state.corpus, row) for row in rows if ids[row] not in state.erased
    }
    moved |= state.changed_states
    for key in (*state.changed_states, *state.erased):
        if key in index:
            outdated[index[key]] = True
    pieces = pieces_of_states(list(moved.values()))
    return Audience(
        state, base, outdated, base.cells_now(scorer.side, changed), list(moved),
        crowd_of(scorer, pieces),
    )  # fmt: skip


def ready_audience(state: MatcherState) -> Audience:
    """The buyers of a state, and one offer bounded: what the first bound loads is loaded then."""
    audience = audience_of(state)
    if len(state.corpus.offers):
        audience.bounds(0)
    return audience


def _base_of(scorer: Scorer) -> _Base:
    crowd = crowd_of(scorer, pieces_of(scorer.corpus.buyers))
    return _Base(scorer, crowd)


def _scores(odds: Singles) -> Floats:
    scores: Floats = 1.0 / (1.0 + np.exp(-odds.astype(np.float64)))
    return scores


def _holders(state: MatcherState, offers: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(B,) the snapshot's buyers with evidence on one of these offers."""
    buyers = state.corpus.buyers
    held = np.zeros(len(buyers), dtype=bool)
    if offers.any():
        owner = np.repeat(np.arange(len(buyers)), np.diff(buyers.ptr))
        held[owner[offers[buyers.offer]]] = True
    return held


def _other_closure(old: OfferSide, side: OfferSide) -> NDArray[np.bool_]:
    """(N,) the offers of ``old`` that are in other categories now."""
    count = len(old.vendor)
    before, now = np.diff(old.closure_ptr), np.diff(side.closure_ptr[: count + 1])
    other: NDArray[np.bool_] = before != now
    alike = np.flatnonzero(~other)
    sizes = before[alike]
    # Of rows of one length, the values are compared place by place.
    at = np.repeat(old.closure_ptr[alike] - (np.cumsum(sizes) - sizes), sizes)
    at += np.arange(len(at))
    to = np.repeat(side.closure_ptr[alike] - (np.cumsum(sizes) - sizes), sizes)
    to += np.arange(len(to))
    unlike = old.closure[at] != side.closure[to]
    other[np.repeat(alike, sizes)[unlike]] = True
    return other
