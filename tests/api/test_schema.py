"""The schema itself: in step with its file, described throughout, and nothing left unguarded."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLScalarType,
    build_schema,
    is_specified_scalar_type,
)

import api.schema
from api.limits import BASE_COST, ONE_PARENT
from api.permissions import Requires
from api.public_fields import PUBLIC_FIELDS
from api.schema_export import schema_text

SCHEMA = api.schema.build_schema()
FILE = Path(__file__).parents[2] / "schema.graphql"


def own_types() -> Iterator[Any]:
    for name, type_ in SCHEMA._schema.type_map.items():
        if not name.startswith("__"):
            yield type_


def object_fields() -> Iterator[tuple[str, str, bool]]:
    """Type, field, and whether the field carries a rule."""
    for type_ in own_types():
        if not isinstance(type_, GraphQLObjectType):
            continue
        definition: Any = SCHEMA.get_type_by_name(type_.name)
        naming = SCHEMA.config.name_converter
        by_name = {naming.get_graphql_name(field): field for field in definition.fields}
        for name in type_.fields:
            rules = [one for one in by_name[name].extensions if isinstance(one, Requires)]
            yield type_.name, name, bool(rules)


def test_the_file_is_what_the_code_says() -> None:
    assert FILE.read_text(encoding="utf-8") == schema_text()
    assert build_schema(schema_text()).query_type is not None


def test_every_field_has_a_permission_or_is_reviewed_as_public() -> None:
    bare = [
        f"{type_}.{field}"
        for type_, field, guarded in object_fields()
        if not guarded and field not in PUBLIC_FIELDS.get(type_, ())
    ]
    assert bare == []


def test_the_public_list_names_only_unguarded_fields_that_exist() -> None:
    unguarded = {(type_, field) for type_, field, guarded in object_fields() if not guarded}
    listed = {(type_, field) for type_, fields in PUBLIC_FIELDS.items() for field in fields}
    assert listed == unguarded


def test_personal_fields_of_buyers_are_never_public() -> None:
    for field in ("name", "latitude", "longitude", "createdAt", "purchases", "preferences"):
        assert field not in PUBLIC_FIELDS["Buyer"]


def test_every_root_field_carries_a_rule() -> None:
    roots = {"Query", "Mutation", "Subscription"}
    assert all(guarded for type_, _, guarded in object_fields() if type_ in roots)


def test_everything_is_described() -> None:
    bare = []
    for type_ in own_types():
        if isinstance(type_, GraphQLScalarType) and is_specified_scalar_type(type_):
            continue
        if not type_.description:
            bare.append(type_.name)
        if isinstance(type_, GraphQLEnumType):
            continue
        if isinstance(type_, GraphQLObjectType | GraphQLInterfaceType | GraphQLInputObjectType):
            for name, field in type_.fields.items():
                if not field.description:
                    bare.append(f"{type_.name}.{name}")
                for argument, definition in getattr(field, "args", {}).items():
                    if not definition.description:
                        bare.append(f"{type_.name}.{name}({argument})")
    assert bare == []


def test_prices_name_fields_that_exist() -> None:
    fields = {f"{type_}.{field}" for type_, field, _ in object_fields()}
    assert set(BASE_COST) | ONE_PARENT <= fields
