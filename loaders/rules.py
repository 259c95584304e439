"""The rules that a mapping is made of; loaders.mapping puts them together."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from core.context import MOST_VALUES, NAME_LENGTH, is_name

Scalar = str | int | float | bool


class Pick(StrEnum):
    """Which value an entity takes when several lines speak of it; empty cells never count."""

    LAST = "last"
    FIRST = "first"
    MOST_FREQUENT = "most_frequent"
    MEDIAN = "median"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    ALL = "all"


class Part(BaseModel):
    """A part of a mapping: nothing in it that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def listed(value: Any) -> Any:
    """The value as a list."""
    return value if isinstance(value, list) else [value]


def _regex(pattern: str) -> str:
    try:
        pl.Series(["text"]).str.contains(pattern)
    except pl.exceptions.ComputeError as error:
        raise ValueError(f"{pattern!r} is not a regular expression: {error}") from error
    return pattern


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is not a time zone; write one like Europe/London") from error
    return name


def _context_name(name: str) -> str:
    if not is_name(name):
        raise ValueError(f"{name!r} is not of 1 to {NAME_LENGTH} small letters, digits and _")
    return name


Texts = Annotated[list[str], BeforeValidator(listed)]
Regex = Annotated[str, BeforeValidator(_regex)]
Zone = Annotated[str, BeforeValidator(_zone)]
ContextName = Annotated[str, AfterValidator(_context_name)]


class Condition(Part):
    """A test of one source column; exactly one test besides ``column`` and ``lookup``.

    With ``lookup`` the test is made on what the cell stands for there.
    """

    column: str
    lookup: str | None = None
    missing: bool | None = None
    equals: Annotated[list[Scalar] | None, BeforeValidator(listed)] = None
    matches: Regex | None = None
    less_than: float | None = None
    at_most: float | None = None
    more_than: float | None = None
    at_least: float | None = None

    @model_validator(mode="after")
    def _one_test(self) -> Condition:
        tests = ("missing", "equals", "matches", "less_than", "at_most", "more_than", "at_least")
        if sum(getattr(self, name) is not None for name in tests) != 1:
            raise ValueError(f"needs exactly one of {', '.join(tests)}")
        return self


class Filter(Condition):
    """A named reason to leave a line out of some tables (all of them by default)."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    tables: list[str] | None = None


class NotOffers(Part):
    """Codes and patterns of lines that are charges, postage and the like, not offers."""

    column: str
    lookup: str | None = None
    codes: list[str] = []
    patterns: list[Regex] = []


class Lookup(Part):
    """A table of replacements: written out, or two columns of a source."""

    values: dict[str, str] = {}
    source: str | None = None
    key: str | None = None
    value: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Lookup:
        if bool(self.values) == (self.source is not None):
            raise ValueError("needs either values, or source, key and value")
        if self.source is not None and (self.key is None or self.value is None):
            raise ValueError("needs key and value beside source")
        return self


class ColumnRule(Part):
    """How one canonical column is made; the steps run in the order of the fields."""

    column: str | None = None
    value: Scalar | None = None
    template: str | None = None
    levels: list[str] | None = None
    named: Annotated[
        dict[ContextName, ColumnRule] | None, Field(min_length=1, max_length=MOST_VALUES)
    ] = None
    empty: list[str] = []
    replace: dict[str, str] = {}
    extract: Regex | None = None
    case: Literal["lower", "upper", "title"] | None = None
    lookup: str | None = None
    category: bool = False
    divide_by: str | None = None
    default: str | None = None
    otherwise: ColumnRule | None = None
    round: bool = False
    formats: Annotated[Texts | None, Field(alias="format")] = None
    time_zone: Zone | None = None
    last_day: bool = False
    pick: Pick = Pick.LAST

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_origin(self) -> ColumnRule:
        origins = (self.column, self.value, self.template, self.levels, self.named)
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError("needs exactly one of column, value, template, levels, named")
        return self


class TableRule(Part):
    """How one source makes rows of one canonical table."""

    source: str
    columns: dict[str, ColumnRule] = {}
    levels: list[str] | None = None
