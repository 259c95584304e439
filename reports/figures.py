"""The few kinds of plot that reports need.

Each function returns a matplotlib Figure with its alternative text as label, drawn without
pyplot and its process-wide state. Ink is black, which a page shows in its own colour; the series
colours are readable on white and on near-black (Okabe and Ito's palette, slightly toned).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from itertools import cycle

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

COLOURS = ("#3b82c4", "#e08a1e", "#2f9e77", "#c0649f", "#8a7ad1", "#b0562f", "#7d8791")
GRID = "#8a94a0"
# Days that are drawn as bars, one each: a line through few would slope where nothing happened.
FEW_DAYS = 31
Numbers = Sequence[float] | npt.NDArray[np.floating] | npt.NDArray[np.integer]


def lines_over_time(
    title: str, times: Sequence[date | datetime], series: Mapping[str, Numbers], y_label: str = ""
) -> Figure:
    """One line a series over the times, such as rows a day. Series are as long as ``times``.

    A single series over at most FEW_DAYS days is drawn as bars.
    """
    figure, axes = _canvas(title, f"{title}: {_names(series)} over time, {_span(times)}.")
    if len(series) == 1 and len(times) <= FEW_DAYS and not any(_has_clock(t) for t in times):
        _bars_of_days(axes, times, *series.values())
        _finish(axes, x_label=_years(times), y_label=y_label, whole=_are_whole(*series.values()))
        return figure
    moments = np.array([np.datetime64(_naive(time)) for time in times], dtype="datetime64[us]")
    for (name, values), colour in zip(series.items(), cycle(COLOURS), strict=False):
        axes.plot(moments, np.asarray(values), color=colour, linewidth=1.4, label=name)
    # matplotlib.dates carries no annotations.
    locator = AutoDateLocator(minticks=3, maxticks=7)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    axes.set_ylim(bottom=0)
    _finish(axes, y_label=y_label, legend=len(series) > 1, whole=_are_whole(*series.values()))
    return figure


def histogram(
    title: str, values: Numbers, x_label: str = "", *, bins: int = 40, log_x: bool = False
) -> Figure:
    """How the values spread; what is not finite (or not positive, with ``log_x``) is left out.

    The tail beyond the 99.9th percentile is drawn in the last bar unless ``log_x``.
    """
    kept = np.asarray(values, dtype=np.float64)
    kept = kept[np.isfinite(kept) & ((kept > 0) | (not log_x))]
    figure, axes = _canvas(title, f"{title}: histogram of {kept.size:,} values.")
    if kept.size:
        low, high = float(kept.min()), float(kept.max())
        if log_x:
            edges = np.geomspace(low, max(high, low * 1.01), bins + 1)
            _log_x(axes)
        else:
            high = float(np.quantile(kept, 0.999))
            edges = np.linspace(low, high if high > low else low + 1, bins + 1)
        axes.hist(np.clip(kept, edges[0], edges[-1]), bins=edges.tolist(), color=COLOURS[0])
    _finish(axes, x_label=x_label, y_label="count", whole=True)
    return figure


def binned(
    title: str,
    counts: Numbers,
    edges: Numbers,
    x_label: str = "",
    *,
    y_label: str = "count",
    log_x: bool = False,
) -> Figure:
    """How values spread that were counted already: ``counts`` (N,) between ``edges`` (N + 1,).

    Empty bins at the ends are left out; with ``log_x`` (positive edges) as far as whole decades.
    """
    heights, bounds = np.asarray(counts), np.asarray(edges, dtype=np.float64)
    figure, axes = _canvas(title, f"{title}: histogram of {heights.sum():,} values.")
    filled = np.flatnonzero(heights)
    if filled.size:
        axes.stairs(heights, bounds.tolist(), fill=True, color=COLOURS[0])
        low, high = bounds[filled[0]], bounds[filled[-1] + 1]
        if log_x:
            _log_x(axes)
            # Rounded first: an edge at a decade may be a hair off it.
            low = 10 ** math.floor(round(math.log10(low), 6))
            high = 10 ** math.ceil(round(math.log10(high), 6))
        axes.set_xlim(low, high)
    _finish(axes, x_label=x_label, y_label=y_label, whole=True)
    return figure


def bars(title: str, labels: Sequence[str], values: Numbers, x_label: str = "") -> Figure:
    """One horizontal bar a label, the first on top, each with its figure beside it."""
    heights = np.asarray(values, dtype=np.float64)
    listing = ", ".join(f"{a} {_short(b)}" for a, b in list(zip(labels, heights, strict=True))[:8])
    tall = max(1.6, 0.32 * len(labels) + 0.9)
    figure, axes = _canvas(title, f"{title}: {listing}.", height=tall)
    places = np.arange(len(labels))
    drawn = axes.barh(places, heights, color=COLOURS[0], height=0.65)
    axes.bar_label(drawn, [_short(value) for value in heights], padding=3, fontsize=9)
    axes.set_yticks(places, [_clip(label) for label in labels])
    axes.invert_yaxis()
    axes.margins(x=0.2)
    _finish(axes, x_label=x_label, grid="x", whole=_are_whole(heights))
    return figure


def grouped_bars(
    title: str, groups: Sequence[str], series: Mapping[str, Numbers], y_label: str = ""
) -> Figure:
    """For each group one bar a series: measures by model, say. Series are as long as ``groups``."""
    figure, axes = _canvas(title, f"{title}: {_names(series)} for {', '.join(groups)}.")
    width = 0.8 / max(1, len(series))
    places = np.arange(len(groups))
    for order, (name, values) in enumerate(series.items()):
        offset = (order - (len(series) - 1) / 2) * width
        colour = COLOURS[order % len(COLOURS)]
        axes.bar(places + offset, np.asarray(values), width * 0.92, color=colour, label=name)
    axes.set_xticks(places, [_clip(group) for group in groups])
    if all(np.nanmin(np.asarray(values), initial=0) >= 0 for values in series.values()):
        axes.set_ylim(bottom=0)
    _finish(axes, y_label=y_label, legend=bool(series))
    return figure


def learning_curve(
    title: str,
    steps: Numbers,
    series: Mapping[str, Numbers],
    *,
    best: float | None = None,
    y_label: str = "",
) -> Figure:
    """One panel a series over the epochs or steps, above each other; ``best`` is marked."""
    names = list(series)
    alternative = f"{title}: {_names(series)} by step"
    alternative += f", best at {best:g}." if best is not None else "."
    figure = Figure(figsize=(6.0, 1.2 + 1.9 * len(names)), layout="constrained")
    figure.set_label(alternative)
    panels = figure.subplots(max(1, len(names)), 1, sharex=True, squeeze=False)[:, 0]
    for axes, name, colour in zip(panels, names, cycle(COLOURS), strict=False):
        axes.plot(
            np.asarray(steps), np.asarray(series[name]), color=colour, linewidth=1.6,
            marker="o", markersize=4,
        )  # fmt: skip
        if best is not None:
            axes.axvline(best, color=GRID, linestyle="--", linewidth=1)
        _finish(axes, y_label=name)
    panels[0].set_title(_clip(title, 54), fontsize=12, loc="left")
    if len(steps) == 1:
        panels[-1].set_xlim(float(steps[0]) - 1, float(steps[0]) + 1)
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[-1].set_xlabel(y_label or "step")
    return figure


def calibration(
    title: str, predicted: Numbers, observed: Numbers, counts: Numbers | None = None
) -> Figure:
    """Observed share against predicted probability, one point a bin; the diagonal is perfect.

    ``counts`` (rows in each bin) sets the points' sizes. The axes reach as far as the points do.
    """
    x, y = np.asarray(predicted, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    figure, axes = _canvas(title, f"{title}: observed share by predicted probability.", height=4.2)
    reach = max(float(max(x.max(initial=0), y.max(initial=0))) * 1.08, 1e-6)
    axes.plot([0, reach], [0, reach], color=GRID, linestyle="--", linewidth=1)
    sizes = np.full(x.size, 30.0)
    if counts is not None and x.size:
        share = np.asarray(counts, dtype=np.float64)
        sizes = 12 + 110 * np.sqrt(share / max(float(share.max()), 1.0))
    axes.plot(x, y, color=COLOURS[0], linewidth=1)
    axes.scatter(x, y, s=sizes, color=COLOURS[0])
    axes.set_xlim(0, reach)
    axes.set_ylim(0, reach)
    _finish(axes, x_label="predicted", y_label="observed")
    return figure


def trade_off(
    title: str,
    gains: Mapping[str, Numbers],
    costs: Numbers,
    labels: Sequence[str],
    *,
    y_label: str = "",
) -> Figure:
    """What one thing costs another: a panel each of ``gains``, ``costs`` (N,) against it.

    The points are joined in their order and each has its label.
    """
    names, heights = list(gains), np.asarray(costs, dtype=np.float64)
    figure = Figure(figsize=(6.0, 1.0 + 2.6 * max(1, len(names))), layout="constrained")
    figure.set_label(f"{title}: {y_label} against {', '.join(names)} at {', '.join(labels)}.")
    panels = figure.subplots(max(1, len(names)), 1, sharey=True, squeeze=False)[:, 0]
    for axes, name, colour in zip(panels, names, cycle(COLOURS), strict=False):
        places = np.asarray(gains[name], dtype=np.float64)
        axes.plot(places, heights, color=colour, linewidth=1.4, marker="o", markersize=5)
        for x, y, label in zip(places, heights, labels, strict=True):
            axes.annotate(label, (x, y), (0, 6), textcoords="offset points", ha="center",
                          fontsize=8)  # fmt: skip
        axes.margins(x=0.06, y=0.16)
        _finish(axes, x_label=name, y_label=y_label)
    panels[0].set_title(_clip(title, 54), fontsize=12, loc="left")
    return figure


def _canvas(title: str, alternative: str, height: float = 3.4) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.0, height), layout="constrained")
    figure.set_label(alternative)
    axes = figure.subplots()
    axes.set_title(_clip(title, 54), fontsize=12, loc="left")
    return figure, axes


def _finish(
    axes: Axes,
    *,
    x_label: str = "",
    y_label: str = "",
    legend: bool = False,
    grid: str = "y",
    whole: bool = False,
) -> None:
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="x" if grid == "x" else "y", color=GRID, alpha=0.35, linewidth=0.6)
    axes.set_axisbelow(True)
    if legend:
        longest = max(len(str(text)) for text in axes.get_legend_handles_labels()[1])
        columns = 3 if longest <= 14 else 2 if longest <= 26 else 1
        axes.legend(
            frameon=False, fontsize=9, ncols=columns, loc="upper left", bbox_to_anchor=(0, -0.1)
        )
    value_axis = axes.xaxis if grid == "x" else axes.yaxis
    if value_axis.get_scale() == "linear":
        value_axis.set_major_locator(MaxNLocator(nbins=4 if grid == "x" else 7, integer=whole))
    value_axis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))


def _log_x(axes: Axes) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(numticks=7))
    axes.xaxis.set_minor_formatter(NullFormatter())
    # The log scale's own labels are mathematics, which a page does not typeset.
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.6g}"))


def _bars_of_days(axes: Axes, days: Sequence[date | datetime], values: Numbers) -> None:
    places = np.array([day.toordinal() for day in days])
    axes.bar(places, np.asarray(values), color=COLOURS[0])
    if not days:
        return
    step = len(days) // 7 + 1
    axes.set_xticks(places[::step], [f"{day.day} {day:%b}" for day in days[::step]])
    # Few bars are not blown up to the width of the figure.
    spare = max(0.0, (7 - (places.max() - places.min())) / 2)
    axes.set_xlim(places.min() - 0.6 - spare, places.max() + 0.6 + spare)


def _has_clock(time: date | datetime) -> bool:
    return isinstance(time, datetime)


def _years(times: Sequence[date | datetime]) -> str:
    years = sorted({time.year for time in times})
    return " to ".join(str(year) for year in dict.fromkeys([*years[:1], *years[-1:]]))


def _are_whole(*series: Numbers) -> bool:
    return all(bool(np.all(np.mod(np.asarray(values), 1) == 0)) for values in series)


def _short(value: float) -> str:
    if math.isnan(value):
        return "–"
    if abs(value) >= 1_000_000:
        return f"{value / 1e6:,.4g} M"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _clip(label: str, length: int = 34) -> str:
    return label if len(label) <= length else label[: length - 1] + "…"


def _names(series: Mapping[str, Numbers]) -> str:
    return ", ".join(series) or "nothing"


def _span(times: Sequence[date | datetime]) -> str:
    return f"{min(times):%Y-%m-%d} to {max(times):%Y-%m-%d}" if times else "no times"


def _naive(time: date | datetime) -> date | datetime:
    return time.replace(tzinfo=None) if isinstance(time, datetime) else time
