"""Marketplaces that several tests look at."""

import pytest

from synthetic.generate import Marketplace, build
from synthetic.spec import MarketplaceSpec

SMALL = MarketplaceSpec(
    buyers=300, offers=240, vendors=30, purchases=6_000, interactions=9_000, seed=11
)


@pytest.fixture(scope="session")
def small() -> Marketplace:
    return build(SMALL)


@pytest.fixture(scope="session")
def market() -> Marketplace:
    return build(MarketplaceSpec(purchases=50_000))
