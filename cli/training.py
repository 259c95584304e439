"""What training and evaluation share: the snapshot they read, and how they use the machine."""

from __future__ import annotations

import importlib.util
import os
from typing import TYPE_CHECKING

from cli.console import Terminal
from cli.session import run_with_graph
from core.errors import GraphBusyError, InputError, OfferpathError
from core.memory import keep_memory_mapped

if TYPE_CHECKING:
    from core.settings import Settings
    from core.snapshot import GraphSnapshot
    from graph.store import GraphStore


def read_training_snapshot(settings: Settings, terminal: Terminal) -> GraphSnapshot:
    """The graph as tables: from the graph, or as the server that owns it last published it.

    Raises:
        GraphBusyError: when another process owns the graph and has published no snapshot.
        InputError: when there is nothing to learn from.
    """
    from core.snapshot import load_snapshot

    async def read(store: GraphStore) -> GraphSnapshot:
        return await store.read_snapshot(terminal.progress)

    try:
        snapshot = run_with_graph(settings, read)
    except GraphBusyError as busy:
        published = load_snapshot(settings.snapshots_dir)
        if published is None:
            raise
        terminal.say(f"{busy.message} Reading its snapshot of {published.taken_at:%d %b %H:%M}.")
        snapshot = published
    if not snapshot.purchases.height:
        raise InputError(
            "The graph holds no purchases to learn from.", mend="Import some: offerpath import DIR"
        )
    return snapshot


def prepare_to_train() -> None:
    """Make sure that training can start, before anything of it is imported.

    torch's threads are to sleep while they wait for each other, instead of spinning: on cores that
    others use too, spinning made the same training three to ten times as slow; on idle ones
    sleeping costs a second or two of a demo. polars is to give memory back at once, which it else
    keeps for ten seconds: 100 MB of a million purchases. Each library reads that when it is first
    imported.

    Raises:
        OfferpathError: when torch is not installed; the mend says how.
    """
    for name in ("torch", "torch_geometric"):
        if importlib.util.find_spec(name) is None:
            raise OfferpathError(
                f"{name} is not installed, and training needs it.",
                mend="Install the train extra: make demo, or pip install -r requirements/train.txt",
            )
    keep_memory_mapped()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("_RJEM_MALLOC_CONF", "dirty_decay_ms:0,muzzy_decay_ms:0")
