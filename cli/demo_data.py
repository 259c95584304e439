"""Which data a demo runs on, and how it knows them again."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InputError

if TYPE_CHECKING:
    from synthetic.spec import MarketplaceSpec

PURCHASES_PER_BUYER = 30


@dataclass(frozen=True, slots=True)
class DemoData:
    """A data set: ``folder`` holds its files, or None while they have yet to be made by ``spec``.

    ``fingerprint`` differs when the data do.
    """

    name: str
    fingerprint: str
    folder: Path | None = None
    spec: MarketplaceSpec | None = None


def generated_data(buyers: int) -> DemoData:
    """The made-up marketplace with so many buyers, and everything else in proportion."""
    from synthetic.spec import MarketplaceSpec

    usual = MarketplaceSpec()
    spec = MarketplaceSpec(
        buyers=buyers,
        offers=max(30, usual.offers * buyers // usual.buyers),
        vendors=max(3, usual.vendors * buyers // usual.buyers),
        purchases=PURCHASES_PER_BUYER * buyers,
        interactions=2 * PURCHASES_PER_BUYER * buyers,
    )
    text = json.dumps(asdict(spec), default=str, sort_keys=True)
    name = "marketplace" if buyers == usual.buyers else f"marketplace-{buyers}"
    return DemoData(name, _digest(text), spec=spec)


def data_of_folder(folder: Path) -> DemoData:
    """The data set in a folder of the user's.

    Raises:
        InputError: when the folder is empty.
    """
    files = sorted(path for path in folder.resolve().iterdir() if path.is_file())
    if not files:
        raise InputError(f"{folder} holds no files.", mend="Name a folder of data.")
    stats = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-") or "data"
    return DemoData(name, _digest(json.dumps(stats)), folder=folder)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
