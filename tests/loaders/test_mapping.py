"""Mappings: what a TOML file says is what happens, and what is wrong in it is named by its key."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.context import read_context
from core.entities import OfferStatus
from core.errors import InputError
from graph.store import GraphStore
from loaders.columns import Columns, holds
from loaders.dataset import detect_mapping
from loaders.mapping import find_mapping, load_mapping, shipped_mappings
from loaders.rules import ColumnRule, Condition
from tests.loaders.markets import net_quantities, run_import, tables_of, write_csv

SHOP = r"""
name = "shop"
time_zone = "Europe/Paris"
currency = "EUR"

[sources.lines]
files = "sales*.csv"
columns = ["who", "what"]
exact_duplicates = "drop"

[[sources.lines.filters]]
name = "no-customer"
column = "who"
missing = true
tables = ["buyers", "purchases"]

[[sources.lines.filters]]
name = "tests"
column = "who"
equals = ["test"]

[[sources.lines.not_offers]]
column = "what"
codes = ["POST"]
patterns = ["^FEE"]

[sources.lines.cancellation]
column = "kind"
equals = "return"

[sources.cities]
files = "cities.csv"

[lookups.country]
source = "cities"
key = "city"
value = "country"

[tables.buyers]
source = "lines"
columns.id = { template = "c-{who}" }
columns.country = { column = "city", lookup = "country", default = "", pick = "most_frequent" }

[tables.categories]
source = "lines"
levels = ["department", "section"]

[tables.offers]
source = "lines"
columns.id = "what"
columns.title = { column = "name", case = "title", replace = { "_" = " " }, pick = "first" }
columns.price = { column = "paid", divide_by = "count", round = true, pick = "median" }
columns.category_ids = { levels = ["department", "section"], pick = "all" }

[tables.purchases]
source = "lines"
columns.order_id = { column = "order", extract = '(\d+)' }
columns.buyer_id = { template = "c-{who}" }
columns.offer_id = "what"
columns.at = { column = "on", format = "%d.%m.%Y %H:%M" }
columns.quantity = "count"

