"""Every node label and relationship type of the graph, with its properties and their types.

What the bulk statements, the embedded engine's schema and the backup are driven by. Properties are
camelCase (docs: the graph model); the embedded schema file declares the same tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import polars as pl

FROM, TO = "from_id", "to_id"


class ColumnType(StrEnum):
    """Types of properties. Times are UTC with microseconds."""

    STRING = "STRING"
    INT = "INT64"
    FLOAT = "DOUBLE"
    BOOL = "BOOL"
    TIME = "TIMESTAMP"
    STRINGS = "STRING[]"


POLARS_TYPES: dict[ColumnType, Any] = {
    ColumnType.STRING: pl.String,
    ColumnType.INT: pl.Int64,
    ColumnType.FLOAT: pl.Float64,
    ColumnType.BOOL: pl.Boolean,
    ColumnType.TIME: pl.Datetime("us", "UTC"),
    ColumnType.STRINGS: pl.List(pl.String),
}


class TableKind(StrEnum):
    """Nodes of one label, or relationships of one type."""

    NODE = "node"
    RELATIONSHIP = "relationship"


@dataclass(frozen=True, slots=True)
class Table:
    """A label or a relationship type.

    A node is known by its ``id``. A relationship with an ``id`` is known by it, whatever its ends
    are; one without is known by the pair of its ends (there is at most one between two nodes).
    """

    name: str
    kind: TableKind
    columns: tuple[tuple[str, ColumnType], ...]
    from_label: str = ""
    to_label: str = ""

    @property
    def is_node(self) -> bool:
        """Whether this is a label rather than a relationship type."""
        return self.kind is TableKind.NODE

    @property
    def has_id(self) -> bool:
        """Whether rows are known by an ``id`` of their own."""
        return self.columns[:1] == (("id", ColumnType.STRING),)

    @property
    def identity(self) -> tuple[str, ...]:
        """The frame's columns that tell one row from another."""
        return ("id",) if self.has_id else (FROM, TO)

    @property
    def frame_schema(self) -> dict[str, Any]:
        """Columns and polars types of a frame of this table, ends first."""
        ends = {} if self.is_node else {FROM: pl.String, TO: pl.String}
        return {**ends, **{name: POLARS_TYPES[kind] for name, kind in self.columns}}


def _table(label: str, /, *ends: str, **columns: ColumnType) -> Table:
    kind = TableKind.RELATIONSHIP if ends else TableKind.NODE
    return Table(label, kind, tuple(columns.items()), *ends)


_STRING, _INT, _FLOAT = ColumnType.STRING, ColumnType.INT, ColumnType.FLOAT
_TIME, _STRINGS = ColumnType.TIME, ColumnType.STRINGS
_PLACE = {"latitude": _FLOAT, "longitude": _FLOAT}

