"""Imports of canonical files into both engines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from core.entities import EventType
from core.errors import ConflictError, InputError, SettingsError
from core.pseudonyms import pseudonym
from graph.identity import identify_purchase
from graph.store import GraphStore
from loaders.dataset import canonical_mapping
from loaders.importer import OnError
from loaders.report import ImportReport, Outcome
from tests.loaders.markets import net_quantities, run_import, tables_of, write_csv, write_market

LINES = "id buyer_id offer_id at quantity"


def clear(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def reasons(report: ImportReport) -> list[tuple[str, int, str, str]]:
    rows = report.problems.select("file", "row", "column", "reason").rows()
    return sorted(rows)


async def test_a_market_comes_in_whole(store: GraphStore, data: Path) -> None:
    write_market(data)
    report = await run_import(store, data)
    assert report.outcome is Outcome.IMPORTED
    assert report.dispositions == {"imported": 12}
    assert report.lines == sum(file.rows for file in report.files) == 12
    tables = await tables_of(store)
    assert [row["name"] for row in tables["buyers"]] == ["Ann", None]
    assert {row["id"]: row["parent_id"] for row in tables["categories"]} == {"c1": None, "c2": "c1"}
    lamp = next(row for row in tables["offers"] if row["id"] == "o1")
    assert (lamp["price_minor"], lamp["currency"], lamp["vendor_id"]) == (1250, "GBP", "v1")
    assert sorted(lamp["category_ids"]) == ["c1", "c2"]
    assert lamp["status"] == "ACTIVE"
    assert await net_quantities(store) == {("b1", "o1"): 8, ("b2", "o2"): 1}
    assert [row["weight"] for row in tables["preferences"]] == [0.5]
    assert [row["kind"] for row in tables["interactions"]] == ["VIEWED"]
    first = next(row for row in tables["purchases"] if row["order_id"] == "i1")
    assert first["id"] == identify_purchase("i1", "b1", "o1", first["at"], 5, 1250)
    events = await store.read_events(0, 10)
    assert [event.type for event in events] == [EventType.IMPORT_FINISHED]
    assert report.seq == events[0].seq


async def test_importing_twice_changes_nothing(store: GraphStore, data: Path) -> None:
    write_market(data)
    write_csv(data, "more.csv", "", [])
    (data / "more.csv").unlink()
    await run_import(store, data)
    before, seq = await tables_of(store), await store.last_seq()
    second = await run_import(store, data)
    assert second.outcome is Outcome.UNCHANGED
    assert second.dispositions == {"already there": 12}
    # The same rows in another format are another batch, and change nothing either.
    frame = pl.read_csv(data / "buyers.csv")
    (data / "buyers.csv").unlink()
    frame.write_parquet(data / "buyers.parquet")
    third = await run_import(store, data)
    assert third.outcome is Outcome.UNCHANGED
    assert third.dispositions == {"already there": 12}
    assert await tables_of(store) == before
    assert await store.last_seq() == seq
    assert not (data.parent / "home").exists()


async def test_a_dry_run_writes_nothing(store: GraphStore, data: Path) -> None:
    write_market(data)
    for target in (store, None):
        report = await run_import(target, data, dry_run=True)
        assert report.outcome is Outcome.VALID
        assert report.tables["purchases"].new == 3
    assert not any((await tables_of(store)).values())
    assert await store.list_imports() == []
    home = data.parent / "home"
    assert not home.exists()
    (home / "imports" / "of another").mkdir(parents=True)
    await run_import(None, data, dry_run=True)
    assert [path.name for path in home.rglob("*")] == ["imports", "of another"]


async def test_every_bad_row_is_named_and_the_rest_comes_in(store: GraphStore, data: Path) -> None:
    write_csv(
        data, "buyers.csv", "id latitude longitude", [("b1", 51, 0), ("b2", 91, 0), ("b3", 1, None)]
    )
    write_csv(
        data,
        "offers.csv",
        "id price currency vendor_id valid_from valid_to",
        [
            ("o1", "1.50", "GBP", None, None, None),
            ("o2", "-1", "GBP", None, None, None),
            ("o3", "1", None, None, None, None),
            ("o4", None, None, "v9", None, None),
            ("o5", None, None, None, "2024-02-01", "2024-01-01"),
        ],
    )
    write_csv(
        data,
        "purchases.csv",
        LINES,
        [
            ("p1", "b1", "o1", "2024-01-01", 2),
            ("p2", "b1", "o1", "2024-02-31", 2),
            ("p3", "b1", "o1", "2024-01-01", 0),
            ("p4", "b2", "o1", "2024-01-01", 1),
            ("p5", "b1", "o9", "2024-01-01", 1),
            ("p1", "b1", "o1", "2024-01-01", 2),
            ("p1", "b1", "o1", "2024-01-01", 3),
            ("p6", None, "o1", "2024-01-01", "many"),
        ],
    )
    report = await run_import(store, data)
    assert reasons(report) == [
        ("buyers.csv", 2, "latitude", "out-of-range"),
        ("buyers.csv", 3, "latitude", "half-a-place"),
        ("offers.csv", 2, "price", "negative"),
        ("offers.csv", 3, "price", "amount-without-currency"),
        ("offers.csv", 4, "vendor_id", "unknown-reference"),
        ("offers.csv", 5, "valid_to", "ends-before-it-starts"),
        ("purchases.csv", 2, "at", "not-a-time"),
        ("purchases.csv", 3, "quantity", "zero-quantity"),
        ("purchases.csv", 4, "buyer_id", "unknown-reference"),
        ("purchases.csv", 5, "offer_id", "unknown-reference"),
        ("purchases.csv", 7, "id", "conflicting-duplicate"),
        ("purchases.csv", 8, "buyer_id", "missing"),
        ("purchases.csv", 8, "quantity", "not-a-whole-number"),
    ]
    assert all(report.problems["mend"].str.len_chars() > 0)
    assert report.problems.filter(pl.col("row") == 2)["value"].to_list() == [
        "91",
        "-1",
        "2024-02-31",
    ]
    assert report.dispositions["duplicate dropped"] == 1
    assert report.dispositions["imported"] == 3
    assert sum(report.dispositions.values()) == report.lines == 16
    assert report.rejected == 12
    assert await net_quantities(store) == {("b1", "o1"): 2}


async def test_reject_all_validates_everything_before_writing_anything(
    store: GraphStore, data: Path
) -> None:
    write_market(data)
    write_csv(data, "purchases.csv", LINES, [("p1", "b1", "nowhere", "2024-01-01", 1)])
    report = await run_import(store, data, on_error=OnError.REJECT_ALL)
    assert report.outcome is Outcome.REJECTED
    assert not any((await tables_of(store)).values())
    assert await store.list_imports() == []
    assert (await run_import(store, data)).outcome is Outcome.IMPORTED


async def test_a_damaged_file_leaves_nothing_behind(store: GraphStore, data: Path) -> None:
    write_market(data)
    (data / "interactions.csv").rename(data / "interactions.csv.gz")
    with pytest.raises(InputError, match="not gzipped"):
        await run_import(store, data)
    assert not any((await tables_of(store)).values())


async def test_cancellations_take_back_the_latest_earlier_lines(
    store: GraphStore, data: Path
) -> None:
    write_csv(data, "buyers.csv", "id", [("b1",)])
    write_csv(data, "offers.csv", "id", [("o1",)])
    write_csv(
        data,
        "purchases.csv",
        LINES,
        [
            ("p1", "b1", "o1", "2024-01-01", 5),
            ("p2", "b1", "o1", "2024-01-03", 2),
            ("p3", "b1", "o1", "2024-01-09", 4),
            ("k1", "b1", "o1", "2024-01-05", -3),
            ("k2", "b1", "o1", "2024-01-06", -9),
            ("k3", "b1", "o1", "2023-01-01", -1),
        ],
    )
    report = await run_import(store, data)
    assert report.dispositions == {
        "imported": 5,
        "cancellation matched": 1,
        "cancellation partly matched": 1,
        "cancellation unmatched": 1,
    }
    assert report.tallies == {"cancellation": 3}
    tables = await tables_of(store)
    left = {row["id"]: row["quantity"] - row["cancelled_quantity"] for row in tables["purchases"]}
    assert left == {"p1": 0, "p2": 0, "p3": 4}
    kept = {
        row["id"]: (row["quantity"], row["matched_quantity"]) for row in tables["cancellations"]
    }
    assert kept == {"k1": (3, 3), "k2": (9, 4), "k3": (1, 0)}


async def test_a_purchase_that_comes_late_is_met_by_the_kept_cancellation(
    store: GraphStore, data: Path
) -> None:
    write_csv(data, "buyers.csv", "id", [("b1",)])
    write_csv(data, "offers.csv", "id", [("o1",)])
    write_csv(data, "cancellations.csv", LINES, [("k1", "b1", "o1", "2024-01-05", 3)])
    await run_import(store, data)
    (data / "cancellations.csv").unlink()
    rows = [("p1", "b1", "o1", "2024-01-01", 2), ("p2", "b1", "o1", "2024-01-06", 7)]
    write_csv(data, "purchases.csv", LINES, rows)
    await run_import(store, data)
    assert await net_quantities(store) == {("b1", "o1"): 7}
    tables = await tables_of(store)
    assert tables["cancellations"][0]["matched_quantity"] == 2
    # What was taken back does not come back with the same line in another file.
    write_csv(data, "purchases.csv", f"{LINES} context", [(*rows[0], "again")])
    report = await run_import(store, data)
    assert report.tables["purchases"].unchanged == 1
    assert await net_quantities(store) == {("b1", "o1"): 7}
    # A cancellation that comes later takes from the lines that the graph holds.
    (data / "purchases.csv").unlink()
    write_csv(data, "cancellations.csv", LINES, [("k2", "b1", "o1", "2024-01-08", 5)])
    report = await run_import(store, data)
    assert report.dispositions["cancellation matched"] == 1
    assert await net_quantities(store) == {("b1", "o1"): 2}


async def test_absent_columns_keep_and_empty_cells_clear(store: GraphStore, data: Path) -> None:
    write_market(data)
    await run_import(store, data)
    clear(data)
    write_csv(
        data, "offers.csv", "id title category_ids", [("o1", "Lamp", "c2"), ("o2", None, None)]
    )
    write_csv(data, "preferences.csv", "buyer_id category_id weight", [("b1", "c2", "-1")])
    report = await run_import(store, data)
    assert report.dispositions == {"updated": 3}
    tables = await tables_of(store)
    lamp, tin = sorted(tables["offers"], key=lambda row: row["id"])
    assert (lamp["price_minor"], lamp["category_ids"], lamp["vendor_id"]) == (1250, ["c2"], "v1")
    assert tin["title"] is None
    assert tables["preferences"][0]["weight"] == -1


async def test_equal_lines_without_ids_are_told_apart(store: GraphStore, data: Path) -> None:
    write_csv(data, "buyers.csv", "id", [("b1",)])
    write_csv(data, "offers.csv", "id", [("o1",)])
    line = ("i1", "b1", "o1", "2024-01-01", 2)
    write_csv(data, "purchases.csv", "order_id buyer_id offer_id at quantity", [line, line, line])
    report = await run_import(store, data)
    assert report.tallies == {"exact duplicate": 2}
    assert await net_quantities(store) == {("b1", "o1"): 6}
    rows = (await tables_of(store))["purchases"]
    expected = {identify_purchase("i1", "b1", "o1", rows[0]["at"], 2, None, n) for n in range(3)}
    assert {row["id"] for row in rows} == expected


async def test_the_forest_stays_a_forest(store: GraphStore, data: Path) -> None:
    deep = [(f"d{n}", f"d{n - 1}" if n else None) for n in range(9)]
    cycle = [
        ("x", "z"),
        ("y", "x"),
        ("z", "y"),
        ("self", "self"),
        ("child", "x"),
        ("gone", "nowhere"),
    ]
    write_csv(data, "categories.csv", "id parent_id", [*deep, *cycle])
    report = await run_import(store, data)
    found = {row: reason for _, row, _, reason in reasons(report)}
    assert found == {
        9: "category-too-deep",
        10: "category-cycle",
        11: "category-cycle",
        12: "category-cycle",
        13: "category-cycle",
        14: "category-cycle",
        15: "unknown-reference",
    }
    assert len((await tables_of(store))["categories"]) == 8
    write_csv(data, "categories.csv", "id parent_id", [("e", "d7")])
    report = await run_import(store, data)
    assert [reason for *_, reason in reasons(report)] == ["category-too-deep"]


class _DiesAt:
    """A store whose process dies before its n-th write of an import."""

    def __init__(self, store: GraphStore, writes: int) -> None:
        self._store = store
        self._writes = writes

    def __getattr__(self, name: str) -> Any:
        if name in ("insert_rows", "finish_import"):
            self._writes -= 1
            if self._writes < 0:
                raise KeyboardInterrupt
        return getattr(self._store, name)


async def test_an_import_that_was_killed_is_invisible_and_finished_by_running_it_again(
    store: GraphStore, data: Path
) -> None:
    write_market(data)
    lines = [
        ("p1", "b1", "o1", "2024-02-01", 5),
        ("k1", "b1", "o1", "2024-02-02", -4),
    ]
    write_csv(data, "purchases.csv", LINES, lines)
    for writes in range(13):
        dying: Any = _DiesAt(store, writes)
        try:
            await run_import(dying, data)
            break
        except KeyboardInterrupt:
            assert not any((await tables_of(store)).values())
            assert await store.last_seq() == 0
    assert writes > 8
    assert await net_quantities(store) == {("b1", "o1"): 1}
    assert len(await store.list_imports()) == 1
    assert (await run_import(store, data)).outcome is Outcome.UNCHANGED


async def test_another_import_waits_for_the_unfinished_one(store: GraphStore, data: Path) -> None:
    write_market(data)
    dying: Any = _DiesAt(store, 3)
    with pytest.raises(KeyboardInterrupt):
        await run_import(dying, data)
    write_csv(data, "buyers.csv", "id", [("b1",), ("b2",), ("b3",)])
    with pytest.raises(ConflictError, match="not finished"):
        await run_import(store, data)


async def test_erased_buyers_stay_erased_unless_imported_again(
    store: GraphStore, data: Path
) -> None:
    write_market(data)
    await run_import(store, data)
    await store.delete_buyers(["b1"])
    assert (await run_import(store, data)).outcome is Outcome.UNCHANGED
    assert len((await tables_of(store))["buyers"]) == 1
    again = await run_import(store, data, again=True)
    assert again.outcome is Outcome.IMPORTED
    assert await net_quantities(store) == {("b1", "o1"): 8, ("b2", "o2"): 1}


async def test_names_and_ids_are_hashed_with_the_key(store: GraphStore, data: Path) -> None:
    write_market(data)
    write_csv(
        data, "buyers.csv", "id name email", [("b1", "Ann", "ann@example.org"), ("b2", None, None)]
    )
    mapping = canonical_mapping(pseudonymise=("buyers.id", "buyers.name"))
    with pytest.raises(SettingsError, match="PSEUDONYM_KEY"):
        await run_import(store, data, mapping=mapping)
    await run_import(store, data, mapping=mapping, pseudonym_key="secret")
    tables = await tables_of(store)
    ann = pseudonym("b1", "secret")
    assert {row["name"] for row in tables["buyers"]} == {pseudonym("Ann", "secret"), None}
    assert (ann, "o1") in await net_quantities(store)
    assert "Ann" not in str(tables)
    assert "example.org" not in str(tables)
    assert {row["buyer_id"] for row in tables["preferences"]} == {ann}


async def test_files_that_do_not_fit_are_errors(store: GraphStore, data: Path) -> None:
    with pytest.raises(InputError, match="nothing to read"):
        await run_import(store, data)
    write_csv(data, "things.csv", "a b", [(1, 2)])
    with pytest.raises(InputError, match="No mapping fits"):
        await run_import(store, data)
    write_csv(data, "buyers.csv", "id nmae", [("b1", "Ann")])
    with pytest.raises(InputError, match=r"'nmae'.*name"):
        await run_import(store, data)
    write_csv(data, "buyers.csv", "name", [("Ann",)])
    with pytest.raises(InputError, match="no column id"):
        await run_import(store, data)
