"""The canonical files: every table, column, type and rule, in one place.

docs/importing.md is written from this module and a test keeps the two alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from core.entities import INTERACTION_KINDS, OfferStatus
from core.snapshot import TIME

MAX_CELL_BYTES = 50_000
MAX_ID_BYTES = 500
MAX_CATEGORY_DEPTH = 8
LIST_SEPARATOR = "|"


class Kind(StrEnum):
    """What a column holds, and so how text becomes a value."""

    ID = "id"
    TEXT = "text"
    COUNTRY = "country"
    CURRENCY = "currency"
    CHOICE = "choice"
    INT = "whole number"
    FLOAT = "number"
    MONEY = "amount"
    TIME = "time"
    IDS = "ids"
    PERSONAL = "personal"


DTYPES: dict[Kind, pl.DataType] = {
    Kind.ID: pl.String(),
    Kind.TEXT: pl.String(),
    Kind.COUNTRY: pl.String(),
    Kind.CURRENCY: pl.String(),
    Kind.CHOICE: pl.String(),
    Kind.INT: pl.Int64(),
    Kind.FLOAT: pl.Float64(),
    Kind.MONEY: pl.Int64(),
    Kind.TIME: TIME,
    Kind.IDS: pl.List(pl.String()),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One canonical column.

    Attributes:
        refers: the table whose ids this column names.
        future: whether a time may lie after the import.
    """

    name: str
    kind: Kind
    doc: str
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    refers: str | None = None
    future: bool = False


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One canonical table; ``key`` are the columns that make a row's identity."""

    name: str
    doc: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ("id",)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, in order."""
        return tuple(column.name for column in self.columns)


def _id(what: str) -> Column:
    return Column("id", Kind.ID, f"Your own stable identifier of the {what}; unique.", True)


def _refers(name: str, table: str, doc: str, *, required: bool = True) -> Column:
    return Column(name, Kind.ID, doc, required, refers=table)


def _place() -> tuple[Column, Column]:
    return (
        Column("latitude", Kind.FLOAT, "Degrees north; both or neither.", False, -90, 90),
        Column("longitude", Kind.FLOAT, "Degrees east; both or neither.", False, -180, 180),
    )


_COUNTRY = Column("country", Kind.COUNTRY, "ISO 3166 code of two letters, such as GB.")
_AT = Column("at", Kind.TIME, "When it happened.", True)
_LINE_ID = Column(
    "id",
    Kind.ID,
    "Identifier of the line; without one it is made from the line's order, offer, time, quantity, "
    "price and how many equal lines came before.",
)
_CONTEXT = Column(
    "context",
    Kind.TEXT,
    "Under which circumstances, as `weather=rain; device=phone`; other text is kept and not "
    "learned from.",
)
_CURRENCY = Column(
    "currency", Kind.CURRENCY, "ISO 4217 code, such as GBP; needed with every amount."
)

BUYERS = TableSpec(
    "buyers",
    "Those who buy.",
    (
        _id("buyer"),
        Column("name", Kind.TEXT, "Name; personal data."),
        Column("kind", Kind.TEXT, "What sort of buyer, such as grocer."),
        _COUNTRY,
        *_place(),
        Column("created_at", Kind.TIME, "When the buyer joined."),
        Column("email", Kind.PERSONAL, "Accepted and never stored."),
        Column("phone", Kind.PERSONAL, "Accepted and never stored."),
    ),
)
VENDORS = TableSpec(
    "vendors",
    "Those who list offers.",
    (_id("vendor"), Column("name", Kind.TEXT, "Name."), _COUNTRY, *_place()),
)
CATEGORIES = TableSpec(
    "categories",
    "A forest of categories, at most 8 levels deep.",
    (
        _id("category"),
        Column("name", Kind.TEXT, "Name; runs of spaces become one."),
        _refers("parent_id", "categories", "The category above it, if any.", required=False),
    ),
)
OFFERS = TableSpec(
    "offers",
    "What can be bought.",
    (
        _id("offer"),
        Column("title", Kind.TEXT, "Short name."),
        Column("description", Kind.TEXT, "Longer text."),
        Column("price", Kind.MONEY, "Price as decimal text, exact: 12.50.", minimum=0),
        Column("price_minor", Kind.INT, "The same in minor units (pence): 1250.", minimum=0),
        _CURRENCY,
        Column("available_quantity", Kind.INT, "Stock; empty means it is not counted.", minimum=0),
        Column(
            "status",
            Kind.CHOICE,
            "ACTIVE (also when empty) or WITHDRAWN.",
            choices=tuple(OfferStatus),
        ),
        Column("valid_from", Kind.TIME, "First moment it can be bought.", future=True),
        Column("valid_to", Kind.TIME, "First moment it cannot be bought any more.", future=True),
        *_place(),
        Column("created_at", Kind.TIME, "When it was listed."),
        _refers("vendor_id", "vendors", "Who lists it, if anybody.", required=False),
        Column(
            "category_ids",
            Kind.IDS,
            "Its categories, separated by | in CSV, a list in JSONL and Parquet.",
            refers="categories",
        ),
    ),
)
PURCHASES = TableSpec(
    "purchases",
    "One row an order line. A negative quantity takes back an earlier line.",
    (
        _LINE_ID,
        Column("order_id", Kind.TEXT, "The order or invoice of the line."),
        _refers("buyer_id", "buyers", "Who bought."),
        _refers("offer_id", "offers", "What was bought."),
        _AT,
        Column("quantity", Kind.INT, "How many; 1 when empty, never 0."),
        Column("unit_price", Kind.MONEY, "Price of one as decimal text.", minimum=0),
        Column("unit_price_minor", Kind.INT, "The same in minor units.", minimum=0),
        _CURRENCY,
        _CONTEXT,
        Column(
            "cancelled_quantity",
            Kind.INT,
            "How many of these were taken back already; exports write it.",
            minimum=0,
        ),
        Column("cancelled_at", Kind.TIME, "When they were taken back last."),
    ),
)
CANCELLATIONS = TableSpec(
    "cancellations",
    "What was taken back: the other way to say it, and how exports keep it.",
    (
        _LINE_ID,
        Column("order_id", Kind.TEXT, "The order or credit note of the line."),
        _refers("buyer_id", "buyers", "Who gave it back."),
        _refers("offer_id", "offers", "What was given back."),
        _AT,
        Column("quantity", Kind.INT, "How many, as a positive number.", True, minimum=1),
        Column(
            "matched_quantity",
            Kind.INT,
            "How many of them the purchases' cancelled_quantity holds already; 0 when empty.",
            minimum=0,
        ),
    ),
)
INTERACTIONS = TableSpec(
    "interactions",
    "Views, clicks, carts, inquiries and dismissals.",
    (
        _LINE_ID,
        _refers("buyer_id", "buyers", "Who."),
        _refers("offer_id", "offers", "With what."),
        Column("kind", Kind.CHOICE, "What happened.", True, choices=tuple(INTERACTION_KINDS)),
        _AT,
        Column("value", Kind.FLOAT, "A figure of your own, such as seconds."),
        _CONTEXT,
    ),
)
PREFERENCES = TableSpec(
    "preferences",
    "What buyers say they like.",
    (
        _refers("buyer_id", "buyers", "Who likes it."),
        _refers("category_id", "categories", "What is liked."),
        Column("weight", Kind.FLOAT, "From -1 to 1; 1 when empty.", False, -1, 1),
        Column("source", Kind.TEXT, "Where this is known from."),
    ),
    ("buyer_id", "category_id"),
)

TABLES: dict[str, TableSpec] = {
    spec.name: spec
    for spec in (
        BUYERS,
        VENDORS,
        CATEGORIES,
        OFFERS,
        PURCHASES,
        CANCELLATIONS,
        INTERACTIONS,
        PREFERENCES,
    )
}
"""All canonical tables, in an order in which nothing refers to a later one."""

ENTITIES = ("buyers", "vendors", "categories", "offers")
FACTS = ("purchases", "cancellations", "interactions", "preferences")
