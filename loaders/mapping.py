"""Mappings: small TOML files that say which source columns become what.

docs/mappings.md is the guide. A mapping is checked whole when it is loaded; every error names the
key of the TOML file it is about.
"""

from __future__ import annotations

import tomllib
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from core.errors import InputError
from loaders.canonical import ENTITIES, FACTS, TABLES, Kind, TableSpec
from loaders.rules import (
    ColumnRule,
    Condition,
    Filter,
    Lookup,
    NotOffers,
    Part,
    Pick,
    TableRule,
    Texts,
    Zone,
    listed,
)

SHIPPED = Path(__file__).parent / "mappings"


class Source(Part):
    """One kind of file of the data set, and what its lines mean."""

    files: Texts
    columns: list[str] = Field(default_factory=list)
    optional: bool = False
    encoding: str | None = None
    fallback_encoding: str | None = None
    delimiter: Annotated[str | None, Field(min_length=1, max_length=1)] = None
    exact_duplicates: Literal["keep", "drop"] = "keep"
    filters: list[Filter] = Field(default_factory=list)
    not_offers: list[NotOffers] = Field(default_factory=list)
    cancellation: Condition | None = None


class Mapping(Part):
    """A whole mapping. ``strict``: an id stands once (canonical files), else lines are merged."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    description: str = ""
    time_zone: Zone = "UTC"
    currency: str | None = None
    pseudonymise: list[str] = Field(default_factory=list)
    category_synonyms: dict[str, str] = Field(default_factory=dict)
    sources: dict[str, Source]
    lookups: dict[str, Lookup] = Field(default_factory=dict)
    tables: dict[str, Annotated[list[TableRule], BeforeValidator(listed)]]
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
    if rule.named is not None and name != "context":
        raise ValueError(f"{where}.named: only for the column context")
    for inner, named in (rule.named or {}).items():
        _check_column(f"{where}.named.{inner}", named, spec, name, lookups)
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
