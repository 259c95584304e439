"""A folder of interaction matrices, read and checked: what graph recommenders are compared on.

``train.npz`` and ``test.npz`` are scipy's sparse matrices, buyers x offers; values above zero are
interactions. ``tune.npz`` (pairs to choose by), ``poi_coords.csv.gz`` (item, lat, lon) and
``poi_categories.csv.gz`` (item, category) may stand beside them; an item is a column's number.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import scipy.sparse as sp
from numpy.typing import NDArray

from core.errors import InputError
from scoring.baselines import Csr
from scoring.ragged import Ragged

TRAIN, TEST, TUNE = "train.npz", "test.npz", "tune.npz"
COORDINATES, CATEGORIES = "poi_coords.csv.gz", "poi_categories.csv.gz"
FORM = "Give a folder with train.npz and test.npz (docs/measuring.md)."


@dataclass(frozen=True, slots=True)
class MatrixData:
    """Interactions of B buyers with N offers, and what is known of the offers.

    ``train``, ``tune`` and ``test`` are (B, N) CSR int64 of positive values, no pair in two of
    them; ``tune`` is None where the folder has none. ``latitude``/``longitude`` (N,) degrees, nan
    unknown. ``categories`` (offer, category) has a row for each category of an offer.
    ``known_test_pairs`` counts pairs of the file that were known already and are no test.
    """

    train: Csr
    test: Csr
    tune: Csr | None
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    categories: pl.DataFrame
    known_test_pairs: int

    @property
    def shape(self) -> tuple[int, int]:
        """Buyers and offers."""
        return int(self.train.shape[0]), int(self.train.shape[1])

    @property
    def known(self) -> Csr:
        """All that may be learnt from: train, and tune where there is one."""
        return self.train if self.tune is None else sp.csr_array(self.train + self.tune)

    @property
    def has_features(self) -> bool:
        """Whether anything is known of the offers but who took them."""
        return bool(len(self.categories)) or bool(np.isfinite(self.latitude).any())

    def relevant(self) -> Ragged:
        """Row b lists the offers that buyer b takes in the test."""
        return Ragged(self.test.indptr.astype(np.int64), self.test.indices.astype(np.int32))


def read_matrices(folder: Path) -> MatrixData:
    """Read and check a folder.

    A pair of the test that train or tune hold already is left out of the test: it is never
    ranked, so that nobody could find it. A pair of tune that train holds is left out of tune.

    Raises:
        InputError: when a part is missing or malformed; names the file and what is wrong.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is no folder.", mend=FORM)
    train, test = _matrix(folder / TRAIN), _matrix(folder / TEST)
    tune = _matrix(folder / TUNE) if (folder / TUNE).exists() else None
    for name, other in ((TEST, test), (TUNE, tune)):
        if other is not None and other.shape != train.shape:
            raise InputError(
                f"{folder / name} has {_shape(other)} buyers x offers, {TRAIN} {_shape(train)}.",
                mend="Give all matrices the same rows and columns.",
            )
    if not train.nnz:
        raise InputError(f"{folder / TRAIN} holds no interactions.", mend=FORM)
    tune = _without(tune, train) if tune is not None else None
    known = train if tune is None else train + tune
    left = _without(test, known)
    if not left.nnz:
        raise InputError(
            f"{folder / TEST} holds no pair that is not known already.",
            mend="Put pairs into it that are in no other file.",
        )
    latitude, longitude = _coordinates(folder / COORDINATES, train.shape[1])
    categories = _categories(folder / CATEGORIES, train.shape[1])
    return MatrixData(
        train, left, tune if tune is not None and tune.nnz else None,
        latitude, longitude, categories, int(test.nnz - left.nnz),
    )  # fmt: skip


