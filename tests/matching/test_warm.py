"""Set-up compiles what requests use, for the types that requests use."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from matching.diversity import diversified
from matching.explanations import explain_offers
from matching.paths import count_common
from matching.ranking import rank_offer_rows
from matching.requests import OfferMatchRequest
from matching.state import build_state
from matching.warm import compile_kernels
from tests.matching.markets import varied_snapshot


def test_requests_compile_nothing_after_set_up() -> None:
    compile_kernels()
    compiled = [len(kernel.signatures) for kernel in (diversified, count_common)]
    state = build_state(varied_snapshot(), None)
    buyer = state.buyer_state("b004")
    assert buyer is not None
    now = datetime(2026, 1, 1, tzinfo=UTC)
    ranked = rank_offer_rows(state, buyer, OfferMatchRequest(diversity=1), now)
    explain_offers(state, "b004", buyer, np.array(ranked.rows[:20], np.int32), 3)
    assert [len(kernel.signatures) for kernel in (diversified, count_common)] == compiled
