"""The first places of every buyer as they were last looked at, in arrays.

A top that has as many places as are kept is *full*, and what scores below its last place does not
enter. A place can be vacant: its offer is gone, or is held back by a digest. A vacant place keeps
its score, so that a full top stays full and its last place does not sink.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from core.entities import MatchTop

VACANT = ""
Place = tuple[str, float]
Places = tuple[Place, ...]
Floats = NDArray[np.float64]
_NONE, _VACANT = -1, -2


def in_order(places: Iterable[Place]) -> list[Place]:
    """Places by score downwards; of equal ones by id, vacant ones last."""
    return sorted(places, key=lambda place: (-place[1], place[0] == VACANT, place[0]))


def floor_of(places: Sequence[Place], size: int, threshold: float) -> float:
    """The score from which on an offer enters a top of ``size`` places."""
    return max(threshold, places[-1][1]) if len(places) >= size else threshold


def is_tied(places: Places, scores: Mapping[str, float], *, size: int, threshold: float) -> bool:
    """Whether an offer scores just as the last place does, so that merging cannot place it.

    Offers that nobody looked at may score the same and stand before it by their ids.
    """
    floor = floor_of(places, size, threshold)
    if len(places) < size or places[-1][1] != floor:
        return False
    return any(score == floor and key > places[-1][0] for key, score in scores.items())


def merged(
    places: Places,
    scores: Mapping[str, float],
    gone: Collection[str],
    *,
    size: int,
    threshold: float,
) -> Places:
    """A top in which some offers are scored anew or gone, without looking at any other offer.

    Args:
        places: the top as last looked at.
        scores: of the offers that changed and can be had, whether they are in the top or not.
        gone: ids of offers that cannot be had any more.
        size: how many places are kept.
        threshold: the least score.

    Returns:
        The new top. A place that falls free stays vacant, and what is_tied() stays out: what would
        follow is not known.
    """
    floor = floor_of(places, size, threshold)
    full = len(places) >= size
    last = places[-1] if full and places[-1][1] == floor else None
    kept = [place for place in places if place[0] not in gone and place[0] not in scores]
    kept += [
        (key, score)
        for key, score in scores.items()
        if key not in gone
        and (score > floor or (score == floor and (last is None or key <= last[0])))
    ]
    if full:
        kept += [(VACANT, floor)] * (size - len(kept))
    return tuple(in_order(kept)[:size])


class TopTable:
    """The tops of all buyers, found by buyer, by offer, or by the score from which one enters.

    Args:
        size: how many places are kept; a longer top is cut.
        threshold: the least score.
    """

    def __init__(self, size: int, threshold: float, tops: Iterable[MatchTop] = ()) -> None:
        self.size = size
        self.threshold = threshold
        self._row: dict[str, int] = {}
        self._ids: list[str] = []
        self._code: dict[str, int] = {}
        self._offers: list[str] = []
        self._place = np.full((0, size), _NONE, dtype=np.int32)
        self._score = np.zeros((0, size))
        self._floor = np.zeros(0)
        self._digest: list[tuple[str | None, int]] = []
        for top in tops:
            self.put(top)

    def __len__(self) -> int:
        return len(self._row)

    def __contains__(self, buyer_id: str) -> bool:
        return buyer_id in self._row

    @property
    def buyer_ids(self) -> list[str]:
        """Whose tops these are, in no order."""
        return list(self._row)

    @property
    def longest(self) -> int:
        """The number of places of the longest top."""
        return int((self._place != _NONE).sum(axis=1).max(initial=0))

    def top(self, buyer_id: str) -> MatchTop | None:
        """A buyer's top; None when it was never looked at."""
        row = self._row.get(buyer_id)
        if row is None:
            return None
        codes, scores = self._place[row].tolist(), self._score[row].tolist()
        places = tuple(
            (VACANT if code == _VACANT else self._offers[code], score)
            for code, score in zip(codes, scores, strict=True)
            if code != _NONE
        )
        return MatchTop(buyer_id, places, *self._digest[row])

    def put(self, top: MatchTop) -> None:
        """Keep a buyer's top in the place of the one before; it is current."""
        row = self._row.get(top.buyer_id)
        if row is None:
            row = self._new_row(top.buyer_id)
        places = top.offers[: self.size]
        self._place[row] = _NONE
        self._place[row, : len(places)] = [self._coded(key) for key, _ in places]
        self._score[row, : len(places)] = [score for _, score in places]
        self._floor[row] = floor_of(places, self.size, self.threshold)
        self._digest[row] = (top.digest_day, top.digest_count)

    def remove(self, buyer_id: str) -> None:
        """Forget a buyer."""
        row = self._row.pop(buyer_id, None)
        if row is not None:
            self._place[row] = _NONE
            self._floor[row] = np.inf

    def outdate(self) -> None:
        """The scores are another model's: no offer enters a top before it is looked at again."""
        self._floor[: len(self._ids)] = np.inf

    def is_current(self, buyer_id: str) -> bool:
        """Whether the scores can be compared with those of now."""
        row = self._row.get(buyer_id)
        return row is not None and bool(np.isfinite(self._floor[row]))

    def floors(self, buyer_ids: Sequence[str]) -> Floats:
        """From which score on (n,) an offer enters these tops; inf: it cannot be said."""
        get = self._row.get
        rows = np.fromiter((get(key, -1) for key in buyer_ids), np.int64, len(buyer_ids))
        return np.where(rows < 0, np.inf, np.append(self._floor, np.inf)[rows])

    def holders(self, offer_ids: Collection[str]) -> dict[str, list[str]]:
        """The buyers in whose top each of these offers is; offers in none are left out."""
        wanted = np.zeros(len(self._offers), dtype=bool)
        wanted[[self._code[key] for key in offer_ids if key in self._code]] = True
        if not wanted.any():
            return {}
        held = self._place[: len(self._ids)]
        rows, at = np.nonzero((held >= 0) & wanted[np.maximum(held, 0)])
        found: dict[str, list[str]] = {}
        for row, code in zip(rows.tolist(), held[rows, at].tolist(), strict=True):
            found.setdefault(self._offers[code], []).append(self._ids[row])
        return found

    def _new_row(self, buyer_id: str) -> int:
        row = len(self._ids)
        if row == len(self._floor):
            more = max(1024, row)
            self._place = np.pad(self._place, ((0, more), (0, 0)), constant_values=_NONE)
            self._score = np.pad(self._score, ((0, more), (0, 0)))
            self._floor = np.pad(self._floor, (0, more), constant_values=np.inf)
        self._row[buyer_id] = row
        self._ids.append(buyer_id)
        self._digest.append((None, 0))
        return row

    def _coded(self, offer_id: str) -> int:
        if offer_id == VACANT:
            return _VACANT
        code = self._code.get(offer_id)
        if code is None:
            code = self._code[offer_id] = len(self._offers)
            self._offers.append(offer_id)
        return code
