"""Who asks: API keys and JSON Web Tokens become a Principal."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt

from core.api_keys import API_KEY_PREFIX, hash_api_key, is_good
from core.entities import ApiKey, Principal, Role
from core.errors import SettingsError, UnauthenticatedError
from core.settings import Environment, Settings
from matching.service import Clock

if TYPE_CHECKING:
    from graph.store import GraphStore

KEY_MEMORY = timedelta(seconds=5)
"""How long a key that was looked up is trusted before it is looked up again."""

_LONGEST = 8_000
_REMEMBERED_KEYS = 1_000
_IN_ONE_READ = 10
"""So many keys are quicker read with all others than one by one."""
DEVELOPER = Principal(Role.ADMIN, "development")


def credential_of(headers: Mapping[str, str]) -> str | None:
    """The credential in a request's headers (or a connection_init payload), or None.

    ``Authorization: Bearer <key or token>`` or ``X-API-Key: <key>``, in any case.

    Raises:
        UnauthenticatedError: when the Authorization header is of another scheme.
    """
    lowered = {name.lower(): value for name, value in headers.items() if isinstance(value, str)}
    if "authorization" in lowered:
        scheme, _, credential = lowered["authorization"].strip().partition(" ")
        if scheme.lower() != "bearer" or not credential.strip():
            raise UnauthenticatedError(
                "The Authorization header is not understood.",
                mend="Send `Authorization: Bearer` with an API key or a token.",
            )
        return credential.strip()
    return lowered.get("x-api-key")


def is_loopback(host: str | None) -> bool:
    """Whether a host name or address can only be reached from the same machine."""
    if host == "localhost":
        return True
    try:
        return host is not None and ip_address(host).is_loopback
    except ValueError:
        return False


def find_lockout(settings: Settings, keys: Iterable[ApiKey], at: datetime) -> SettingsError | None:
    """Why nobody could use a server with these settings and keys, with the mend; else None."""
    if settings.environment is Environment.DEVELOPMENT or settings.jwt_key.get_secret_value():
        return None
    if any(is_good(key, at) for key in keys):
        return None
    return SettingsError(
        "Nobody can use the API: in production it asks for credentials, the graph holds no good "
        "API key, and OFFERPATH_JWT_KEY is empty.",
        mend="Make a key: offerpath keys create NAME --role admin (with the embedded graph while "
        "no server runs).",
    )


class Authenticator:
    """Turns a credential into the principal it stands for."""

    def __init__(self, settings: Settings, store: GraphStore, clock: Clock) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._keys: dict[str, tuple[datetime, ApiKey | None]] = {}
        self._forgotten = 0

    async def authenticate(self, credential: str | None) -> Principal | None:
        """The principal of a credential; None when there is no credential.

        Raises:
            UnauthenticatedError: when the credential is unknown, revoked, expired or malformed.
        """
        if credential is None:
            return None
        if len(credential) > _LONGEST:
            raise _refused()
        if credential.startswith(API_KEY_PREFIX):
            return await self._by_api_key(credential)
        return self._by_token(credential)

    def open_to(self, client_host: str | None, host_header: str | None) -> Principal | None:
        """Who a caller without a credential is: the developer, in development on loopback.

        The Host header is looked at too, so that a web page whose name has been pointed at this
        machine (DNS rebinding) is not taken for the developer.
        """
        if self._settings.environment is not Environment.DEVELOPMENT:
            return None
        try:
            name = urlsplit(f"//{host_header}").hostname if host_header else None
        except ValueError:
            return None
        return DEVELOPER if is_loopback(client_host) and is_loopback(name) else None

    def forget(self) -> None:
        """Look every key up again, from now on."""
        self._forgotten += 1
        self._keys.clear()

    async def look_up(self, credentials: Iterable[str]) -> None:
        """Look the API keys among these up in one read, those that were not looked up lately."""
        now, forgotten = self._clock(), self._forgotten
        digests = {hash_api_key(one) for one in credentials if one.startswith(API_KEY_PREFIX)}
        old = [one for one in digests if one not in self._keys or self._is_old(one, now)]
        if len(old) < _IN_ONE_READ:
            return  # each is looked up when it is asked for
        found = {key.hash: key for key in await self._store.list_api_keys()}
        if forgotten == self._forgotten:
            self._keys.update({digest: (now, found.get(digest)) for digest in old})

    def _is_old(self, digest: str, now: datetime) -> bool:
        return now - self._keys[digest][0] > KEY_MEMORY

    async def _by_api_key(self, secret: str) -> Principal:
        digest = hash_api_key(secret)
        now = self._clock()
        remembered = self._keys.get(digest)
        if remembered is None or now - remembered[0] > KEY_MEMORY:
            forgotten = self._forgotten
            remembered = (now, await self._store.find_api_key(digest))
            if len(self._keys) >= _REMEMBERED_KEYS:
                self._keys.clear()
            # What was read before the keys were forgotten may be what they were forgotten for.
            if forgotten == self._forgotten:
                self._keys[digest] = remembered
        key = remembered[1]
        if key is None or not hmac.compare_digest(key.hash, digest):
            raise _refused()
        if not is_good(key, now):
            raise _refused()
        return Principal(key.role, key.subject, key.expires_at, key.id)

    def _by_token(self, token: str) -> Principal:
        verification_key = self._settings.jwt_key.get_secret_value()
        if not verification_key:
            raise _refused()
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                verification_key,
                algorithms=[self._settings.jwt_algorithm],
                audience=self._settings.jwt_audience,
                issuer=self._settings.jwt_issuer,
                options={"require": ["exp", "sub", "role", "aud", "iss"]},
            )
            role = Role(claims["role"])
            expires_at = datetime.fromtimestamp(int(claims["exp"]), UTC)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, OSError) as error:
            raise _refused() from error
        return Principal(role, str(claims["sub"]), expires_at)


def _refused() -> UnauthenticatedError:
    # One sentence for every reason: which one it is would help only somebody who is guessing.
    return UnauthenticatedError(
        "The credential is not valid.", mend="Ask for a new key (offerpath keys create)."
    )
