"""GraphQL over HTTP: one request in, one answer out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from graphql import GraphQLError
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from strawberry import Schema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from api.context import RequestContext, Services
from api.errors import present_errors
from api.graphiql import GraphiQL, is_local
from api.http_request import (
    PLAIN_JSON,
    RESPONSE_JSON,
    GraphQLParameters,
    RequestError,
    negotiate,
    read_parameters,
)
from api.sse_endpoint import EventStreams, wants_events
from core.errors import OfferpathError, UnauthenticatedError

OPERATION_SECONDS = 15.0
_BY_METHOD = {
    "GET": frozenset({OperationType.QUERY}),
    "POST": frozenset({OperationType.QUERY, OperationType.MUTATION}),
}


class HTTPEndpoint:
    """Answers GraphQL requests, and hands out GraphiQL when it was given one.

    Args:
        schema: what is asked.
        events: answers those who ask for an event stream.
        graphiql: the page for browsers on this machine; None in production.
    """

    def __init__(
        self, schema: Schema, events: EventStreams, graphiql: GraphiQL | None = None
    ) -> None:
        self._schema = schema
        self._events = events
        self._graphiql = graphiql

    async def answer(self, request: Request, services: Services) -> Response:
        """Answer one request; every failure is an answer too."""
        if request.method not in _BY_METHOD:
            return Response(status_code=405, headers={"Allow": "GET, POST"})
        if self._graphiql is not None and _wants_page(request):
            return self._graphiql.page()
        accept = request.headers.get("accept")
        media_type = PLAIN_JSON
        try:
            if wants_events(accept):
                return await self._stream(request, services)
            media_type = negotiate(accept)
            context, parameters = await _read(request, services)
            content = await self._content(request.method, parameters, context)
        except RequestError as error:
            return _failure(error, error.status, media_type)
        except UnauthenticatedError as error:
            return _failure(error, 401, media_type)
        refused = "data" not in content and media_type == RESPONSE_JSON
        return _json(content, 400 if refused else 200, media_type)

    async def _stream(self, request: Request, services: Services) -> Response:
        context, parameters = await _read(request, services)
        if self._events.is_subscription(parameters):
            return await self._events.subscribe(request, parameters, context)
        content = await self._content(request.method, parameters, context)
        return self._events.once(request, _encode(content))

    async def _content(
        self, method: str, parameters: GraphQLParameters, context: RequestContext
    ) -> dict[str, Any]:
        """The answer to an operation; without data when it was refused before it ran."""
        result = await self._execute(method, parameters, context)
        content: dict[str, Any] = {}
        if result.errors:
            shown = present_errors(result.errors, hints=context.may_introspect)
            content["errors"] = [error.formatted for error in shown]
        if not _refused_before_execution(result):
            content["data"] = result.data
        return content

    async def _execute(
        self, method: str, parameters: GraphQLParameters, context: RequestContext
    ) -> ExecutionResult:
        try:
            async with asyncio.timeout(OPERATION_SECONDS):
                return await self._schema.execute(
                    parameters.query,
                    variable_values=parameters.variables,
                    context_value=context,
                    operation_name=parameters.operation_name,
                    allowed_operation_types=_BY_METHOD[method],
                )
        except TimeoutError as error:
            return ExecutionResult(None, [GraphQLError("", original_error=error)])
        except CannotGetOperationTypeError as error:
            raise RequestError(400, error.as_http_error_reason()) from error
        except InvalidOperationTypeError as error:
            if error.operation_type is OperationType.SUBSCRIPTION:
                message = (
                    "Subscriptions are served over WebSocket (graphql-transport-ws) or as an event "
                    "stream (Accept: text/event-stream)."
                )
                raise RequestError(400, message) from error
            raise RequestError(405, "GET only reads; send mutations by POST.") from error


def open_context(services: Services, connection: HTTPConnection) -> RequestContext:
    """The context of a request or of a connection, before it is known who asks."""
    client = connection.client
    return RequestContext(
        services,
        headers=connection.headers,
        client_host=client.host if client else None,
    )


def _wants_page(request: Request) -> bool:
    return (
        request.method == "GET"
        and is_local(request)
        and "query" not in request.query_params
        and "text/html" in request.headers.get("accept", "")
    )


async def _read(request: Request, services: Services) -> tuple[RequestContext, GraphQLParameters]:
    """Who asks, and what.

    Raises:
        UnauthenticatedError: when nobody says so, or not credibly.
        RequestError: when it is no request.
    """
    context = open_context(services, request)
    await context.identify(request.headers)
    context.require_principal()
    return context, await read_parameters(request)


def _refused_before_execution(result: ExecutionResult) -> bool:
    if isinstance(result, PreExecutionError):
        return True
    errors: Sequence[GraphQLError] = result.errors or ()
    return result.data is None and bool(errors) and all(error.path is None for error in errors)


def _failure(error: OfferpathError, status: int, media_type: str) -> Response:
    content = {"errors": [{"message": str(error), "extensions": {"code": error.code}}]}
    response = _json(content, status, media_type)
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="offerpath"'
    if status == 405:
        response.headers["Allow"] = "POST"
    return response


def _json(content: dict[str, Any], status: int, media_type: str) -> Response:
    return Response(
        _encode(content),
        status,
        media_type=f"{media_type}; charset=utf-8",
        headers={"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"},
    )


def _encode(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode()
