"""Credentials: API keys and tokens, good and bad."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from api.app import check_exposure
from api.authentication import (
    KEY_MEMORY,
    Authenticator,
    credential_of,
    is_loopback,
)
from core.api_keys import hash_api_key
from core.entities import ApiKey, Role
from core.errors import SettingsError, UnauthenticatedError
from core.settings import Environment, load_settings
from tests.api import market
from tests.api.conftest import JWT_SECRET, key_of, token
from tests.api.serving import Serving

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WHO = "{ offers(first: 1) { edges { cursor } } }"
OWN_NAME = f'{{ buyer(by: {{externalId: "{market.buyer(1)}"}}) {{ name }} }}'


def test_without_a_credential_there_is_nothing_in_production(production: Serving) -> None:
    for query in (WHO, "{ __typename }", "{ __schema { queryType { name } } }", "{ nonsense }"):
        response = production.post(query)
        assert response.status_code == 401
        assert response.headers["www-authenticate"].startswith("Bearer")
        assert response.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert "data" not in response.json()
    assert production.client.get(production.url, params={"query": WHO}).status_code == 401


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {key_of(Role.ADMIN)}"},
        {"authorization": f"bearer   {key_of(Role.ADMIN)}"},
        {"X-API-Key": key_of(Role.ADMIN)},
    ],
)
def test_a_key_comes_in_either_header(production: Serving, headers: dict[str, str]) -> None:
    response = production.client.post(production.url, json={"query": WHO}, headers=headers)
    assert response.status_code == 200
    assert "errors" not in response.json()


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer opk_unknown"},
        {"Authorization": "Bearer opk_"},
        {"Authorization": "Bearer not.a.token"},
        {"Authorization": "Bearer " + "x" * 9_000},
        {"Authorization": f"Basic {key_of(Role.ADMIN)}"},
        {"Authorization": "Bearer"},
        {"X-API-Key": ""},
    ],
)
def test_a_bad_credential_is_refused(
    production: Serving, served: Serving, headers: dict[str, str]
) -> None:
    for serving in (production, served):
        response = serving.client.post(serving.url, json={"query": WHO}, headers=headers)
        assert response.status_code == 401


def test_a_token_speaks_for_its_subject(production: Serving) -> None:
    assert production.data(OWN_NAME, token())["buyer"]["name"] == "Person 1"
    assert production.codes(OWN_NAME, token(sub=market.buyer(2))) == ["FORBIDDEN"]


@pytest.mark.parametrize(
    "changed",
    [
        {"exp": datetime.now(UTC) - timedelta(seconds=1)},
        {"exp": None},
        {"exp": "soon"},
        {"exp": 10**18},
        {"sub": None},
        {"role": None},
        {"role": "emperor"},
        {"role": ["admin"]},
        {"aud": "somebody-else"},
        {"aud": None},
        {"iss": "somebody-else"},
        {"iss": None},
        {"nbf": datetime.now(UTC) + timedelta(hours=1)},
    ],
)
def test_a_token_must_be_whole_and_current(production: Serving, changed: dict[str, Any]) -> None:
    if isinstance(changed.get("exp"), str):
        credential = jwt.api_jws.encode(b'{"exp": "soon"}', JWT_SECRET, algorithm="HS256")
    else:
        credential = token(**changed)
    assert production.post(WHO, credential).status_code == 401


def test_a_token_of_another_key_or_algorithm_is_refused(production: Serving) -> None:
    claims = jwt.decode(token(), options={"verify_signature": False})
    forged = jwt.encode(claims, "another-secret-of-32-characters!!", algorithm="HS256")
    unsigned = jwt.encode(claims, "", algorithm="none")
    longer = jwt.encode(claims, JWT_SECRET * 3, algorithm="HS512")
    for credential in (forged, unsigned, longer):
        assert production.post(WHO, credential).status_code == 401


class KeptKeys:
    """A store with one key that the test changes."""

    def __init__(self, key: ApiKey) -> None:
        self.key = key
        self.reads = 0

    async def find_api_key(self, hash_: str) -> ApiKey | None:
        self.reads += 1
        return self.key if self.key.hash == hash_ else None


def kept_key(**changed: Any) -> ApiKey:
    fields: dict[str, Any] = {
        "id": "k",
        "name": "k",
        "role": Role.PARTNER,
        "subject": "k",
        "hash": hash_api_key("opk_k"),
        "created_at": NOW,
    }
    return ApiKey(**(fields | changed))


async def test_a_revoked_key_stops_within_the_memory_of_keys() -> None:
    now = [NOW]
    store = KeptKeys(kept_key())
    who = Authenticator(load_settings(), store, lambda: now[0])  # type: ignore[arg-type]
    principal = await who.authenticate("opk_k")
    assert principal is not None
    assert principal.role is Role.PARTNER
    store.key = kept_key(revoked_at=NOW)
    now[0] += KEY_MEMORY + timedelta(milliseconds=1)
    with pytest.raises(UnauthenticatedError):
        await who.authenticate("opk_k")
    assert store.reads == 2


async def test_what_was_read_before_keys_were_forgotten_is_not_remembered() -> None:
    store = KeptKeys(kept_key())
    who = Authenticator(load_settings(), store, lambda: NOW)  # type: ignore[arg-type]
    found = store.find_api_key

    async def revoked_meanwhile(hash_: str) -> ApiKey | None:
        key = await found(hash_)
        store.key = kept_key(revoked_at=NOW)
        who.forget()
        return key

    store.find_api_key = revoked_meanwhile  # type: ignore[method-assign]
    assert await who.authenticate("opk_k") is not None
    with pytest.raises(UnauthenticatedError):
        await who.authenticate("opk_k")


async def test_a_key_ends_at_its_time_though_it_is_remembered() -> None:
    now = [NOW]
    store = KeptKeys(kept_key(expires_at=NOW + timedelta(seconds=1)))
    who = Authenticator(load_settings(), store, lambda: now[0])  # type: ignore[arg-type]
    assert await who.authenticate("opk_k") is not None
    now[0] += timedelta(seconds=1)
    with pytest.raises(UnauthenticatedError):
        await who.authenticate("opk_k")


async def test_without_a_verification_key_no_token_is_taken() -> None:
    who = Authenticator(load_settings(), KeptKeys(kept_key()), lambda: NOW)  # type: ignore[arg-type]
    with pytest.raises(UnauthenticatedError):
        await who.authenticate(jwt.encode({"role": "admin"}, "", algorithm="none"))


@pytest.mark.parametrize(
    ("client", "host", "opened"),
    [
        ("127.0.0.1", "127.0.0.1:8000", True),
        ("127.0.0.1", "localhost:8000", True),
        ("::1", "[::1]:8000", True),
        ("127.0.0.1", "rebound.example:8000", False),
        ("192.168.1.7", "localhost:8000", False),
        ("127.0.0.1", "[::1", False),
        ("127.0.0.1", None, False),
        (None, "localhost", False),
    ],
)
def test_development_is_open_on_loopback_only(
    client: str | None, host: str | None, opened: bool
) -> None:
    def clock() -> datetime:
        return NOW

    development = Authenticator(load_settings(), KeptKeys(kept_key()), clock)  # type: ignore[arg-type]
    assert (development.open_to(client, host) is not None) is opened
    settings = load_settings(environment=Environment.PRODUCTION)
    closed = Authenticator(settings, KeptKeys(kept_key()), clock)  # type: ignore[arg-type]
    assert closed.open_to(client, host) is None


def test_development_is_not_served_to_other_machines() -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "example.org"):
        with pytest.raises(SettingsError):
            check_exposure(load_settings(host=host))
        check_exposure(load_settings(host=host, environment=Environment.PRODUCTION))
    for host in ("127.0.0.1", "localhost", "::1"):
        assert is_loopback(host)
        check_exposure(load_settings(host=host))


def test_a_web_page_under_another_name_is_not_the_developer(served: Serving) -> None:
    headers = {"Host": "rebound.example"}
    response = served.client.post(served.url, json={"query": WHO}, headers=headers)
    assert response.status_code == 401


def test_a_credential_is_read_from_any_case() -> None:
    assert credential_of({"AUTHORIZATION": "Bearer a"}) == "a"
    assert credential_of({"x-Api-Key": "b"}) == "b"
    assert credential_of({}) is None


def test_introspection_and_suggestions_are_for_those_who_may(
    served: Serving, production: Serving
) -> None:
    introspection = "{ __schema { queryType { name } } }"
    typo = "{ offerz { edges { cursor } } }"
    assert served.codes(introspection) == []
    assert production.codes(introspection, key_of(Role.ADMIN)) == []
    assert "Did you mean" in served.post(typo).text
    for role in (Role.BUYER, Role.VENDOR, Role.PARTNER, Role.ANALYST):
        assert set(production.codes(introspection, key_of(role))) == {"GRAPHQL_VALIDATION_FAILED"}
        assert "Did you mean" not in production.post(typo, key_of(role)).text
