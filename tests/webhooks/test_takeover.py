"""One dispatcher sends at a time; killed between an answer and its books, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from time import monotonic

import pytest

from core.entities import Lease
from core.settings import load_settings
from graph.engine import Transaction
from graph.neo4j_engine import Neo4jEngine
from graph.open import open_engine
from graph.queries import load_query
from graph.store import GraphStore
from tests.servers.neo4j import Neo4jServer
from tests.webhooks.posting import Post, posting, until
from tests.webhooks.receivers import Answer, Received, Receiver, receiving, status

ROOT = Path(__file__).parents[2]
KEY = "a-webhook-key-that-only-these-tests-know"
KILLS = 3
EVENTS = 60


async def test_of_two_dispatchers_one_sends_and_the_other_follows(post: Post) -> None:
    async with receiving() as receiver:
        await post.register(receiver.url)
        async with post.dispatching(holder="two"):
            await asyncio.sleep(0.3)
            async with post.dispatching(holder="one"):
                told = await post.tell_many(20)
                assert await receiver.wait_taken(20) == told
                await asyncio.sleep(0.5)
            # The one that ended let go; the other needs no time-out.
            told += await post.tell_many(10, first=20)
            assert await receiver.wait_taken(30, seconds=5) == told
        assert receiver.ids == told


async def test_who_vanishes_is_followed_within_ten_seconds(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def vanish(_lease: Lease) -> None:
        """What a killed process does."""

    async with receiving() as receiver:
        endpoint, _ = await post.register(receiver.url)
        async with post.dispatching(holder="one"):
            told = await post.tell_many(5)
            await receiver.wait_taken(5)
            await until(lambda: _at_end(post, endpoint.id))
            monkeypatch.setattr(post.store, "release_lease", vanish)
        gone = monotonic()
        monkeypatch.undo()
        async with post.dispatching(holder="two"):
            told += await post.tell_many(5, first=5)
            assert await receiver.wait_taken(10, seconds=15) == told
            assert monotonic() - gone < 10


async def test_a_dispatcher_that_has_lost_its_lease_writes_nothing_more(post: Post) -> None:
    async with receiving() as receiver, post.dispatching(holder="one"):
        endpoint, _ = await post.register(receiver.url)
        await post.tell_many(1)
        await receiver.wait_taken(1)
        await until(lambda: _at_end(post, endpoint.id))
        before = await post.endpoint(endpoint.id)
        # Another takes the lease, as if this one had slept through its time.
        await _steal(post.store)
        await post.tell_many(3, first=1)
        await asyncio.sleep(1)
        assert (await post.endpoint(endpoint.id)).position == before.position


async def test_killed_between_answer_and_books_it_repeats_with_the_same_ids(
    tmp_path: Path,
) -> None:
    uri = f"embedded:{tmp_path / 'graph.lbug'}"
    async with receiving() as receiver:
        async with posting_at(uri, tmp_path) as post:
            endpoint, _ = await post.register(receiver.url)
            told = await post.tell_many(EVENTS)
        for number in range(1, KILLS + 1):
            async with dispatcher(uri, tmp_path) as child:
                # Killed when the answer has been given, before it can be written down.
                receiver.answer = killing(child, after=number * EVENTS // (KILLS + 1))
                await child.wait()
        receiver.answer = status(200)
        async with dispatcher(uri, tmp_path):
            await until(lambda: _has_taken(receiver, told[-1]), seconds=30)
            await asyncio.sleep(1)  # this one may write down what it has done
    firsts = list(dict.fromkeys(receiver.taken))
    assert firsts == told
    assert len(receiver.taken) > len(told), "no kill fell between an answer and the books"
    async with posting_at(uri, tmp_path) as post:
        assert await _at_end(post, endpoint.id)


async def test_the_next_process_takes_over_on_neo4j(
    neo4j_engine: Neo4jEngine, neo4j_server: Neo4jServer, tmp_path: Path
) -> None:
    environment = {
        "OFFERPATH_GRAPH_USER": neo4j_server.user,
        "OFFERPATH_GRAPH_PASSWORD": neo4j_server.password,
    }
    async with receiving() as receiver, posting(neo4j_engine, tmp_path, webhook_key=KEY) as post:
        await post.register(receiver.url)
        async with dispatcher(neo4j_server.uri, tmp_path, **environment) as child:
            told = await post.tell_many(30)
            await receiver.wait_taken(30)
            async with post.dispatching():
                await asyncio.sleep(1.5)
                assert receiver.ids == told
                child.kill()
                killed = monotonic()
                told += await post.tell_many(30, first=30)
                await until(lambda: _has_taken(receiver, told[-1]))
                assert monotonic() - killed < 10
    assert list(dict.fromkeys(receiver.taken)) == told


async def _steal(store: GraphStore) -> None:
    lease = {
        "id": "webhooks",
        "holder": "thief",
        "epoch": 1_000,
        "expiresAt": store.clock() + timedelta(minutes=1),
    }

    async def work(tx: Transaction) -> None:
        await tx.run(load_query("write_lease"), lease)

    await store.engine.write(work)


async def _has_taken(receiver: Receiver, event_id: str) -> bool:
    return event_id in receiver.taken


async def _at_end(post: Post, endpoint_id: str) -> bool:
    return (await post.endpoint(endpoint_id)).position >= await post.store.last_seq()


@asynccontextmanager
async def posting_at(uri: str, home: Path) -> AsyncIterator[Post]:
    """A post over the graph at a URI, which others may open afterwards."""
    engine = await open_engine(load_settings(graph_uri=uri))
    try:
        async with posting(engine, home, webhook_key=KEY) as post:
            yield post
    finally:
        await engine.close()


@asynccontextmanager
async def dispatcher(
    uri: str, home: Path, **environment: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A process of its own that sends."""
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.webhooks.killed_dispatcher",
        cwd=ROOT,
        env={
            **os.environ,
            "OFFERPATH_GRAPH_URI": uri,
            "OFFERPATH_HOME": str(home),
            "OFFERPATH_WEBHOOK_KEY": KEY,
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
    )
    assert child.stdout is not None
    try:
        assert (await child.stdout.readline()).startswith(b"ready")
        yield child
    finally:
        with suppress(ProcessLookupError):
            child.kill()
        await child.wait()


def killing(child: asyncio.subprocess.Process, after: int) -> Answer:
    """Take events, and kill their sender right after the answer to the event of that number."""
    take = status(200)

    async def answer(receiver: Receiver, request: Received, writer: asyncio.StreamWriter) -> None:
        await take(receiver, request, writer)
        if len(set(receiver.taken)) >= after:
            await writer.drain()
            with suppress(ProcessLookupError):
                child.kill()

    return answer
