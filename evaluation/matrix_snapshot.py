"""Interaction matrices as a graph snapshot, so that what serves is what is measured."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import polars as pl

from core.snapshot import SCHEMAS, GraphSnapshot
from evaluation.matrices import MatrixData
from scoring.baselines import Csr

# Matrices carry no times; one moment for all of them is no time that anything could learn from.
MOMENT = datetime(2000, 1, 1, tzinfo=UTC)


def snapshot_of(data: MatrixData) -> GraphSnapshot:
    """All that is known: train, with tune folded in.

    Row b of the buyers and row n of the offers are row b and column n of the matrices. A pair is
    one purchase, its value the quantity. Places and categories are the offers' own.
    """
    buyers, offers = data.shape
    known = data.known
    who, what = _ids("b", buyers), _ids("o", offers)
    purchases = pairs_of(known).with_columns(
        quantity=pl.Series(known.data.astype(np.int64)), at=pl.lit(MOMENT)
    )
    rows = data.categories.with_columns(offer=what.gather(data.categories["item"]))
    listed = rows.group_by("offer", maintain_order=True).agg(category_ids="category")
    places = pl.DataFrame(
        {"id": what, "latitude": data.latitude, "longitude": data.longitude}
    ).with_columns(pl.col("latitude", "longitude").fill_nan(None), status=pl.lit("ACTIVE"))
    names = rows["category"].unique().sort()
    return GraphSnapshot(
        graph_id="matrices",
        seq=0,
        taken_at=MOMENT,
        buyers=_table("buyers", pl.DataFrame({"id": who})),
        vendors=_table("vendors", pl.DataFrame()),
        categories=_table("categories", pl.DataFrame({"id": names, "name": names})),
        offers=_table(
            "offers",
            places.join(
                listed, left_on="id", right_on="offer", how="left", maintain_order="left"
            ).with_columns(pl.col("category_ids").fill_null([])),
        ),
        purchases=_table("purchases", purchases),
        interactions=_table("interactions", pl.DataFrame()),
        preferences=_table("preferences", pl.DataFrame()),
    )


def pairs_of(matrix: Csr) -> pl.DataFrame:
    """The pairs of a (buyers, offers) matrix as buyer_id and offer_id, row by row."""
    rows = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    return pl.DataFrame(
        {
            "buyer_id": _ids("b", matrix.shape[0]).gather(rows),
            "offer_id": _ids("o", matrix.shape[1]).gather(matrix.indices),
        }
    )


def _ids(letter: str, count: int) -> pl.Series:
    """Ids that sort as the rows do."""
    width = len(str(max(count - 1, 0)))
    return pl.Series([f"{letter}{row:0{width}d}" for row in range(count)], dtype=pl.String)


def _table(name: str, given: pl.DataFrame) -> pl.DataFrame:
    schema: dict[str, Any] = SCHEMAS[name]
    return pl.DataFrame(
        {
            column: given[column].cast(kind)
            if column in given.columns
            else pl.Series([None] * len(given), dtype=kind)
            for column, kind in schema.items()
        },
        schema=schema,
    )
