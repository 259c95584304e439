"""The truth: how relevant every offer is to every buyer, whatever was bought."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.errors import DamagedError
from core.progress import SILENT, Progress
from synthetic.places import city_distances, same_country
from synthetic.spec import RELEVANT_FLOOR, RELEVANT_SHARE
from synthetic.trades import season_by_month
from synthetic.world import World

TRUTH_FILE = "truth.npz"
BLOCK = 256

TASTE_WEIGHT = 3.2
PRICE_WEIGHT = 0.55
NEAR_WEIGHT = 0.8
NEAR_KM = 250.0
COUNTRY_WEIGHT = 0.4
LOYALTY_WEIGHT = 1.1


@dataclass(frozen=True, slots=True)
class Truth:
    """What a model should find out.

    Args:
        buyer_ids: ids (B,).
        offer_ids: ids (N,).
        relevance: (B, N) float32 in [0, 1]; the buyer's best offer has 1. Season, stock and
            popularity are not in it.
        relevant: (B, N); at most RELEVANT_SHARE of a row is true.
        appeal: popularity of each offer whatever the buyer (N,), summing to 1.
        season: demand factor (12, N) of each offer by month from January, mean 1.
    """

    buyer_ids: npt.NDArray[np.str_]
    offer_ids: npt.NDArray[np.str_]
    relevance: npt.NDArray[np.float32]
    relevant: npt.NDArray[np.bool_]
    appeal: npt.NDArray[np.float32]
    season: npt.NDArray[np.float32]

    def purchase_odds(self, months: npt.ArrayLike) -> npt.NDArray[np.float32]:
        """The oracle (B, N): relevance times appeal times the mean season of ``months`` (0-11).

        Rows are proportional to the chance that a purchase in those months is of that offer,
        before noise, reordering and stock.
        """
        season = self.season[np.asarray(months, dtype=np.int64)].reshape(-1, self.season.shape[1])
        return np.asarray(self.relevance * (self.appeal * season.mean(axis=0)), dtype=np.float32)


def relevance_of(world: World, progress: Progress = SILENT) -> npt.NDArray[np.float32]:
    """Relevance (B, N) float32 in [0, 1] from need, taste, price, place and habit.

    The logarithm is a sum of one term each; a row is divided by its maximum.
    """
    buyers, offers = world.buyers, world.catalogue
    near = NEAR_WEIGHT * np.exp(-city_distances() / NEAR_KM) + COUNTRY_WEIGHT * same_country()
    result = np.empty((buyers.trade.size, offers.category.size), dtype=np.float32)
    vendors = world.vendors.city.size
    with progress.task("Relevance", result.shape[0]) as task:
        for first in range(0, result.shape[0], BLOCK):
            rows = slice(first, min(first + BLOCK, result.shape[0]))
            score = np.log(buyers.need[rows] + 1e-3)[:, offers.category]
            # einsum without BLAS: the sum's order, so its last bit, is the same on any number
            # of threads.
            taste = np.einsum("bd,nd->bn", buyers.taste[rows], offers.character, optimize=False)
            score += TASTE_WEIGHT * taste
            score -= PRICE_WEIGHT * (offers.price_level - buyers.tier[rows, None]) ** 2
            score += near[buyers.city[rows]][:, offers.city]
            habit = np.zeros((score.shape[0], vendors))
            np.put_along_axis(habit, buyers.favoured[rows], LOYALTY_WEIGHT, axis=1)
            score += habit[:, offers.vendor]
            result[rows] = np.exp(score - score.max(axis=1, keepdims=True))
            task.advance(score.shape[0])
    return result


def relevant_of(relevance: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_]:
    """The most relevant offers of each row (B, N), at most RELEVANT_SHARE of them."""
    most = max(1, int(relevance.shape[1] * RELEVANT_SHARE))
    result = np.zeros(relevance.shape, dtype=np.bool_)
    for first in range(0, relevance.shape[0], BLOCK):
        block = relevance[first : first + BLOCK]
        best = np.argsort(-block, axis=1, kind="stable")[:, :most]
        np.put_along_axis(result[first : first + BLOCK], best, True, axis=1)
    result &= relevance >= RELEVANT_FLOOR
    return result


def offer_season(world: World) -> npt.NDArray[np.float64]:
    """The season (12, N) of each offer: its sub-category's."""
    return season_by_month()[:, world.catalogue.category]


def save_truth(path: Path, truth: Truth) -> None:
    """Write the truth as an .npz file; the same truth gives the same bytes."""
    np.savez(
        path,
        buyer_ids=truth.buyer_ids,
        offer_ids=truth.offer_ids,
        relevance=truth.relevance,
        relevant=truth.relevant,
        appeal=truth.appeal,
        season=truth.season,
    )


def load_truth(path: Path) -> Truth:
    """Read a truth file (or the folder it lies in).

    Raises:
        DamagedError: when the file is no truth file.
    """
    file = path / TRUTH_FILE if path.is_dir() else path
    try:
        # Opened here because numpy leaves a damaged file open.
        with file.open("rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            return Truth(**{name: arrays[name] for name in Truth.__slots__})
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DamagedError(
            f"{file} is no truth file: {error}.", mend="Generate the marketplace again."
        ) from error
