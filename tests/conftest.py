"""Fixtures that every test can ask for."""

from tests.servers.engines import embedded_engine, engine, neo4j_engine, neo4j_server

__all__ = ["embedded_engine", "engine", "neo4j_engine", "neo4j_server"]