BUYER = _table(
    "Buyer", id=_STRING, name=_STRING, kind=_STRING, country=_STRING, **_PLACE,
    createdAt=_TIME, touchedAt=_TIME, batchId=_STRING,
)  # fmt: skip
VENDOR = _table(
    "Vendor", id=_STRING, name=_STRING, country=_STRING, **_PLACE, touchedAt=_TIME,
    batchId=_STRING,
)  # fmt: skip
CATEGORY = _table("Category", id=_STRING, name=_STRING, batchId=_STRING)
OFFER = _table(
    "Offer", id=_STRING, title=_STRING, description=_STRING, priceMinor=_INT, currency=_STRING,
    availableQuantity=_INT, status=_STRING, validFrom=_TIME, validTo=_TIME, **_PLACE,
    createdAt=_TIME, touchedAt=_TIME, batchId=_STRING,
)  # fmt: skip
EVENT = _table(
    "Event", id=_STRING, seq=_INT, type=_STRING, buyerId=_STRING, offerId=_STRING,
    vendorId=_STRING, categoryIds=_STRINGS, score=_FLOAT, rank=_INT, modelVersion=_STRING,
    occurredAt=_TIME, payload=_STRING,
)  # fmt: skip
MATCH_STATE = _table(
    "MatchState", id=_STRING, buyerId=_STRING, offerId=_STRING, announcedAt=_TIME,
    lastScore=_FLOAT, status=_STRING, terms=_STRING, modelVersion=_STRING,
)  # fmt: skip
# Its id is the buyer's.
MATCH_TOP = _table("MatchTop", id=_STRING, top=_STRING, digestDay=_STRING, digestCount=_INT)
LEASE = _table("Lease", id=_STRING, holder=_STRING, epoch=_INT, expiresAt=_TIME, touchedAt=_TIME)
MODEL_VERSION = _table(
    "ModelVersion", id=_STRING, createdAt=_TIME, metrics=_STRING, artifactSha256=_STRING,
    stage=_STRING,
)  # fmt: skip
SCHEMA_VERSION = _table("SchemaVersion", id=_STRING, version=_INT, graphId=_STRING, appliedAt=_TIME)
COUNTER = _table("Counter", id=_STRING, value=_INT)
IMPORT_BATCH = _table(
    "ImportBatch", id=_STRING, state=_STRING, sourceFingerprint=_STRING, mappingName=_STRING,
    openedAt=_TIME, finishedAt=_TIME, seq=_INT, summary=_STRING,
)  # fmt: skip
IDEMPOTENCY_KEY = _table(
    "IdempotencyKey", id=_STRING, bodyHash=_STRING, answer=_STRING, createdAt=_TIME
)
API_KEY = _table(
    "ApiKey", id=_STRING, name=_STRING, role=_STRING, subject=_STRING, hash=_STRING,
    createdAt=_TIME, expiresAt=_TIME, revokedAt=_TIME,
)  # fmt: skip
WEBHOOK_ENDPOINT = _table(
    "WebhookEndpoint", id=_STRING, url=_STRING, name=_STRING, role=_STRING, subject=_STRING,
    apiKeyId=_STRING, filter=_STRING, position=_INT, state=_STRING, secretVersion=_INT,
    previousUntil=_TIME, failures=_INT, failingSince=_TIME, nextAttemptAt=_TIME, createdAt=_TIME,
    lastError=_STRING, deadSeq=_INT, deadCount=_INT,
)  # fmt: skip
# A property's name has one type in all tables, and an offer's status is a text.
DELIVERY = _table(
    "Delivery", id=_STRING, endpointId=_STRING, eventId=_STRING, seq=_INT, attempt=_INT,
    state=_STRING, statusCode=_INT, error=_STRING, milliseconds=_INT, at=_TIME,
)  # fmt: skip

LISTS = _table("LISTS", "Vendor", "Offer")
IN_CATEGORY = _table("IN_CATEGORY", "Offer", "Category")
SUBCATEGORY_OF = _table("SUBCATEGORY_OF", "Category", "Category")
PREFERS = _table("PREFERS", "Buyer", "Category", weight=_FLOAT, source=_STRING, batchId=_STRING)
MATCHED = _table(
    "MATCHED", "Buyer", "Offer", score=_FLOAT, rank=_INT, modelVersion=_STRING, at=_TIME,
    explanation=_STRING, explanationKind=_STRING, contribution=_FLOAT,
)  # fmt: skip
PURCHASED = _table(
    "PURCHASED", "Buyer", "Offer", id=_STRING, orderId=_STRING, at=_TIME, quantity=_INT,
    unitPriceMinor=_INT, currency=_STRING, cancelledQuantity=_INT, cancelledAt=_TIME,
    stockTaken=_INT, context=_STRING, batchId=_STRING,
)  # fmt: skip
CANCELLED = _table(
    "CANCELLED", "Buyer", "Offer", id=_STRING, orderId=_STRING, at=_TIME, quantity=_INT,
    matchedQuantity=_INT, batchId=_STRING,
)  # fmt: skip


def _interaction(name: str) -> Table:
    return _table(
        name, "Buyer", "Offer", id=_STRING, at=_TIME, value=_FLOAT, context=_STRING,
        batchId=_STRING,
    )  # fmt: skip


VIEWED = _interaction("VIEWED")
CLICKED = _interaction("CLICKED")
ADDED_TO_CART = _interaction("ADDED_TO_CART")
INQUIRED_ABOUT = _interaction("INQUIRED_ABOUT")
DISMISSED = _interaction("DISMISSED")

NODE_TABLES = (
    BUYER, VENDOR, CATEGORY, OFFER, EVENT, MATCH_STATE, MATCH_TOP, MODEL_VERSION, SCHEMA_VERSION,
    COUNTER, LEASE, IMPORT_BATCH, IDEMPOTENCY_KEY, API_KEY, WEBHOOK_ENDPOINT, DELIVERY,
)  # fmt: skip
RELATIONSHIP_TABLES = (
    LISTS, IN_CATEGORY, SUBCATEGORY_OF, PREFERS, MATCHED, PURCHASED, CANCELLED, VIEWED, CLICKED,
    ADDED_TO_CART, INQUIRED_ABOUT, DISMISSED,
)  # fmt: skip
# Nodes before the relationships that need them: the order in which a graph is filled.
TABLES: dict[str, Table] = {table.name: table for table in (*NODE_TABLES, *RELATIONSHIP_TABLES)}
