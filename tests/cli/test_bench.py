from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.cli.conftest import Command
from tests.evaluation.folders import save, write_features, write_matrices

QUICK = ("--epochs", 2, "--dimension", 8, "--threads", 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_matrices(tmp_path / "data", buyers=60, offers=50)


def test_it_prints_a_table_and_writes_the_json(
    offerpath: Command, folder: Path, tmp_path: Path
) -> None:
    file = tmp_path / "figures.json"
    answer = offerpath("bench", "quality", "--data", folder, *QUICK, "--json", file)
    assert answer.code == 0
    figures = json.loads(file.read_text())
    assert set(figures) == {"data", "models", "cold", "settings"}
    row = next(line for line in answer.out.splitlines() if line.startswith("Popularity"))
    assert f"{figures['models']['popularity']['recall@20']:.4f}" in row
    assert all(len(line) <= 80 for line in answer.out.splitlines() if line.startswith("EASE"))
    assert "it is what is served as Offerpath" in " ".join(answer.out.split())
    assert "Tuning ease" in answer.err
    assert not (tmp_path / "home" / "models").exists()


def test_without_a_file_the_json_follows_the_table_and_a_dash_leaves_it_alone(
    offerpath: Command, tmp_path: Path
) -> None:
    folder = write_matrices(tmp_path / "data", buyers=120, offers=90)
    write_features(folder, 90)
    answer = offerpath("bench", "quality", "--data", folder, *QUICK)
    assert answer.code == 0
    table, brace, rest = answer.out.partition("\n{")
    assert "Cold offers" in table
    figures = json.loads(brace + rest)
    assert figures["cold"]["offers"] == 9
    again = offerpath("bench", "quality", "--data", folder, *QUICK, "--no-cold", "--json", "-")
    assert again.json["cold"] == {"skipped": "left out (--no-cold)"}
    for name, row in again.json["models"].items():
        assert row["recall@20"] == figures["models"][name]["recall@20"]


def test_ease_says_why_it_was_left_out(offerpath: Command, tmp_path: Path) -> None:
    folder = write_matrices(tmp_path / "data", buyers=40, offers=600)
    limit = ("--ease-memory", 1, "--no-cold")
    answer = offerpath("bench", "quality", "--data", folder, *QUICK, *limit)
    assert answer.code == 0
    assert any(line.split() == ["EASE", "skipped:", "memory"] for line in answer.out.splitlines())


def test_pairs_that_are_known_already_are_told_of(
    offerpath: Command, tmp_path: Path, folder: Path
) -> None:
    train = np.zeros((60, 50), dtype=bool)
    train[np.arange(60), np.arange(60) % 50] = True
    save(folder / "train.npz", train | (np.arange(50) % 7 == np.arange(60)[:, None] % 7))
    save(folder / "test.npz", train | (np.arange(50) % 5 == np.arange(60)[:, None] % 5))
    answer = offerpath("bench", "quality", "--data", folder, *QUICK, "--json", "-")
    assert "are in train or tune as well" in answer.err
    assert answer.json["settings"]["test_pairs_known_already"] > 60


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "Name one thing to measure on"),
        (("--data", "x", "--purchases", "y"), "Name one thing to measure on"),
        (("--data", "x"), "x is no folder"),
        (("--data", "x", "--mapping", "online-retail"), "A mapping is of purchases"),
        (("--data", ".", "--json", "no/where.json"), "no/where.json is no place for a file"),
        (("--data", ".", "--json", "."), "is no place for a file"),
        (("--purchases", "nothing.csv"), "nothing.csv is not there"),
    ],
)
def test_what_cannot_be_measured_is_bad_input(
    offerpath: Command, words: tuple[str, ...], said: str
) -> None:
    answer = offerpath("bench", "quality", *words)
    assert answer.code == 2
    assert said in answer.err
    assert "Mend:" in answer.err
    assert answer.out == ""


def test_without_torch_it_says_how_to_get_it(
    offerpath: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "torch" else there(name)
    )
    answer = offerpath("bench", "quality", "--data", folder)
    assert answer.code == 1
    assert "torch is not installed" in answer.err


def test_a_lone_file_of_purchases_needs_no_mapping(
    offerpath: Command, marketplace: Path, tmp_path: Path
) -> None:
    lone = tmp_path / "lone" / "sales.csv"
    lone.parent.mkdir()
    columns = ["buyer_id", "offer_id", "at", "order_id", "quantity"]
    bought = pl.read_parquet(marketplace / "purchases.parquet").select(columns)
    bought.with_columns(pl.col("at").dt.to_string("iso:strict")).write_csv(lone)
    answer = offerpath("bench", "quality", "--purchases", lone, *QUICK)
    assert answer.code == 0
    table, brace, rest = answer.out.partition("\n{")
    figures = json.loads(brace + rest)
    assert figures["data"]["train"] + 120 == pytest.approx(len(bought), abs=12)
    assert figures["data"]["offers"] == bought["offer_id"].n_unique()
    for title in ("New to buyer", "Bought again", "Next basket", "New buyers", "New offers"):
        assert any(line.startswith(title) for line in table.splitlines()), title
    assert "Most frequent, most recent" in table


def test_a_folder_brings_its_offers_and_leaves_the_graph_alone(
    offerpath: Command, marketplace: Path, tmp_path: Path
) -> None:
    answer = offerpath("bench", "quality", "--purchases", marketplace, *QUICK, "--json", "-")
    assert answer.code == 0
    offers = pl.read_parquet(marketplace / "offers.parquet")
    assert answer.json["data"]["offers"] == len(offers)
    made = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert made == []


def test_purchases_that_no_mapping_fits_are_bad_input(offerpath: Command, tmp_path: Path) -> None:
    file = tmp_path / "strange.csv"
    file.write_text("who,what\na,b\n")
    answer = offerpath("bench", "quality", "--purchases", file)
    assert answer.code == 2
    assert "No mapping fits" in answer.err
