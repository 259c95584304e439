"""What an import will do to the graph."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import polars as pl

from graph.imports import ImportUpdates

ALLOTTED, MET = "allotted", "met"
READY = "ready-"
Update = dict[str, Any]


@dataclass(slots=True)
class Counts:
    """What an import does to one canonical table, in rows."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(slots=True)
class Plan:
    """What is to be written.

    New facts lie in the stage: purchases under ALLOTTED, cancellations
    under MET, others under READY and the table's name.

    Attributes:
        entities: new entities, canonical rows.
        updates: changes to what the graph holds.
        again: units that cancellations take of the import's own lines, for a resumed import.
    """

    entities: dict[str, pl.DataFrame] = field(default_factory=dict)
    updates: dict[str, list[Update]] = field(default_factory=dict)
    again: list[Update] = field(default_factory=list)
    counts: dict[str, Counts] = field(default_factory=dict)

    @property
    def empty(self) -> bool:
        """Whether there is nothing to write."""
        return all(c.new == 0 and c.changed == 0 for c in self.counts.values()) and not any(
            self.updates.values()
        )

    def import_updates(self, *, resumed: bool) -> ImportUpdates:
        """The changes as the store takes them."""
        updates = dict(self.updates)
        if resumed:
            updates["cancelled"] = [*updates.get("cancelled", []), *self.again]
        return ImportUpdates(**updates)
