"""The query texts as a whole: each is read, each is used, and backups miss nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import graph
from graph.backup import dump_query
from graph.queries import load_query
from graph.tables import TABLES, Table

FOLDER = Path(graph.__path__[0])
NAMES = sorted(path.stem for path in (FOLDER / "queries").glob("*.cypher"))


@pytest.mark.parametrize("name", NAMES)
def test_header_and_text_of_each_query_agree(name: str) -> None:
    assert load_query(name).text


def test_every_query_is_named_in_the_code() -> None:
    code = "\n".join(path.read_text() for path in FOLDER.glob("*.py"))
    # f"claim_{plural}" names every query that it can stand for.
    patterns = [
        re.sub(r"\\\{[^}]*\\\}", r"\\w+", re.escape(text))
        for text in re.findall(r'"([a-z_{}.()]+)"', code)
    ]
    named = re.compile("|".join(f"(?:{pattern})" for pattern in patterns if len(pattern) > 3))
    assert [name for name in NAMES if not named.fullmatch(name)] == []


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_a_backup_reads_every_property(table: Table) -> None:
    assert dump_query(table).returns == tuple(table.frame_schema)
