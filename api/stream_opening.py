"""A subscription opened: checked, its root field resolved, and what it shares with others known."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

from graphql import (
    ArgumentNode,
    DocumentNode,
    ExecutionResult,
    Executor,
    FieldNode,
    GraphQLError,
    NoSchemaIntrospectionCustomRule,
    OperationType,
    VariableNode,
    Visitor,
    create_source_event_stream,
    get_operation_ast,
    specified_rules,
    validate,
    visit,
)
from strawberry import Schema
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.context import RequestContext
from api.errors import CostError, present_errors
from api.guard import DocumentCache
from api.http_request import GraphQLParameters
from api.limits import check_document
from api.subscriptions import MatchStream
from core.entities import Principal, Role

_FIELD = "matchEvents"


class SelectionKey(NamedTuple):
    """Who asks the same: same document, variables (but where to begin) and permission."""

    query: str
    operation_name: str | None
    variables: str
    role: Role
    subject: str | None


@dataclass(frozen=True, slots=True)
class Opening:
    """A subscription that may run: what it asks for, and what it shares with others."""

    parameters: GraphQLParameters
    document: DocumentNode
    stream: MatchStream
    principal: Principal
    key: SelectionKey


def operation_type(parameters: GraphQLParameters, documents: DocumentCache) -> OperationType | None:
    """What kind of operation is asked for; None when the document does not say."""
    try:
        node = get_operation_ast(documents.parse(parameters.query), parameters.operation_name)
    except (GraphQLError, RecursionError):
        return None
    return node.operation if node else None


async def open_stream(
    schema: Schema, documents: DocumentCache, parameters: GraphQLParameters, context: RequestContext
) -> Opening | list[GraphQLError]:
    """Check a subscription as OperationGuard checks every operation, and resolve its root field.

    Errors are fit to be shown.
    """
    hints = context.may_introspect
    try:
        document = documents.parse(parameters.query)
        check_document(schema._schema, document, parameters.variables, parameters.operation_name)
    except (CostError, RecursionError) as error:
        return present_errors([GraphQLError(str(error), original_error=error)], hints=hints)
    if not documents.is_valid(parameters.query, introspection=hints):
        rules = specified_rules if hints else (*specified_rules, NoSchemaIntrospectionCustomRule)
        if errors := validate(schema._schema, document, rules):
            return present_errors(errors, hints=hints)
        documents.remember_valid(parameters.query, introspection=hints)
    executor = build_executor(schema, document, parameters, context)
    if isinstance(executor, list):
        return present_errors(executor, hints=hints)
    stream = create_source_event_stream(executor)
    if executor.is_awaitable(stream):
        stream = await stream
    if isinstance(stream, ExecutionResult):
        return present_errors(stream.errors or [], hints=hints)
    principal = context.require_principal()
    key = _key(parameters, document, principal)
    return Opening(parameters, document, cast(MatchStream, stream), principal, key)


def build_executor(
    schema: Schema,
    document: DocumentNode,
    parameters: GraphQLParameters,
    context: RequestContext,
) -> Executor[Any] | list[GraphQLError]:
    """What executes the operation; errors when its variables are not what it declares."""
    return _StreamExecutor.build(
        schema._schema,
        document,
        context_value=context,
        raw_variable_values=parameters.variables,
        operation_name=parameters.operation_name,
    )


def _key(
    parameters: GraphQLParameters, document: DocumentNode, principal: Principal
) -> SelectionKey:
    variables: Mapping[str, Any] = parameters.variables or {}
    begins = DocumentReading(document).begins
    kept = {name: value for name, value in variables.items() if name not in begins}
    # What others may hear of depends on their role alone.
    personal = principal.role in (Role.BUYER, Role.VENDOR)
    return SelectionKey(
        parameters.query,
        parameters.operation_name,
        json.dumps(kept, sort_keys=True),
        principal.role,
        principal.subject if personal else None,
    )


class _StreamExecutor(StrawberryGraphQLCoreExecutionContext):
    """Collects the fields of a selection once, not again for each event.

    graphql-core remembers what it collects below a list of fields by the identity of that list, for
    all events, and makes the root's list anew for each: it would find nothing and keep everything.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._root_fields: list[Any] = []  # shared with the copies for each event

    def execute_collected_root_fields(
        self, root_type: Any, root_value: Any, grouped_field_set: Any, *rest: Any
    ) -> Any:
        if not self._root_fields:
            self._root_fields.append(grouped_field_set)
        return super().execute_collected_root_fields(
            root_type, root_value, self._root_fields[0], *rest
        )


class DocumentReading(Visitor):
    """What is to know of a document: its fields, and the variables that only say where to begin."""

    def __init__(self, document: DocumentNode) -> None:
        super().__init__()
        self.fields: set[str] = set()
        self._uses: Counter[str] = Counter()
        self._begins: set[str] = set()
        visit(document, self)

    @property
    def begins(self) -> set[str]:
        """Variables used once in the operation, as ``after`` of the root field."""
        # A variable is met where it is declared, too.
        return {name for name in self._begins if self._uses[name] == 2}

    def enter_variable(self, node: VariableNode, *_: Any) -> None:
        """Count it."""
        self._uses[node.name.value] += 1

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        """Note its name, and where it begins."""
        self.fields.add(node.name.value)
        if node.name.value == _FIELD:
            self._begins.update(filter(None, map(_begin, node.arguments or ())))


def _begin(argument: ArgumentNode) -> str | None:
    if argument.name.value != "after" or not isinstance(argument.value, VariableNode):
        return None
    return argument.value.name.value
