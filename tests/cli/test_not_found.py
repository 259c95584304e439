"""Asking for what is not there: said, with exit code 2, instead of an empty answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from tests.cli.conftest import Command


def test_what_is_not_there_is_said(
    offerpath: Command, filled_home: Path, marketplace: Path, tmp_path: Path
) -> None:
    shutil.copytree(filled_home, tmp_path / "home")
    buyer = pl.read_parquet(marketplace / "buyers.parquet")["id"][0]
    pair = offerpath("explain", buyer, "nope")
    assert pair.code == 2
    assert "There is no offer nope" in pair.err
    assert not pair.out
    for kind in ("category", "vendor"):
        answer = offerpath("match", buyer, f"--{kind}", "nope")
        assert answer.code == 2
        assert f"There is no {kind} nope." in answer.err
