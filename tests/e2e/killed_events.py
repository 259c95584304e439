"""Servers and a subscriber killed at random moments while writers write; what must hold after."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from announcing.announcer import announcing
from core.entities import MatchTop
from core.settings import Settings
from graph.store import GraphStore
from matching.service import MatchingService
from tests.e2e.deployment import Caller, Deployment
from tests.graph.stores import day

BUYERS = [f"buyer-{number:03}" for number in range(40)]
OFFERS = [f"offer-{number:03}" for number in range(60)]
CATEGORIES = [f"category-{number}" for number in range(6)]
VENDORS = [f"vendor-{number}" for number in range(4)]
WRITERS = 3
PAUSE_SECONDS = 0.05
QUIET_SECONDS = 3.0

BUY = """mutation ($input: RecordPurchaseInput!, $key: String) {
  done: recordPurchase(input: $input, idempotencyKey: $key) { errors { message } } }"""
LOOK = """mutation ($input: RecordInteractionInput!, $key: String) {
  done: recordInteraction(input: $input, idempotencyKey: $key) { errors { message } } }"""
OFFER = """mutation ($input: UpsertOfferInput!, $key: String) {
  done: upsertOffer(input: $input, idempotencyKey: $key) { errors { message } } }"""
EVENTS = """query ($after: Cursor, $first: Int) { matchEvents(after: $after, first: $first) {
  edges { node { seq } } pageInfo { endCursor hasNextPage } } }"""

Leader = Callable[[], Awaitable[int | None]]


@dataclass
class Run:
    """What was done and acknowledged."""

    purchases: int = 0
    looks: int = 0
    offers: dict[str, str] = field(default_factory=dict)
    server_kills: int = 0
    subscriber_kills: int = 0
    takeovers: list[float] = field(default_factory=list)
    lost_tries: int = 0


async def prepare(
    store: GraphStore, settings: Settings, seed: int
) -> tuple[int, dict[str, MatchTop]]:
    """A small market that has been looked at once; the log's seq, and the tops of that look."""
    await _fill(store, seed)
    matching = await MatchingService.open(store, settings)
    try:
        async with announcing(store, matching, settings, store.clock) as announcer:
            await _until(lambda: announcer.status().leading)
    finally:
        await matching.close()
    return await store.last_seq(), await store.match_tops()


async def _fill(store: GraphStore, seed: int) -> None:
    """Who buys what leans on the category that a buyer likes."""
    dice = random.Random(seed)
    await store.upsert_buyers([{"id": key} for key in BUYERS])
    await store.upsert_vendors([{"id": key} for key in VENDORS])
    await store.upsert_categories([{"id": key} for key in CATEGORIES])
    await store.upsert_offers([_offer(key, dice) for key in OFFERS])
    lines = []
    for number in range(400):
        buyer = dice.randrange(len(BUYERS))
        liked = [n for n in range(len(OFFERS)) if n % len(CATEGORIES) == buyer % len(CATEGORIES)]
        offer = dice.choice(liked) if dice.random() < 0.7 else dice.randrange(len(OFFERS))
        lines.append(
            {
                "id": f"line-{number}", "buyer_id": BUYERS[buyer], "offer_id": OFFERS[offer],
                "at": day(1) + timedelta(hours=number), "history": True,
            }
        )  # fmt: skip
    await store.record_purchases(lines)


def _offer(key: str, dice: random.Random) -> dict[str, Any]:
    number = int(key[-3:])
    return {
        "id": key, "title": f"The offer {key}", "vendor_id": dice.choice(VENDORS),
        "category_ids": [CATEGORIES[number % len(CATEGORIES)]], "available_quantity": 20,
        "price_minor": dice.randrange(500, 5_000), "currency": "EUR",
    }  # fmt: skip


async def kill_often(
    deployment: Deployment, servers: int, kills: int, seed: int, leader: Leader | None = None
) -> Run:
    """Write, kill and start again ``kills`` times, then let everything settle and end it.

    Args:
        deployment: on a prepared graph that no process has.
        servers: how many it has.
        kills: SIGKILLs, of servers and of the subscriber.
        seed: of what is written and when is killed.
        leader: the pid of the process that holds the announcer's lease, when that can be asked.
    """
    dice, run, done = random.Random(seed), Run(), asyncio.Event()
    caller = Caller(deployment.urls, dice)
    try:
        for number in range(servers):
            await deployment.start(number)
            await deployment.wait_ready(number)
        first = await caller.ask(EVENTS, {"first": 0})
        await deployment.start_subscriber(first["matchEvents"]["pageInfo"]["endCursor"])
        writers = [
            asyncio.create_task(_write_on(caller, number, run, done, random.Random(seed + number)))
            for number in range(WRITERS)
        ]
        await _until(lambda: deployment.notes.exists() and deployment.notes.stat().st_size > 0)
        for _ in range(kills):
            await asyncio.sleep(dice.uniform(0.2, 5.0))
            await _kill_one(deployment, servers, run, dice, leader)
        done.set()
        await asyncio.gather(*writers)
        for number in range(servers):
            await deployment.wait_ready(number)
        await _settle(deployment, caller)
        run.lost_tries = caller.lost_tries
    finally:
        await caller.close()
        await deployment.stop()
    return run


