"""Query files: what their header says is what their text does."""

from __future__ import annotations

from importlib.resources import files

import pytest

from graph.queries import QueryTextError, load_query, parse_query

GOOD = """
// Buyers with these ids.
// parameters: ids, at
// returns: id, name,
//   last
MATCH (b:Buyer) WHERE b.id IN $ids AND b.name <> 'a $b, // c' // not $this
WITH b ORDER BY b.id RETURN DISTINCT b.id AS id,
  coalesce(b.name, [1, 2], $at) AS name, max(b.createdAt) AS last ORDER BY id LIMIT 3;
"""


def test_a_query_is_read_with_its_header() -> None:
    query = parse_query("good", GOOD)
    assert query.parameters == ("ids", "at")
    assert query.returns == ("id", "name", "last")
    assert query.text.startswith("MATCH (b:Buyer)")
    assert query.text.endswith("LIMIT 3")


def test_a_mark_tells_what_is_never_null() -> None:
    query = parse_query("good", GOOD.replace("returns: id, name,", "returns: id!, name,"))
    assert query.returns == ("id", "name", "last")
    assert query.never_null == ("id",)


def test_none_stands_for_nothing() -> None:
    query = parse_query("q", "// Empty.\n// parameters: none\n// returns: none\nMATCH (n) DELETE n")
    assert (query.parameters, query.returns) == ((), ())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("ids, at", "ids", "parameters"),
        ("ids, at", "ids, at, more", "parameters"),
        ("id, name,", "name, id,", "returns"),
        ("id, name,", "id,", "returns"),
        ("// parameters: ids, at\n", "", "parameters"),
        ("// Buyers with these ids.\n", "", "says what it does"),
        ("b.id AS id", "b.id", "AS"),
    ],
)
def test_a_header_that_lies_is_refused(old: str, new: str, said: str) -> None:
    assert old in GOOD
    with pytest.raises(QueryTextError, match=said):
        parse_query("bad", GOOD.replace(old, new))


def test_an_unknown_query_is_named() -> None:
    with pytest.raises(QueryTextError, match="no_such_query"):
        load_query("no_such_query")


def test_every_query_file_can_be_read() -> None:
    names = [
        entry.name.removesuffix(".cypher")
        for entry in files("graph.queries").iterdir()
        if entry.name.endswith(".cypher")
    ]
    assert len(names) > 20
    for name in names:
        assert load_query(name).name == name
