"""What a sentence claims must hold: a price that is far away is not called fitting."""

from __future__ import annotations

import pytest

from core.entities import EvidenceKind
from matching import sentences


@pytest.mark.parametrize(
    ("ratio", "fits"), [(1.0, True), (1.5, True), (1.51, False), (26.0, False)]
)
def test_only_a_price_near_the_usual_one_is_said_to_fit(ratio: float, *, fits: bool) -> None:
    told = sentences.price("EUR 3.20", "EUR 84.49", ratio)
    assert ("fits what you usually choose" in told) == fits
    assert told.endswith("EUR 84.49." if not fits else "(about EUR 84.49).")


def test_a_purchase_and_the_price_itself_are_told_apart() -> None:
    of_itself = sentences.price("EUR 7.50", "EUR 6.00", 1.25)
    bought = EvidenceKind.PURCHASED
    near = sentences.price_like("EUR 7.50", "EUR 6.80", 1.1, "Honey", bought)
    far = sentences.price_like("EUR 7.50", "EUR 3.20", 2.34, "Honey", bought)
    assert len({of_itself, near, far}) == 3
    assert "close to that of Honey" in near
    assert "close" not in far
    assert all("Honey" in told and "which you bought" in told for told in (near, far))


def test_an_offer_is_not_likened_to_itself() -> None:
    assert sentences.again(EvidenceKind.PURCHASED) == "You bought it before."
    assert sentences.again(EvidenceKind.INQUIRED_ABOUT) == "You asked about it before."
    assert sentences.again(EvidenceKind.ADDED_TO_CART) == "You put it in your cart before."
