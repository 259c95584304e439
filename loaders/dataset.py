"""Which files an import reads, and by which mapping."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from core.errors import InputError
from loaders.batches import Options
from loaders.canonical import TABLES, Kind
from loaders.mapping import Mapping, Source, load_mapping, shipped_mappings
from loaders.rules import ColumnRule, TableRule
from loaders.sources import columns_of, format_of

Files = dict[str, list[Path]]


def find_files(data: Path | Sequence[Path], mapping: Mapping) -> Files:
    """The files of each source of the mapping.

    Args:
        data: a folder, whose files are found by the sources' patterns, or the files themselves;
            one file for a mapping of one source may be called anything.
        mapping: the mapping.

    Raises:
        InputError: when a source that is not optional has no file, or nothing is there.
    """
    given = _given_files(data)
    found: Files = {}
    for name, source in mapping.sources.items():
        paths = [path for path in given if any(path.match(glob) for glob in _globs(source))]
        if paths:
            found[name] = paths
    required = [name for name, source in mapping.sources.items() if not source.optional]
    if not found and len(given) == 1 and len(mapping.sources) == 1:
        found = {next(iter(mapping.sources)): given}
    lacking = [name for name in required if name not in found]
    if lacking or not found:
        name = (lacking or list(mapping.sources))[0]
        globs = ", ".join(mapping.sources[name].files)
        raise InputError(
            f"{_shown(data)} has no file {globs} ({mapping.name}: source {name}).",
            mend=f"It has: {', '.join(path.name for path in given) or 'nothing to read'}.",
        )
    return found


def detect_mapping(data: Path | Sequence[Path]) -> Mapping:
    """The canonical mapping or the shipped one whose files and columns are there.

    Raises:
        InputError: when no mapping fits; says what was found and how to go on.
    """
    given = _given_files(data)
    if any(_table_of(path) for path in given):
        return canonical_mapping()
    for path in shipped_mappings().values():
        mapping = load_mapping(path)
        if _fits(given, mapping):
            return mapping
    raise InputError(
        f"No mapping fits {_shown(data)}: {', '.join(p.name for p in given) or 'nothing to read'}.",
        mend="Name its files like buyers.csv, offers.csv, ..., or write a mapping: "
        "see docs/mappings.md.",
    )


def has_files(folder: Path, mapping: Mapping) -> bool:
    """Whether the folder has a file of any of the mapping's sources."""
    globs = [glob for source in mapping.sources.values() for glob in source.files]
    return any(path.match(glob) for path in _given_files(folder) for glob in globs)


@functools.cache
def canonical_mapping(currency: str | None = None, pseudonymise: tuple[str, ...] = ()) -> Mapping:
    """The mapping of the canonical files: every column is itself, every id stands once."""
    sources, tables = {}, {}
    for name, spec in TABLES.items():
        required = [column.name for column in spec.columns if column.required]
        endings = ("csv", "tsv", "txt", "jsonl", "ndjson", "parquet", "pq")
        files = [f"{name}.{ending}{packed}" for ending in endings for packed in ("", ".gz")]
        sources[name] = Source(files=files, columns=required, optional=True)
        rules = {c.name: ColumnRule(column=c.name) for c in spec.columns}
        tables[name] = [TableRule(source=name, columns=rules)]
    return Mapping(
        name="canonical", sources=sources, tables=tables, strict=True, currency=currency,
        pseudonymise=list(pseudonymise),
    )  # fmt: skip


def narrowed(mapping: Mapping, files: Files) -> Mapping:
    """The mapping without the columns that canonical files do not have: absent keeps.

    Raises:
        InputError: when a canonical file has a column that nothing knows.
    """
    if not mapping.strict:
        return mapping
    tables = {}
    for name, paths in files.items():
        present = {column for path in paths for column in columns_of(path, Options())}
        spec = TABLES[name]
        unknown = sorted(present - set(spec.names))
        if unknown:
            raise InputError(
                f"{paths[0]} has a column {unknown[0]!r} that {name} do not have.",
                mend=f"These exist: {', '.join(spec.names)}. Rename or drop it, or use a mapping.",
            )
        kept = {c.name for c in spec.columns if c.name in present and c.kind is not Kind.PERSONAL}
        rules = {column: ColumnRule(column=column) for column in spec.names if column in kept}
        if missing := [c.name for c in spec.columns if c.required and c.name not in kept]:
            raise InputError(
                f"{paths[0]} has no column {', '.join(missing)}.",
                mend=f"It has: {', '.join(sorted(present))}.",
            )
        tables[name] = [TableRule(source=name, columns=rules)]
    sources = {name: mapping.sources[name] for name in files}
    return mapping.model_copy(update={"tables": tables, "sources": sources})


def _given_files(data: Path | Sequence[Path]) -> list[Path]:
    if isinstance(data, Path) and not data.is_dir():
        data = [data]
    if isinstance(data, Path):
        return sorted(path for path in data.iterdir() if path.is_file() and format_of(path))
    for path in data:
        if not path.is_file():
            raise InputError(f"{path} is not there.", mend="Check the path.")
    return list(data)


def _fits(given: Sequence[Path], mapping: Mapping) -> bool:
    for source in mapping.sources.values():
        paths = [path for path in given if any(path.match(glob) for glob in _globs(source))]
        if not paths:
            if source.optional:
                continue
            return False
        options = Options(source.encoding, source.fallback_encoding, source.delimiter)
        if not set(source.columns) <= set(columns_of(paths[0], options)):
            return False
    return True


def _globs(source: Source) -> list[str]:
    return [*source.files, *(f"{glob}.gz" for glob in source.files if not glob.endswith("*"))]


def _table_of(path: Path) -> str | None:
    stem = path.name.split(".", 1)[0]
    return stem if stem in TABLES else None


def _shown(data: Path | Sequence[Path]) -> str:
    return str(data) if isinstance(data, Path) else ", ".join(str(path) for path in data)
