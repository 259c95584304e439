"""Where webhooks may not go, however the way there is written."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from ipaddress import ip_address

import httpcore
import pytest

from core.entities import Role
from core.errors import InputError
from core.settings import load_settings
from core.webhooks import WebhookEndpoint
from tests.webhooks.receivers import drip, flood, receiving, status
from webhooks.addresses import AddressRefusedError, GuardedNetwork, Reach, check_url, may_reach
from webhooks.messages import Message
from webhooks.sending import Outcome, Sender
from webhooks.signing import Signer

INSIDE = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.8.8.8",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2002:a00:1::",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
]
OUTSIDE = [
    "1.1.1.1",
    "93.184.215.14",
    "172.32.0.1",
    "2606:4700::1111",
    "2a00:1450:4001::1",
    "::ffff:8.8.8.8",
    "64:ff9b::808:808",
    "2002:808:808::1",
]
OWN = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]


@pytest.mark.parametrize("address", INSIDE)
def test_inside_is_out_of_reach(address: str) -> None:
    assert not may_reach(ip_address(address), Reach.PUBLIC)
    assert may_reach(ip_address(address), Reach.ANYWHERE)
    assert may_reach(ip_address(address), Reach.LOOPBACK) is (
        address.startswith("127.") or address in OWN
    )


@pytest.mark.parametrize("address", OUTSIDE)
def test_outside_is_within_reach(address: str) -> None:
    assert may_reach(ip_address(address), Reach.PUBLIC)
    assert may_reach(ip_address(address), Reach.LOOPBACK)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "//example.com/", "ftp://example.com/", "file:///etc/passwd",
        "gopher://example.com/", "https://", "https:///path", "https://user@example.com/",
        "https://user:pass@example.com/", "https://example.com/#part", "https://example.com/#",
        "https://example.com:0/", "https://example.com:99999/", " https://example.com/",
        "https://example.com/\n", "https://exa mple.com/", "https://example.com/\x00",
        "http://example.com/", "http://localhost/", "https://127.0.0.1/", "https://[::1]/",
        "https://[fe80::1%25eth0]/", "https://[::ffff:10.0.0.1]/", "https://169.254.169.254/latest",
        "https://example.com/" + "a" * 2000,
    ],
)  # fmt: skip
def test_such_a_url_is_refused(url: str) -> None:
    with pytest.raises(InputError) as refused:
        check_url(url, Reach.PUBLIC)
    assert refused.value.field == ("url",)


def test_a_url_is_kept_in_its_normal_form() -> None:
    assert check_url("HTTPS://Example.COM:443/a b?c=d", Reach.PUBLIC) == (
        "https://example.com:443/a%20b?c=d"
    )
    assert check_url("https://bücher.example/", Reach.PUBLIC) == "https://xn--bcher-kva.example/"


def test_plain_http_is_for_this_machine_and_for_those_who_allow_all() -> None:
    local = ("http://localhost:9/", "http://127.0.0.1:9/", "http://[::1]:9/")
    for url in local:
        assert check_url(url, Reach.LOOPBACK) == url
    for url in ("http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/"):
        with pytest.raises(InputError):
            check_url(url, Reach.LOOPBACK)
        assert check_url(url, Reach.ANYWHERE) == url


def test_settings_say_how_far() -> None:
    assert Reach.of(load_settings(environment="production")) is Reach.PUBLIC
    assert Reach.of(load_settings(environment="development")) is Reach.LOOPBACK
    allowed = load_settings(environment="production", webhook_allow_private=True)
    assert Reach.of(allowed) is Reach.ANYWHERE


class Names:
    """A name server of the test's own: each question takes the next answer, the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def __call__(self, host: str, _port: int) -> Sequence[str]:
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@pytest.mark.parametrize(
    "answers",
    [
        [], ["10.0.0.1"], ["1.1.1.1", "127.0.0.1"], ["::ffff:169.254.169.254"],
        ["64:ff9b::7f00:1"], ["no address"],
    ],
)  # fmt: skip
async def test_a_name_with_any_address_inside_is_refused(answers: list[str]) -> None:
    network = GuardedNetwork(Reach.PUBLIC, Names(answers))
    with pytest.raises(AddressRefusedError) as refused:
        await network.connect_tcp("inside.example", 443, timeout=1)
    # Whether the name exists, and where it leads, is not said.
    assert "no public address" in str(refused.value)
    assert "inside" not in str(refused.value)


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "017700000001", "127.1", "localhost"])
async def test_other_ways_to_write_an_address_lead_nowhere(host: str) -> None:
    network = GuardedNetwork(Reach.PUBLIC)
    with pytest.raises(AddressRefusedError):
        await network.addresses(host, 443)
    network.close()


