"""The scalars beside GraphQL's own: DateTime, Decimal, Currency, BigInt, JSON, Cursor."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, NewType

import strawberry
from graphql import EnumValueNode, GraphQLError, StringValueNode, ValueNode, print_ast
from strawberry.types.scalar import ScalarDefinition

from core.currencies import MINOR_DIGITS

Currency = NewType("Currency", str)
DecimalText = NewType("DecimalText", str)
BigInt = NewType("BigInt", int)
Cursor = NewType("Cursor", str)
JSONObject = NewType("JSONObject", dict[str, Any])

_BIGGEST = 2**63 - 1
_LONGEST_DECIMAL = 40


def _parse_time(value: object) -> datetime:
    if not isinstance(value, str):
        raise GraphQLError("A DateTime is text such as 2026-05-01T12:00:00Z.")
    try:
        moment = datetime.fromisoformat(value)
    except ValueError as error:
        raise GraphQLError(f"{value[:40]!r} is not a DateTime.") from error
    if moment.tzinfo is None:
        raise GraphQLError(f"{value[:40]!r} has no time zone; end it with Z or an offset.")
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise GraphQLError(f"{value[:40]!r} is out of range.") from error


def _show_time(value: object) -> str:
    assert isinstance(value, datetime)
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _parse_decimal(value: object) -> str:
    # Floats are refused: what a float says is not what was meant (2.55 is 2.5499...).
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise GraphQLError('A Decimal is text such as "12.50".')
    text = str(value).strip()
    try:
        number = Decimal(text)
    except InvalidOperation as error:
        raise GraphQLError(f"{text[:40]!r} is not a Decimal.") from error
    if not number.is_finite() or len(text) > _LONGEST_DECIMAL or "e" in text.lower():
        raise GraphQLError(f"{text[:40]!r} is not a plain Decimal.")
    return text


def _parse_currency(value: object) -> str:
    if not isinstance(value, str) or value not in MINOR_DIGITS:
        raise GraphQLError(f"{str(value)[:40]!r} is not an ISO 4217 currency such as GBP.")
    return value


def _parse_currency_literal(node: ValueNode, _variables: Mapping[str, Any] | None = None) -> str:
    # Written as a bare word (GBP) or as text ("GBP"), as both look natural.
    if isinstance(node, EnumValueNode | StringValueNode):
        return _parse_currency(node.value)
    raise GraphQLError(f"{print_ast(node)[:40]} is not an ISO 4217 currency such as GBP.")


def _parse_big_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _BIGGEST:
        raise GraphQLError(f"{str(value)[:40]} is not a 64-bit integer.")
    return value


def _parse_big_int_literal(node: ValueNode, _variables: Mapping[str, Any] | None = None) -> int:
    text = print_ast(node)
    try:
        return _parse_big_int(int(text) if len(text) <= _LONGEST_DECIMAL else text)
    except ValueError as error:
        raise GraphQLError(f"{text[:40]} is not a 64-bit integer.") from error


def _parse_cursor(value: object) -> str:
    if not isinstance(value, str):
        raise GraphQLError("A Cursor is text that this service has given out.")
    return value


def _no_input(_value: object) -> Any:
    raise GraphQLError("JSON is only ever an answer.")


SCALARS: dict[object, ScalarDefinition] = {
    datetime: strawberry.scalar(
        name="DateTime",
        description="A moment: ISO 8601 with a time zone; answers are in UTC, ending in Z.",
        serialize=_show_time,
        parse_value=_parse_time,
    ),
    DecimalText: strawberry.scalar(
        name="Decimal",
        description='An exact decimal number as text, such as "12.50".',
        serialize=str,
        parse_value=_parse_decimal,
    ),
    Currency: strawberry.scalar(
        name="Currency",
        description="An ISO 4217 code; in a query text it may stand bare (GBP) or quoted.",
        serialize=str,
        parse_value=_parse_currency,
        parse_literal=_parse_currency_literal,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A 64-bit integer, as a JSON number.",
        serialize=int,
        parse_value=_parse_big_int,
        parse_literal=_parse_big_int_literal,
    ),
    Cursor: strawberry.scalar(
        name="Cursor",
        description="A place in the log of match events: opaque, good after a restart and on every "
        "process that serves the same graph.",
        serialize=str,
        parse_value=_parse_cursor,
    ),
    JSONObject: strawberry.scalar(
        name="JSONObject",
        description="Any JSON object.",
        serialize=lambda value: value,
        parse_value=_no_input,
    ),
}
