"""https, over a real TLS server: the name stays the name, whatever address is connected to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.entities import Role
from core.webhooks import WebhookEndpoint
from tests.webhooks.receivers import Receiver, status
from webhooks.addresses import GuardedNetwork, Reach
from webhooks.messages import Message
from webhooks.sending import Outcome, Sender
from webhooks.signing import Signer

NAME = "partner.example"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a certificate of NAME that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    path.write_bytes(
        made.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


async def send_to(certificate: Path, host: str, trusted: bool) -> tuple[Outcome, Receiver, str]:
    """One attempt to reach a TLS server of this machine under a name; and the name it was told."""
    receiver, told = Receiver(status(204)), [""]

    def note(_socket: ssl.SSLObject, name: str | None, _context: ssl.SSLContext) -> None:
        told[0] = name or ""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = note

    async def names(_host: str, _port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    server = await asyncio.start_server(receiver.serve, "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    network = GuardedNetwork(Reach.LOOPBACK, names)
    tls = ssl.create_default_context(cafile=str(certificate)) if trusted else None
    sender = Sender(
        Signer("k" * 32), Reach.LOOPBACK, lambda: datetime.now(UTC), network=network, tls=tls
    )
    endpoint = WebhookEndpoint(
        id="wh", url=f"https://{host}:{port}/hook?a=b", name="n", role=Role.PARTNER, subject="s",
        api_key_id="k", position=0, created_at=datetime.now(UTC),
    )  # fmt: skip
    try:
        async with server:
            outcome = await sender.send(endpoint, Message("event-1", 1, "{}"))
            await sender.close()
    finally:
        network.close()
    return outcome, receiver, told[0]


async def test_the_name_is_told_and_checked(certificate: Path) -> None:
    outcome, receiver, told = await send_to(certificate, NAME, trusted=True)
    assert (outcome.status_code, outcome.error) == (204, None)
    assert told == NAME
    (request,) = receiver.requests
    assert request.target == "/hook?a=b"
    assert request.headers["host"].split(":")[0] == NAME


async def test_a_certificate_of_another_name_is_refused(certificate: Path) -> None:
    outcome, receiver, _ = await send_to(certificate, "another.example", trusted=True)
    assert outcome.status_code is None
    assert "certificate" in str(outcome.error)
    assert receiver.requests == []


async def test_a_certificate_of_nobody_is_refused(certificate: Path) -> None:
    outcome, receiver, _ = await send_to(certificate, NAME, trusted=False)
    assert outcome.status_code is None
    assert "certificate" in str(outcome.error)
    assert receiver.requests == []
