"""Conversions against oracles in plain Python."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.currencies import MINOR_DIGITS, from_minor, to_minor
from core.errors import InputError
from loaders.canonical import BUYERS, INTERACTIONS, OFFERS, PURCHASES, Column
from loaders.cells import as_text
from loaders.convert import Manner, convert

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PRICE = OFFERS.column("price")
AT = PURCHASES.column("at")
QUANTITY = PURCHASES.column("quantity")


def converted(
    cells: list[Any], column: Column, **manner: Any
) -> tuple[list[Any], list[str | None]]:
    """The values, and for each cell the reason of its refusal."""
    typed, refusals = convert(pl.Series(cells, strict=False), column, Manner(NOW, **manner))
    reasons: list[str | None] = [None] * len(cells)
    for refusal in refusals:
        for index in refusal.mask.arg_true():
            reasons[index] = reasons[index] or refusal.reason
    return typed.to_list(), reasons


def in_pounds(count: int, digits: int = 2) -> pl.Series:
    return pl.Series([digits] * count)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10**12), st.sampled_from(["GBP", "JPY", "KWD"]), st.booleans())
def test_amounts_are_exact(minor: int, currency: str, typed: bool) -> None:
    text = from_minor(minor, currency)
    assert to_minor(text, currency) == minor
    digits = in_pounds(1, MINOR_DIGITS[currency])
    cell = float(text) if typed and minor < 10**9 else text
    assert converted([cell], PRICE, digits=digits) == ([minor], [None])


@settings(max_examples=50, deadline=None)
@given(st.decimals(0, 10**6, places=5))
def test_amounts_round_half_up_where_the_mapping_says_so(amount: Decimal) -> None:
    expected = int((amount * 100).to_integral_value("ROUND_HALF_UP"))
    values, _ = converted([f"{amount:f}"], PRICE, digits=in_pounds(1), round=True)
    assert values == [expected]
    exact = amount * 100 == expected
    _, reasons = converted([f"{amount:f}"], PRICE, digits=in_pounds(1))
    assert reasons == [None if exact else "too-many-decimals"]


def test_amounts_that_are_none_are_refused() -> None:
    cells = ["£3", "3,50", "x", "-1", "", "1e3", ".5"]
    values, reasons = converted(cells, PRICE, digits=in_pounds(7))
    assert values == [None] * 7
    wrong = "not-an-amount"
    assert reasons == [wrong, wrong, wrong, "negative", None, wrong, wrong]
    assert converted(["1"], PRICE)[1] == ["amount-without-currency"]


@settings(max_examples=50, deadline=None)
@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2025, 12, 31)),
    st.sampled_from(["T", " "]),
    st.integers(-14 * 60, 14 * 60),
)
def test_times_with_an_offset_become_utc(moment: datetime, joint: str, minutes: int) -> None:
    sign = "-" if minutes < 0 else "+"
    zone = f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"
    text = moment.isoformat(joint, "microseconds") + zone
    expected = datetime.fromisoformat(text).astimezone(UTC)
    values, reasons = converted([text], AT)
    if expected.year >= 1970:
        assert (values, reasons) == ([expected], [None])


@settings(max_examples=50, deadline=None)
@given(st.datetimes(datetime(1980, 1, 1), datetime(2025, 12, 31)))
def test_naive_times_are_of_the_mappings_zone(moment: datetime) -> None:
    moment = moment.replace(second=0, microsecond=0)
    zone = ZoneInfo("Europe/London")
    expected = moment.replace(tzinfo=zone).astimezone(UTC)
    exists = expected.astimezone(zone).replace(tzinfo=None) == moment
    for cell in (moment.isoformat(), moment):
        values, reasons = converted([cell], AT, zone="Europe/London")
        assert values == [expected if exists else None]
        assert reasons == [None if exists else "not-a-local-time"]


def test_impossible_times_are_refused() -> None:
    cells = ["2023-02-29", "2024-02-31", "2024-13-01", "31/12/2024", "yesterday", "1969-12-31"]
    cells += ["2026-01-03", "2024-02-29", "2024-01-01T25:00", ""]
    values, reasons = converted(cells, AT)
    assert values[7] == datetime(2024, 2, 29, tzinfo=UTC)
    wrong = ["not-a-time"] * 5
    assert reasons == [*wrong, "before-1970", "in-the-future", None, "not-a-time", "missing"]
    future = OFFERS.column("valid_to")
    assert converted(["2030-01-01"], future)[1] == [None]


@pytest.mark.parametrize(
    ("cell", "formats", "expected"),
    [
        ("2025-02-31", (), "There is no such day or time; correct it."),
        ("2025-02-28T25:00Z", (), "There is no such day or time; correct it."),
        ("31.12.2025", (), "name its format in a mapping"),
        ("31.02.2025", ("%d.%m.%Y",), "There is no such day or time by %d.%m.%Y"),
        ("1.13.2025 10:30", ("%Y", "%d.%m.%Y %H:%M"), "no such day or time by %Y or %d.%m.%Y"),
        ("2025-02-28", ("%d.%m.%Y",), "as the mapping says, %d.%m.%Y, or add its format"),
        ("31x02x2025", ("%d.%m.%Y",), "as the mapping says, %d.%m.%Y, or add its format"),
    ],
)
def test_the_mend_tells_an_impossible_day_from_another_format(
    cell: str, formats: tuple[str, ...], expected: str
) -> None:
    _, refusals = convert(pl.Series([cell, None]), AT, Manner(NOW, formats=formats))
    told = [each.mend for each in refusals if each.mask[0]]
    assert len(told) == 1
    assert expected in told[0]


def test_times_by_format() -> None:
    values, reasons = converted(
        ["31/12/2024 10:30", "2024.12.31", "12/31/2024 10:30"],
        AT,
        formats=("%d/%m/%Y %H:%M", "%Y.%m.%d"),
    )
    assert values[:2] == [
        datetime(2024, 12, 31, 10, 30, tzinfo=UTC),
        datetime(2024, 12, 31, tzinfo=UTC),
    ]
    assert reasons == [None, None, "not-a-time"]


def test_a_last_day_ends_at_the_midnight_after_it() -> None:
    column = OFFERS.column("valid_to")
    values, _ = converted(["2024-03-30"], column, last_day=True, zone="Europe/London")
    assert values == [datetime(2024, 3, 31, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("column", "cells", "values", "reasons"),
    [
        (QUANTITY, ["1", "+2", "-3", "1.0", "1.5", "x", ""], [1, 2, -3, 1, None, None, None],
         [None, None, None, None, "not-a-whole-number", "not-a-whole-number", None]),
        (QUANTITY, [1.0, 1.5, None], [1, None, None], [None, "not-a-whole-number", None]),
        (OFFERS.column("latitude"), ["1.5", "90.1", "nan", "x"], [1.5, None, None, None],
         [None, "out-of-range", "not-a-number", "not-a-number"]),
        (BUYERS.column("country"), ["gb", "Britain"], ["GB", None], [None, "not-a-country"]),
        (OFFERS.column("currency"), ["eur", "XXX"], ["EUR", None], [None, "currency-unknown"]),
        (INTERACTIONS.column("kind"), ["viewed", "saw"], ["VIEWED", None], [None, "not-a-choice"]),
        (BUYERS.column("id"), [" 7 ", "", "x" * 501], ["7", None, None],
         [None, "missing", "id-too-long"]),
        (BUYERS.column("name"), ["a\x00b"], [None], ["nul-character"]),
        (OFFERS.column("category_ids"), ["a|b| |a", "\x1ea|b\x1fc"], [["a", "b"], ["a|b", "c"]],
         [None, None]),
    ],
)  # fmt: skip
def test_cells(
    column: Column, cells: list[Any], values: list[Any], reasons: list[str | None]
) -> None:
    assert converted(cells, column) == (values, reasons)


def test_whole_floats_are_ids_without_a_point() -> None:
    assert as_text(pl.Series([17850.0, 1.5, None])).to_list() == ["17850", "1.5", None]


def test_money_in_plain_python_says_what_is_wrong() -> None:
    for amount, currency in (("1.234", "GBP"), ("x", "GBP"), ("1", "gbp"), ("NaN", "GBP")):
        with pytest.raises(InputError):
            to_minor(amount, currency)
    assert converted([datetime(2025, 1, 1)], AT)[0] == [datetime(2025, 1, 1, tzinfo=UTC)]
    late = NOW + timedelta(hours=23)
    assert converted([late], AT) == ([late], [None])
