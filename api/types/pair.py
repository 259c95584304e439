"""PairExplanation: why a buyer and an offer match, or why not."""

from __future__ import annotations

import strawberry

from api.scalars import BigInt
from api.types.enums import Stage
from api.types.explanation import Explanation
from matching import answers


@strawberry.type(description="Why a buyer and an offer match, or why not.")
class PairExplanation:
    """The answer of ``explain``."""

    score: float | None = strawberry.field(
        description="Of the pair; null when either is not there."
    )
    rank: int | None = strawberry.field(
        description="Among all offers by score alone, without any filter; from 1."
    )
    position: int | None = strawberry.field(
        description="In the ranking that the arguments ask for; null when not in its first places."
    )
    stage: Stage = strawberry.field(description="What dropped it; NONE when it matches.")
    condition: str | None = strawberry.field(
        description="The filter's or cap's field when the stage is FILTER or CAPPED."
    )
    needed_score: float | None = strawberry.field(
        description="What the ranking's last place scores, when the stage is OUTSIDE_TOP."
    )
    what_would_change: str | None = strawberry.field(
        description="One sentence: what would have to be different; null when it matches."
    )
    explanations: list[Explanation] = strawberry.field(
        description="Why it scores as it does; there also when it was dropped."
    )
    model_version: str = strawberry.field(description='What scored it; "walk" without a model.')
    seq: BigInt = strawberry.field(description="How far the answer knows the event log.")

    @classmethod
    def from_domain(cls, pair: answers.PairExplanation) -> PairExplanation:
        """Translate the answer."""
        return cls(
            score=pair.score,
            rank=pair.rank,
            position=pair.position,
            stage=pair.stage,
            condition=pair.condition,
            needed_score=pair.needed_score,
            what_would_change=pair.what_would_change,
            explanations=[Explanation.from_domain(one) for one in pair.explanations],
            model_version=pair.model_version,
            seq=BigInt(pair.seq),
        )
