"""When a match is new: what a look at a buyer's first places tells, beside what was told before.

Pure functions: the same look at the same top and the same states tells the same, and a look that
was written down tells nothing when it is taken again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from announcing.tops import VACANT, Places
from core.entities import (
    EventType,
    MatchChange,
    MatchReason,
    MatchState,
    MatchStatus,
    MatchTop,
)


@dataclass(frozen=True, slots=True)
class Rules:
    """What counts as new.

    Attributes:
        size: an offer matches when it is among so many first places.
        threshold: pairs that score below are never told of as new.
        window: a standing match that enters again is told again after this time.
        per_day: new matches of a buyer, and moved scores, that digests tell of in a day.
        step: a standing match is told of again when its score moved by more.
    """

    size: int = 20
    threshold: float = 0.0
    window: timedelta = timedelta(days=30)
    per_day: int = 3
    step: float = 0.05


@dataclass(frozen=True, slots=True)
class OfferFacts:
    """What an event says of its offer; ``terms`` is a short digest of what the offer asks."""

    vendor_id: str | None
    category_ids: tuple[str, ...]
    terms: str


@dataclass(frozen=True, slots=True)
class Moment:
    """The circumstances of a look.

    Attributes:
        now: its time, aware.
        model_version: what scores.
        cause: why it is taken: one of the reasons of a creation.
        is_digest: whether only a few things a day are told, because everybody is looked at.
    """

    now: datetime
    model_version: str
    cause: MatchReason
    is_digest: bool = False

    @property
    def day(self) -> str:
        """The day of the look (UTC), an ISO date."""
        return self.now.date().isoformat()


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at one buyer tells, and the top that it leaves."""

    top: MatchTop
    changes: tuple[MatchChange, ...] = ()


def look_at(
    known: MatchTop,
    places: Places,
    states: Mapping[str, MatchState],
    gone: Mapping[str, MatchReason],
    facts: Callable[[str], OfferFacts],
    moment: Moment,
    rules: Rules,
) -> Look:
    """Compare a buyer's first places now with those of the last look.

    Args:
        known: the top of the last look; an empty one when there was none.
        places: the first places now, best first, at most ``rules.size``.
        states: what was told of this buyer's pairs, by offer.
        gone: offers that cannot be had any more, or not by this buyer, and why. They are not among
            the places.
        facts: of an offer, by its id.
        moment: of the look.
        rules: what counts as new.

    Returns:
        Withdrawals by offer id, then new matches and changed ones, each by rank. What a digest
        holds back is vacant in the top, so that it counts as not announced.
    """
    standing = {key: s for key, s in states.items() if s.status is MatchStatus.ANNOUNCED}
    tell = _Telling(known.buyer_id, facts, moment)
    changes = [
        tell.withdrawn(key, reason) for key, reason in sorted(gone.items()) if key in standing
    ]
    before = {key for key, _ in known.offers}
    entered = {
        key
        for key, score in places
        if key != VACANT
        and key not in before
        and score >= rules.threshold
        and not _is_told(standing.get(key), moment.now, rules.window)
    }
    new = [place for place in enumerate(places, 1) if place[1][0] in entered]
    stood = [
        (rank, key, score)
        for rank, (key, score) in enumerate(places, 1)
        if key in standing and key not in entered
    ]
    otherwise = [at for at in stood if standing[at[1]].terms != facts(at[1]).terms]
    moved = [
        (rank, key, score)
        for rank, key, score in stood
        if (rank, key, score) not in otherwise
        and abs(score - standing[key].last_score) > rules.step
    ]
    told = known.digest_count if known.digest_day == moment.day else 0
    day, count, held = known.digest_day, known.digest_count, new[:0]
    if moment.is_digest:
        room = max(0, rules.per_day - told)
        new, held = new[:room], new[room:]
        moved = moved[: room - len(new)]
        if new or moved:
            day, count = moment.day, told + len(new) + len(moved)
    changes += [tell.created(rank, *place, held_back=len(held)) for rank, place in new]
    changes += [
        tell.updated(rank, standing[key], score, rules.step)
        for rank, key, score in sorted(otherwise + moved)
    ]
    unsaid = {rank for rank, _ in held}
    left = tuple(
        (VACANT, score) if rank in unsaid else (key, score)
        for rank, (key, score) in enumerate(places, 1)
    )
    return Look(MatchTop(known.buyer_id, left, day, count), tuple(changes))


def _is_told(state: MatchState | None, now: datetime, window: timedelta) -> bool:
    return state is not None and now - state.announced_at < window


@dataclass(frozen=True, slots=True)
class _Telling:
    """Makes the changes of one look."""

    buyer_id: str
    facts: Callable[[str], OfferFacts]
    moment: Moment

    def created(self, rank: int, offer_id: str, score: float, *, held_back: int) -> MatchChange:
        kind, reason = EventType.MATCH_CREATED, self.moment.cause
        return self._change(kind, offer_id, reason, score=score, rank=rank, held_back=held_back)

    def updated(self, rank: int, state: MatchState, score: float, step: float) -> MatchChange:
        terms = self.facts(state.offer_id).terms != state.terms
        reason = MatchReason.TERMS_CHANGED if terms else MatchReason.SCORE_MOVED
        has_moved = abs(score - state.last_score) > step
        return self._change(
            EventType.MATCH_UPDATED,
            state.offer_id,
            reason,
            score=score,
            rank=rank,
            previous_score=state.last_score if has_moved else None,
        )

    def withdrawn(self, offer_id: str, reason: MatchReason) -> MatchChange:
        return self._change(EventType.MATCH_WITHDRAWN, offer_id, reason)

    def _change(
        self,
        kind: EventType,
        offer_id: str,
        reason: MatchReason,
        *,
        score: float | None = None,
        rank: int | None = None,
        held_back: int = 0,
        previous_score: float | None = None,
    ) -> MatchChange:
        facts = self.facts(offer_id)
        return MatchChange(
            type=kind,
            buyer_id=self.buyer_id,
            offer_id=offer_id,
            vendor_id=facts.vendor_id,
            category_ids=facts.category_ids,
            score=score,
            rank=rank,
            model_version=self.moment.model_version,
            reason=reason,
            terms=facts.terms,
            held_back=held_back,
            previous_score=previous_score,
        )
