"""The files: the same bytes for the same seed, canonical columns, every reference valid."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from core.entities import INTERACTION_KINDS
from core.errors import DamagedError, InputError
from core.snapshot import SCHEMAS
from synthetic.generate import Marketplace, build, generate
from synthetic.spec import MarketplaceSpec
from synthetic.truth import load_truth
from tests.synthetic.conftest import SMALL

IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
from synthetic.generate import generate
from synthetic.spec import MarketplaceSpec
generate(MarketplaceSpec(buyers=60, offers=90, vendors=9, purchases=900, interactions=1200, seed=3),
         Path(sys.argv[1]))
"""


def _digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.iterdir()}


def test_the_same_seed_gives_the_same_bytes_in_any_process(tmp_path: Path) -> None:
    for number in ("1", "2"):
        threads = {"POLARS_MAX_THREADS": number, "OMP_NUM_THREADS": number}
        subprocess.run(
            [sys.executable, "-c", IN_ANOTHER_PROCESS, str(tmp_path / number)],
            check=True,
            env={**os.environ, **threads, "PYTHONHASHSEED": number},
            cwd=Path(__file__).parents[2],
        )
    first = _digests(tmp_path / "1")
    assert len(first) == 8
    assert first == _digests(tmp_path / "2")


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_text_formats_repeat_too(tmp_path: Path, format: str) -> None:
    spec = replace(SMALL, purchases=500, interactions=500)
    for name in ("a", "b"):
        generate(spec, tmp_path / name, format)  # type: ignore[arg-type]
    assert _digests(tmp_path / "a") == _digests(tmp_path / "b")


def test_another_seed_gives_another_marketplace(small: Marketplace) -> None:
    other = build(replace(SMALL, seed=12))
    for name, table in small.tables.items():
        assert table.equals(other.tables[name]) == (name == "categories"), name
    assert not np.array_equal(small.truth.relevance, other.truth.relevance)


def test_columns_are_canonical(small: Marketplace) -> None:
    own = {"buyers": {"name": pl.String}, "purchases": {"id": pl.String}}
    own["interactions"] = {"id": pl.String}
    for name, schema in SCHEMAS.items():
        assert dict(small.tables[name].schema) == {**schema, **own.get(name, {})}, name


def test_row_counts_are_those_asked_for(small: Marketplace) -> None:
    for name in ("buyers", "offers", "vendors", "purchases", "interactions"):
        assert small.tables[name].height == getattr(SMALL, name)


def test_ids_are_unique_and_references_valid(small: Marketplace) -> None:
    tables = small.tables
    known = {
        name: set(tables[name]["id"]) for name in ("buyers", "offers", "vendors", "categories")
    }
    references = {
        "buyer_id": "buyers",
        "offer_id": "offers",
        "vendor_id": "vendors",
        "category_id": "categories",
    }
    for name, table in tables.items():
        if "id" in table.columns:
            assert table["id"].n_unique() == table.height, name
        for column, target in references.items():
            if column in table.columns:
                assert set(table[column]) <= known[target], (name, column)
    assert set(tables["offers"]["category_ids"].explode(empty_as_null=True)) <= known["categories"]
    assert set(tables["categories"]["parent_id"].drop_nulls()) <= known["categories"]


def test_nothing_is_bought_that_could_not_be(small: Marketplace) -> None:
    offers = small.tables["offers"].select(
        pl.col("id").alias("offer_id"),
        "valid_from",
        "valid_to",
        listed="created_at",
        quoted="currency",
    )
    buyers = small.tables["buyers"].select(pl.col("id").alias("buyer_id"), joined="created_at")
    lines = small.tables["purchases"].join(offers, on="offer_id").join(buyers, on="buyer_id")
    assert lines.height == SMALL.purchases
    assert lines.filter(pl.col("at") < pl.col("listed")).is_empty()
    assert lines.filter(pl.col("at") < pl.col("joined")).is_empty()
    assert lines.filter(pl.col("at") < pl.col("valid_from")).is_empty()
    assert lines.filter(pl.col("at") >= pl.col("valid_to")).is_empty()
    assert lines.filter(pl.col("currency") != pl.col("quoted")).is_empty()
    assert lines["quantity"].min() == 1
    assert lines.filter(pl.col("unit_price_minor") < 1).is_empty()
    start = SMALL.end.timestamp() - SMALL.days * 86_400
    seconds = lines["at"].dt.epoch("s")
    assert seconds.is_between(start, SMALL.end.timestamp(), closed="left").all()


def test_an_order_has_one_buyer_and_one_time(small: Marketplace) -> None:
    orders = (
        small.tables["purchases"]
        .group_by("order_id")
        .agg(pl.col("buyer_id", "at", "context").n_unique(), pl.len().alias("lines"))
    )
    assert orders.select(pl.col("buyer_id", "at", "context").max()).row(0) == (1, 1, 1)
    assert orders["lines"].max() > 3  # type: ignore[operator]
    assert small.tables["purchases"]["at"].is_sorted()


