"""A subscription opened, and its selection executed for one event after another.

The same selection of the same event, for the same permission, is the same bytes: it is executed
once and shared by all who asked for it.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Mapping, Sequence
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
    execute_subscription_event,
    get_operation_ast,
    specified_rules,
    validate,
    visit,
)
from strawberry import Schema
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from api.context import RequestContext, Services
from api.errors import CostError, present_errors
from api.guard import DocumentCache
from api.http_request import GraphQLParameters
from api.limits import check_document
from api.subscriptions import MatchStream
from api.types.match_event import CursorExpired, Lagged, MatchEvent, match_event
from core.entities import Event, Principal, Role

_FIELD = "matchEvents"
_REMEMBERED_EVENTS = 1_000
_REMEMBERED_SECONDS = 10.0
_WITHOUT_A_BREAK = 25
"""Events executed before the event loop gets its turn."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class Message(NamedTuple):
    """What is told of one event: its seq, the JSON of the result, the cursor right after it."""

    seq: int
    payload: bytes
    cursor: str


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
    except CostError as error:
        return present_errors([GraphQLError(str(error), original_error=error)], hints=hints)
    if not documents.is_valid(parameters.query, introspection=hints):
        rules = specified_rules if hints else (*specified_rules, NoSchemaIntrospectionCustomRule)
        if errors := validate(schema._schema, document, rules):
            return present_errors(errors, hints=hints)
        documents.remember_valid(parameters.query, introspection=hints)
    executor = _executor(schema, document, parameters, context)
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


class Selection:
    """Executes one subscription's selection, for everybody with the same SelectionKey.

    Args:
        schema: of the service.
        opening: of the first who asked.
        services: of the process. What is executed knows the principal and nothing else of who
            asked first.
    """

    def __init__(self, schema: Schema, opening: Opening, services: Services) -> None:
        self._context = RequestContext(services, principal=opening.principal)
        executor = _executor(schema, opening.document, opening.parameters, self._context)
        assert not isinstance(executor, list)
        self._executor = executor
        fields = _Reading(opening.document).fields
        self._shows_offers, self._shows_buyers = "offer" in fields, "buyer" in fields
        self._known: dict[int, tuple[float, Message]] = {}

    async def tell(self, events: Sequence[Event]) -> list[Message]:
        """A message for each event, in order; offers and buyers are read in two batches at most."""
        now = asyncio.get_running_loop().time()
        since = now - _REMEMBERED_SECONDS
        known = {
            event.seq: found[1]
            for event in events
            if (found := self._known.get(event.seq)) and found[0] > since
        }
        missing = [event for event in events if event.seq not in known]
        for message in await self._told(missing):
            known[message.seq] = message
            self._known.pop(message.seq, None)
            self._known[message.seq] = (now, message)
        while len(self._known) > _REMEMBERED_EVENTS:
            del self._known[next(iter(self._known))]
        return [known[event.seq] for event in events]

    async def say(self, what: Lagged | CursorExpired) -> bytes:
        """The JSON of a message that is no event's."""
        result = self._execute(what)
        return self._show(result if isinstance(result, ExecutionResult) else await result)

    async def _told(self, events: Sequence[Event]) -> list[Message]:
        if not events:
            return []
        store, cursors = self._context.services.store, self._context.services.cursors
        offer_ids = {event.offer_id for event in events if event.offer_id}
        buyer_ids = {event.buyer_id for event in events if event.buyer_id}
        offers = await store.get_offers(sorted(offer_ids)) if self._shows_offers else {}
        buyers = await store.get_buyers(sorted(buyer_ids)) if self._shows_buyers else {}
        told: list[MatchEvent] = [
            match_event(
                event,
                cursors.event_cursor(event.seq),
                offers.get(event.offer_id or ""),
                buyers.get(event.buyer_id or ""),
            )
            for event in events
        ]
        messages: list[Message] = []
        for start in range(0, len(told), _WITHOUT_A_BREAK):
            part = told[start : start + _WITHOUT_A_BREAK]
            results = [self._execute(one) for one in part]
            # What asks for more than the event waits together, so that it is read in batches.
            waiting = [one for one in results if not isinstance(one, ExecutionResult)]
            awaited = iter(await asyncio.gather(*waiting))
            await asyncio.sleep(0)
            messages += [
                Message(
                    one.seq,
                    self._show(result if isinstance(result, ExecutionResult) else next(awaited)),
                    one.cursor,
                )
                for one, result in zip(part, results, strict=True)
            ]
        return messages

    def _execute(
        self, root: MatchEvent | Lagged | CursorExpired
    ) -> ExecutionResult | Awaitable[ExecutionResult]:
        return execute_subscription_event(self._executor.build_per_event_executor(root))

    def _show(self, result: ExecutionResult) -> bytes:
        payload: dict[str, Any] = {"data": result.data}
        if result.errors:
            shown = present_errors(result.errors, hints=self._context.may_introspect)
            payload["errors"] = [error.formatted for error in shown]
        return _encode(payload).encode()


def encode_errors(errors: Sequence[GraphQLError]) -> bytes:
    """The JSON of a result that has nothing but errors."""
    return _encode({"data": None, "errors": [error.formatted for error in errors]}).encode()


def _executor(
    schema: Schema,
    document: DocumentNode,
    parameters: GraphQLParameters,
    context: RequestContext,
) -> Executor[Any] | list[GraphQLError]:
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
    begins = _Reading(document).begins
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


class _Reading(Visitor):
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
        self._uses[node.name.value] += 1

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.fields.add(node.name.value)
        if node.name.value == _FIELD:
            self._begins.update(filter(None, map(_begin, node.arguments or ())))


def _begin(argument: ArgumentNode) -> str | None:
    if argument.name.value != "after" or not isinstance(argument.value, VariableNode):
        return None
    return argument.value.name.value
