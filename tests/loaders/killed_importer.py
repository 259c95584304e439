"""What tests.loaders.test_kill kills: imports a folder into the graph of the settings."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from core.settings import load_settings
from graph.open import open_engine
from graph.store import GraphStore
from tests.loaders.markets import run_import


async def _main(data: Path) -> None:
    store = await GraphStore.open(await open_engine(load_settings()))
    sys.stdout.write("begun\n")
    sys.stdout.flush()
    report = await run_import(store, data)
    sys.stdout.write(f"{report.outcome.value}\n")
    sys.stdout.flush()
    await store.close()


if __name__ == "__main__":
    asyncio.run(_main(Path(sys.argv[1])))
