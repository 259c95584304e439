"""The trained model as a folder: numpy arrays and a manifest, published whole.

What gnn fits and the server reads. Layout: ``arrays.npz`` with the arrays below and those of the
offer encoder (prefix ``encoder_``), ``offers.json`` with the offers' ids in row order, and the
manifest with settings, metrics, the data's fingerprint and checksums.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import DamagedError
from core.published import current_folder, publish_folder, read_manifest

FORMAT = 4
SLIM_ARRAYS = ("slim_ptr", "slim_offer", "slim_weight")
LOW_RANK_ARRAYS = ("low_rank", "low_rank_in", "low_rank_out")
TOWER_SHAPES: dict[str, str] = {
    "offer_z": "Nd",
    "offer_p1": "Nd",
    "offer_p2": "Nd",
    "offer_gain": "N",
    "low_rank": "Nr",
    "low_rank_in": "N",
    "low_rank_out": "N",
    "kind_h0": "Kd",
    "country_h0": "Cd",
    "a1": "dd",
    "a2": "dd",
    "c1": "d",
    "c2": "d",
    "layer_weights": "L",
}


@dataclass(frozen=True)
class Model:
    """A trained model.

    ``arrays`` holds those of TOWER_SHAPES (N offers, d dimensions, rank r, K kinds + 1, C countries
    + 1, L = 3; float32), the encoder's, and the learned links between offers
    (scoring.rows.OfferRows) as SLIM_ARRAYS; ``manifest`` holds ``version``, ``kinds``,
    ``countries``, ``activation``, ``blend`` (see Blend.as_mapping), ``walk`` (its exponents),
    ``slim``, ``low_rank``, ``metrics``, ``served``, ``settings`` and ``data``.
    """

    version: str
    offer_ids: list[str]
    arrays: dict[str, NDArray[Any]]
    manifest: dict[str, Any]


def publish_model(root: Path, model: Model) -> Path:
    """Publish the model under ``root`` and make it the current one; readers never see half."""
    _check_shapes(model, root)

    def write(folder: Path) -> dict[str, Any]:
        np.savez(folder / "arrays.npz", **model.arrays)  # type: ignore[arg-type]  # names are ours
        (folder / "offers.json").write_text(json.dumps(model.offer_ids), encoding="utf-8")
        return {**model.manifest, "format": FORMAT, "version": model.version}

    return publish_folder(root, model.version, write, keep=5)


def load_model(root: Path) -> Model | None:
    """The current model under ``root``, verified; None when none was published.

    Raises:
        DamagedError: when files are missing, altered or do not fit together.
    """
    folder = current_folder(root)
    return None if folder is None else load_model_folder(folder)


def load_model_folder(folder: Path) -> Model:
    """The model in one published folder, verified."""
    manifest = read_manifest(folder)
    if manifest.get("format") != FORMAT:
        raise DamagedError(
            f"{folder} has model format {manifest.get('format')}, not {FORMAT}.",
            mend="Train again: offerpath train.",
        )
    with np.load(folder / "arrays.npz", allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in stored.files}
    offer_ids = json.loads((folder / "offers.json").read_text(encoding="utf-8"))
    model = Model(str(manifest["version"]), offer_ids, arrays, manifest)
    _check_shapes(model, folder)
    return model


def _check_shapes(model: Model, folder: Path) -> None:
    _check_slim(model, folder)
    sizes = {"N": len(model.offer_ids), "L": 3}
    for name, shape in TOWER_SHAPES.items():
        array = model.arrays.get(name)
        if array is None:
            raise DamagedError(f"{folder} lacks the array {name}.", mend="Train again.")
        fits = array.ndim == len(shape) and all(
            sizes.setdefault(axis, size) == size
            for axis, size in zip(shape, array.shape, strict=True)
        )
        if not fits or not np.isfinite(array).all():
            raise DamagedError(
                f"{folder}: {name} has shape {array.shape} or values that are not numbers.",
                mend="Train again.",
            )


def _check_slim(model: Model, folder: Path) -> None:
    parts = [model.arrays.get(name) for name in SLIM_ARRAYS]
    ptr, offer, weight = parts
    if ptr is None or offer is None or weight is None:
        raise DamagedError(f"{folder} lacks the links between offers.", mend="Train again.")
    count = len(model.offer_ids)
    fits = len(ptr) == count + 1 and ptr[0] == 0 and ptr[-1] == len(offer) == len(weight)
    if not fits or (np.diff(ptr) < 0).any() or ((offer < 0) | (offer >= count)).any():
        raise DamagedError(f"{folder}: the links between offers do not fit.", mend="Train again.")
