"""Bounds on the form of a document, checked before it is priced and validated.

They keep the work of validation itself small: some of its rules compare every pair of fields.
"""

from __future__ import annotations

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
)

from api.errors import CostError

MAX_TOKENS = 4_000
MAX_SPREADS = 60
MAX_DIRECTIVES = 60
MAX_ROOT_FIELDS = 30
MAX_REPEATS = 20
"""How often one response name may stand in one selection set: validation compares each pair."""


def check_shape(document: DocumentNode) -> None:
    """Bound what validation looks at, by one walk over the nodes of the document.

    Raises:
        CostError: naming the bound that is exceeded.
    """
    spreads = directives = 0
    pending: list[SelectionSetNode] = []
    for definition in document.definitions:
        if isinstance(definition, OperationDefinitionNode | FragmentDefinitionNode):
            pending.append(definition.selection_set)
            directives += len(definition.directives or ())
            root = len(definition.selection_set.selections)
            if isinstance(definition, OperationDefinitionNode) and root > MAX_ROOT_FIELDS:
                raise CostError(f"The operation has {root} root fields; {MAX_ROOT_FIELDS} at most.")
    while pending:
        names: dict[str, int] = {}
        for selection in pending.pop().selections:
            directives += len(selection.directives or ())
            if isinstance(selection, FragmentSpreadNode):
                spreads += 1
                continue
            if isinstance(selection, FieldNode):
                name = (selection.alias or selection.name).value
                names[name] = names.get(name, 0) + 1
            inner = getattr(selection, "selection_set", None)
            if inner is not None:
                pending.append(inner)
                spreads += isinstance(selection, InlineFragmentNode)
        most = max(names.values(), default=0)
        if most > MAX_REPEATS:
            raise CostError(f"A field is repeated {most} times; {MAX_REPEATS} are the most.")
    for what, amount, limit in (
        ("fragment spreads", spreads, MAX_SPREADS),
        ("directives", directives, MAX_DIRECTIVES),
    ):
        if amount > limit:
            raise CostError(f"The document has {amount} {what}; {limit} are the most.")
