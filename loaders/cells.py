"""Source cells as text, and as what a clock on the wall showed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta

import polars as pl

_ISO = (
    r"^(?P<day>\d{4}-\d{2}-\d{2})(?:[T ](?P<minute>\d{2}:\d{2})(?::(?P<second>\d{2})"
    r"(?P<fraction>[.,]\d{1,9})?)?)?\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?$"
)
_SHAPES = {"Y": r"\d{4}"} | dict.fromkeys("dmyeHIkl", r"\s?\d{1,2}")
_SHAPES |= dict.fromkeys("MS", r"\d{2}") | {"%": "%"}
_HAS_CLOCK = ("%H", "%I", "%T", "%R", "%X", "%c", "%s", "%+")


def as_text(series: pl.Series) -> pl.Series:
    """Cells as trimmed text, empty as null; whole floats without their point zero."""
    if series.dtype.is_float():
        whole = series.is_finite() & (series == series.round(0)) & (series.abs() < 2**53)
        frame = pl.DataFrame({"cell": series, "whole": whole})
        series = frame.select(
            pl.when("whole")
            .then(pl.col("cell").cast(pl.Int64, strict=False).cast(pl.String))
            .otherwise(pl.col("cell").cast(pl.String))
        ).to_series()
    text = series.cast(pl.String).str.strip_chars()
    return text.set(text == "", None)


def wall_clock(series: pl.Series, formats: Sequence[str]) -> tuple[pl.Series, pl.Series]:
    """Naive wall-clock times, null where there is none, and their offset from UTC where written.

    Args:
        series: cells: text, days or times.
        formats: formats of text, tried in order; ISO 8601 when empty.
    """
    none = pl.Series([None] * len(series), dtype=pl.Duration("us"))
    if isinstance(series.dtype, pl.Datetime):
        if series.dtype.time_zone is None:
            return series.cast(pl.Datetime("us")), none
        utc = series.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        return utc.cast(pl.Datetime("us")), pl.Series([timedelta(0)]).new_from_index(0, len(series))
    if series.dtype == pl.Date:
        return series.cast(pl.Datetime("us")), none
    text = as_text(series)
    if formats:
        found = [_formatted(text, each) for each in formats]
        frame = pl.DataFrame({str(index): times for index, times in enumerate(found)})
        return frame.select(pl.coalesce(pl.all())).to_series(), none
    return _iso(text)


def is_written_so(series: pl.Series, formats: Sequence[str]) -> pl.Series:
    """Which cells of text are in one of the formats (none: ISO 8601), be there such a day or not.

    A mask as long as the cells; ``formats`` as for wall_clock.
    """
    pattern = "|".join(_shape(each) for each in formats) if formats else _ISO
    return as_text(series).str.contains(pattern).fill_null(False)


def _shape(pattern: str) -> str:
    parts = re.split(r"(%-?.)", pattern)
    # What stands between the marks is at the even places.
    shapes = [
        _SHAPES.get(part[-1], ".+") if odd % 2 else re.escape(part)
        for odd, part in enumerate(parts)
    ]
    return f"^{''.join(shapes)}$"


def _formatted(text: pl.Series, pattern: str) -> pl.Series:
    if not any(mark in pattern for mark in _HAS_CLOCK):
        return text.str.to_date(pattern, strict=False).cast(pl.Datetime("us"))
    times = text.str.to_datetime(pattern, time_unit="us", strict=False)
    if isinstance(times.dtype, pl.Datetime) and times.dtype.time_zone is not None:
        return times.dt.replace_time_zone(None)
    return times


def _iso(text: pl.Series) -> tuple[pl.Series, pl.Series]:
    parts = pl.DataFrame({"t": text.str.extract_groups(_ISO)}).unnest("t")
    written = pl.format(
        "{} {}:{}", "day", pl.col("minute").fill_null("00:00"), pl.col("second").fill_null("00")
    )
    micros = (
        (pl.col("fraction").str.slice(1) + "000000").str.slice(0, 6).cast(pl.Int64).fill_null(0)
    )
    zone = (
        pl.col("zone").str.replace("Z", "+00:00", literal=True).str.replace(":", "", literal=True)
    )
    minutes = zone.str.slice(1, 2).cast(pl.Int64) * 60 + zone.str.slice(3, 2).cast(pl.Int64)
    signed = minutes * pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    frame = parts.select(
        (
            written.str.to_datetime("%Y-%m-%d %H:%M:%S", time_unit="us", strict=False)
            + pl.duration(microseconds=micros)
        ).alias("naive"),
        pl.duration(minutes=signed).cast(pl.Duration("us")).alias("offset"),
    )
    return frame["naive"], frame["offset"]
