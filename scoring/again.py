"""The very offer: a buyer's purchases of it and interest in it; what sells lately, or again.

A purchase fades by half in every half-life; what is left of a buyer's purchases of an offer is
their number, faded. Interest is all that a buyer did with an offer short of buying it. It counts
twice, faded and as it is: most of it leads to a purchase within days or never, and the rest still
tells a taste. An offer's trend says how many times more of the purchases it has lately than ever.
All half-lives are estimated on a validation slice (gnn.again_tuning), never set by hand: what is
bought in a season fades within days, what a wholesaler keeps in stock within a year. An offer's
repeat rate says how many times likelier than usual its buyers buy it again: of what a buyer has
bought, coffee comes back and a coffee machine does not.

Sources: counts that fade with time are the personal part of TIFU-KNN (Hu et al., 2020,
doi:10.1145/3397271.3401066); popularity among recent purchases, of Ji et al. (2020,
doi:10.1145/3397271.3401233); the repeat rate is the repeat customer probability of Bhagat et al.
(2018, doi:10.1145/3219819.3219891).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from scoring.corpus import PURCHASED, BuyerColumns, Corpus
from scoring.states import WEIGHT_OF_KIND

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

DAY = 86_400_000_000.0
LOG_2 = np.log(2.0)
# The part of a purchase that begins to count; what is fitted makes up for other choices.
LEAST = 0.1
# What a piece of evidence says of its own offer: of buying it again, of interest in it, and of
# interest lately.
BOUGHT, INTERESTED, LATELY = range(3)
OWNS = 3
# How many purchases that are as many as ever are added to what an offer sold lately.
PRIOR_PURCHASES = 1.0
# How many buyers that buy again as often as usual are added to those of an offer.
PRIOR_BUYERS = 3.0
LIFT_LIMIT = 3.0


@dataclass(frozen=True, slots=True)
class Fading:
    """Half-lives in days; None: never fades.

    Of a buyer's own purchases, of an offer's sales, of a buyer's interest in an offer.
    """

    own_days: float | None = None
    sales_days: float | None = None
    interest_days: float | None = None


NEVER = Fading()


@njit(cache=True, nogil=True)
def faded_count(count: int, first_at: int, last_at: int, now: int, half_life: float) -> float:
    """What is left now of ``count`` purchases from ``first_at`` to ``last_at``, in (0, count].

    Times in microseconds; those after ``now`` count as now. The purchases between the first and
    the last are taken as evenly spaced, which is exact for one and two. ``half_life`` in days, inf
    for none. Time that passes fades everything alike: the order of a buyer's offers stays.
    """
    if np.isinf(half_life):
        return float(count)
    age = max(0.0, (now - last_at) / DAY)
    left = 0.5 ** (age / half_life)
    oldest = max(age, (now - first_at) / DAY)
    if count == 1 or oldest == age:
        return float(count * left)
    step = -LOG_2 * (oldest - age) / (count - 1) / half_life
    return float(left * np.expm1(count * step) / np.expm1(step))


@njit(cache=True, nogil=True)
def faded_counts(
    counts: NDArray[np.int32], first_at: Times, last_at: Times, now: int, half_life: float
) -> Floats:
    """``faded_count`` of each of E pieces (E,)."""
    left = np.empty(len(counts), dtype=np.float64)
    for e in range(len(counts)):
        left[e] = faded_count(counts[e], first_at[e], last_at[e], now, half_life)
    return left


def own_of(
    kinds: NDArray[np.int8],
    counts: NDArray[np.int32],
    first_at: Times,
    last_at: Times,
    now: int,
    fading: Fading,
) -> Floats:
    """What each piece of evidence (E,) says of its own offer: (E, OWNS), 0 or above.

    BOUGHT is the component ``again``, log(1 + faded count / LEAST) of purchases. INTERESTED and
    LATELY are of what is no purchase the number times the kind's weight, as it is and faded; those
    of an offer's pieces are added up. A piece's numbers read nothing but the piece, so that taking
    the piece away takes it away whole.
    """
    own: Floats = _own_of(
        kinds, counts, first_at, last_at, now, WEIGHT_OF_KIND, _or_never(fading.own_days),
        _or_never(fading.interest_days),
    )  # fmt: skip
    return own


@njit(cache=True, nogil=True)
def _own_of(
    kinds: NDArray[np.int8],
    counts: NDArray[np.int32],
    first_at: Times,
    last_at: Times,
    now: int,
    weights: Floats,
    own_half_life: float,
    interest_half_life: float,
) -> Floats:
    # One piece at a time: a vectorised logarithm may round otherwise in another place of an array.
    own = np.zeros((len(kinds), OWNS), dtype=np.float64)
    for e in range(len(kinds)):
        if kinds[e] == PURCHASED:
            left = faded_count(counts[e], first_at[e], last_at[e], now, own_half_life)
            own[e, BOUGHT] = np.log1p(left / LEAST)
        else:
            weight = weights[kinds[e]]
            left = faded_count(counts[e], first_at[e], last_at[e], now, interest_half_life)
            own[e, INTERESTED] = weight * counts[e]
            own[e, LATELY] = weight * left
    return own


def trend_of(buyers: BuyerColumns, offers: int, now: int, fading: Fading) -> Floats:
    """The log lift (offers,) in [-3, 3] of what each offer sold lately over what it usually does.

    Usually: its share of all pairs of buyer and offer, of all that is sold lately. 0 for what was
    never bought, and everywhere without a half-life; shrunk towards 0 by PRIOR_PURCHASES.
    """
    bought = buyers.evidence_kind == PURCHASED
    if fading.sales_days is None or not bought.any():
        return np.zeros(offers)
    left = faded_counts(
        buyers.count[bought], buyers.first_at[bought], buyers.last_at[bought], now,
        fading.sales_days,
    )  # fmt: skip
    recent = np.bincount(buyers.offer[bought], weights=left, minlength=offers)
    general = np.bincount(buyers.offer[bought], minlength=offers) / max(int(bought.sum()), 1)
    usual = general * recent.sum()
    lift = np.log((recent + PRIOR_PURCHASES) / (usual + PRIOR_PURCHASES))
    lifts: Floats = np.clip(lift, -LIFT_LIMIT, LIFT_LIMIT)
    return lifts


def repeat_rate_of(buyers: BuyerColumns, offers: int) -> Floats:
    """The log lift (offers,) in [-3, 3] of the share of each offer's buyers who bought it again.

    Again: at another time than first. 0 for what was never bought, and everywhere where nothing is
    bought again; shrunk towards 0 by PRIOR_BUYERS.
    """
    bought = buyers.evidence_kind == PURCHASED
    again = bought & (buyers.last_at > buyers.first_at)
    if not again.any():
        return np.zeros(offers)
    usual = again.sum() / bought.sum()
    of_buyers = np.bincount(buyers.offer[bought], minlength=offers)
    of_repeaters = np.bincount(buyers.offer[again], minlength=offers)
    rate = (of_repeaters + PRIOR_BUYERS * usual) / (of_buyers + PRIOR_BUYERS)
    lifts: Floats = np.clip(np.log(rate / usual), -LIFT_LIMIT, LIFT_LIMIT)
    return lifts


def latest(corpus: Corpus) -> int:
    """The time that purchases have faded by: of the latest one before the snapshot, microseconds.

    Data that ends years before the snapshot was taken is read as of its end.
    """
    b = corpus.buyers
    known = b.last_at[(b.evidence_kind == PURCHASED) & (b.last_at <= corpus.taken_at)]
    return int(known.max()) if len(known) else corpus.taken_at


def _or_never(days: float | None) -> float:
    return np.inf if days is None else days
