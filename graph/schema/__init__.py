"""The schema of each engine: a file of statements, each ended by a semicolon."""

from __future__ import annotations

from importlib.resources import files


def schema_statements(engine: str) -> list[str]:
    """The statements of graph/schema/``engine``.cypher, in order."""
    source = files(__name__).joinpath(f"{engine}.cypher").read_text(encoding="utf-8")
    code = "\n".join(line for line in source.splitlines() if not line.startswith("//"))
    return [statement.strip() for statement in code.split(";") if statement.strip()]
