"""Explanations: why a pair matches, as paths that exist in the graph."""

from __future__ import annotations

import strawberry

from api.ids import Label, global_id
from api.types.enums import ExplanationKind, PathKind
from matching import answers

_LABELS = {
    PathKind.BUYER: Label.BUYER,
    PathKind.OFFER: Label.OFFER,
    PathKind.VENDOR: Label.VENDOR,
    PathKind.CATEGORY: Label.CATEGORY,
}


@strawberry.type(description="One element of a path that exists in the graph.")
class PathElement:
    """A node, a relationship, or an attribute."""

    kind: PathKind = strawberry.field(description="What it is.")
    id: strawberry.ID | None = strawberry.field(
        description="Global id of a node; null for BUYERS, relationships and attributes."
    )
    label: str | None = strawberry.field(description="A title or name for people.")
    count: int | None = strawberry.field(
        description="How many buyers or relationships it stands for."
    )

    @classmethod
    def from_domain(cls, element: answers.PathElement) -> PathElement:
        """Translate the element."""
        label = _LABELS.get(element.kind)
        node = global_id(label, element.id) if label and element.id is not None else None
        return cls(
            kind=element.kind,
            id=strawberry.ID(node) if node else None,
            label=element.label,
            count=element.count,
        )


@strawberry.type(description="One piece of evidence, and what goes away without it.")
class Explanation:
    """Why a pair scores as it does."""

    kind: ExplanationKind = strawberry.field(description="What carries most of it.")
    summary: str = strawberry.field(description="One sentence for people; names no other buyer.")
    contribution: float = strawberry.field(
        description="1 - score without the evidence / score; below 0 when it holds the score down."
    )
    path: list[PathElement] = strawberry.field(description="From the buyer to the offer.")

    @classmethod
    def from_domain(cls, explanation: answers.Explanation) -> Explanation:
        """Translate the explanation."""
        return cls(
            kind=explanation.kind,
            summary=explanation.summary,
            contribution=explanation.contribution,
            path=[PathElement.from_domain(element) for element in explanation.path],
        )
