"""One announcer's work while it leads: stretches of the log, sweeps over everybody, the clock.

Whatever is written is a look: a top and what it tells, in one transaction. A stretch is finished by
its last cut, which moves the position; until then it is taken up again by whoever leads next, and
what was written of it by then tells nothing twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from announcing.audience import Audience, audience_of, ready_audience
from announcing.beginning import first_look, models_named, name_model, present_buyers
from announcing.looking import (
    Catalogue,
    Told,
    looks_at_buyers,
    looks_at_offers,
    told_of,
)
from announcing.stretches import Concerns, concerns_of, turned
from announcing.tops import TopTable
from announcing.transitions import Look, Moment, Rules
from core.entities import GRAPH_EVENTS, Lease, MatchReason
from core.errors import CursorExpiredError
from matching.state import WALK_VERSION, MatcherState

if TYPE_CHECKING:
    from graph.store import GraphStore
    from matching.service import Clock, MatchingService

logger = logging.getLogger(__name__)
T = TypeVar("T")

STRETCH = 1_000
"""Events looked at together, at most."""

SWEEP = 500
"""Buyers looked at together in a sweep: between two of these, news is told."""

CUT = 2_000
"""Rows (tops and changes) written in one transaction, about."""

UNSETTLED = 10_000
"""Match events behind the settled position that are read again after a restart, at most."""

CLOCKS_DIFFER = timedelta(minutes=1)
"""How far the clocks of two processes may be apart."""


class Rounds:
    """What an announcer knows while it has the lease. Open one with begin().

    Attributes:
        position: up to here the log is settled in the graph.
        seen: up to here it was looked at; beyond ``position`` during a sweep only.
    """

    def __init__(
        self,
        store: GraphStore,
        matching: MatchingService,
        lease: Lease,
        rules: Rules,
        clock: Clock,
    ) -> None:
        self._store = store
        self._matching = matching
        self._lease = lease
        self._rules = rules
        self._clock = clock
        self._tops = TopTable(rules.size, rules.threshold)
        self._audience: Audience | None = None
        self._model = WALK_VERSION
        self._left: list[str] = []
        self._looked_until = clock()
        self.position = self.seen = 0

    @property
    def is_sweeping(self) -> bool:
        """Whether not everybody was looked at who is to be."""
        return bool(self._left)

    async def begin(self) -> None:
        """Take up where the announcer before stopped; on a new graph, look at all in silence.

        Raises:
            LeaseLostError: when another process announces now.
        """
        position = await self._store.announced_position()
        if position is None:
            position = await first_look(self._store, self._matching, self._lease, self._rules)
        tops = await self._store.match_tops()
        self._tops = TopTable(self._rules.size, self._rules.threshold, tops.values())
        self.position = self.seen = position
        self._model = await self._store.model_named(position) or WALK_VERSION
        await self._wind_back()
        if len(self._tops) and self._tops.longest < self._rules.size:
            await self._lengthen()

    async def turn(self) -> bool:
        """Look at what is new, or at a part of what is left of a sweep; False: nothing to do.

        Raises:
            LeaseLostError: when another process announces now.
        """
        state = self._matching.state
        if state.model_version != self._model:
            await self._take_up_model(state)
        if state.seq > self.seen:
            await self._advance(state)
            return True
        if await self._tell_time(state):
            return True
        if self._left:
            await self._sweep(state)
            return True
        if self._audience is None:
            self._audience = await _in_thread(partial(ready_audience, state))
        return False

    async def _advance(self, state: MatcherState) -> None:
        """Look at what the next events of the log concern."""
        try:
            stretch = await self._store.read_stretch(self.seen, STRETCH, GRAPH_EVENTS)
        except CursorExpiredError as error:
            logger.warning("Matches are looked at anew, the log was not kept: %s", error)
            concerns, to = Concerns(everybody=True), state.seq
        else:
            to = min(stretch.to, state.seq)
            events = [event for event in stretch.events if event.seq <= to]
            concerns = concerns_of(events, state)
        if not concerns and to - self.position < UNSETTLED:
            self.seen = to  # match events only; a later stretch takes the position along
            return
        await self._look(state, concerns, to)

    async def _tell_time(self, state: MatcherState) -> bool:
        """Look at the offers whose validity began or ended since the last look."""
        now = self._clock()
        offers = turned(state, self._looked_until, now)
        if offers:
            await self._look(state, Concerns(offers=offers), self.seen)
        else:
            self._looked_until = now
        return bool(offers)

    async def _look(self, state: MatcherState, concerns: Concerns, to: int) -> None:
        now = self._clock()
        for key in concerns.erased:
            self._tops.remove(key)
        catalogue = Catalogue(state)
        offers = concerns.offers | turned(state, self._looked_until, now)
        offers |= {key for key in concerns.bought if catalogue.gone(key, now) is not None}
        buyers = concerns.buyers
        told = await self._told(buyer_ids=buyers)
        moment = Moment(now, state.model_version, MatchReason.BUYER_ACTED)
        looks = await _in_thread(
            partial(looks_at_buyers, state, self._tops, buyers, told, moment, self._rules)
        )
        if offers:
            told = await self._told(offer_ids=offers)
            moment = Moment(now, state.model_version, MatchReason.OFFER_CHANGED)
            looks += await _in_thread(
                partial(self._looks_at_offers, state, offers, told, moment, buyers)
            )
        if concerns.everybody:
            self._left = self._everybody(state)
        await self._write(looks, to, now)
        self._looked_until = now

    def _looks_at_offers(
        self,
        state: MatcherState,
        offers: Collection[str],
        told: Told,
        moment: Moment,
        besides: Collection[str],
    ) -> list[Look]:
        self._audience = audience_of(state, self._audience)
        return looks_at_offers(
            self._audience, self._tops, offers, told, moment, self._rules, besides=besides
        )

    async def _sweep(self, state: MatcherState) -> None:
        """Look at the next buyers of a sweep, as a digest."""
        chunk, rest = self._left[:SWEEP], self._left[SWEEP:]
        now = self._clock()
        told = await self._told(buyer_ids=chunk)
        moment = Moment(now, state.model_version, MatchReason.MODEL_PUBLISHED, is_digest=True)
        looks = await _in_thread(
            partial(looks_at_buyers, state, self._tops, chunk, told, moment, self._rules)
        )
        self._left = rest
        await self._write(looks, self.seen, now)
        for key in set(chunk) - {look.top.buyer_id for look in looks}:
            self._tops.remove(key)
        if not rest:
            logger.info("Everybody's matches were looked at, up to %d of the log.", self.seen)

    async def _write(self, looks: list[Look], to: int, now: datetime) -> None:
        """Write looks in cuts; the last one settles the log up to ``to``, unless a sweep is on."""
        fresh = [look for look in looks if self._says_something(look)]
        for look in looks:
            if not self._says_something(look):
                self._tops.put(look.top)  # as it was, but it is known to be current
        finishes = not self._left
        cuts = list(_cuts(fresh)) or ([[]] if finishes and to > self.position else [])
        for number, cut in enumerate(cuts, 1):
            last = finishes and number == len(cuts)
            changes = [change for look in cut for change in look.changes]
            tops = [look.top for look in cut]
            position = await self._store.announce(
                self._lease, self.position, to, changes, tops, now=now, last=last
            )
            for top in tops:
                self._tops.put(top)
            if last:
                self.position = position
        self.seen = max(to, self.seen, self.position)

    def _says_something(self, look: Look) -> bool:
        return bool(look.changes) or look.top != self._tops.top(look.top.buyer_id)

    async def _told(
        self,
        *,
        buyer_ids: Collection[str] | None = None,
        offer_ids: Collection[str] | None = None,
    ) -> Told:
        if not (buyer_ids or offer_ids):
            return {}
        if buyer_ids is not None:
            return told_of(await self._store.match_states(buyer_ids=sorted(buyer_ids)))
        return told_of(await self._store.match_states(offer_ids=sorted(offer_ids or ())))

    def _everybody(self, state: MatcherState) -> list[str]:
        return sorted({*present_buyers(state), *self._tops.buyer_ids})

    async def _take_up_model(self, state: MatcherState) -> None:
        """The scores are another model's: the log has to say so, and with that asks for a sweep."""
        try:
            named = await models_named(self._store, self.seen)
        except CursorExpiredError:  # what was named there is not known any more
            named = []
        if state.model_version not in named:
            await name_model(self._store, state.model_version)
        self._model = state.model_version
        self._tops.outdate()

    async def _wind_back(self) -> None:
        """Look at what time has changed since the last event that was settled."""
        try:
            settled = await self._store.read_events(max(0, self.position - 1), 1)
        except CursorExpiredError:
            settled = []
        if settled and settled[0].seq == self.position:
            self._looked_until = settled[0].occurred_at - CLOCKS_DIFFER
        elif self.position > 0:
            self._left = self._everybody(self._matching.state)

    async def _lengthen(self) -> None:
        """More places are kept than before: what follows the tops of before is not known."""
        state = self._matching.state
        if int(state.corpus.offers.active.sum()) > self._tops.longest:
            self._tops.outdate()
            self._left = self._everybody(state)


def _cuts(looks: Iterable[Look]) -> Iterator[list[Look]]:
    cut: list[Look] = []
    rows = 0
    for look in looks:
        cut.append(look)
        rows += 1 + len(look.changes)
        if rows >= CUT:
            yield cut
            cut, rows = [], 0
    if cut:
        yield cut


async def _in_thread(work: Callable[[], T]) -> T:
    return await asyncio.to_thread(work)
