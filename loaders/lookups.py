"""The tables of replacements that a mapping names, read from its sources where it says so."""

from __future__ import annotations

from collections.abc import Mapping as MappingType

import polars as pl

from loaders.batches import ROW, Options
from loaders.cells import as_text
from loaders.columns import source_column
from loaders.dataset import Files
from loaders.lines import LOOKED_UP, LineBook
from loaders.mapping import Mapping
from loaders.reading import check_columns
from loaders.rules import Lookup
from loaders.sources import read_batches


def read_lookups(mapping: Mapping, files: Files, book: LineBook) -> dict[str, dict[str, str]]:
    """For each lookup what each text stands for; the last row of a key wins.

    Lines of sources that serve lookups alone are counted in the book as LOOKED_UP.

    Raises:
        InputError: when a file cannot be read or lacks a column.
    """
    tables = {name: dict(lookup.values) for name, lookup in mapping.lookups.items()}
    wanted = {name: lookup for name, lookup in mapping.lookups.items() if lookup.source}
    for source, paths in files.items():
        named = {name: lookup for name, lookup in wanted.items() if lookup.source == source}
        if not named and not mapping.lookup_only(source):
            continue
        spec = mapping.sources[source]
        options = Options(spec.encoding, spec.fallback_encoding, spec.delimiter)
        for path in paths:
            if mapping.lookup_only(source):
                book.start_file(source, path)
            for batch in read_batches(path, options):
                check_columns(spec, path, [name for name in batch.frame.columns if name != ROW])
                _remember(batch.frame, named, tables)
                if mapping.lookup_only(source):
                    first = book.total
                    book.count(batch.rows)
                    book.settle(pl.int_range(first, book.total, eager=True), LOOKED_UP)
    return tables


def _remember(
    frame: pl.DataFrame, named: MappingType[str, Lookup], tables: dict[str, dict[str, str]]
) -> None:
    for name, lookup in named.items():
        keys = as_text(source_column(lookup.key or "", frame))
        values = as_text(source_column(lookup.value or "", frame))
        pairs = pl.DataFrame({"key": keys, "value": values}).drop_nulls()
        tables[name].update(pairs.iter_rows())
