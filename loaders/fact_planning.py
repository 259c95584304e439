"""The second pass over facts: identities, references, what is there already, cancellations."""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from loaders.cancellations import LINES, PAIR, allocate
from loaders.canonical import FACTS, TABLES
from loaders.entities import reject_unknown
from loaders.facts import find_repeats, referred_ids, usable_parts, with_ids
from loaders.lines import CANCELLED, PARTLY, PRESENT, UNMATCHED, UPDATED, LineBook
from loaders.plan import ALLOTTED, MET, READY, Counts, Plan
from loaders.present import LABELS, Present
from loaders.problems import LINE
from loaders.staging import Stage, canonical_schema

_ASKED_AT_ONCE = 250_000


@dataclass(slots=True)
class FactPlanner:
    """Plans purchases, cancellations, interactions and preferences.

    Attributes:
        known: for each entity table the ids that may be referred to; grows with what is asked.
        found: problems, a table a check.
    """

    stage: Stage
    book: LineBook
    present: Present
    plan: Plan
    known: dict[str, set[str]]
    found: list[pl.DataFrame] = field(default_factory=list)

    async def make(self) -> None:
        """Put what is new into the stage, and what changes into the plan."""
        for table in FACTS:
            await self._facts(table)
        await self._cancel()

    async def _facts(self, table: str) -> None:
        counts = self.plan.counts[table] = Counts()
        if not self.stage.has(table):
            return
        repeats, wrong = find_repeats(table, self.stage, self.book)
        self._reject(wrong)
        for column in TABLES[table].columns:
            if column.refers is not None:
                ids = referred_ids(table, self.stage, self.book, column.name)
                await self._know(column.refers, ids)
        for part in usable_parts(table, self.stage, self.book):
            self._reject(reject_unknown(part, table, self.known)[1])
        waiting: list[pl.DataFrame] = []
        for part in usable_parts(table, self.stage, self.book):
            waiting.append(with_ids(table, part, repeats))
            if sum(rows.height for rows in waiting) >= _ASKED_AT_ONCE:
                await self._keep_new(table, waiting, counts)
                waiting = []
        await self._keep_new(table, waiting, counts)

    async def _keep_new(self, table: str, parts: list[pl.DataFrame], counts: Counts) -> None:
        if table == "preferences":
            await self._keep_new_preferences(parts, counts)
            return
        kinds: dict[str, set[str]] = {}
        for part in parts:
            for kind, ids in _by_type(table, part):
                kinds.setdefault(kind, set()).update(ids.to_list())
        there = {kind: await self.present.existing(kind, ids) for kind, ids in kinds.items()}
        for part in parts:
            for kind, ids in _by_type(table, part):
                old = ids.is_in(pl.Series(list(there[kind]), dtype=pl.String).implode())
                rows = part.filter(pl.col("kind") == kind) if table == "interactions" else part
                self.book.settle(rows.filter(old)[LINE], PRESENT)
                new = rows.filter(~old)
                counts.new += new.height
                counts.unchanged += rows.height - new.height
                self.stage.append(READY + table, new)

    async def _keep_new_preferences(self, parts: list[pl.DataFrame], counts: Counts) -> None:
        if not parts:
            return
        key = ["buyer_id", "category_id"]
        rows = pl.concat(parts)
        old = rows.join(await self.present.preferences(), on=key, suffix="_now")
        changed = old.filter(
            (pl.col("weight") != pl.col("weight_now"))
            | pl.col("source").ne_missing(pl.col("source_now"))
        ).select(LINE, *key, "weight", "source")
        new = rows.join(old, on=key, how="anti", maintain_order="left")
        self.plan.updates["preferences"] = changed.drop(LINE).to_dicts()
        self.book.settle(changed[LINE], UPDATED)
        self.book.settle(old[LINE], PRESENT)
        self.stage.append(f"{READY}preferences", new)
        counts.new, counts.changed = new.height, changed.height
        counts.unchanged = old.height - changed.height

    async def _cancel(self) -> None:
        """Let new cancellations take from lines, and kept ones from lines that come late."""
        back = self.stage.whole("cancellations", name=f"{READY}cancellations")
        back = back.with_columns((pl.col("quantity") - pl.col("matched_quantity")).alias("left"))
        bought = [part.select(PAIR).unique() for part in self.stage.parts(f"{READY}purchases")]
        pairs = pl.concat(bought).unique() if bought else back.select(PAIR).clear()
        kept = await self.present.open_cancellations(pairs)
        touched = pl.concat([back.select(PAIR), kept.select(PAIR)]).unique()
        old = await self.present.lines(touched)
        new = [
            part.join(touched, on=PAIR, how="semi").with_columns(
                (pl.col("quantity") - pl.col("cancelled_quantity").fill_null(0)).alias("left")
            )
            for part in self.stage.parts(f"{READY}purchases")
        ]
        lines = pl.concat([old.select(*LINES), *(part.select(*LINES) for part in new)])
        done = allocate(lines, pl.concat([back.select(*LINES), kept.select(*LINES)]))
        self._take(old, new, done.taken)
        self._match(back, kept, done.matched)

    def _take(self, old: pl.DataFrame, new: list[pl.DataFrame], taken: pl.DataFrame) -> None:
        key = [*PAIR, "id"]
        columns = [*key, "cancelled_quantity", "cancelled_at"]
        fewer = old.join(taken, on=key, suffix="_last")
        self.plan.updates["cancelled"] = _totals(fewer).select(columns).to_dicts()
        own = [_totals(part.join(taken, on=key, how="left", suffix="_last")) for part in new]
        self.plan.again = [row for part in own for row in part.select(columns).to_dicts()]
        units = taken.select("id", "units", "cancelled_at")
        for part in self.stage.parts(f"{READY}purchases"):
            rows = part.join(units, on="id", how="left", suffix="_last", maintain_order="left")
            self.stage.append(ALLOTTED, _totals(rows).select(part.columns))

    def _match(self, back: pl.DataFrame, kept: pl.DataFrame, matched: pl.DataFrame) -> None:
        units = matched.select("id", "units")
        met = pl.col("units").fill_null(0)
        total = (pl.col("matched_quantity") + met).alias("matched_quantity")
        back = back.join(units, on="id", how="left", maintain_order="left").with_columns(total)
        whole = pl.col("matched_quantity") >= pl.col("quantity")
        none = pl.col("matched_quantity") == 0
        self.book.settle(back.filter(whole)[LINE], CANCELLED)
        self.book.settle(back.filter(none)[LINE], UNMATCHED)
        self.book.settle(back.filter(~whole & ~none)[LINE], PARTLY)
        self.stage.append(MET, back.select(canonical_schema("cancellations").keys()))
        late = kept.join(units, on="id").with_columns(total)
        columns = [*PAIR, "id", "matched_quantity"]
        self.plan.updates["matched"] = late.select(columns).to_dicts()

    async def _know(self, table: str, ids: set[str]) -> None:
        unsure = ids - self.known[table]
        self.known[table] |= await self.present.existing(LABELS[table], unsure)

    def _reject(self, wrong: pl.DataFrame) -> None:
        self.book.reject(wrong)
        self.found.append(wrong)


def _totals(rows: pl.DataFrame) -> pl.DataFrame:
    """Add ``units`` to what was cancelled before, and keep the later time."""
    return rows.with_columns(
        pl.col("cancelled_quantity").fill_null(0) + pl.col("units").fill_null(0),
        pl.max_horizontal("cancelled_at", "cancelled_at_last").alias("cancelled_at"),
    )


def _by_type(table: str, part: pl.DataFrame) -> list[tuple[str, pl.Series]]:
    if table == "interactions":
        groups = part.partition_by("kind", as_dict=True, maintain_order=True)
        return [(str(kind), rows["id"]) for (kind,), rows in groups.items()]
    return [({"purchases": "PURCHASED", "cancellations": "CANCELLED"}[table], part["id"])]
