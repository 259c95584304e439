"""A slip of the pen in a mapping's column names is told."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from loaders.mapping import find_mapping
from loaders.named_columns import named_columns, warn_of_absent_columns

MAPPING = """
name = "shop"
[sources.lines]
files = "sales.csv"
[[sources.lines.filters]]
name = "counter"
column = "Client"
missing = true
[[sources.lines.not_offers]]
column = "Article"
codes = ["BAG"]
[sources.lines.cancellation]
column = "Kind"
equals = "return"
[sources.other]
files = "other.csv"
[tables.buyers]
source = "other"
columns.id = "Elsewhere"
[tables.categories]
source = "lines"
levels = ["Group"]
[tables.offers]
source = "lines"
columns.id = "Article"
columns.title = { column = "Name", otherwise = "Label" }
columns.category_ids = { levels = ["Group"] }
columns.price_minor = { column = "Paid", divide_by = "Pieces" }
[tables.purchases]
source = "lines"
columns.buyer_id = "Client"
columns.offer_id = "Article"
columns.at = "When"
columns.context.named.weather = { column = "Sky", otherwise = "Air" }
"""
NAMED = [
    "Air", "Article", "Client", "Group", "Kind", "Label", "Name", "Paid", "Pieces", "Sky", "When",
]  # fmt: skip


@pytest.fixture
def mapping_file(tmp_path: Path) -> Path:
    """The mapping as a file."""
    path = tmp_path / "shop.toml"
    path.write_text(MAPPING, encoding="utf-8")
    return path


def test_columns_of_rules_and_tests_are_known(mapping_file: Path) -> None:
    assert named_columns(find_mapping(str(mapping_file)), "lines") == NAMED


def test_an_absent_column_is_told_and_a_present_one_is_not(
    mapping_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    mapping = find_mapping(str(mapping_file))
    with caplog.at_level(logging.WARNING):
        warn_of_absent_columns(mapping, "lines", Path("sales.csv"), NAMED)
        warn_of_absent_columns(mapping, "lines", Path("sales.jsonl.gz"), [])
        assert caplog.messages == []
        present = [name for name in NAMED if name not in ("Label", "Paid")]
        warn_of_absent_columns(mapping, "lines", Path("x/sales.csv"), present)
    expected = "sales.csv has no column Label, Paid, which the mapping names: it counts as empty."
    assert caplog.messages == [expected]
