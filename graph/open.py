"""Which engine a graph URI asks for."""

from __future__ import annotations

from pathlib import Path

from core.errors import SettingsError
from core.settings import Settings
from graph.embedded_engine import EmbeddedEngine
from graph.engine import GraphEngine
from graph.neo4j_engine import Neo4jEngine, without_secret

_NEO4J_SCHEMES = ("neo4j", "neo4j+s", "neo4j+ssc", "bolt", "bolt+s", "bolt+ssc")


async def open_engine(settings: Settings) -> GraphEngine:
    """Open the engine that ``settings.resolved_graph_uri`` names.

    Raises:
        SettingsError: when the URI is neither ``embedded:PATH`` nor a Neo4j URI.
        GraphBusyError: when another process has the embedded file.
        GraphUnavailableError: when the engine cannot be reached or opened.
    """
    uri = settings.resolved_graph_uri
    scheme, _, rest = uri.partition(":")
    if scheme == "embedded" and rest:
        return await EmbeddedEngine.open(Path(rest))
    if scheme in _NEO4J_SCHEMES and rest.strip("/"):
        password = settings.graph_password.get_secret_value()
        return await Neo4jEngine.open(uri, settings.graph_user, password, settings.graph_database)
    raise SettingsError(
        f"OFFERPATH_GRAPH_URI is {without_secret(uri)!r}, which names no graph engine.",
        mend="Use embedded:PATH, neo4j://HOST:7687 or bolt://HOST:7687.",
        field=("OFFERPATH_GRAPH_URI",),
    )