async def _kill_one(
    deployment: Deployment, servers: int, run: Run, dice: random.Random, leader: Leader | None
) -> None:
    if dice.random() < 0.4:
        cursor = "none: it has noted events by now"
        await deployment.kill_subscriber()
        await deployment.start_subscriber(cursor)
        run.subscriber_kills += 1
        return
    number = dice.randrange(servers)
    led = leader is not None and await leader() == deployment.pid(number)
    await deployment.kill(number)
    run.server_kills += 1
    # One that is still starting takes over when it has started, which tells nothing.
    if leader is not None and led and deployment.ready:
        run.takeovers.append(await _taken_over(leader, deployment.pid(number)))
    await deployment.start(number)
    # Now and then the next kill meets it while it starts.
    if dice.random() < 0.8:
        await deployment.wait_ready(number)


async def _taken_over(leader: Leader, killed: int) -> float:
    """Seconds until another process holds the lease."""
    clock = asyncio.get_running_loop().time
    began = clock()
    async with asyncio.timeout(60):
        while True:
            if await leader() not in (None, killed):
                return clock() - began
            await asyncio.sleep(0.05)


async def _until(holds: Callable[[], bool], seconds: float = 120) -> None:
    async with asyncio.timeout(seconds):
        while True:
            if holds():
                return
            await asyncio.sleep(0.1)


async def _settle(deployment: Deployment, caller: Caller) -> None:
    """Wait until no event has come for a while and the subscriber has noted the last one."""
    async with asyncio.timeout(180):
        since = asyncio.get_running_loop().time()
        while asyncio.get_running_loop().time() - since < QUIET_SECONDS:
            await asyncio.sleep(0.2)
            last = json.loads(deployment.notes.read_text().splitlines()[-1])
            page = await caller.ask(EVENTS, {"after": last["cursor"], "first": 1})
            if page["matchEvents"]["edges"] or page["matchEvents"]["pageInfo"]["hasNextPage"]:
                since = asyncio.get_running_loop().time()


async def _write_on(
    caller: Caller, writer: int, run: Run, done: asyncio.Event, dice: random.Random
) -> None:
    """One write after the other, each sent under its key until it is answered."""
    count = 0
    while not done.is_set():
        buyer, offer, chance = dice.choice(BUYERS), dice.choice(OFFERS), dice.random()
        pair = {"buyerId": buyer, "offerId": offer}
        if chance < 0.45:
            await _send(caller, BUY, pair, dice)
            run.purchases += 1
        elif chance < 0.65:
            kind = "DISMISSED" if chance < 0.5 else "VIEWED"
            await _send(caller, LOOK, {**pair, "kind": kind}, dice)
            run.looks += 1
        else:
            # Each writer has offers of its own: what it set last must be what is there.
            new = f"offer-{writer}{dice.randrange(20):03}"
            mine = new if chance < 0.75 else dice.choice(OFFERS[writer::WRITERS])
            amount = f"{dice.randrange(5, 50)}.00"
            stock = dice.choice([0, 5, 5, 50])
            await _send(caller, OFFER, _own_offer(mine, amount, stock, dice), dice)
            run.offers[mine] = amount
        count += 1
        await asyncio.sleep(PAUSE_SECONDS)


def _own_offer(key: str, amount: str, stock: int, dice: random.Random) -> dict[str, Any]:
    return {
        "externalId": key, "title": f"The offer {key}", "vendorId": dice.choice(VENDORS),
        "categoryIds": [CATEGORIES[int(key[-3:]) % len(CATEGORIES)]],
        "availableQuantity": stock, "price": {"amount": amount, "currency": "EUR"},
    }  # fmt: skip


async def _send(caller: Caller, mutation: str, given: dict[str, Any], dice: random.Random) -> None:
    key = str(UUID(int=dice.getrandbits(128)))
    answer = await caller.ask(mutation, {"input": given, "key": key})
    assert not answer["done"]["errors"], answer
