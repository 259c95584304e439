"""Which source columns a mapping names, to tell when a file has none of that name."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from pathlib import Path

from loaders.mapping import Mapping, Source
from loaders.rules import ColumnRule

_JSON_LINES = (".jsonl", ".ndjson")
_log = logging.getLogger(__name__)


def named_columns(mapping: Mapping, source_name: str) -> list[str]:
    """Columns of the source that its tests and its tables' rules name, sorted; no templates'."""
    source = mapping.sources[source_name]
    names = set(_of_tests(source))
    for rules in mapping.tables.values():
        for rule in rules:
            if rule.source == source_name:
                names.update(rule.levels or ())
                for column in rule.columns.values():
                    names.update(_of_rule(column))
    return sorted(names)


def warn_of_absent_columns(
    mapping: Mapping, source_name: str, path: Path, present: Collection[str]
) -> None:
    """Log the named columns that the file lacks: their cells count as empty.

    A file may lack some and be right, so it is no error; a slip of the pen in a mapping would
    otherwise show as missing values only. Lines of JSON need not have every key: nothing is said.
    """
    if any(suffix in _JSON_LINES for suffix in path.suffixes):
        return
    absent = [name for name in named_columns(mapping, source_name) if name not in present]
    if absent:
        _log.warning(
            "%s has no column %s, which the mapping names: it counts as empty.",
            path.name,
            ", ".join(absent),
        )


def _of_tests(source: Source) -> Iterator[str]:
    yield from (test.column for test in source.filters)
    yield from (charges.column for charges in source.not_offers)
    if source.cancellation is not None:
        yield source.cancellation.column


def _of_rule(rule: ColumnRule) -> Iterator[str]:
    yield from (name for name in (rule.column, rule.divide_by) if name is not None)
    yield from rule.levels or ()
    for named in (rule.named or {}).values():
        yield from _of_rule(named)
    if rule.otherwise is not None:
        yield from _of_rule(rule.otherwise)
