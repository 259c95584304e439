"""Pages: escaped, self-contained, the same for the same input, written whole."""

import re
from datetime import UTC, date, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from reports import figures
from reports.page import Section, render_page, write_page


class _Page(HTMLParser):
    """Collects what a browser would see: tags with attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def _every_figure() -> list[Figure]:
    days = [date(2024, 1, 1) + timedelta(days=day) for day in range(60)]
    values = np.random.default_rng(1).lognormal(2, 1, 500)
    return [
        figures.lines_over_time("Lines a day", days, {"kept": range(60), "rejected": [1] * 60}),
        figures.histogram("Prices", values, "EUR", log_x=True),
        figures.histogram("Quantities", values),
        figures.histogram("Nothing", []),
        figures.binned("Prices, counted", [0, 3, 1], [1, 10, 100, 1000], "cents", log_x=True),
        figures.binned("Nothing, counted", [0, 0], [0, 1, 2], log_x=False),
        figures.bars("Rejected", ["price < 0", "no & such <offer>"], [12_345, 3]),
        figures.grouped_bars("Models", ["NDCG@10"], {"popularity": [0.1], "walk": [0.2]}),
        figures.learning_curve("Training", range(5), {"loss": [5, 4, 3, 2, 1]}, best=3),
        figures.calibration("Calibration", [0.1, 0.2], [0.12, 0.19], [100, 10]),
    ]


def test_text_is_escaped_everywhere() -> None:
    evil = "<script>alert('1')</script>"
    section = Section(evil, [evil], ([evil], [[evil]]), [figures.bars(evil, [evil], [1])])
    page = _Page(render_page(evil, evil, [section]))
    assert not page.of("script")
    assert page.text.count(evil) >= 6


def test_a_page_fetches_nothing() -> None:
    page = _Page(render_page("Report", "", [Section("Plots", figures=_every_figure())]))
    assert not [tag for tag, _ in page.tags if tag in {"link", "script", "img", "iframe", "image"}]
    for _, attributes in page.tags:
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "http" not in re.sub(r'xmlns(:xlink)?="[^"]+"', "", "".join(map(str, page.tags)))


def test_figures_have_alternative_text_and_their_own_ids() -> None:
    drawn = _every_figure()
    text = render_page("Report", "", [Section("A", figures=drawn), Section("B")])
    page = _Page(text)
    names = [attributes["aria-label"] for attributes in page.of("svg")]
    assert len(names) == len(drawn)
    assert names[0] == "Lines a day: kept, rejected over time, 2024-01-01 to 2024-02-29."
    assert "price < 0 12,345" in str(names[6])
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r"(?:url\(|href=\")#([\w-]+)", text))
    assert used
    assert used <= set(ids)


def test_an_unlabelled_figure_is_named_by_its_titles() -> None:
    figure = Figure()
    figure.subplots().set_title("Sales & stock")
    page = _Page(render_page("Report", "", [Section("A", figures=[figure])]))
    assert page.of("svg")[0]["aria-label"] == "Sales & stock"


def test_ink_follows_the_page() -> None:
    text = render_page("Report", "", [Section("A", figures=_every_figure())])
    assert "currentColor" in text
    assert "#000000" not in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_a_dollar_is_a_dollar_and_an_unknown_glyph_no_failure() -> None:
    figure = figures.bars("Up to $5 or $10_2", ["日本", "$^$"], [1, 2])
    text = render_page("Report", "", [Section("A", figures=[figure])])
    assert "Up to $5 or $10_2" in text
    assert "日本" in text
    assert "$^$" in text


def test_a_table_shows_numbers_times_and_gaps() -> None:
    moment = datetime(2024, 5, 1, 9, 30, tzinfo=UTC)
    rows: list[list[object]] = [
        ["a", 1234567, 0.123456, moment, True],
        [None, None, float("nan"), date(2024, 5, 2), 1],
    ]
    page = _Page(render_page("T", "", [Section("S", table=(["x", "n", "f", "at", "b"], rows))]))
    for shown in ("1,234,567", "0.1235", "2024-05-01 09:30:00+00:00", "2024-05-02", "yes", "–"):
        assert shown in page.text
    assert [attributes.get("class") for attributes in page.of("th")] == [
        None, "number", "number", None, None,
    ]  # fmt: skip


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(ValueError, match="2 cells under 1 headers"):
        render_page("T", "", [Section("S", table=(["a"], [[1, 2]]))])


def test_the_same_input_gives_the_same_page() -> None:
    first, second = (render_page("T", "", [Section("S", figures=_every_figure())]) for _ in "12")
    assert first == second


def test_a_failed_write_leaves_the_old_page(tmp_path: Path) -> None:
    path = write_page(tmp_path / "deep" / "page.html", "Old", "", [])
    with pytest.raises(ValueError, match="cells"):
        write_page(path, "New", "", [Section("S", table=(["a"], [[]]))])
    assert "Old" in path.read_text(encoding="utf-8")
    assert [entry.name for entry in path.parent.iterdir()] == ["page.html"]


@pytest.mark.parametrize(
    "figure",
    [
        figures.bars("None", [], []),
        figures.bars("Long " * 40, ["a label without end " * 20] * 40, range(40)),
        figures.lines_over_time("None", [], {"kept": []}),
        figures.lines_over_time("One day", [date(2024, 1, 1)], {"kept": [0]}),
        figures.grouped_bars("None", [], {}),
        figures.learning_curve("None", [], {}),
        figures.calibration("None", [], []),
        figures.trade_off("None", {}, [], []),
        figures.trade_off("One", {"gain": [1.0], "other": [0.0]}, [0.0], ["a"]),
        figures.histogram("Same", [0, 0, 0]),
        figures.histogram("Nothing positive", [0, -1, float("nan")], log_x=True),
        figures.histogram("Far apart", [1e-9, 1e12], log_x=True),
    ],
    ids=lambda figure: str(figure.get_label())[:20],
)
def test_poor_data_still_makes_a_page(figure: Figure) -> None:
    page = _Page(render_page("T", "", [Section("S", figures=[figure])]))
    assert page.of("svg")[0]["aria-label"] == figure.get_label()


def test_counted_values_are_shown_where_they_lie_in_plain_figures() -> None:
    edges = np.logspace(0, 7, 71)
    counts = np.zeros(70)
    counts[24:31] = 2
    figure = figures.binned("Prices", counts, edges, "cents", y_label="lines", log_x=True)
    axes = figure.axes[0]
    assert axes.get_xlim() == pytest.approx((100, 10_000))
    assert axes.get_ylabel() == "lines"
    text = render_page("T", "", [Section("S", figures=[figure])])
    assert ">1,000<" in text
    assert "mathdefault" not in text


@pytest.mark.parametrize(("days", "as_bars"), [(1, True), (31, True), (32, False)])
def test_few_days_are_bars_of_whole_numbers(days: int, *, as_bars: bool) -> None:
    times = [date(2024, 1, 30) + timedelta(days=day) for day in range(days)]
    figure = figures.lines_over_time("Lines a day", times, {"lines": [1] * days}, "lines")
    axes = figure.axes[0]
    assert (len(axes.patches), len(axes.lines)) == ((days, 0) if as_bars else (0, 1))
    text = render_page("T", "", [Section("S", figures=[figure])])
    assert (">30 Jan<" in text) is as_bars
    assert ">0.5<" not in text
