"""The second pass: from staged rows to what an import will do to the graph, all of it checked."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import polars as pl

from loaders.canonical import ENTITIES, TABLES, Kind
from loaders.entities import check_forest, entity_rows, reject_unknown
from loaders.fact_planning import FactPlanner
from loaders.lines import IMPORTED, PRESENT, REJECTED, UPDATED, LineBook
from loaders.mapping import Mapping
from loaders.plan import Counts, Plan, Update
from loaders.present import LABELS, Present
from loaders.problems import LINE, gathered
from loaders.staging import Stage, canonical_schema


@dataclass(slots=True)
class Planner:
    """Checks staged rows against each other and the graph, and settles every line."""

    mapping: Mapping
    stage: Stage
    book: LineBook
    present: Present
    found: list[pl.DataFrame] = field(default_factory=list)
    plan: Plan = field(default_factory=Plan)
    _known: dict[str, set[str]] = field(default_factory=dict)

    async def make(self) -> Plan:
        """Plan the import; ``found`` gathers the problems, the book the dispositions."""
        for table in ENTITIES:
            await self._entities(table)
        facts = FactPlanner(self.stage, self.book, self.present, self.plan, self._known, self.found)
        await facts.make()
        self._settle_rest()
        return self.plan

    def problems(self) -> pl.DataFrame:
        """All problems found by planning, in line order."""
        return gathered(self.found)

    async def _entities(self, table: str) -> None:
        self.plan.counts[table] = Counts()
        self._known[table] = set()
        if not self.stage.has(table):
            return
        rows, wrong = entity_rows(table, self.mapping, self.stage, self.book)
        self._reject(wrong)
        named = rows.select(LINE, "id")
        rows = await self._checked_references(table, rows)
        self._known[table] |= set(rows["id"].to_list())
        existing = await self.present.existing(LABELS[table], rows["id"].to_list())
        is_old = pl.col("id").is_in(pl.Series(list(existing), dtype=pl.String).implode())
        old = rows.filter(is_old)
        changes = self._changes(table, old, await self.present.entities(table, existing))
        self.plan.entities[table] = rows.filter(~is_old)
        self.plan.updates[table] = changes
        new = rows.height - old.height
        self.plan.counts[table] = Counts(new, len(changes), old.height - len(changes))
        reasons = gathered(self.found).unique(LINE, keep="first").select(LINE, "reason")
        refused = dict(named.join(reasons, on=LINE).select("id", "reason").iter_rows())
        self._settle_entities(table, existing, {change["id"] for change in changes}, refused)

    async def _checked_references(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        if table == "categories":
            return await self._checked_forest(rows)
        for column in TABLES[table].columns:
            if column.refers is not None:
                cells = rows[column.name].drop_nulls()
                values = cells.explode().drop_nulls() if column.kind is Kind.IDS else cells
                await self._know(column.refers, values.unique().to_list())
        rows, wrong = reject_unknown(rows, table, self._known)
        self._reject(wrong)
        return rows

    async def _checked_forest(self, rows: pl.DataFrame) -> pl.DataFrame:
        parents = await self.present.parents(rows["parent_id"].drop_nulls().unique().to_list())
        while True:
            known = {"categories": set(rows["id"].to_list()) | set(parents)}
            kept, unknown = reject_unknown(rows, "categories", known)
            kept, wrong = check_forest(kept, parents)
            self._reject(unknown)
            self._reject(wrong)
            if kept.height == rows.height:
                return kept
            rows = kept

    def _changes(self, table: str, rows: pl.DataFrame, now: pl.DataFrame) -> list[Update]:
        """For each row that says something new of its entity, what it says."""
        given = self._given(table)
        rows = _comparable(rows.select("id", *given))
        now = _comparable(now.select("id", *given))
        both = rows.join(now, on="id", suffix="_now", maintain_order="left")
        changes = []
        for row in both.iter_rows(named=True):
            change = {
                name: row[name]
                for name in given
                if row[name] != row[f"{name}_now"] and (self.mapping.strict or row[name])
            }
            if change:
                changes.append({"id": row["id"], **change})
        return changes

    def _given(self, table: str) -> list[str]:
        names: set[str] = set()
        for rule in self.mapping.tables[table]:
            names |= set(rule.columns)
            if rule.levels is not None:
                names |= {"name", "parent_id"}
        if names & {"price", "price_minor"}:
            names |= {"price_minor", "currency"}
        stored = [c for c in canonical_schema(table) if c not in (LINE, "id", "price")]
        return [name for name in stored if name in names]

    async def _know(self, table: str, ids: Collection[str]) -> None:
        unsure = set(ids) - self._known[table]
        self._known[table] |= await self.present.existing(LABELS[table], unsure)

    def _settle_entities(
        self, table: str, existing: set[str], changed: set[str], refused: dict[str, str]
    ) -> None:
        """Say what became of the lines that are about this table above all.

        ``refused`` are entities and why: all lines that were merged into one share its fate.
        """
        mains = {s for s, main in self.mapping.main_tables.items() if main == table}
        spans = [(f.first, f.first + f.rows) for f in self.book.files if f.source in mains]
        if not spans:
            return
        fates = [(PRESENT, existing - changed), (UPDATED, changed)]
        for reason in sorted(set(refused.values())):
            ids = {name for name, why in refused.items() if why == reason}
            fates.append((f"{REJECTED}{reason}", ids))
        for part in self.stage.parts(table, [LINE, "id"]):
            inside = pl.any_horizontal(pl.col(LINE).is_between(a, b, "left") for a, b in spans)
            rows = self.book.usable(part).filter(inside)
            for fate, ids in fates:
                mask = rows["id"].is_in(pl.Series(list(ids), dtype=pl.String).implode())
                self.book.settle(rows.filter(mask)[LINE], fate)

    def _settle_rest(self) -> None:
        self.book.settle(self.book.open_lines(), IMPORTED)

    def _reject(self, wrong: pl.DataFrame) -> None:
        self.book.reject(wrong)
        self.found.append(wrong)


def _comparable(rows: pl.DataFrame) -> pl.DataFrame:
    if "category_ids" in rows.columns:
        rows = rows.with_columns(pl.col("category_ids").fill_null([]).list.sort())
    if "status" in rows.columns:
        rows = rows.with_columns(pl.col("status").fill_null("ACTIVE"))
    return rows
