"""What every operation passes before it runs, over HTTP and WebSocket alike.

The document is parsed within a bound of tokens, priced, and validated; documents that passed are
remembered, as clients send the same ones again and again.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import cast

from graphql import (
    DocumentNode,
    GraphQLError,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    parse,
)
from strawberry.extensions import SchemaExtension
from strawberry.types.execution import ExecutionResult, StreamExecutionResult

from api.context import RequestContext
from api.document_shape import MAX_TOKENS
from api.errors import CostError, present_errors
from api.limits import check_document

_REMEMBERED = 256
_NAMELESS = "The document has several operations: say in operationName which one to run."


class DocumentCache:
    """Parsed documents by their text, the most recently used 256."""

    def __init__(self) -> None:
        self._documents: OrderedDict[str, DocumentNode] = OrderedDict()
        self._valid: set[tuple[str, bool]] = set()

    def parse(self, text: str) -> DocumentNode:
        """The document of that text.

        Raises:
            GraphQLSyntaxError: when it is none, or has more than MAX_TOKENS tokens.
        """
        known = self._documents.get(text)
        if known is not None:
            self._documents.move_to_end(text)
            return known
        document = parse(text, max_tokens=MAX_TOKENS)
        self._documents[text] = document
        if len(self._documents) > _REMEMBERED:
            forgotten, _ = self._documents.popitem(last=False)
            self._valid -= {(forgotten, True), (forgotten, False)}
        return document

    def is_valid(self, text: str, *, introspection: bool) -> bool:
        """Whether the document passed validation before, with or without introspection."""
        return (text, introspection) in self._valid

    def remember_valid(self, text: str, *, introspection: bool) -> None:
        """Keep that a document which is still remembered passed validation."""
        if text in self._documents:
            self._valid.add((text, introspection))


class OperationGuard(SchemaExtension):
    """Prices and validates an operation before it runs, and masks what its errors say."""

    def __init__(self, documents: DocumentCache) -> None:
        self._documents = documents

    def on_parse(self) -> Iterator[None]:
        """Take the document from the cache; failures are left to the schema's own parse."""
        context = self.execution_context
        context.parse_options["max_tokens"] = MAX_TOKENS
        if context.query:
            try:
                context.graphql_document = self._documents.parse(context.query)
            except (GraphQLError, RecursionError):
                context.graphql_document = None
        yield

    def on_validate(self) -> Iterator[None]:
        """Price the operation; what is too dear is not validated any more."""
        context = self.execution_context
        assert context.graphql_document is not None
        request = cast(RequestContext, context.context)
        # Strawberry would run the first of several operations.
        if context._provided_operation_name is None and _has_several(context.graphql_document):
            context.pre_execution_errors = [GraphQLError(_NAMELESS)]
        try:
            check_document(
                context.schema._schema,
                context.graphql_document,
                context.variables,
                context.operation_name,
            )
        except (CostError, RecursionError) as error:
            context.pre_execution_errors = [GraphQLError(str(error), original_error=error)]
        text, introspection = context.query or "", request.may_introspect
        if self._documents.is_valid(text, introspection=introspection):
            context.validation_rules = ()
        elif not introspection:
            context.validation_rules += (NoSchemaIntrospectionCustomRule,)
        yield
        if not context.pre_execution_errors:
            self._documents.remember_valid(text, introspection=introspection)

    def on_stream_result(self, result: StreamExecutionResult) -> Iterator[None]:
        """Mask the errors of each result of a subscription, or of a query over WebSocket."""
        if isinstance(result, ExecutionResult) and result.errors:
            request = cast(RequestContext, self.execution_context.context)
            result.errors = present_errors(result.errors, hints=request.may_introspect)
        yield


def _has_several(document: DocumentNode) -> bool:
    return sum(isinstance(one, OperationDefinitionNode) for one in document.definitions) > 1
