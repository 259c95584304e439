"""What docs/webhooks.md prints works: its queries, and its receivers against real deliveries."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from graphql import parse, specified_rules, validate

import api.schema
from api.limits import check_document
from tests.webhooks.posting import Post, until

GUIDE = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text(encoding="utf-8")
PINNED = Path(__file__).parent / "clients"
SCHEMA = api.schema.build_schema()._schema


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("query", blocks("graphql"))
def test_every_query_is_valid_and_affordable(query: str) -> None:
    document = parse(query)
    assert validate(SCHEMA, document, specified_rules) == []
    check_document(SCHEMA, document, {}, None)


def test_the_guide_has_queries() -> None:
    assert len(blocks("graphql")) >= 8


@pytest.fixture(scope="session")
def webhook_packages(request: pytest.FixtureRequest) -> Path:
    """A folder with what the JavaScript receiver imports, as clients/ pins it."""
    lock = (PINNED / "package-lock.json").read_bytes()
    assert request.config.cache is not None
    folder = request.config.cache.mkdir(f"receiver-{hashlib.sha256(lock).hexdigest()[:12]}")
    if not (folder / "installed").exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINNED / name, folder)
        install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=100)
        (folder / "installed").touch()
    return folder


@pytest.fixture(params=["python", "js"])
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """How the guide's receiver in that language is started."""
    (text,) = blocks(request.param)
    if request.param == "python":
        script = tmp_path / "receiver.py"
        runner = sys.executable
    else:
        script = tmp_path / "receiver.mjs"
        runner = "node"
        packages: Path = request.getfixturevalue("webhook_packages")
        (tmp_path / "node_modules").symlink_to(packages / "node_modules")
    script.write_text(text, encoding="utf-8")
    return [runner, str(script)]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_the_guides_receiver_takes_what_is_signed(post: Post, command: list[str]) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    endpoint, secret = await post.register(url)
    environment = {**os.environ, "PORT": str(port), "OFFERPATH_WEBHOOK_SECRET": secret}
    receiver = await asyncio.create_subprocess_exec(
        *command,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert receiver.stdout is not None
    try:
        await until(lambda: _listens(port))
        forged = {
            "webhook-id": "1",
            "webhook-timestamp": "1700000000",
            "webhook-signature": "v1,Zm9yZ2Vk",
        }
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.post(url, json={"type": "match.created"}, headers=forged)
        assert answer.status_code == 401
        async with post.dispatching():
            told = await post.tell_many(3)
            # Sent again, as after a crash here, and told once all the same.
            for _ in range(2):
                await until(lambda: _stands_at(post, endpoint.id, endpoint.position + 3))
                await post.registry.replay(await post.principal(), endpoint.id, endpoint.position)
            told += await post.tell_many(1, first=3)
            heard: list[str] = []
            async with asyncio.timeout(20):
                while len(heard) < 4:
                    heard.append(json.loads(await receiver.stdout.readline())["data"]["id"])
        assert heard == told
    finally:
        receiver.kill()
        await receiver.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    await writer.wait_closed()
    return True


async def _stands_at(post: Post, endpoint_id: str, seq: int) -> bool:
    return (await post.endpoint(endpoint_id)).position >= seq
