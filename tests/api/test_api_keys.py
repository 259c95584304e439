"""Keys that are made and revoked while the server runs."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from api.app import open_services
from api.authentication import find_lockout
from core.api_keys import hash_api_key, make_api_key
from core.entities import Role
from core.settings import Environment, load_settings
from tests.api import market
from tests.api.conftest import key_of
from tests.api.serving import Serving
from tests.api.test_websocket import WATCH, socket

CREATE = """mutation ($input: CreateApiKeyInput!) { createApiKey(input: $input) {
  secret errors { code field message }
  apiKey { id name role subject createdAt expiresAt revokedAt } } }"""
REVOKE = """mutation ($id: ID!) { revokeApiKey(id: $id) {
  errors { code field } apiKey { id revokedAt } } }"""
LIST = "{ apiKeys { id name role subject createdAt expiresAt revokedAt } }"
READ = "{ offers(first: 1) { edges { cursor } } }"
ADMIN = key_of(Role.ADMIN)


def create(serving: Serving, **input_: Any) -> Any:
    return serving.data(CREATE, ADMIN, input=input_)["createApiKey"]


def revoke(serving: Serving, key_id: str) -> Any:
    return serving.data(REVOKE, ADMIN, id=key_id)["revokeApiKey"]


def test_a_key_is_made_used_and_revoked_at_once(production: Serving) -> None:
    made = create(production, name="a shop", role="PARTNER")
    secret, key = made["secret"], made["apiKey"]
    assert made["errors"] == []
    assert (key["name"], key["role"], key["subject"]) == ("a shop", "PARTNER", "a shop")
    assert (key["expiresAt"], key["revokedAt"]) == (None, None)
    assert production.post(READ, secret).status_code == 200
    revoked = revoke(production, key["id"])
    assert revoked["errors"] == []
    assert revoked["apiKey"]["revokedAt"] is not None
    # Well within the five seconds for which a key is remembered.
    assert production.post(READ, secret).status_code == 401
    assert revoke(production, key["id"]) == revoked


def test_a_key_stands_for_its_subject_until_its_end(production: Serving) -> None:
    end = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    made = create(
        production,
        name="one buyer",
        role="BUYER",
        subject=market.buyer(1),
        expiresAt=end.isoformat(),
    )
    assert datetime.fromisoformat(made["apiKey"]["expiresAt"]) == end
    own, other = (
        f'{{ buyer(by: {{externalId: "{market.buyer(n)}"}}) {{ kind }} }}' for n in (1, 2)
    )
    assert production.codes(own, made["secret"]) == []
    assert production.codes(other, made["secret"]) == ["FORBIDDEN"]


@pytest.mark.parametrize(
    ("input_", "field"),
    [
        ({"name": "no subject", "role": "VENDOR"}, "subject"),
        ({"name": " ", "role": "PARTNER"}, "name"),
        ({"name": "n" * 201, "role": "PARTNER"}, "name"),
        ({"name": "late", "role": "PARTNER", "expiresAt": "2020-01-01T00:00:00Z"}, "expiresAt"),
    ],
)
def test_an_unusable_key_is_not_made(
    production: Serving, input_: dict[str, Any], field: str
) -> None:
    before = production.data(LIST, ADMIN)
    made = create(production, **input_)
    assert (made["secret"], made["apiKey"]) == (None, None)
    assert [(e["code"], e["field"]) for e in made["errors"]] == [("BAD_INPUT", ["input", field])]
    assert production.data(LIST, ADMIN) == before


def test_a_key_that_is_not_there_cannot_be_revoked(production: Serving) -> None:
    answer = revoke(production, "none")
    assert answer == {"errors": [{"code": "NOT_FOUND", "field": ["id"]}], "apiKey": None}


def test_the_list_never_shows_secrets(production: Serving) -> None:
    made = create(production, name="listed", role="ANALYST")
    answer = production.post(LIST, ADMIN)
    assert made["apiKey"] in answer.json()["data"]["apiKeys"]
    assert made["secret"] not in answer.text
    assert hash_api_key(made["secret"]) not in answer.text
    for hidden in ("hash", "secret"):
        assert production.codes(f"{{ apiKeys {{ {hidden} }} }}", ADMIN) == [
            "GRAPHQL_VALIDATION_FAILED"
        ]


@pytest.mark.parametrize("role", sorted(set(Role) - {Role.ADMIN}))
def test_keys_are_for_admins(production: Serving, role: Role) -> None:
    before = production.data(LIST, ADMIN)
    input_ = {"name": "mine", "role": "ADMIN"}
    assert production.codes(LIST, key_of(role)) == ["FORBIDDEN"]
    assert production.codes(CREATE, key_of(role), input=input_) == ["FORBIDDEN"]
    for key in before["apiKeys"]:
        assert production.codes(REVOKE, key_of(role), id=key["id"]) == ["FORBIDDEN"]
    assert production.data(LIST, ADMIN) == before


async def test_a_revoked_key_is_told_nothing_more_on_an_open_socket(production: Serving) -> None:
    made = await asyncio.to_thread(create, production, name="watcher", role="PARTNER")
    async with socket(production) as client:
        await client.init({"Authorization": f"Bearer {made['secret']}"})
        # Nobody's matches: what the server announces just now is not what is asked about.
        await client.subscribe("1", WATCH, filter={"buyers": ["nobody"]})
        await client.subscribe("2", READ)
        assert (await client.receive())["id"] == "2"
        assert await client.receive() == {"id": "2", "type": "complete"}
        await asyncio.to_thread(revoke, production, made["apiKey"]["id"])
        message = await client.receive()
        assert (message["id"], message["type"]) == ("1", "error")
        assert message["payload"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert await client.close_code() == 4403


async def test_a_revoked_key_begins_nothing_more_on_an_open_socket(production: Serving) -> None:
    made = await asyncio.to_thread(create, production, name="asker", role="ADMIN")
    async with socket(production) as client:
        await client.init({"Authorization": f"Bearer {made['secret']}"})
        await asyncio.to_thread(revoke, production, made["apiKey"]["id"])
        await client.subscribe("1", READ)
        assert await client.close_code() == 4403


@pytest.mark.parametrize(
    ("has_key", "jwt_key", "environment", "warned"),
    [
        (False, "", Environment.PRODUCTION, True),
        (True, "", Environment.PRODUCTION, False),
        (False, "a-secret-of-at-least-32-characters", Environment.PRODUCTION, False),
        (False, "", Environment.DEVELOPMENT, False),
    ],
)
async def test_a_server_that_nobody_can_use_says_so_once(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    has_key: bool,
    jwt_key: str,
    environment: Environment,
    warned: bool,
) -> None:
    open_to_all = load_settings(home=tmp_path)
    async with open_services(open_to_all) as services:
        if has_key:
            _, key = make_api_key("k", Role.PARTNER, datetime.now(UTC))
            await services.store.create_api_key(key)
    settings = load_settings(home=tmp_path, environment=environment, jwt_key=jwt_key)
    with caplog.at_level(logging.WARNING, "offerpath.api"):
        async with open_services(settings):
            pass
    told = [record.getMessage() for record in caplog.records if record.name == "offerpath.api"]
    assert len(told) == warned
    assert all("offerpath keys create NAME --role admin" in line for line in told)


def test_revoked_and_ended_keys_let_nobody_in() -> None:
    settings = load_settings(environment="production")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    _, key = make_api_key("k", Role.ADMIN, start, expires_at=start + timedelta(days=1))
    assert find_lockout(settings, [key], start) is None
    assert find_lockout(settings, [key], start + timedelta(days=1)) is not None
