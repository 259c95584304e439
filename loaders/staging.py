"""Where rows wait between being read and being written: Parquet files in a folder of the batch."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from core.published import sha256_of
from loaders.canonical import DTYPES, TABLES, Kind
from loaders.mapping import Mapping
from loaders.problems import LINE


def canonical_schema(table: str) -> dict[str, pl.DataType]:
    """``line`` and the canonical columns of a table that are kept, with their types."""
    kept = (c for c in TABLES[table].columns if c.kind is not Kind.PERSONAL)
    return {LINE: pl.Int64(), **{column.name: DTYPES[column.kind] for column in kept}}


class Stage:
    """A folder of numbered Parquet files, by table; what was there before is removed.

    The folders above it that it had to make go with it, as far as they are empty then.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written: dict[str, int] = {}
        self._made = [above for above in folder.parents if not above.exists()]
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    def append(self, table: str, rows: pl.DataFrame) -> None:
        """Put rows behind those that the table has."""
        if not rows.height:
            return
        number = self._written.get(table, 0)
        self._written[table] = number + 1
        (self._folder / table).mkdir(exist_ok=True)
        rows.write_parquet(self._folder / table / f"{number:06d}.parquet", compression="lz4")

    def parts(self, table: str, columns: Sequence[str] | None = None) -> Iterator[pl.DataFrame]:
        """The table's rows as they were put in, part after part."""
        for number in range(self._written.get(table, 0)):
            path = self._folder / table / f"{number:06d}.parquet"
            yield pl.read_parquet(path, columns=list(columns) if columns else None)

    def whole(
        self, table: str, columns: Sequence[str] | None = None, *, name: str | None = None
    ) -> pl.DataFrame:
        """All rows of a canonical table, or some of its columns, in the order put in.

        ``name`` is what they were put in under, where that is not the table's own.
        """
        parts = list(self.parts(name or table, columns))
        if parts:
            return pl.concat(parts)
        schema = canonical_schema(table)
        return pl.DataFrame(schema={key: schema[key] for key in columns or schema})

    def has(self, table: str) -> bool:
        """Whether the table has rows."""
        return table in self._written

    def remove(self) -> None:
        """Remove the folder, and those above it that were made for it alone."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):  # another has put something in, or removed it
            for above in self._made:
                above.rmdir()


def fingerprint(paths: Sequence[Path]) -> str:
    """A digest of what the files hold, whatever they are called and wherever they lie."""
    digests = sorted(sha256_of(path) for path in paths)
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def batch_id(source_fingerprint: str, mapping: Mapping, *choices: str) -> str:
    """The id of the import of these contents by this mapping: the same each time it is run."""
    text = json.dumps(mapping.model_dump(mode="json", by_alias=True), sort_keys=True)
    digest = hashlib.sha256("\n".join([source_fingerprint, text, *choices]).encode())
    return digest.hexdigest()[:24]
