"""Reads a GraphQL request from HTTP, as the GraphQL-over-HTTP specification has it.

https://graphql.github.io/graphql-over-http/draft/
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from starlette.requests import Request

from core.errors import OfferpathError

MAX_BODY_BYTES = 1_000_000
BODY_SECONDS = 10.0
"""How long a body may take to come: a client that sends a byte now and then holds a connection."""
MAX_JSON_DEPTH = 32
RESPONSE_JSON = "application/graphql-response+json"
PLAIN_JSON = "application/json"
_WILDCARDS = frozenset({"*/*", "application/*"})


class RequestError(OfferpathError):
    """An HTTP request that carries no GraphQL request.

    Args:
        status: of the HTTP answer.
        message: what is wrong.
    """

    code = "BAD_REQUEST"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class GraphQLParameters:
    """What a request asks: a document, its variables and which of its operations to run."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


def negotiate(accept: str | None) -> str:
    """The media type to answer in; JSON when the client does not say.

    Raises:
        RequestError: 406 when the client takes neither of the two.
    """
    if accept is None or not accept.strip():
        return PLAIN_JSON
    best, best_quality = "", 0.0
    for part in accept.split(","):
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = _quality(parameters)
        media_type = PLAIN_JSON if name in _WILDCARDS else name
        if media_type in (PLAIN_JSON, RESPONSE_JSON) and quality > best_quality:
            best, best_quality = media_type, quality
    if not best:
        raise RequestError(406, f"Answers come as {RESPONSE_JSON} or {PLAIN_JSON}.")
    return best


async def read_parameters(request: Request) -> GraphQLParameters:
    """The parameters of a GET's query string or a POST's JSON body.

    Raises:
        RequestError: 400, 408, 413 or 415, saying what is wrong.
    """
    if request.method == "GET":
        return _from_query_string(request.query_params)
    _check_content_type(request.headers.get("content-type"))
    return _from_mapping(_read_json(await _read_body(request), "The body"))


def _from_query_string(query: Mapping[str, str]) -> GraphQLParameters:
    values: dict[str, Any] = dict(query)
    for name in ("variables", "extensions"):
        if values.get(name):
            values[name] = _read_json(values[name].encode(), f"The parameter {name}")
        else:
            values.pop(name, None)
    return _from_mapping(values)


def _from_mapping(values: object) -> GraphQLParameters:
    if not isinstance(values, dict):
        _refuse("The body must be a JSON object.")
    query = values.get("query")
    if not isinstance(query, str) or not query.strip():
        _refuse("The parameter query must be the text of a document.")
    operation_name = values.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        _refuse("The parameter operationName must be a string.")
    for name in ("variables", "extensions"):
        if values.get(name) is not None and not isinstance(values[name], dict):
            _refuse(f"The parameter {name} must be an object.")
    return GraphQLParameters(query, values.get("variables"), operation_name or None)


def _check_content_type(content_type: str | None) -> None:
    name, *parameters = (part.strip().lower() for part in (content_type or "").split(";"))
    if name != PLAIN_JSON:
        raise RequestError(415, f"Send {PLAIN_JSON}.")
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "charset" and value.strip('"') not in ("utf-8", "utf8"):
            raise RequestError(415, "Send UTF-8.")


async def _read_body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise RequestError(413, f"The body has more than {MAX_BODY_BYTES} bytes.")
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise RequestError(413, f"The body has more than {MAX_BODY_BYTES} bytes.")
    except TimeoutError as error:
        raise RequestError(408, f"The body took more than {BODY_SECONDS:g} seconds.") from error
    return bytes(body)


def _read_json(raw: bytes, what: str) -> object:
    try:
        value: object = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except RecursionError:
        _refuse(f"{what} is nested too deeply.")
    except ValueError:
        _refuse(f"{what} is not JSON in UTF-8.")
    check_json(value, what)
    return value


def check_json(value: object, what: str) -> None:
    """Bound the depth and refuse half characters, which no answer could carry back.

    Raises:
        RequestError: 400, naming ``what`` was read.
    """
    pending: list[tuple[object, int]] = [(value, 1)]
    while pending:
        item, depth = pending.pop()
        if depth > MAX_JSON_DEPTH:
            _refuse(f"{what} is nested more than {MAX_JSON_DEPTH} levels deep.")
        if isinstance(item, dict):
            pending.extend((inner, depth + 1) for inner in item.values())
            pending.extend((key, depth) for key in item)
        elif isinstance(item, list):
            pending.extend((inner, depth + 1) for inner in item)
        elif isinstance(item, str) and not item.isascii():
            _check_text(item, what)


def _check_text(text: str, what: str) -> None:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        _refuse(f"{what} holds half a surrogate pair.")


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        key, _, value = parameter.partition("=")
        if key == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _refuse(message: str) -> NoReturn:
    raise RequestError(400, message)
