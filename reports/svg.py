"""A matplotlib figure as SVG that sits inside an HTML page."""

from __future__ import annotations

import io
import re
import threading
import warnings
from html import escape

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.text import Text

# Drawing reads matplotlib's process-wide settings; one figure at a time sees ours.
_DRAWING = threading.Lock()
_SVG = re.compile(r"<svg\b[^>]*>")
_VIEW_BOX = re.compile(r'viewBox="([^"]+)"')


def figure_to_svg(figure: Figure, *, prefix: str = "") -> str:
    """Draw the figure as one ``<svg>`` element without outside references.

    Black ink becomes ``currentColor`` and backgrounds are left out, so that the figure takes the
    page's colours. Text is text, never mathematics: a ``$`` in a label is a dollar.

    Args:
        figure: drawn as it is; its label (else its titles) becomes the alternative text.
        prefix: put before every id, to keep ids unique among the figures of a page.
    """
    for text in figure.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
    stream = io.StringIO()
    with (
        _DRAWING,
        mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "offerpath"}),
        warnings.catch_warnings(),
    ):
        # The reader's own fonts draw the text, so glyphs that ours lacks are no loss.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    return _inline(stream.getvalue(), _alternative_text(figure), prefix)


def _alternative_text(figure: Figure) -> str:
    label = str(figure.get_label() or "")
    titles = [figure.get_suptitle(), *(axes.get_title() for axes in figure.axes)]
    return label or ". ".join(title for title in titles if title) or "Figure"


def _inline(document: str, alternative: str, prefix: str) -> str:
    start = _SVG.search(document)
    assert start is not None, "matplotlib wrote no <svg> element"
    view_box = _VIEW_BOX.search(start.group())
    assert view_box is not None, "matplotlib wrote no viewBox"
    body = document[start.end() :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style\b.*?</style>", "", body, flags=re.DOTALL)
    # Only inside tags: a label that reads like markup stays as its author wrote it.
    body = re.sub(r"<[^>]+>", lambda tag: _adapt(tag.group(), prefix), body)
    name = escape(alternative, quote=True)
    return (
        f'<svg viewBox="{view_box.group(1)}" role="img" aria-label="{name}" '
        f'fill="currentColor" stroke-linejoin="round">{body.strip()}'
    )


def _adapt(tag: str, prefix: str) -> str:
    tag = re.sub(r'\bid="', f'id="{prefix}', tag)
    tag = tag.replace("url(#", f"url(#{prefix}")
    tag = re.sub(r'(?:xlink:)?href="#', f'href="#{prefix}', tag)
    return tag.replace("#000000", "currentColor")