[category_synonyms]
"drinkables" = "drinks"
"""

QUANTITY = 'columns.quantity = "count"'
HEADER = "order kind who city what name department section paid count on"


@pytest.fixture
def mapping_path(tmp_path: Path) -> Path:
    path = tmp_path / "shop.toml"
    path.write_text(SHOP, encoding="utf-8")
    return path


async def test_a_mapping_makes_buyers_offers_categories_and_purchases_of_lines(
    store: GraphStore, data: Path, mapping_path: Path
) -> None:
    tea = ("green_tea", " Drinks ", "Hot  TEA")
    line = ("nr-7", "sale", 1, "Lyon", "T", *tea, "10.00", 4, "31.07.2024 12:00")
    write_csv(data, "cities.csv", "city country", [("Lyon", "FR"), ("Nice", "FR")])
    write_csv(
        data,
        "sales-1.csv",
        HEADER,
        [
            line,
            line,
            (
                "nr-8",
                "sale",
                1,
                "Paris",
                "T",
                "tea",
                "drinkables",
                "hot tea",
                "9.99",
                3,
                "31.01.2024 12:00",
            ),
            ("nr-9", "return", 1, "Lyon", "T", *tea, "2.50", 1, "01.08.2024 12:00"),
            ("nr-10", "sale", None, None, "W", "wine", "drinks", None, "1", 1, "01.08.2024 12:00"),
            ("nr-11", "sale", 2, "Lyon", "POST", None, None, None, "1", 1, "01.08.2024 12:00"),
            ("nr-11", "sale", 2, "Lyon", "FEE2", None, None, None, "1", 1, "01.08.2024 12:00"),
            ("nr-12", "sale", "test", None, "X", None, None, None, "1", 1, "01.08.2024 12:00"),
            ("nr-13", "sale", 3, None, "T", *tea, "1", -1, "01.08.2024 12:00"),
        ],
    )
    report = await run_import(store, data, mapping=load_mapping(mapping_path))
    assert report.dispositions == {
        "imported": 2,
        "looked up": 2,
        "not an offer": 2,
        "cancellation matched": 1,
        "duplicate dropped": 1,
        "filtered: no-customer": 1,
        "filtered: tests": 1,
        "rejected: negative": 1,
    }
    assert report.tallies["exact duplicate"] == 1
    tables = await tables_of(store)
    assert [(row["id"], row["country"]) for row in tables["buyers"]] == [("c-1", "FR")]
    offers = {row["id"]: row for row in tables["offers"]}
    assert set(offers) == {"T", "W"}
    assert (offers["T"]["title"], offers["T"]["price_minor"]) == ("Green Tea", 250)
    assert offers["T"]["status"] == OfferStatus.ACTIVE
    assert offers["T"]["category_ids"] == ["drinks > hot tea"]
    assert offers["W"]["category_ids"] == ["drinks"]
    assert {row["id"]: (row["name"], row["parent_id"]) for row in tables["categories"]} == {
        "drinks": ("Drinks", None),
        "drinks > hot tea": ("Hot Tea", "drinks"),
    }
    assert await net_quantities(store) == {("c-1", "T"): 6}
    times = sorted(row["at"].isoformat() for row in tables["purchases"])
    assert times == ["2024-01-31T11:00:00+00:00", "2024-07-31T10:00:00+00:00"]
    assert {row["order_id"] for row in tables["purchases"]} == {"7", "8"}


async def test_all_lines_of_a_refused_entity_share_its_fate(data: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.toml"
    path.write_text(
        'name = "m"\n[sources.s]\nfiles = "s.csv"\n[tables.offers]\nsource = "s"\n'
        'columns.id = "id"\ncolumns.vendor_id = "vendor"\n',
        encoding="utf-8",
    )
    write_csv(data, "s.csv", "id vendor", [("o1", "v1"), ("o1", None), ("o2", None)])
    report = await run_import(None, data, mapping=load_mapping(path), dry_run=True)
    assert report.dispositions == {"rejected: unknown-reference": 2, "imported": 1}
    assert report.rejected == 2


async def test_columns_become_named_circumstances(
    store: GraphStore, data: Path, tmp_path: Path
) -> None:
    path = tmp_path / "m.toml"
    path.write_text(
        'name = "m"\n[sources.s]\nfiles = "s.csv"\n'
        '[tables.buyers]\nsource = "s"\ncolumns.id = "who"\n'
        '[tables.offers]\nsource = "s"\ncolumns.id = "what"\n'
        '[tables.purchases]\nsource = "s"\ncolumns.buyer_id = "who"\ncolumns.offer_id = "what"\n'
        'columns.at = "on"\n[tables.purchases.columns.context.named]\n'
        'weather = { column = "sky", case = "lower", empty = ["?"] }\ndevice = "from"\n',
        encoding="utf-8",
    )
    write_csv(
        data, "s.csv", "who what on sky from",
        [
            ("b1", "o1", "2024-01-01", "Rain", "phone"),
            ("b1", "o2", "2024-01-02", "?", "big screen"),
            ("b1", "o3", "2024-01-03", None, None),
            ("b1", "o4", "2024-01-04", "rain; and wind", "phone"),
            ("b1", "o5", "2024-01-05", "x" * 65, None),
        ],
    )  # fmt: skip
    report = await run_import(store, data, mapping=load_mapping(path))
    assert report.dispositions == {"imported": 3, "rejected: not-a-context-value": 2}
    contexts = {row["offer_id"]: row["context"] for row in (await tables_of(store))["purchases"]}
    assert contexts == {"o1": "device=phone; weather=rain", "o2": "device=big screen", "o3": None}
    assert read_context(contexts["o1"]) == (("device", "phone"), ("weather", "rain"))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('source = "lines"\nlevels', 'source = "lnies"\nlevels', "tables.categories.source"),
        ('levels = ["department", "section"]\n\n', "", "tables.categories.columns.id: is missing"),
        ("columns.buyer_id =", "columns.buyer =", "tables.purchases.columns.buyer: no such column"),
        ('columns.offer_id = "what"', "", "tables.purchases.columns.offer_id: is missing"),
        ('case = "title"', 'case = "tilte"', "tables.offers.columns.title.case"),
        ('lookup = "country"', 'lookup = "land"', "no lookup 'land'"),
        ('pick = "median"', 'pick = "all"', "tables.offers.columns.price.pick"),
        ('"Europe/Paris"', '"Paris"', "time_zone"),
        ('["^FEE"]', '["(FEE"]', "not_offers.patterns"),
        ("missing = true", "", "filters: needs exactly one of"),
        ('id = "what"', 'id = { column = "what", value = 1 }', "needs exactly one of column"),
        ('[tables.buyers]', '[tables.byers]', "byers"),
        ('name = "shop"', 'name = "shop"\nnaem = 1', "naem"),
        ('name = "shop"', 'name = ', "not TOML"),
        ('tables = ["buyers"', 'tables = ["byers"', "no table 'byers'"),
        ('name = "shop"', 'name = "shop"\npseudonymise = ["buyers.kind"]', "pseudonymise"),
        ('source = "cities"', 'source = "towns"', "lookups.country.source"),
        ('value = "country"', "", "needs key and value"),
        (QUANTITY, QUANTITY + "\ncolumns.context.named.Sky = 'sky'", "'Sky' is not of 1 to 32"),
        (QUANTITY, QUANTITY + "\ncolumns.context.named = {}", "tables.purchases.columns.context"),
        (QUANTITY, "columns.quantity.named.sky = 'sky'", "only for the column context"),
        (
            QUANTITY,
            QUANTITY + "\ncolumns.context.named.sky = { column = 's', lookup = 'land' }",
            "tables.purchases.columns.context.named.sky.lookup: there is no lookup 'land'",
        ),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_by_its_key(
    mapping_path: Path, old: str, new: str, words: str
) -> None:
    assert old in SHOP
    mapping_path.write_text(SHOP.replace(old, new), encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_mapping(mapping_path)
    assert words in str(caught.value)
    assert "shop.toml" in caught.value.message


def test_shipped_mappings_load_and_are_found_by_their_columns(data: Path) -> None:
    assert set(shipped_mappings()) == {"complete-journey", "online-retail"}
    for name in shipped_mappings():
        assert find_mapping(name).name == name
    header = "InvoiceNo StockCode Description Quantity InvoiceDate UnitPrice CustomerID Country"
    write_csv(data, "online_retail.csv", header, [])
    assert detect_mapping(data).name == "online-retail"
    write_csv(data, "online_retail.csv", "InvoiceNo Country", [])
    with pytest.raises(InputError, match=r"write a mapping: see docs/mappings\.md"):
        detect_mapping(data)
    with pytest.raises(InputError, match="complete-journey, online-retail"):
        find_mapping("nonsense")


CELLS = st.lists(st.none() | st.text("aZ Äß_9|>é", max_size=8), min_size=1, max_size=8)


@settings(max_examples=50, deadline=None)
@given(CELLS, st.sampled_from(["lower", "upper"]), st.text("ab|_ ", min_size=1, max_size=2))
def test_steps_do_what_python_does(cells: list[str | None], case: str, mark: str) -> None:
    batch = pl.DataFrame({"x": pl.Series(cells, dtype=pl.String)})
    rule = ColumnRule.model_validate(
        {"column": "x", "replace": {mark: "9"}, "case": case, "default": "none", "empty": ["a"]}
    )
    values, refusals = Columns({}, {}).cells(rule, batch)
    expected = []
    for cell in cells:
        text: str | None = (cell or "").strip(" ")
        text = None if text in ("", "a") else text
        expected.append(getattr((text.replace(mark, "9")), case)() if text is not None else "none")
    assert values.to_list() == expected
    assert refusals == []


@settings(max_examples=50, deadline=None)
@given(CELLS, CELLS)
def test_a_template_is_filled_in_or_empty(one: list[str | None], other: list[str | None]) -> None:
    rows = list(zip(one, other, strict=False))
    batch = pl.DataFrame(rows, schema={"a": pl.String, "b": pl.String}, orient="row")
    rule = ColumnRule.model_validate({"template": "<{a}-{b}>"})
    values, _ = Columns({}, {}).cells(rule, batch)
    expected = [
        f"<{a.strip(' ')}-{b.strip(' ')}>"
        if (a or "").strip(" ") and (b or "").strip(" ")
        else None
        for a, b in ((a or "", b or "") for a, b in rows)
    ]
    assert values.to_list() == expected


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | st.integers(-5, 5), min_size=1), st.integers(-5, 5), st.booleans())
def test_conditions_hold_as_numbers(cells: list[int | None], bound: int, text: bool) -> None:
    series = pl.Series(cells, dtype=pl.Int64)
    series = series.cast(pl.String) if text else series
    tests: dict[str, Callable[[int], bool]] = {
        "less_than": lambda n: n < bound,
        "at_most": lambda n: n <= bound,
        "more_than": lambda n: n > bound,
        "at_least": lambda n: n >= bound,
        "equals": lambda n: n == bound,
    }
    for name, test in tests.items():
        condition = Condition.model_validate({"column": "x", name: bound})
        expected = [cell is not None and test(cell) for cell in cells]
        assert holds(condition, series).to_list() == expected
    missing = Condition(column="x", missing=True)
    assert holds(missing, series).to_list() == [cell is None for cell in cells]


def test_a_lookup_without_the_cell_is_refused_or_defaulted() -> None:
    batch = pl.DataFrame({"x": ["a", "b", None]})
    columns = Columns({"t": {"a": "A"}}, {})
    values, (refusal,) = columns.cells(ColumnRule(column="x", lookup="t"), batch)
    assert values.to_list() == ["A", None, None]
    assert refusal.mask.to_list() == [False, True, False]
    otherwise = ColumnRule(column="x", lookup="t", otherwise=ColumnRule(template="new {x}"))
    values, refusals = columns.cells(otherwise, batch)
    assert (values.to_list(), refusals) == (["A", "new b", None], [])
