"""Drawing a small graph in columns, with bokeh: curved edges, hover, a legend that hides kinds."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import networkx as nx
from bokeh.models import ColumnDataSource, HoverTool, Range1d, WheelZoomTool
from bokeh.plotting import figure

ROW_PIXELS = 58
WRAP = 24


@dataclass(frozen=True, slots=True)
class NodeStyle:
    """How nodes of one kind look and what the legend calls them."""

    name: str
    colour: str
    size: int = 26
    marker: str = "circle"


def draw_columns(
    graph: nx.MultiDiGraph,
    headings: Mapping[float, str],
    styles: Mapping[str, NodeStyle],
    colours: Mapping[str, str],
) -> figure:
    """The graph from left to right.

    Args:
        graph: nodes with ``x`` (those of one x are a column, in their order from above), ``kind``,
            ``caption`` and ``told``; edges with ``kind``, ``strength`` (in [0, 1], or None for a
            faint one) and ``told``. ``told`` is shown on hover.
        headings: by x.
        styles: by kind of node, in the order of the legend.
        colours: by kind of edge.
    """
    where = places(graph)
    rows = 2 * max((y for _, y in where.values()), default=0.0) + 1
    right = max((x for x, _ in where.values()), default=0.0)
    plot = figure(
        height=int(rows * ROW_PIXELS + 130),
        sizing_mode="stretch_width",
        min_width=900,
        x_range=Range1d(start=-0.45, end=right + 0.45),
        y_range=Range1d(start=-rows / 2 - 0.6, end=rows / 2 + 0.9),
        tools="pan,box_zoom,reset,save",
        background_fill_color="#fbfcfd",
    )
    plot.axis.visible = False
    plot.grid.visible = False
    plot.outline_line_color = None
    plot.toolbar.logo = None
    plot.add_tools(WheelZoomTool())
    plot.text(
        x=list(headings), y=[rows / 2 + 0.6] * len(headings), text=list(headings.values()),
        text_align="center", text_font_style="bold", text_color="#5b6570", text_font_size="13px",
    )  # fmt: skip
    _draw_edges(plot, graph, where, colours)
    for kind, style in styles.items():
        _draw_nodes(plot, graph, where, kind, style)
    plot.legend.glyph_width = plot.legend.glyph_height = 26
    plot.legend.click_policy = "hide"
    plot.legend.orientation = "horizontal"
    plot.legend.border_line_color = None
    plot.legend.background_fill_alpha = 0
    plot.add_layout(plot.legend[0], "below")
    return plot


def places(graph: nx.MultiDiGraph) -> dict[str, tuple[float, float]]:
    """Where each node stands: its x, and its row, counted from the middle upwards."""
    columns: dict[float, list[str]] = {}
    for key, x in graph.nodes(data="x"):
        columns.setdefault(x, []).insert(0, key)
    tallest = max((len(keys) for keys in columns.values()), default=1)
    laid = nx.multipartite_layout(graph, subset_key=columns)
    found: dict[str, tuple[float, float]] = {}
    for x, keys in columns.items():
        ys = [float(laid[key][1]) for key in keys]
        middle, span = (ys[0] + ys[-1]) / 2, ys[-1] - ys[0]
        # A short column is spread over most of the height, but its nodes stay near each other.
        height = min(tallest - 1, 2.5 * (len(keys) - 1)) * (0.9 if len(keys) < tallest else 1)
        for key, y in zip(keys, ys, strict=True):
            found[key] = (x, height * (y - middle) / span if span else 0.0)
    return found


def _draw_edges(
    plot: figure,
    graph: nx.MultiDiGraph,
    where: Mapping[str, tuple[float, float]],
    colours: Mapping[str, str],
) -> None:
    edges: list[dict[str, Any]] = []
    beside: Counter[tuple[str, str]] = Counter()
    for source, target, data in graph.edges(data=True):
        (x0, y0), (x1, y1) = where[source], where[target]
        # Further edges between the same two nodes bend away from the first.
        apart = 0.6 * beside[source, target]
        beside[source, target] += 1
        bend = 0.45 * (x1 - x0) if x1 != x0 else 0.35
        strength = data["strength"]
        edges.append(
            {
                "x0": x0, "y0": y0, "x1": x1, "y1": y1,
                "cx0": x0 + bend, "cy0": y0 + apart, "cx1": x1 - bend, "cy1": y1 + apart,
                "colour": colours.get(data["kind"], "#9aa1ac"),
                "width": 1.0 if strength is None else 1.2 + 4.0 * min(max(strength, 0.0), 1.0),
                "alpha": 0.5 if strength is None else 0.75,
                "told": data["told"],
            }
        )  # fmt: skip
    if not edges:
        return
    columns: dict[str, Any] = {name: [edge[name] for edge in edges] for name in edges[0]}
    lines = plot.bezier(
        x0="x0", y0="y0", x1="x1", y1="y1", cx0="cx0", cy0="cy0", cx1="cx1", cy1="cy1",
        line_color="colour", line_width="width", line_alpha="alpha",
        source=ColumnDataSource(columns, name="edges"), name="edges",
    )  # fmt: skip
    # The lines themselves take no hover; a dot in the middle of each does.
    middles: dict[str, Any] = {
        "x": [(edge["x0"] + 3 * edge["cx0"] + 3 * edge["cx1"] + edge["x1"]) / 8 for edge in edges],
        "y": [(edge["y0"] + 3 * edge["cy0"] + 3 * edge["cy1"] + edge["y1"]) / 8 for edge in edges],
        "told": columns["told"],
        "colour": columns["colour"],
    }
    dots = plot.scatter(
        x="x", y="y", size=7, fill_color="colour", line_color="#ffffff", alpha=0.8,
        source=ColumnDataSource(middles, name="middles"), name="middles",
    )  # fmt: skip
    dots.level, lines.level = "underlay", "underlay"
    plot.add_tools(HoverTool(renderers=[dots], tooltips=_TOLD))


_TOLD = '<div style="max-width: 24rem; white-space: pre-line">@told</div>'


def _draw_nodes(
    plot: figure,
    graph: nx.MultiDiGraph,
    where: Mapping[str, tuple[float, float]],
    kind: str,
    style: NodeStyle,
) -> None:
    mine = [(key, data) for key, data in graph.nodes(data=True) if data["kind"] == kind]
    if not mine:
        return
    source = ColumnDataSource(
        {
            "key": [key for key, _ in mine],
            "x": [where[key][0] for key, _ in mine],
            "y": [where[key][1] for key, _ in mine],
            "caption": [textwrap.fill(data["caption"], WRAP) for _, data in mine],
            "told": [data["told"] for _, data in mine],
        },
        name=f"nodes {kind}",
    )
    circles = plot.scatter(
        x="x", y="y", size=style.size, marker=style.marker, fill_color=style.colour,
        line_color="#ffffff", line_width=2, source=source, legend_label=style.name,
        name=f"nodes {kind}",
    )  # fmt: skip
    plot.text(
        x="x", y="y", text="caption", y_offset=style.size // 2 + 2, text_align="center",
        text_baseline="top", text_font_size="11px", text_color="#1b1f24", source=source,
        legend_label=style.name, text_line_height=1.05,
    )  # fmt: skip
    plot.add_tools(HoverTool(renderers=[circles], tooltips=_TOLD))
