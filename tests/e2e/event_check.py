"""What the log, the states, the tops and a subscriber's notes must agree on after the kills."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from announcing.tops import VACANT
from core.entities import MATCH_EVENTS, Event, EventType, MatchStatus, MatchTop
from graph.store import GraphStore
from tests.e2e.killed_events import BUYERS, Run


async def check(
    store: GraphStore, run: Run, notes: str, seq: int, first: Mapping[str, MatchTop]
) -> dict[str, float]:
    """Read the log, the states and what the subscriber noted, and count what is wrong.

    Args:
        store: on the graph, which no other process has.
        run: what was acknowledged.
        notes: what the subscriber noted, a JSON line an event.
        seq: of the log before the first server was started.
        first: the tops at that seq.
    """
    last = await store.last_seq()
    log: list[Event] = []
    while page := await store.read_events(log[-1].seq if log else seq):
        log += page
    matches = [event for event in log if event.type in MATCH_EVENTS]
    told = [json.loads(line) for line in notes.splitlines()]
    kinds = Counter(event.type for event in log)
    position = await store.announced_position() or 0
    return {
        "kills of servers": run.server_kills,
        "kills of the subscriber": run.subscriber_kills,
        "tries without an answer": run.lost_tries,
        "acknowledged writes": run.purchases + run.looks,
        "rows of the log": len(log),
        "match events": len(matches),
        "told to the subscriber": len(told),
        "slowest takeover": round(max(run.takeovers, default=0.0), 2),
        "median takeover": round(statistics.median(run.takeovers or [0.0]), 2),
        "takeovers": len(run.takeovers),
        "gaps in seq": _gaps(log, seq, last),
        "facts lost or doubled": abs(kinds[EventType.PURCHASE_RECORDED] - run.purchases)
        + abs(kinds[EventType.INTERACTION_RECORDED] - run.looks),
        "offers not as acknowledged": await _offers_otherwise(store, run),
        **_transitions(matches),
        "states not as told": await _states_otherwise(store, matches),
        "facts not looked at": sum(e.type not in MATCH_EVENTS for e in log if e.seq > position),
        "entered and not told": _untold(first, await store.match_tops(), matches),
        **_delivery(matches, told),
    }


FAULTS = (
    "gaps in seq", "facts lost or doubled", "offers not as acknowledged", "told twice",
    "ended without a beginning", "states not as told", "facts not looked at",
    "entered and not told", "lost", "invented", "out of order", "other messages",
)  # fmt: skip


def _gaps(log: list[Event], seq: int, last: int) -> int:
    seqs = [event.seq for event in log]
    ids = {event.id for event in log}
    return len(set(range(seq + 1, last + 1)) ^ set(seqs)) + len(seqs) - len(ids)


def _transitions(matches: list[Event]) -> dict[str, int]:
    """Matches that began twice without an end between, and changes of what does not stand."""
    standing: set[tuple[str | None, str | None]] = set()
    twice = loose = 0
    for event in matches:
        pair = (event.buyer_id, event.offer_id)
        if event.type is EventType.MATCH_CREATED:
            twice += pair in standing
            standing.add(pair)
        else:
            loose += pair not in standing
        if event.type is EventType.MATCH_WITHDRAWN:
            standing.discard(pair)
    return {"told twice": twice, "ended without a beginning": loose}


async def _states_otherwise(store: GraphStore, matches: list[Event]) -> int:
    """Pairs whose stored state is not what the log says of them last."""
    last: dict[tuple[str, str], Event] = {}
    scores: dict[tuple[str, str], float | None] = {}
    for event in matches:
        pair = (event.buyer_id or "", event.offer_id or "")
        last[pair] = event
        scores[pair] = scores.get(pair) if event.score is None else event.score
    states = await store.match_states(buyer_ids=BUYERS)
    stored = {(state.buyer_id, state.offer_id): state for state in states}
    wrong = len(stored.keys() ^ last.keys())
    for pair in stored.keys() & last.keys():
        ended = last[pair].type is EventType.MATCH_WITHDRAWN
        status = MatchStatus.WITHDRAWN if ended else MatchStatus.ANNOUNCED
        state = stored[pair]
        wrong += (state.status, state.last_score) != (status, scores[pair])
    return wrong


async def _offers_otherwise(store: GraphStore, run: Run) -> int:
    found = await store.get_offers(list(run.offers))
    prices = {key: f"{(offer.price_minor or 0) // 100}.00" for key, offer in found.items()}
    return sum(prices.get(key) != amount for key, amount in run.offers.items())


def _delivery(matches: list[Event], told: list[dict[str, Any]]) -> dict[str, int]:
    """What the subscriber noted beside the log; repeats of an id are its right."""
    events = [line for line in told if "id" in line]
    order = list(dict.fromkeys(line["id"] for line in events))
    seqs = {line["id"]: int(line["seq"]) for line in events}
    rising = [seqs[key] for key in order]
    written = {event.id for event in matches}
    return {
        "repeats": len(events) - len(order),
        "lost": len(written - set(order)),
        "invented": len(set(order) - written),
        "out of order": sum(b <= a for a, b in pairwise(rising)),
        "other messages": len(told) - len(events),
    }


def _untold(
    first: Mapping[str, MatchTop], tops: Mapping[str, MatchTop], matches: list[Event]
) -> int:
    """Pairs in the tops now that were not there at first and of which nothing was told."""
    created = {(e.buyer_id, e.offer_id) for e in matches if e.type is EventType.MATCH_CREATED}
    known = {(key, offer) for key, top in first.items() for offer, _ in top.offers}
    now = {(key, offer) for key, top in tops.items() for offer, _ in top.offers if offer != VACANT}
    return len(now - known - created)
