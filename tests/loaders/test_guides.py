"""The guides say what is so: every column is documented, and the worked example works."""

from __future__ import annotations

import re
from pathlib import Path

from graph.embedded_engine import EmbeddedEngine
from graph.store import GraphStore
from loaders.canonical import TABLES
from loaders.lines import REJECTED
from loaders.mapping import Mapping, Source, load_mapping
from loaders.rules import ColumnRule, Pick
from tests.loaders.markets import net_quantities, run_import, tables_of

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "importing.md").read_text(encoding="utf-8")
MAPPINGS = (DOCS / "mappings.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", MAPPINGS, re.DOTALL)
    assert found is not None
    return found[1]


def test_every_canonical_column_is_documented() -> None:
    for table, spec in TABLES.items():
        part = GUIDE.split(f"### {table}\n", 1)[1].split("\n#", 1)[0]
        rows = re.findall(r"^\| `(\w+)` \| ([\w ]+) \| (yes)?", part, re.MULTILINE)
        expected = [(c.name, c.kind.value, "yes" if c.required else "") for c in spec.columns]
        assert [(name, kind.strip(), needed) for name, kind, needed in rows] == expected


def test_every_reason_is_documented() -> None:
    sources = "".join(
        path.read_text(encoding="utf-8") for path in (DOCS.parent / "loaders").glob("*.py")
    )
    reasons = set(re.findall(r'"([a-z]+(?:-[a-z0-9]+)+)"', sources))
    known = set(re.findall(r"`([a-z]+(?:-[a-z0-9]+)+)`", GUIDE))
    options = {"reject-rows", "reject-all", "utf-8-sig", "utf-16", "utf-8"}
    assert reasons - options == known - options
    assert REJECTED.strip() == "rejected:"


def test_every_key_of_a_mapping_is_documented() -> None:
    for model in (Mapping, Source, ColumnRule):
        for name, field in model.model_fields.items():
            key = field.alias or name
            inner = key in ("sources", "lookups", "tables", "strict")
            assert inner or f"`{key}`" in MAPPINGS or f".{key}]" in MAPPINGS, key
    assert all(f"`{pick.value}`" in MAPPINGS for pick in Pick)


async def test_the_worked_example_works(
    embedded_engine: EmbeddedEngine, data: Path, tmp_path: Path
) -> None:
    (data / "sales.csv").write_text(block("csv"), encoding="utf-8")
    (tmp_path / "shop.toml").write_text(block("toml"), encoding="utf-8")
    store = await GraphStore.open(embedded_engine)
    mapping = load_mapping(tmp_path / "shop.toml")
    report = await run_import(store, data / "sales.csv", mapping=mapping)
    shown = dict(line.rsplit(": ", 1) for line in block("text").splitlines())
    assert {name: str(count) for name, count in report.dispositions.items()} == shown
    assert await net_quantities(store) == {("7", "T-10"): 3, ("8", "T-10"): 1, ("8", "B-02"): 2}
    offers = {row["id"]: row for row in (await tables_of(store))["offers"]}
    assert (offers["T-10"]["title"], offers["T-10"]["price_minor"]) == ("Green Tea", 250)
    assert offers["T-10"]["category_ids"] == ["drinks"]
