"""What one operation may cost, computed from its document and variables before it runs.

Every field costs one; a list multiplies what is asked of its items. A fragment is priced once and
its price used wherever it is spread, so that pricing takes time in the length of the document and
never in what the document would expand to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLArgument,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    OperationDefinitionNode,
    OperationType,
    SchemaMetaFieldDef,
    SelectionSetNode,
    TypeMetaFieldDef,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_list_type,
)

from api.document_shape import check_shape
from api.errors import CostError

MAX_COST = 50_000
MAX_DEPTH = 16
MAX_ALIASES = 50

_PAGE = 20
_UNSIZED_LIST = 8
_INTROSPECTION = {"__schema": SchemaMetaFieldDef, "__type": TypeMetaFieldDef}
_SIZED_BY_PARENT = frozenset({"edges", "nodes"})

BASE_COST: dict[str, int] = {
    "Buyer.matches": 100,
    "Offer.matches": 100,
    "Offer.similarOffers": 50,
    "Query.explain": 200,
    "Query.matchEvents": 100,
    "Match.explanations": 5,
    "Subscription.matchEvents": 100,
}
"""What a field costs apart from the objects it returns: rankings and explanations are computed."""

MUTATION_COST = 200

ONE_PARENT = frozenset(
    {
        "Buyer.purchases",
        "Vendor.offers",
        "Category.offers",
        "Webhook.deliveries",
        "Webhook.deadLetters",
    }
)
"""Fields that read the graph once per parent. They are refused below a list, so that the number of
reads never grows with the length of one."""


STREAMS = frozenset({"Subscription.matchEvents"})
"""Fields whose selection is resolved again and again: priced as a page, and as lists otherwise."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a selection costs.

    Attributes:
        cost: fields resolved at most.
        depth: levels.
        aliases: in the selection with its fragments expanded.
        one_parent: a field of ONE_PARENT in it that is not below a list within it.
        refused: a field of ONE_PARENT in it that is below a list.
    """

    cost: int = 0
    depth: int = 0
    aliases: int = 0
    one_parent: str | None = None
    refused: str | None = None


def check_document(
    schema: GraphQLSchema,
    document: DocumentNode,
    variables: Mapping[str, Any] | None,
    operation_name: str | None,
) -> Price:
    """Price one operation of a parsed document; the price when it may run.

    Raises:
        CostError: naming the limit that the operation exceeds.
    """
    check_shape(document)
    pricer = _Pricer(schema, document, variables or {})
    price = Price()
    for definition in document.definitions:
        if not isinstance(definition, OperationDefinitionNode):
            continue
        name = definition.name.value if definition.name else None
        if operation_name is None or name == operation_name:
            price = _dearer(price, pricer.operation(definition))
    if price.refused is not None:
        raise CostError(
            f"{price.refused} is read for one parent at a time and cannot stand below a list.",
            mend="Ask for it below a single object, such as buyer(by:), vendor(by:) or node(id:).",
        )
    for what, amount, limit in (
        ("resolves up to {} fields", price.cost, MAX_COST),
        ("is {} levels deep", price.depth, MAX_DEPTH),
        ("has {} aliases", price.aliases, MAX_ALIASES),
    ):
        if amount > limit:
            shown = what.format(amount if amount < 10**9 else "over a billion")
            raise CostError(
                f"The operation {shown}; {limit} are the most.",
                mend="Ask for smaller pages or fewer fields.",
            )
    return price


class _Pricer:
    def __init__(
        self, schema: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]
    ) -> None:
        self._schema = schema
        self._variables = variables
        self._defaults: dict[str, ValueNode | None] = {}
        self._fragments = {
            definition.name.value: definition
            for definition in document.definitions
            if isinstance(definition, FragmentDefinitionNode)
        }
        self._known: dict[str, Price] = {}
        self._open: set[str] = set()

    def operation(self, operation: OperationDefinitionNode) -> Price:
        self._defaults = {
            variable.variable.name.value: variable.default_value
            for variable in operation.variable_definitions or ()
        }
        self._known.clear()  # a fragment's price depends on the operation's variables
        root = self._schema.get_root_type(operation.operation)
        price = self._selections(operation.selection_set, root)
        if operation.operation is OperationType.MUTATION:
            fields = len(operation.selection_set.selections)
            price = replace(price, cost=price.cost + fields * MUTATION_COST)
        return price

    def _selections(self, node: SelectionSetNode, parent: GraphQLNamedType | None) -> Price:
        total = Price()
        for selection in node.selections:
            if isinstance(selection, FieldNode):
                price = self._field(selection, parent)
            elif isinstance(selection, FragmentSpreadNode):
                price = self._spread(selection.name.value)
            else:
                assert isinstance(selection, InlineFragmentNode)
                condition = selection.type_condition
                inner = self._schema.get_type(condition.name.value) if condition else parent
                price = self._selections(selection.selection_set, inner)
            total = Price(
                total.cost + price.cost,
                max(total.depth, price.depth),
                total.aliases + price.aliases,
                total.one_parent or price.one_parent,
                total.refused or price.refused,
            )
        return total

    def _spread(self, name: str) -> Price:
        if name in self._known:
            return self._known[name]
        fragment = self._fragments.get(name)
        if fragment is None or name in self._open:
            return Price()  # unknown or circular: validation refuses it
        self._open.add(name)
        parent = self._schema.get_type(fragment.type_condition.name.value)
        price = self._selections(fragment.selection_set, parent)
        self._open.discard(name)
        self._known[name] = price
        return price

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Price:
        aliases = 1 if node.alias is not None else 0
        definition = _definition(parent, node.name.value)
        coordinate = f"{parent.name}.{node.name.value}" if parent else node.name.value
        own = 1 + BASE_COST.get(coordinate, 0)
        if node.selection_set is None:
            return Price(own, 1, aliases)
        inner_type = get_named_type(definition.type) if definition else None
        inner = self._selections(node.selection_set, inner_type)
        streams = coordinate in STREAMS
        many = streams or (definition is not None and _is_many(definition))
        return Price(
            cost=own + (_PAGE if streams else self._size(node, definition)) * inner.cost,
            depth=1 + inner.depth,
            aliases=aliases + inner.aliases,
            one_parent=coordinate if coordinate in ONE_PARENT else _unless(many, inner.one_parent),
            refused=inner.refused or (inner.one_parent if many else None),
        )

    def _size(self, node: FieldNode, definition: GraphQLField | None) -> int:
        """How many times the field's selection is resolved."""
        if node.name.value in _SIZED_BY_PARENT or definition is None:
            return 1
        asked = [
            self._number(argument.value)
            for argument in node.arguments or ()
            if argument.name.value in ("first", "last")
        ]
        sized = [size for size in asked if size is not None]
        if sized:
            return max(1, *sized)
        if "first" in definition.args:
            return _default_size(definition.args["first"])
        if is_list_type(get_nullable_type(definition.type)):
            return _UNSIZED_LIST
        return 1

    def _number(self, value: ValueNode | None) -> int | None:
        if isinstance(value, IntValueNode):
            # Digits beyond these could not be a page's size and take long to convert.
            return int(value.value) if len(value.value) < 12 else MAX_COST + 1
        if isinstance(value, VariableNode):
            name = value.name.value
            given = self._variables.get(name)
            if isinstance(given, int):
                return min(given, MAX_COST + 1)
            return self._number(self._defaults.get(name))
        return None


def _definition(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    if name in _INTROSPECTION:
        return _INTROSPECTION[name]
    if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
        fields: Mapping[str, GraphQLField] = parent.fields
        return fields.get(name)
    return None


def _is_many(field: GraphQLField) -> bool:
    return "first" in field.args or is_list_type(get_nullable_type(field.type))


def _unless(condition: bool, value: str | None) -> str | None:
    return None if condition else value


def _default_size(argument: GraphQLArgument) -> int:
    default = argument.default
    if default is not None and isinstance(default.literal, IntValueNode):
        return int(default.literal.value)
    return default.value if default and isinstance(default.value, int) else _PAGE


def _dearer(one: Price, other: Price) -> Price:
    return Price(
        max(one.cost, other.cost),
        max(one.depth, other.depth),
        max(one.aliases, other.aliases),
        refused=one.refused or other.refused,
    )
