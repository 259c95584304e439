"""A self-contained page with the drawing of a graph and a table below it; nothing is fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bokeh.embed import components
from bokeh.plotting import figure
from bokeh.resources import Resources
from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from reports.page import write_whole


@dataclass(frozen=True, slots=True)
class _Cell:
    lines: Sequence[str]
    number: bool


def write_graph_page(
    path: Path,
    title: str,
    paragraphs: Sequence[str],
    drawing: figure,
    table: tuple[Sequence[str], Sequence[Sequence[str | float | Sequence[str]]]],
) -> Path:
    """Write the page into ``path``, whole or not at all; folders are made. Returns ``path``.

    Texts are plain and get escaped. A cell of the table is a text, a figure, or lines of text.
    """
    script, place = components(drawing)
    headers, rows = table
    text = _template().render(
        title=title,
        paragraphs=paragraphs,
        alternative=f"{title}; the table below says the same in words.",
        resources=Markup(Resources(mode="inline", components=["bokeh"]).render()),  # noqa: S704
        drawing=Markup(place),  # noqa: S704 - bokeh's own markup, as are the two around it
        script=Markup(script),  # noqa: S704
        headers=headers,
        rows=[[_cell(value) for value in row] for row in rows],
    )
    return write_whole(path, text)


@cache
def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    source = Path(__file__).with_name("graph.html").read_text(encoding="utf-8")
    return environment.from_string(source)


def _cell(value: str | float | Sequence[str]) -> _Cell:
    if isinstance(value, str):
        return _Cell([value], False)
    if isinstance(value, (int, float)):
        return _Cell([f"{value:,}" if isinstance(value, int) else f"{value:.3f}"], True)
    return _Cell(list(value), False)
