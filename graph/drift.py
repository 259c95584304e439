"""What a graph holds that Offerpath did not write."""

from __future__ import annotations

from graph.engine import GraphEngine
from graph.queries import load_query

_SIGNS = {
    "count_purchases_without_facts": "order lines without id, time or quantity",
    "count_offers_of_several_vendors": "offers listed by several vendors",
}


async def is_strange(engine: GraphEngine) -> bool:
    """Whether there are nodes, but no schema version of Offerpath's; changes nothing."""
    nodes = await engine.read(load_query("count_nodes"))
    version = await engine.read(load_query("read_schema_version"))
    return bool(nodes[0]["nodes"]) and not version


async def count_drift(engine: GraphEngine) -> dict[str, int]:
    """Signs of writing past Offerpath: how many there are of each kind, in words; {} when none."""
    found = {}
    for name, words in _SIGNS.items():
        count = int((await engine.read(load_query(name)))[0]["found"])
        if count:
            found[words] = count
    return found