async def test_a_name_that_changes_its_address_wins_nothing() -> None:
    # The first answer passes the check at registration, the second is for the connection.
    async with receiving() as inside:
        port = int(inside.url.split(":")[2].partition("/")[0])
        names = Names(["1.1.1.1"], ["127.0.0.1"])
        network = GuardedNetwork(Reach.PUBLIC, names)
        assert await network.addresses("rebinding.example", port) == ["1.1.1.1"]
        sender = sending(network, Reach.PUBLIC)
        outcome = await sender.send(endpoint(f"https://rebinding.example:{port}/"), MESSAGE)
        await sender.close()
        assert outcome.status_code is None
        assert "no public address" in str(outcome.error)
        assert (inside.connections, len(names.asked)) == (0, 2)


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    async with receiving() as receiver:
        port = int(receiver.url.split(":")[2].partition("/")[0])
        # Two answers: were the name asked again after the check, the second would be refused.
        names = Names(["127.0.0.1"], ["10.0.0.1"])
        network = GuardedNetwork(Reach.LOOPBACK, names)
        stream = await network.connect_tcp("partner.example", port, timeout=1)
        assert stream.get_extra_info("server_addr") == ("127.0.0.1", port)
        assert names.asked == ["partner.example"]
        await stream.aclose()


async def test_a_name_server_that_does_not_answer_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def never(_host: str, _port: int) -> Sequence[str]:
        await asyncio.sleep(3600)
        return []

    monkeypatch.setattr("webhooks.addresses.RESOLVE_SECONDS", 0.05)
    with pytest.raises(AddressRefusedError):
        await GuardedNetwork(Reach.PUBLIC, never).addresses("slow.example", 443)


async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as proxy, receiving() as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        outcome = await send_once(receiver.url)
        assert (outcome.status_code, outcome.error) == (204, None)
        assert proxy.connections == 0


async def test_a_body_without_end_is_not_read() -> None:
    async with receiving(flood) as receiver:
        outcome = await send_once(receiver.url)
        assert (outcome.status_code, outcome.error) == (200, None)
        assert outcome.milliseconds < 5_000


async def test_a_head_without_end_is_given_up() -> None:
    async with receiving(drip) as receiver:
        outcome = await send_once(receiver.url, total_seconds=0.5)
        assert (outcome.status_code, outcome.error) == (None, "No answer came within 0.5 seconds.")


@pytest.mark.parametrize(
    ("value", "seconds"), [("7", 7), ("soon", None), ("-1", None), ("9" * 30, None)]
)
async def test_retry_after_is_read(value: str, seconds: float | None) -> None:
    async with receiving(status(503, f"Retry-After: {value}")) as receiver:
        assert (await send_once(receiver.url)).retry_after == seconds


async def test_retry_after_may_be_a_date() -> None:
    async with receiving(status(503, "Retry-After: Thu, 01 Jan 2026 00:02:00 GMT")) as receiver:
        assert (await send_once(receiver.url)).retry_after == 120
    async with receiving(status(503, "Retry-After: Wed, 31 Dec 2025 00:00:00 GMT")) as receiver:
        assert (await send_once(receiver.url)).retry_after == 0


async def test_an_error_never_quotes_the_answer() -> None:
    async with receiving(status(500, body="a secret of the inside")) as receiver:
        assert (await send_once(receiver.url)).error == "The endpoint answered 500."


async def test_what_is_no_http_is_a_failure() -> None:
    async def nonsense(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 smtp.example ESMTP\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(nonsense, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        outcome = await send_once(f"http://127.0.0.1:{port}/")
    assert outcome.status_code is None
    assert str(outcome.error).startswith("The connection failed")


MESSAGE = Message("event-1", 1, '{"type":"match.created"}')


def endpoint(url: str) -> WebhookEndpoint:
    return WebhookEndpoint(
        id="wh", url=url, name="n", role=Role.PARTNER, subject="s", api_key_id="k", position=0,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def sending(network: GuardedNetwork, reach: Reach, total_seconds: float = 5) -> Sender:
    def clock() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC)

    return Sender(Signer("k" * 32), reach, clock, network=network, total_seconds=total_seconds)


async def send_once(url: str, total_seconds: float = 5) -> Outcome:
    network = GuardedNetwork(Reach.LOOPBACK)
    sender = sending(network, Reach.LOOPBACK, total_seconds)
    try:
        return await sender.send(endpoint(url), MESSAGE)
    finally:
        await sender.close()
        network.close()


def test_the_pool_knows_no_unix_sockets() -> None:
    assert GuardedNetwork.connect_unix_socket is httpcore.AsyncNetworkBackend.connect_unix_socket
