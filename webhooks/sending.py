"""One attempt: a message is signed, posted, and what came of it is told.

Nothing is followed (a redirect is a failure), nothing is taken from the environment (no proxies),
and of the answer's body only the first few kilobytes are read, and none are kept.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import monotonic

import httpcore

from core.errors import InputError
from core.webhooks import WebhookEndpoint
from webhooks.addresses import GuardedNetwork, Reach, check_url
from webhooks.messages import Message
from webhooks.signing import Signer

Clock = Callable[[], datetime]

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 10.0
IDLE_SECONDS = 4.0
"""How long a connection is kept for the next message: many servers close theirs after five."""

DRAIN_SECONDS = 1.0
MOST_READ = 4_096
_LONGEST_ERROR = 300
_USER_AGENT = "Offerpath-Webhooks"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt.

    ``status_code`` is None when no answer came. ``error`` says why it failed, None when it did not;
    ``retry_after`` is how many seconds the answer asks to be left alone.
    """

    milliseconds: int
    status_code: int | None = None
    error: str | None = None
    retry_after: float | None = None


class Sender:
    """Posts messages to endpoints, one at a time to each.

    Args:
        signer: signs them.
        reach: how far they may go.
        clock: what tells the time.
        network: opens connections, within ``reach``; its owner closes it.
        tls: what makes a server trusted; the system's and certifi's authorities unless given.
        total_seconds: how long an attempt may take.
    """

    def __init__(
        self,
        signer: Signer,
        reach: Reach,
        clock: Clock,
        *,
        network: GuardedNetwork,
        tls: ssl.SSLContext | None = None,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._signer = signer
        self._reach = reach
        self._clock = clock
        self._total_seconds = total_seconds
        self._network = network
        self._tls = tls or httpcore.default_ssl_context()
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def send(self, endpoint: WebhookEndpoint, message: Message) -> Outcome:
        """Make one attempt; whatever goes wrong is in the outcome."""
        begun = monotonic()
        status: int | None = None
        retry_after: float | None = None
        error: str | None
        try:
            async with asyncio.timeout(self._total_seconds):
                status, retry_after = await self._post(endpoint, message)
            error = None if 200 <= status < 300 else _name_status(status)
        except TimeoutError:
            error = f"No answer came within {self._total_seconds:g} seconds."
        except InputError as refused:
            error = str(refused)
        except httpcore.TimeoutException:
            error = f"No connection was made within {CONNECT_SECONDS:g} seconds."
        except (httpcore.NetworkError, httpcore.ProtocolError, OSError) as failure:
            error = _shorten(f"The connection failed: {failure or type(failure).__name__}.")
        return Outcome(int((monotonic() - begun) * 1_000), status, error, retry_after)

    async def close(self) -> None:
        """Close every connection."""
        for pool in self._pools.values():
            await pool.aclose()

    async def forget(self, endpoint_id: str) -> None:
        """Close the connection of an endpoint that is gone."""
        pool = self._pools.pop(endpoint_id, None)
        if pool is not None:
            await pool.aclose()

    def _pool(self, endpoint_id: str) -> httpcore.AsyncConnectionPool:
        # A pool an endpoint, of one connection: who hangs takes none from another, and a request
        # does not look through everybody's connections for its own.
        if endpoint_id not in self._pools:
            self._pools[endpoint_id] = httpcore.AsyncConnectionPool(
                ssl_context=self._tls,
                max_connections=1,
                keepalive_expiry=IDLE_SECONDS,
                network_backend=self._network,
            )
        return self._pools[endpoint_id]

    async def _post(self, endpoint: WebhookEndpoint, message: Message) -> tuple[int, float | None]:
        # Checked again: what was allowed when it was registered may not be now.
        url = check_url(endpoint.url, self._reach)
        now = self._clock()
        headers = {
            "content-type": "application/json; charset=utf-8",
            "user-agent": _USER_AGENT,
            **self._signer.headers(endpoint, message.id, message.body, now),
        }
        seconds = self._total_seconds
        limits = {"connect": CONNECT_SECONDS, "read": seconds, "write": seconds, "pool": seconds}
        async with self._pool(endpoint.id).stream(
            "POST",
            url,
            headers=list(headers.items()),
            content=message.body.encode(),
            extensions={"timeout": limits},
        ) as response:
            # The status has said it all; an answer that is short leaves the connection usable.
            with suppress(TimeoutError, httpcore.NetworkError, httpcore.ProtocolError):
                async with asyncio.timeout(DRAIN_SECONDS):
                    await _drain(response)
            return response.status, _read_retry_after(dict(response.headers), now)


async def _drain(response: httpcore.Response) -> None:
    read = 0
    async for chunk in response.aiter_stream():
        read += len(chunk)
        if read > MOST_READ:
            return  # to leave it unfinished closes the connection


def _read_retry_after(headers: dict[bytes, bytes], now: datetime) -> float | None:
    """Seconds, from either form of the header (RFC 9110 10.2.3); None when it says nothing."""
    text = next((v for k, v in headers.items() if k.lower() == b"retry-after"), b"")
    value = text.decode("ascii", "replace").strip()
    if value.isdigit() and len(value) < 10:
        return float(value)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = at if at.tzinfo else at.replace(tzinfo=UTC)
    return max(0.0, (aware - now).total_seconds())


def _name_status(status: int) -> str:
    if 300 <= status < 400:
        return f"The endpoint answered {status}; redirects are not followed."
    return f"The endpoint answered {status}."


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"
