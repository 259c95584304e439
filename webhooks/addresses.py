"""Which addresses a webhook may go to, and connections that go nowhere else.

A name is resolved here, every address that it has is checked, and the connection is made to a
checked address itself: a name that changes its address between check and connection (DNS
rebinding) wins nothing. TLS and the Host header keep the name.

Special addresses: https://www.iana.org/assignments/iana-ipv4-special-registry and
.../iana-ipv6-special-registry; translated ones: RFC 4291 2.5.5, RFC 3056, RFC 6052.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpcore
import httpx

from core.errors import InputError
from core.settings import Environment, Settings

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]

LONGEST_URL = 2_000
RESOLVE_SECONDS = 5.0
_RESOLVERS = 16
_TRIED_ADDRESSES = 4

_ANYWHERE_V6 = IPv6Network("2000::/3")
_TRANSLATED = IPv6Network("64:ff9b::/96")
_REFUSED: tuple[IPv4Network | IPv6Network, ...] = (
    IPv4Network("168.63.129.16/32"),  # a cloud's own services, at an address that looks public
    IPv4Network("192.88.99.0/24"),  # 6to4 relays
    IPv6Network("2001::/23"),  # protocols of their own, Teredo among them
    IPv6Network("3fff::/20"),  # documentation
)


class Reach(Enum):
    """How far webhooks may go."""

    PUBLIC = "public"
    LOOPBACK = "loopback"  # public, and this machine
    ANYWHERE = "anywhere"

    @classmethod
    def of(cls, settings: Settings) -> Reach:
        """Public addresses only; in development this machine too."""
        if settings.webhook_allow_private:
            return cls.ANYWHERE
        if settings.environment is Environment.DEVELOPMENT:
            return cls.LOOPBACK
        return cls.PUBLIC


class AddressRefusedError(InputError):
    """The host has no address that a webhook may go to.

    It does not say which it has, nor whether it has one: names inside the network are nobody's
    business outside.
    """

    code = "ADDRESS_REFUSED"


def check_url(url: str, reach: Reach) -> str:
    """The URL in its normal form.

    Raises:
        InputError: when it is none that a webhook can be sent to; says what is wrong with it.
    """
    if not 0 < len(url) <= LONGEST_URL or url != url.strip() or not url.isprintable():
        raise _bad(f"must be an address of at most {LONGEST_URL:,} characters, without spaces")
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError) as error:
        raise _bad("is no address") from error
    host = parsed.host
    if not host or "%" in host:
        raise _bad("names no host")
    if parsed.scheme != "https" and not (parsed.scheme == "http" and _plain(host, reach)):
        raise _bad("must begin with https://")
    if parsed.userinfo:
        raise _bad("must hold no user name or password; the signature says who sends")
    if parsed.fragment or "#" in url:
        raise _bad("must hold no fragment (#)")
    if parsed.port is not None and not 0 < parsed.port < 65_536:
        raise _bad("must name a port between 1 and 65535")
    literal = _literal(host)
    if literal is not None and not may_reach(literal, reach):
        raise _refused()
    return str(parsed)


def may_reach(address: Address, reach: Reach) -> bool:
    """Whether a webhook may be sent to an address."""
    if reach is Reach.ANYWHERE:
        return True
    if reach is Reach.LOOPBACK and _own(address):
        return True
    return _public(address)


class GuardedNetwork(httpcore.AsyncNetworkBackend):
    """Opens connections to addresses within reach only.

    Args:
        reach: how far.
        resolve: the addresses of a host and port; the system's resolver unless given.
    """

    def __init__(self, reach: Reach, resolve: Resolve | None = None) -> None:
        self._reach = reach
        self._network = httpcore.AnyIOBackend()
        # Threads of their own: a name server that does not answer must not hold up others' work.
        self._threads = ThreadPoolExecutor(_RESOLVERS, thread_name_prefix="webhook-resolve")
        self._resolve = resolve or self._ask_system

    async def addresses(self, host: str, port: int) -> list[str]:
        """The addresses of a host, all of them within reach.

        Raises:
            AddressRefusedError: when it has none, or one that is not.
        """
        try:
            async with asyncio.timeout(RESOLVE_SECONDS):
                found = [ip_address(one) for one in await self._resolve(host, port)]
        except (OSError, TimeoutError, ValueError) as error:
            raise _refused() from error
        if not found or not all(may_reach(one, self._reach) for one in found):
            raise _refused()
        return [str(one) for one in found]

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to one of the host's addresses.

        Raises:
            AddressRefusedError: when it has none within reach.
            httpcore.ConnectError: when none of them answers.
        """
        failure: Exception = httpcore.ConnectError("no address answered")
        for address in (await self.addresses(host, port))[:_TRIED_ADDRESSES]:
            try:
                return await self._network.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def close(self) -> None:
        """Let go of the threads; one that waits for a name server is not waited for."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _ask_system(self, host: str, port: int) -> list[str]:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    # A zone (fe80::1%eth0) is of addresses that are refused anyway.
    return list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))


def _own(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def _public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        inner = _inside(address)
        if inner is not None:
            return _public(inner)
        if address not in _ANYWHERE_V6:
            return False
    if any(address in network for network in _REFUSED if network.version == address.version):
        return False
    return address.is_global and not address.is_multicast


def _inside(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that a router would make of an IPv6 address."""
    if address in _TRANSLATED:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _plain(host: str, reach: Reach) -> bool:
    """Whether http will do: nobody listens in between, or everything is allowed."""
    if reach is Reach.ANYWHERE:
        return True
    literal = _literal(host)
    own = host == "localhost" or (literal is not None and _own(literal))
    return reach is Reach.LOOPBACK and own


def _bad(what: str) -> InputError:
    return InputError(f"The url {what}.", field=("url",))


def _refused() -> AddressRefusedError:
    return AddressRefusedError(
        "The url's host has no public address.",
        mend="Webhooks go to addresses that can be reached from everywhere.",
        field=("url",),
    )
