"""A process that sends webhooks until it is killed; it says ``ready`` on stdout.

``python -m tests.webhooks.killed_dispatcher``, the graph as the settings have it.
"""

from __future__ import annotations

import asyncio
import os
from contextlib import closing

from announcing.feed import MatchFeed
from core.settings import load_settings
from graph.open import open_engine
from graph.store import GraphStore, utc_now
from webhooks.addresses import GuardedNetwork, Reach
from webhooks.dispatcher import delivering


async def main() -> None:
    settings = load_settings()
    store = await GraphStore.open(await open_engine(settings))
    feed = MatchFeed(store)
    await feed.start()
    with closing(GuardedNetwork(Reach.of(settings))) as network:
        async with delivering(store, feed, settings, utc_now, network=network):
            print("ready", os.getpid(), flush=True)
            await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
