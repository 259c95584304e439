"""Folders of matrices: what is read of them, and what is refused and how it is said."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from core.errors import InputError
from evaluation.matrices import read_matrices
from evaluation.matrix_snapshot import pairs_of, snapshot_of
from evaluation.rankings import purchase_matrix
from scoring.corpus_building import build_corpus
from tests.evaluation.folders import save, write_features, write_gzipped, write_matrices


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_matrices(tmp_path / "data", buyers=30, offers=20)


def test_parts_are_disjoint_and_known_is_train_and_tune(tmp_path: Path) -> None:
    data = read_matrices(write_matrices(tmp_path, tune=True, buyers=30, offers=20))
    assert data.tune is not None
    assert data.known.nnz == data.train.nnz + data.tune.nnz
    assert (data.known > 0).multiply(data.test > 0).nnz == 0
    assert data.shape == (30, 20)
    assert not data.has_features


def test_values_above_zero_are_interactions_whatever_their_type(tmp_path: Path) -> None:
    counts = np.array([[3, 0, 1], [0, 100, 0]])
    save(tmp_path / "test.npz", [[0, 1, 0], [0, 0, 1]], np.int64)
    for kind in (np.int8, np.uint16, np.int64, np.float32, np.bool_):
        save(tmp_path / "train.npz", counts, kind)
        read = read_matrices(tmp_path).train
        assert np.array_equal(read.toarray() > 0, counts > 0)
        assert read.dtype == np.int64


def test_duplicates_are_summed_without_overflow_and_explicit_zeros_are_none(
    tmp_path: Path,
) -> None:
    values, columns = np.array([100, 100, 0], np.int8), np.array([1, 1, 2])
    matrix = sp.csr_matrix((values, columns, np.array([0, 3, 3])), shape=(2, 3))
    sp.save_npz(tmp_path / "train.npz", matrix)
    save(tmp_path / "test.npz", [[0, 0, 1], [1, 0, 0]])
    assert read_matrices(tmp_path).train.toarray().tolist() == [[0, 200, 0], [0, 0, 0]]


def test_a_test_pair_that_is_known_already_is_no_test(tmp_path: Path) -> None:
    save(tmp_path / "train.npz", [[1, 1, 0], [0, 0, 1]])
    save(tmp_path / "tune.npz", [[1, 0, 0], [1, 0, 0]])
    save(tmp_path / "test.npz", [[0, 1, 1], [1, 1, 0]])
    data = read_matrices(tmp_path)
    assert data.known_test_pairs == 2
    assert data.test.toarray().tolist() == [[0, 0, 1], [0, 1, 0]]
    assert data.tune is not None
    assert data.tune.toarray().tolist() == [[0, 0, 0], [1, 0, 0]]


def test_the_snapshot_says_what_the_matrices_say(folder: Path) -> None:
    write_features(folder, 20)
    write_gzipped(folder / "poi_coords.csv.gz", ["item,lat,lon", "3,48.5,-9.25"])
    write_gzipped(folder / "poi_categories.csv.gz", ["item,category", "3,b", "3,a", "3,b", "7,a"])
    data = read_matrices(folder)
    assert data.has_features
    corpus = build_corpus(snapshot_of(data))
    bought = purchase_matrix(corpus)
    assert np.array_equal(bought.toarray() > 0, data.known.toarray() > 0)
    assert corpus.offers.latitude[3] == 48.5
    assert corpus.offers.longitude[3] == -9.25
    assert np.isnan(np.delete(corpus.offers.latitude, 3)).all()
    assert corpus.categories.ids == ["a", "b"]
    assert corpus.offers.categories.row(3).tolist() == [0, 1]
    assert corpus.offers.categories.row(7).tolist() == [0]
    pairs = pairs_of(data.test)
    assert len(pairs) == data.test.nnz
    row, column = data.test.nonzero()
    assert pairs.row(0) == (f"b{row[0]:02d}", f"o{column[0]:02d}")


def no_folder(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def no_sparse_matrix(folder: Path) -> None:
    np.savez(folder / "train.npz", a=np.ones(3))


def cut_short(folder: Path) -> None:
    path = folder / "train.npz"
    path.write_bytes(path.read_bytes()[:200])


def columns_outside(folder: Path) -> None:
    matrix: Any = sp.load_npz(folder / "train.npz")
    matrix.indices[0] = 500
    sp.save_npz(folder / "train.npz", matrix)


def same_test_as_train(folder: Path) -> None:
    (folder / "test.npz").write_bytes((folder / "train.npz").read_bytes())


def coordinates(*rows: str, header: str = "item,lat,lon") -> Callable[[Path], None]:
    return lambda folder: write_gzipped(folder / "poi_coords.csv.gz", [header, *rows])


def categories(*rows: str, header: str = "item,category") -> Callable[[Path], None]:
    return lambda folder: write_gzipped(folder / "poi_categories.csv.gz", [header, *rows])


BROKEN: list[tuple[Callable[[Path], object], str]] = [
    (no_folder, "is no folder"),
    (lambda folder: (folder / "train.npz").unlink(), "train.npz is not there"),
    (lambda folder: (folder / "test.npz").unlink(), "test.npz is not there"),
    (no_sparse_matrix, "train.npz is no sparse matrix"),
    (cut_short, "train.npz is no sparse matrix"),
    (lambda folder: (folder / "tune.npz").write_text("item"), "tune.npz is no sparse matrix"),
    (columns_outside, "train.npz is no sparse matrix"),
    (lambda folder: save(folder / "test.npz", np.ones((29, 20))), "29 x 20 buyers x offers"),
    (lambda folder: save(folder / "tune.npz", np.ones((30, 21))), "30 x 21 buyers x offers"),
    (lambda folder: save(folder / "train.npz", -np.ones((30, 20))), "negative"),
    (
        lambda folder: save(folder / "test.npz", np.full((30, 20), np.nan), np.float64),
        "test.npz holds values that are no numbers",
    ),
    (lambda folder: save(folder / "train.npz", np.zeros((30, 20))), "holds no interactions"),
    (lambda folder: save(folder / "test.npz", np.zeros((30, 20))), "not known already"),
    (same_test_as_train, "not known already"),
    (coordinates("20,1,1"), "names item 20, and train.npz has columns 0 to 19"),
    (coordinates("-1,1,1"), "names item -1"),
    (coordinates("4,1,1", "4,1,1"), "names item 4 twice"),
    (coordinates("4,91,1"), "item 4 has lat 91.0"),
    (coordinates("4,1,-181"), "item 4 has lon -181.0"),
    (coordinates("3,1,1", "4,,1"), "row 3: lat is None"),
    (coordinates("4,north,1"), "row 2: lat is 'north'"),
    (coordinates("4,nan,1"), "row 2: lat is 'nan'"),
    (coordinates("4.5,1,1"), "row 2: item is '4.5'"),
    (coordinates("4,1", header="item,lat"), "has no column lon"),
    (
        lambda folder: (folder / "poi_coords.csv.gz").write_text("item,lat,lon\n"),
        "is not gzipped",
    ),
    (lambda folder: (folder / "poi_coords.csv.gz").write_bytes(b"\x1f\x8bxx"), "is no CSV file"),
    (categories("20,a"), "names item 20"),
    (categories("2,"), "row 2: category is None"),
    (categories("2", header="item"), "has no column category"),
]


@pytest.mark.parametrize(("spoil", "words"), BROKEN)
def test_what_is_missing_or_malformed_is_named(
    folder: Path, spoil: Callable[[Path], object], words: str
) -> None:
    read_matrices(folder)
    spoil(folder)
    with pytest.raises(InputError) as refused:
        read_matrices(folder)
    assert words in refused.value.message
    assert refused.value.mend
