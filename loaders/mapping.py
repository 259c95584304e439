"""Mappings: small TOML files that say which source columns become what.

docs/mappings.md is the guide. A mapping is checked whole when it is loaded; every error names the
key of the TOML file it is about.
"""

from __future__ import annotations

import tomllib
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import polars as pl
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from core.errors import InputError
from loaders.canonical import ENTITIES, FACTS, TABLES, Kind, TableSpec

SHIPPED = Path(__file__).parent / "mappings"
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


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _listed(value: Any) -> Any:
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


Texts = Annotated[list[str], BeforeValidator(_listed)]
Regex = Annotated[str, BeforeValidator(_regex)]
Zone = Annotated[str, BeforeValidator(_zone)]


class Condition(_Part):
    """A test of one source column; exactly one test besides ``column`` and ``lookup``.

    With ``lookup`` the test is made on what the cell stands for there.
    """

    column: str
    lookup: str | None = None
    missing: bool | None = None
    equals: Annotated[list[Scalar] | None, BeforeValidator(_listed)] = None
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


class NotOffers(_Part):
    """Codes and patterns of lines that are charges, postage and the like, not offers."""

    column: str
    lookup: str | None = None
    codes: list[str] = []
    patterns: list[Regex] = []


class Lookup(_Part):
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


class ColumnRule(_Part):
    """How one canonical column is made; the steps run in the order of the fields."""

    column: str | None = None
    value: Scalar | None = None
    template: str | None = None
    levels: list[str] | None = None
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
        origins = (self.column, self.value, self.template, self.levels)
        if sum(origin is not None for origin in origins) != 1:
            raise ValueError("needs exactly one of column, value, template, levels")
        return self


class TableRule(_Part):
    """How one source makes rows of one canonical table."""

    source: str
    columns: dict[str, ColumnRule] = {}
    levels: list[str] | None = None


class Source(_Part):
    """One kind of file of the data set, and what its lines mean."""

    files: Texts
    columns: list[str] = []
    optional: bool = False
    encoding: str | None = None
    fallback_encoding: str | None = None
    delimiter: Annotated[str | None, Field(min_length=1, max_length=1)] = None
    exact_duplicates: Literal["keep", "drop"] = "keep"
    filters: list[Filter] = []
    not_offers: list[NotOffers] = []
    cancellation: Condition | None = None


class Mapping(_Part):
    """A whole mapping. ``strict``: an id stands once (canonical files), else lines are merged."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: str = ""
    time_zone: Zone = "UTC"
    currency: str | None = None
    pseudonymise: list[str] = []
    category_synonyms: dict[str, str] = {}
    sources: dict[str, Source]
    lookups: dict[str, Lookup] = {}
    tables: dict[str, Annotated[list[TableRule], BeforeValidator(_listed)]]
    strict: bool = False

    @model_validator(mode="after")
    def _consistent(self) -> Mapping:
        for table, rules in self.tables.items():
            if table not in TABLES:
                raise ValueError(f"tables.{table}: there is no such table ({', '.join(TABLES)})")
            for rule in rules:
                self._check_rule(table, rule)
        for name, lookup in self.lookups.items():
            if lookup.source is not None and lookup.source not in self.sources:
                raise ValueError(f"lookups.{name}.source: no source {lookup.source!r}")
        for text in self.pseudonymise:
            table, _, column = text.partition(".")
            if table not in ENTITIES or column not in ("id", "name"):
                raise ValueError(f"pseudonymise: {text!r} is not like buyers.id or buyers.name")
        for name, source in self.sources.items():
            self._check_source(name, source)
        return self

    def _check_source(self, name: str, source: Source) -> None:
        for item in source.filters:
            if unknown := set(item.tables or ()) - set(self.tables):
                raise ValueError(f"sources.{name}.filters: no table {sorted(unknown)[0]!r}")
        tests: list[Condition | NotOffers] = [*source.filters, *source.not_offers]
        if source.cancellation is not None:
            tests.append(source.cancellation)
        for test in tests:
            if test.lookup is not None and test.lookup not in self.lookups:
                raise ValueError(f"sources.{name}: there is no lookup {test.lookup!r}")

    def _check_rule(self, table: str, rule: TableRule) -> None:
        spec = TABLES[table]
        if rule.source not in self.sources:
            raise ValueError(f"tables.{table}.source: there is no source {rule.source!r}")
        if rule.levels is not None:
            if table != "categories" or rule.columns:
                raise ValueError(f"tables.{table}.levels: only for categories, without columns")
            return
        for name, column in rule.columns.items():
            if name not in spec.names:
                known = ", ".join(spec.names)
                raise ValueError(f"tables.{table}.columns.{name}: no such column ({known})")
            _check_column(f"tables.{table}.columns.{name}", column, spec, name, self.lookups)
        for name in spec.key if table in ENTITIES or table == "preferences" else ():
            if name not in rule.columns:
                raise ValueError(f"tables.{table}.columns.{name}: is missing")
        for required in spec.columns:
            if required.required and required.name not in rule.columns:
                raise ValueError(f"tables.{table}.columns.{required.name}: is missing")

    @cached_property
    def main_tables(self) -> dict[str, str]:
        """For each source the table that says what became of a line: facts, offers, buyers, ..."""
        order = [*FACTS, "offers", "buyers", "vendors", "categories"]
        return {
            source: table
            for source in self.sources
            for table in reversed(order)
            if any(rule.source == source for rule in self.tables.get(table, ()))
        }

    def lookup_only(self, source: str) -> bool:
        """Whether a source is read for lookups alone."""
        return source not in self.main_tables


def _check_column(
    where: str, rule: ColumnRule, spec: TableSpec, name: str, lookups: dict[str, Lookup]
) -> None:
    kind = spec.column(name).kind
    if rule.lookup is not None and rule.lookup not in lookups:
        raise ValueError(f"{where}.lookup: there is no lookup {rule.lookup!r}")
    if rule.pick is Pick.MEDIAN and kind not in (Kind.INT, Kind.FLOAT, Kind.MONEY, Kind.TIME):
        raise ValueError(f"{where}.pick: only numbers, amounts and times have a median")
    if rule.pick is Pick.ALL and kind is not Kind.IDS:
        raise ValueError(f"{where}.pick: all is for columns that hold several ids")
    if rule.otherwise is not None:
        _check_column(f"{where}.otherwise", rule.otherwise, spec, name, lookups)


def load_mapping(path: Path) -> Mapping:
    """Read and check a mapping file.

    Raises:
        InputError: when it is not there, not TOML, or wrong; names the key.
    """
    try:
        return Mapping.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError as error:
        known = ", ".join(shipped_mappings())
        raise InputError(
            f"{path} is not there.", mend=f"Give a TOML file, or one of: {known}."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not TOML: {error}.", mend="See docs/mappings.md.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
        message = first["msg"].removeprefix("Value error, ")
        text = f"{where}: {message}" if where else message
        raise InputError(
            f"{path}: {text}.", mend="See docs/mappings.md.", field=(where,)
        ) from error


def shipped_mappings() -> dict[str, Path]:
    """The mappings that come with Offerpath, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def find_mapping(name_or_path: str) -> Mapping:
    """The shipped mapping of that name, else the mapping file at that path.

    Raises:
        InputError: as load_mapping.
    """
    return load_mapping(shipped_mappings().get(name_or_path, Path(name_or_path)))
