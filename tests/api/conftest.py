"""Servers that the API's tests share: one in development, one in production."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import pytest

from core.api_keys import hash_api_key
from core.entities import ApiKey, Role
from core.settings import Environment
from tests.api import market
from tests.api.serving import Serving

JWT_SECRET = "a-secret-that-only-these-tests-know-1234"


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A development server with the small marketplace."""
    home = tmp_path_factory.mktemp("served")
    with Serving(home) as serving:
        market.fill(serving)
    # Which offers are bought together is read from the graph at the start.
    shutil.rmtree(serving.settings.snapshots_dir)
    with Serving(home) as serving:
        yield serving


@pytest.fixture(scope="session")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A production server with the small marketplace; see ``key_of``."""
    settings = {"environment": Environment.PRODUCTION, "jwt_key": JWT_SECRET}
    home = tmp_path_factory.mktemp("production")
    with Serving(home, **settings) as serving:
        for role in Role:
            give_key(serving, role)
        market.fill(serving, key_of(Role.ADMIN))
    shutil.rmtree(serving.settings.snapshots_dir)
    with Serving(home, **settings) as serving:
        yield serving


def key_of(role: Role) -> str:
    """The API key of that role on the production server."""
    return f"opk_{role.value}-of-the-tests"


def token(**changed: Any) -> str:
    """A token of buyer number 1, good for five minutes; a claim changed to None is left out."""
    claims = {
        "sub": market.buyer(1),
        "role": "buyer",
        "aud": "offerpath",
        "iss": "offerpath",
        "exp": datetime.now(UTC) + timedelta(minutes=5),
        **changed,
    }
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, JWT_SECRET, algorithm="HS256")


def give_key(serving: Serving, role: Role, secret: str | None = None) -> ApiKey:
    """Create a key; a buyer's and a vendor's stand for number 1 of the marketplace."""
    subjects = {Role.BUYER: market.buyer(1), Role.VENDOR: market.vendor(1)}
    secret = secret or key_of(role)
    key = ApiKey(
        id=hash_api_key(secret)[:16],
        name=role.value,
        role=role,
        subject=subjects.get(role, role.value),
        hash=hash_api_key(secret),
        created_at=datetime.now(UTC),
    )
    serving.run(serving.services.store.create_api_key(key))
    return key
