"""docker-compose.yml as the tests read it."""

from __future__ import annotations

import re
from typing import Any

import yaml

from tests.servers.neo4j import ROOT

_FILLED = re.compile(r"\$\{\w+:-([^}]*)\}")


def compose() -> dict[str, Any]:
    """The whole file."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return loaded


def neo4j_settings() -> dict[str, str]:
    """What the file sets in neo4j.conf, by the settings' own names, defaults filled in."""
    environment: dict[str, str] = compose()["services"]["neo4j"]["environment"]
    return {
        name.removeprefix("NEO4J_").replace("__", " ").replace("_", ".").replace(" ", "_"): (
            _FILLED.sub(r"\1", value)
        )
        for name, value in environment.items()
        if name.startswith("NEO4J_") and name != "NEO4J_AUTH"
    }
