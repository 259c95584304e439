"""From source cells to typed canonical values, a column at a time.

Every conversion answers with the typed column, null where a cell is empty or refused, and with the
refusals: a mask of rows, a reason and the mend.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import polars as pl

from core.currencies import MINOR_DIGITS
from core.snapshot import TIME
from loaders.batches import LIST_JOINT, LIST_MARK
from loaders.canonical import LIST_SEPARATOR, MAX_ID_BYTES, Column, Kind
from loaders.cells import as_text, is_written_so, wall_clock

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Manner:
    """What conversion needs besides the cells.

    Attributes:
        now: times later than a day after it are refused.
        digits: minor-unit digits of each row's currency, null where there is none.
        last_day: a day given is the last one that counts: it stands for the midnight after it.
    """

    now: datetime
    zone: str = "UTC"
    formats: tuple[str, ...] = ()
    round: bool = False
    digits: pl.Series | None = None
    last_day: bool = False


@dataclass(frozen=True, slots=True)
class Refusal:
    """Rows that a check refuses (mask of the batch's length).

    ``values`` are the cells to show, where they are not the ones that were converted.
    """

    mask: pl.Series
    reason: str
    mend: str
    values: pl.Series | None = None


Converted = tuple[pl.Series, list[Refusal]]


def convert(series: pl.Series, column: Column, manner: Manner) -> Converted:
    """Convert source cells (text or typed) to the column's canonical type, checks included."""
    typed, refusals = _CONVERTERS[column.kind](series, column, manner)
    if column.required:
        mask = _blank(series)
        refusals.append(Refusal(mask, "missing", f"Fill {column.name} in."))
    for refusal in refusals:
        typed = typed.set(refusal.mask, None) if refusal.mask.any() else typed
    return typed, refusals


def _blank(series: pl.Series) -> pl.Series:
    if series.dtype == pl.String:
        return (series.str.strip_chars() == "").fill_null(True)
    return series.is_null()


def _text(series: pl.Series, column: Column, _manner: Manner) -> Converted:
    text = as_text(series)
    refusals = [
        Refusal(_masked(text.str.contains("\x00", literal=True)), "nul-character", "Remove it.")
    ]
    if column.kind is Kind.ID:
        mask = _masked(text.str.len_bytes() > MAX_ID_BYTES)
        refusals.append(Refusal(mask, "id-too-long", f"At most {MAX_ID_BYTES} bytes."))
    return text, refusals


def _country(series: pl.Series, _column: Column, _manner: Manner) -> Converted:
    text = as_text(series).str.to_uppercase()
    mend = "Write the ISO 3166 code of two letters, or map names to codes with a lookup."
    return text, [Refusal(_masked(~text.str.contains("^[A-Z]{2}$")), "not-a-country", mend)]


def _currency(series: pl.Series, _column: Column, _manner: Manner) -> Converted:
    text = as_text(series).str.to_uppercase()
    known = pl.Series(list(MINOR_DIGITS), dtype=pl.String)
    mend = "Write an ISO 4217 code such as GBP."
    return text, [Refusal(_masked(~text.is_in(known.implode())), "currency-unknown", mend)]


def _choice(series: pl.Series, column: Column, _manner: Manner) -> Converted:
    text = as_text(series).str.to_uppercase()
    mask = _masked(~text.is_in(pl.Series(list(column.choices)).implode()))
    return text, [Refusal(mask, "not-a-choice", f"Write one of {', '.join(column.choices)}.")]


def _ids(series: pl.Series, _column: Column, _manner: Manner) -> Converted:
    text = as_text(series)
    parts = pl.DataFrame({"text": text}).select(
        pl.when(pl.col("text").str.starts_with(LIST_MARK))
        .then(pl.col("text").str.slice(1).str.split(LIST_JOINT))
        .otherwise(pl.col("text").str.split(LIST_SEPARATOR))
        .list.eval(pl.element().str.strip_chars().replace("", None).drop_nulls())
        .list.unique(maintain_order=True)
    )
    return parts.to_series(), []


def _int(series: pl.Series, column: Column, _manner: Manner) -> Converted:
    if series.dtype.is_integer():
        typed = series.cast(pl.Int64, strict=False)
    elif series.dtype.is_float():
        typed = series.set(_masked(series != series.round(0)), None).cast(pl.Int64, strict=False)
    else:
        text = as_text(series)
        digits = text.str.extract(r"^([+-]?\d{1,18})(?:\.0*)?$")
        typed = digits.str.strip_prefix("+").cast(pl.Int64, strict=False)
    wrong = Refusal(typed.is_null() & ~_blank(series), "not-a-whole-number", "Write like 12.")
    return typed, [wrong, *_out_of_range(typed, column)]


def _float(series: pl.Series, column: Column, _manner: Manner) -> Converted:
    cells = as_text(series) if series.dtype == pl.String else series
    typed = cells.cast(pl.Float64, strict=False)
    wrong = (typed.is_null() | ~typed.is_finite().fill_null(False)) & ~_blank(series)
    return typed, [
        Refusal(wrong, "not-a-number", "Write like 12.5, with a point."),
        *_out_of_range(typed, column),
    ]


def _out_of_range(typed: pl.Series, column: Column) -> list[Refusal]:
    refusals = []
    if column.minimum is not None:
        reason = "negative" if column.minimum == 0 else "out-of-range"
        mend = f"It must be at least {column.minimum:g}."
        refusals.append(Refusal(_masked(typed < column.minimum), reason, mend))
    if column.maximum is not None:
        mend = f"It must be at most {column.maximum:g}."
        refusals.append(Refusal(_masked(typed > column.maximum), "out-of-range", mend))
    return refusals


def _money(series: pl.Series, column: Column, manner: Manner) -> Converted:
    digits = manner.digits
    if digits is None:
        digits = pl.Series([None] * len(series), dtype=pl.Int64)
    frame = pl.DataFrame({"cell": series, "digits": digits})
    scale = 10 ** pl.col("digits")
    if series.dtype.is_float():
        exact = pl.col("cell") * scale
        near = exact.round(0)
        fits = ((exact - near).abs() < 1e-6) | pl.lit(manner.round)
        typed = pl.when(near.abs() < 2**53).then(near.cast(pl.Int64, strict=False))
        parsed = frame.select(typed.alias("minor"), fits.alias("fits"), pl.col("cell").is_finite())
        number = parsed["cell"].fill_null(False)
    else:
        frame = frame.with_columns(as_text(series).alias("cell"))
        groups = pl.col("cell").str.extract_groups(r"^(?<s>[+-]?)(?<w>\d{1,15})(?:\.(?<f>\d*))?$")
        frame = frame.with_columns(groups.alias("g")).unnest("g")
        number = frame["w"].is_not_null()
        padded = pl.col("f").fill_null("") + "0000"
        part = padded.str.slice(0, pl.col("digits")).str.pad_start(1, "0").cast(pl.Int64)
        up = padded.str.slice(pl.col("digits"), 1).cast(pl.Int64, strict=False) >= 5
        size = pl.col("w").cast(pl.Int64, strict=False) * scale + part + up.cast(pl.Int64)
        sign = pl.when(pl.col("s") == "-").then(-1).otherwise(1)
        fits = (padded.str.slice(pl.col("digits")).str.strip_chars("0") == "") | pl.lit(
            manner.round
        )
        parsed = frame.select((size * sign).alias("minor"), fits.alias("fits"))
    filled = ~_blank(series)
    coin = digits.is_not_null()
    typed_series = parsed["minor"].cast(pl.Int64).set(~coin, None)
    exact_mask = filled & number & coin & ~parsed["fits"].fill_null(True)
    return typed_series, [
        Refusal(filled & ~number, "not-an-amount", "Write like 12.50, without a currency sign."),
        Refusal(filled & number & ~coin, "amount-without-currency", "Fill currency in."),
        Refusal(exact_mask, "too-many-decimals", "Write it in the currency's own decimals."),
        *_out_of_range(typed_series, column),
    ]


def _time(series: pl.Series, column: Column, manner: Manner) -> Converted:
    filled = ~_blank(series)
    naive, offset = wall_clock(series, manner.formats)
    if manner.last_day:
        naive = naive.dt.truncate("1d").dt.offset_by("1d")
    frame = pl.DataFrame({"naive": naive, "offset": offset}).with_columns(
        pl.col("naive")
        .dt.replace_time_zone(manner.zone, ambiguous="earliest", non_existent="null")
        .dt.convert_time_zone("UTC")
        .alias("local"),
        (pl.col("naive").dt.replace_time_zone("UTC") - pl.col("offset")).alias("shifted"),
    )
    typed = frame.select(
        pl.when(pl.col("offset").is_null()).then("local").otherwise("shifted").cast(TIME)
    ).to_series()
    skipped = filled & naive.is_not_null() & typed.is_null()
    last, late = manner.now + timedelta(days=1), "in-the-future"
    if column.future:
        last, late = _LAST, "too-far-in-the-future"
    return typed, [
        *_no_times(series, filled & naive.is_null(), manner.formats),
        Refusal(skipped, "not-a-local-time", f"Clocks in {manner.zone} skip it; correct the hour."),
        Refusal(_masked(typed < _FIRST), "before-1970", "Correct the year."),
        Refusal(_masked(typed > last), late, "Correct the year, or the format's day and month."),
    ]


def _no_times(series: pl.Series, wrong: pl.Series, formats: tuple[str, ...]) -> list[Refusal]:
    """Cells without a time: written as they should be, of a day that is not; and otherwise."""
    if not wrong.any():
        return []
    named = " or ".join(formats)
    impossible = "There is no such day or time; correct it."
    strange = "Write a day and time like 2024-05-31T14:00:00Z, or name its format in a mapping."
    if formats:
        impossible = f"There is no such day or time by {named}; correct it, or the format."
        strange = f"Write it as the mapping says, {named}, or add its format to the mapping."
    shaped = is_written_so(series, formats)
    return [
        Refusal(wrong & shaped, "not-a-time", impossible),
        Refusal(wrong & ~shaped, "not-a-time", strange),
    ]


def _masked(mask: pl.Series) -> pl.Series:
    return mask.fill_null(False)


_CONVERTERS: dict[Kind, Callable[[pl.Series, Column, Manner], Converted]] = {
    Kind.ID: _text,
    Kind.TEXT: _text,
    Kind.COUNTRY: _country,
    Kind.CURRENCY: _currency,
    Kind.CHOICE: _choice,
    Kind.INT: _int,
    Kind.FLOAT: _float,
    Kind.MONEY: _money,
    Kind.TIME: _time,
    Kind.IDS: _ids,
}
