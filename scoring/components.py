"""The components of a pair: what a score is made from, by name, number and group.

A group is what people are told: peers, likeness, a category. The components of one group tell the
same thing at different scales, so that a learned combination can bend it.
"""

from __future__ import annotations

import numpy as np

COMPONENTS = (
    "walk",
    "links",
    "slim",
    "slim_root",
    "slim_log",
    "slim_squares",
    "low_rank",
    "low_rank_log",
    "cosine",
    "category",
    "preference",
    "vendor",
    "price",
    "place",
    "near_quarter",
    "near_1",
    "near_5",
    "near_25",
    "near_125",
    "density_quarter",
    "density_1",
    "density_5",
    "density_25",
    "density_125",
    "local_popularity",
    "popularity",
    "kind_popularity",
    "trend",
    "again",
    "repeat_rate",
    "evidence",
    "reach",
    "interest",
    "interest_lately",
    "context",
)
(
    WALK,
    LINKS,
    SLIM,
    SLIM_ROOT,
    SLIM_LOG,
    SLIM_SQUARES,
    LOW_RANK,
    LOW_RANK_LOG,
    COSINE,
    CATEGORY,
    PREFERENCE,
    VENDOR,
    PRICE,
    PLACE,
    NEAR_QUARTER,
    NEAR_1,
    NEAR_5,
    NEAR_25,
    NEAR_125,
    DENSITY_QUARTER,
    DENSITY_1,
    DENSITY_5,
    DENSITY_25,
    DENSITY_125,
    LOCAL_POPULARITY,
    POPULARITY,
    KIND_POPULARITY,
    TREND,
    AGAIN,
    REPEAT_RATE,
    EVIDENCE,
    REACH,
    INTEREST,
    INTEREST_LATELY,
    CONTEXT,
) = range(len(COMPONENTS))

# What is fitted of a combination is of the components before it.
assert len(COMPONENTS) - 1 == CONTEXT
# By component, the one that stands for its group.
GROUP = np.arange(len(COMPONENTS))
GROUP[[LINKS, SLIM, SLIM_ROOT, SLIM_LOG, SLIM_SQUARES, LOW_RANK, LOW_RANK_LOG]] = WALK
GROUP[NEAR_QUARTER : DENSITY_125 + 1] = PLACE
GROUP[TREND] = POPULARITY
GROUP[REPEAT_RATE] = AGAIN
GROUP[INTEREST_LATELY] = INTEREST
# These are the same for every offer of a buyer: they bend the others, and say how much it takes at
# all.
PER_BUYER = (EVIDENCE, REACH)

# What hangs on where an offer lies.
OF_PLACE = (PLACE, *range(NEAR_QUARTER, DENSITY_125 + 1))
# Kilometres of the grids whose cells say what lies near what: a corner, a street, a town, a region,
# a land.
GRID_KM = (0.25, 1.0, 5.0, 25.0, 125.0)