def _matrix(path: Path) -> Csr:
    if not path.is_file():
        raise InputError(f"{path} is not there.", mend=FORM)
    try:
        with path.open("rb") as file:
            read: Any = sp.load_npz(file)
        if hasattr(read, "check_format"):
            read.check_format(full_check=True)
        matrix: Csr = sp.csr_array(read)
    except (ValueError, KeyError, OSError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(
            f"{path} is no sparse matrix: {error}.", mend="Write it with scipy.sparse.save_npz."
        ) from error
    if matrix.dtype.kind not in "biuf" or not np.isfinite(matrix.data).all():
        raise InputError(f"{path} holds values that are no numbers.", mend="Write counts.")
    if (matrix.data < 0).any():
        raise InputError(f"{path} holds negative values.", mend="Values above zero count.")
    # Narrow integers would overflow where duplicates are summed.
    matrix = matrix.astype(np.float64)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.data = np.ceil(matrix.data)
    return matrix.astype(np.int64)


def _without(matrix: Csr, known: Csr) -> Csr:
    left: Csr = sp.csr_array(matrix - matrix.multiply(known > 0))
    left.eliminate_zeros()
    left.sort_indices()
    return left


def _shape(matrix: Csr) -> str:
    return f"{matrix.shape[0]:,} x {matrix.shape[1]:,}"


def _coordinates(path: Path, offers: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    latitude, longitude = np.full(offers, np.nan), np.full(offers, np.nan)
    if path.exists():
        rows = _table(path, {"item": pl.Int64, "lat": pl.Float64, "lon": pl.Float64}, offers)
        twice = rows.filter(pl.col("item").is_duplicated())["item"]
        if len(twice):
            raise InputError(f"{path} names item {twice[0]} twice.", mend="Keep one of them.")
        for name, limit in (("lat", 90), ("lon", 180)):
            wrong = rows.filter(~pl.col(name).is_between(-limit, limit))
            if len(wrong):
                item, value = wrong["item"][0], wrong[name][0]
                raise InputError(
                    f"{path}: item {item} has {name} {value}, not within {-limit} and {limit}.",
                    mend="Write degrees, latitude before longitude.",
                )
        item = rows["item"].to_numpy()
        latitude[item], longitude[item] = rows["lat"].to_numpy(), rows["lon"].to_numpy()
    return latitude, longitude


def _categories(path: Path, offers: int) -> pl.DataFrame:
    if not path.exists():
        return pl.DataFrame(schema={"item": pl.Int64, "category": pl.String})
    rows = _table(path, {"item": pl.Int64, "category": pl.String}, offers)
    return rows.unique().sort("item", "category")


def _table(path: Path, schema: dict[str, Any], offers: int) -> pl.DataFrame:
    """The columns of a gzipped CSV file, none of them empty, every item a column's number."""
    with path.open("rb") as file:
        if file.read(2) != b"\x1f\x8b":
            raise InputError(f"{path} is not gzipped.", mend="Pack it with gzip.")
    try:
        rows = pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        first = str(error).splitlines()[0]
        raise InputError(f"{path} is no CSV file: {first}.", mend="Write it anew.") from error
    missing = [name for name in schema if name not in rows.columns]
    if missing:
        raise InputError(
            f"{path} has no column {', '.join(missing)}.",
            mend=f"It has: {', '.join(rows.columns)}; it needs {', '.join(schema)}.",
        )
    typed = rows.select(
        pl.col(name).str.strip_chars().cast(kind, strict=False) for name, kind in schema.items()
    )
    for name in schema:
        wrong = typed[name].is_null()
        if typed[name].dtype.is_float():
            wrong |= ~typed[name].is_finite().fill_null(False)
        if wrong.any():
            at = int(wrong.arg_max() or 0)
            raise InputError(
                f"{path}, row {at + 2}: {name} is {rows[name][at]!r}.",
                mend="Fill every cell in; items are whole numbers from 0.",
            )
    strange = typed.filter(~pl.col("item").is_between(0, offers - 1))
    if len(strange):
        raise InputError(
            f"{path} names item {strange['item'][0]}, and {TRAIN} has columns 0 to {offers - 1}.",
            mend="An item is a column's number.",
        )
    return typed