def test_interactions_come_after_both_ends_exist(small: Marketplace) -> None:
    offers = small.tables["offers"].select(pl.col("id").alias("offer_id"), listed="created_at")
    buyers = small.tables["buyers"].select(pl.col("id").alias("buyer_id"), joined="created_at")
    rows = small.tables["interactions"].join(offers, on="offer_id").join(buyers, on="buyer_id")
    assert set(rows["kind"]) == {kind.value for kind in INTERACTION_KINDS}
    assert rows.filter(pl.col("at") < pl.max_horizontal("listed", "joined")).is_empty()
    assert rows.filter(pl.col("at") >= SMALL.end).is_empty()


def test_csv_and_parquet_say_the_same(tmp_path: Path) -> None:
    spec = replace(SMALL, purchases=300, interactions=300)
    lists = generate(spec, tmp_path / "p")
    text = generate(spec, tmp_path / "c", "csv")
    offers = pl.read_csv(text.files["offers"], try_parse_dates=True)
    assert offers["category_ids"].str.split("|").to_list() == (
        pl.read_parquet(lists.files["offers"])["category_ids"].to_list()
    )
    lines = pl.read_csv(text.files["purchases"], schema_overrides={"at": pl.String})
    whole = pl.read_parquet(lists.files["purchases"])
    moments = lines["at"].map_elements(
        lambda text: datetime.fromisoformat(text).timestamp(), pl.Float64
    )
    assert moments.to_list() == [moment.timestamp() for moment in whole["at"]]
    assert lines.drop("at").equals(whole.drop("at"))
    assert (
        text.rows
        == lists.rows
        == {name: pl.read_parquet(path).height for name, path in lists.files.items()}
    )


def test_the_truth_file_holds_the_truth(tmp_path: Path, small: Marketplace) -> None:
    written = generate(SMALL, tmp_path)
    truth = load_truth(tmp_path)
    assert np.array_equal(truth.relevance, small.truth.relevance)
    assert np.array_equal(truth.relevant, small.truth.relevant)
    assert truth.buyer_ids.tolist() == small.tables["buyers"]["id"].to_list()
    assert truth.offer_ids.tolist() == small.tables["offers"]["id"].to_list()
    written.truth.write_bytes(written.truth.read_bytes()[:1000])
    with pytest.raises(DamagedError, match="no truth file"):
        load_truth(written.truth)


def test_another_format_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    spec = replace(SMALL, purchases=10, interactions=10)
    generate(spec, tmp_path)
    before = _digests(tmp_path)
    with pytest.raises(InputError, match="another format"):
        generate(spec, tmp_path, "csv")
    with pytest.raises(InputError, match="no format"):
        generate(spec, tmp_path, "xlsx")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="is a file"):
        generate(spec, tmp_path / "truth.npz")
    assert _digests(tmp_path) == before


def test_an_interrupted_run_leaves_the_old_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = replace(SMALL, purchases=200, interactions=200)
    out = tmp_path / "market"
    generate(spec, out)
    before = _digests(out)

    def fail(path: Path, truth: object) -> None:
        raise OSError("disk full")

    with monkeypatch.context() as broken, pytest.raises(OSError, match="disk full"):
        broken.setattr("synthetic.generate.save_truth", fail)
        generate(replace(spec, seed=99), out)
    assert _digests(out) == before
    generate(replace(spec, seed=99), out)
    assert _digests(out) != before
    assert [path.name for path in tmp_path.iterdir()] == ["market"]


@pytest.mark.parametrize(
    "change",
    [{"buyers": 1}, {"offers": 29}, {"purchases": -1}, {"days": 7}, {"end": datetime(2026, 1, 1)}],
)
def test_an_impossible_spec_is_refused(change: dict[str, int]) -> None:
    with pytest.raises(InputError) as refused:
        MarketplaceSpec(**change)  # type: ignore[arg-type]
    assert refused.value.field == (*change,)


@pytest.mark.parametrize("purchases", [0, 7])
def test_the_smallest_marketplaces_work(purchases: int) -> None:
    tiny = build(
        MarketplaceSpec(
            buyers=2, offers=30, vendors=1, purchases=purchases, interactions=5, days=30
        )
    )
    assert tiny.tables["purchases"].height == purchases
    assert tiny.tables["interactions"].height == 5
    assert tiny.truth.relevant.sum() >= 2


class _Steps:
    """One task, counted."""

    def __init__(self, label: str, total: int | None) -> None:
        self.label, self.total, self.done = label, total, 0

    def advance(self, steps: int = 1) -> None:
        self.done += steps

    def note(self, text: str) -> None:
        pass


class _Counting:
    """Progress that remembers each task's total and steps."""

    def __init__(self) -> None:
        self.tasks: list[_Steps] = []

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[_Steps]:
        self.tasks.append(_Steps(label, total))
        yield self.tasks[-1]


def test_progress_reaches_its_totals(tmp_path: Path) -> None:
    progress = _Counting()
    generate(replace(SMALL, purchases=500, interactions=500), tmp_path, progress=progress)
    assert progress.tasks[-1].label == "Writing"
    for task in progress.tasks:
        assert task.done == task.total, task.label
