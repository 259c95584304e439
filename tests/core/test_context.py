"""Circumstances: written and read back alike; what is malformed is refused, free text ignored."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.context import (
    MOST_VALUES,
    PATTERN,
    ContextValue,
    context_of,
    context_text,
    parse_context,
    read_context,
)
from core.errors import InputError

NAMES = st.text("abz019_", min_size=1, max_size=32)
VALUES = st.text("aZ0 =é|-", min_size=1, max_size=64).filter(lambda text: text == text.strip())


@given(st.dictionaries(NAMES, VALUES, max_size=MOST_VALUES))
def test_what_is_recorded_is_read_back(values: dict[str, str]) -> None:
    context = context_of(values.items())
    text = context_text(context)
    assert read_context(text) == context == tuple(sorted(values.items()))
    # Columns of texts are told apart by the same pattern, in another language's engine.
    assert text is None or pl.Series([text]).str.contains(PATTERN).item()


@pytest.mark.parametrize(
    "text",
    ["", "web", "a long text; with a joint", "Weather=rain", "weather=", "weather= rain",
     "a=b; again", "a=b;", "a=1; a=2", "=b", "a" * 33 + "=b", "a=" + "b" * 65, None],
)  # fmt: skip
def test_any_other_text_names_nothing(text: str | None) -> None:
    assert read_context(text) == ()


def test_spaces_around_parts_do_not_matter() -> None:
    assert read_context(" weather=light rain;device=phone ") == (
        ContextValue("device", "phone"),
        ContextValue("weather", "light rain"),
    )


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["weather"], "'weather' has no ="),
        (["Weather=rain"], "'Weather' is not of 1 to 32"),
        (["=rain"], "'' is not of 1 to 32"),
        (["weather="], "value '' of weather is not of 1 to 64"),
        (["weather=rain; wind"], "of weather is not"),
        (["weather=" + "x" * 65], "of weather is not"),
        (["weather=rain", "weather=sun"], "names weather twice"),
        ([f"n{i}=1" for i in range(9)], "9 values; 8 are the most"),
    ],
)
def test_what_is_malformed_is_refused_by_its_name(texts: list[str], words: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_context(texts, "context")
    assert words in caught.value.message
    assert caught.value.field == ("context",)
