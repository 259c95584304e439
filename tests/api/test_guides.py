"""What the guides print is what the service takes."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Queue

import pytest
from graphql import parse, specified_rules, validate

import api.schema
from api.limits import check_document
from core.entities import Role
from tests.announcing.log import match, tell
from tests.api import market
from tests.api.conftest import key_of
from tests.api.following import someone
from tests.api.serving import Serving

DOCS = Path(__file__).parents[2] / "docs"
PINNED = Path(__file__).parents[1] / "clients"
SCHEMA = api.schema.build_schema()._schema


def blocks(file: str, language: str) -> list[str]:
    text = (DOCS / file).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


QUERIES = [query for file in ("front-end.md", "partners.md") for query in blocks(file, "graphql")]


@pytest.mark.parametrize("query", QUERIES)
def test_every_query_is_valid_and_affordable(query: str) -> None:
    document = parse(query)
    assert validate(SCHEMA, document, specified_rules) == []
    check_document(SCHEMA, document, {}, None)


def test_the_guides_have_queries() -> None:
    assert len(QUERIES) >= 9


CLIENTS = ("python", "js", "sh")


@pytest.fixture(scope="session")
def packages(request: pytest.FixtureRequest) -> Path:
    """A folder with what the JavaScript client imports, as tests/clients pins it."""
    lock = (PINNED / "package-lock.json").read_bytes()
    assert request.config.cache is not None
    folder = request.config.cache.mkdir(f"client-{hashlib.sha256(lock).hexdigest()[:12]}")
    if not (folder / "installed").exists():
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINNED / name, folder)
        install = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(install, cwd=folder, check=True, capture_output=True, timeout=100)
        (folder / "installed").touch()
    return folder


class Client:
    """One of the guide's clients in a process of its own; its place is kept in ``folder``."""

    def __init__(self, command: Sequence[str], folder: Path, environment: dict[str, str]) -> None:
        # A group of its own: the shell's client has children.
        self._running = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self._lines: Queue[str] = Queue()
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    def line(self) -> str:
        """The next line it prints."""
        return self._lines.get(timeout=30)

    def hears(self, buyer: str) -> None:
        """It prints an event of this buyer next; what it was told before may come again.

        What the server announces by itself is left out.
        """
        while buyer not in (line := self.line()):
            assert line in self.repeatable or "follower-" not in line, line
        self.repeatable = (line,)

    repeatable: tuple[str, ...] = ()

    def stop(self) -> None:
        """Kill it, in the middle of whatever it does."""
        with suppress(ProcessLookupError):
            os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait(10)
        self._reading.join(10)
        for pipe in (self._running.stdout, self._running.stderr):
            assert pipe is not None
            pipe.close()

    def _read(self) -> None:
        assert self._running.stdout is not None
        for line in self._running.stdout:
            self._lines.put(line.decode().rstrip("\n"))


@pytest.fixture(params=CLIENTS)
def start(
    request: pytest.FixtureRequest, production: Serving, tmp_path: Path
) -> Iterator[Callable[[], Client]]:
    """Starts one of the guide's clients, again and again in one folder."""
    command = _command(request, tmp_path)
    environment = {
        "PATH": os.environ["PATH"],
        "OFFERPATH_URL": production.url,
        "OFFERPATH_KEY": key_of(Role.PARTNER),
    }
    started: list[Client] = []

    def start() -> Client:
        started.append(Client(command, tmp_path, environment))
        until(lambda: followers(production) == 1)
        return started[-1]

    yield start
    for client in started:
        client.stop()
    until(lambda: followers(production) == 0)


def _command(request: pytest.FixtureRequest, folder: Path) -> list[str]:
    (program,) = (one for one in blocks("partners.md", request.param) if "subscription" in one)
    if request.param == "js":
        packages: Path = request.getfixturevalue("packages")
        (folder / "client.mjs").write_text(program, encoding="utf-8")
        (folder / "node_modules").symlink_to(packages / "node_modules")
        return ["node", "client.mjs"]
    if request.param == "sh":
        return ["bash", "-c", program]
    return [sys.executable, "-u", "-c", program]


def followers(serving: Serving) -> int:
    return len(serving.server.app.state.channels._followers)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it never held")


def test_a_client_receives_stops_and_resumes(
    production: Serving, start: Callable[[], Client]
) -> None:
    def happens(*buyers: str) -> None:
        drafts = [match(buyer, market.offer(1)) for buyer in buyers]
        production.run(tell(production.services.store, *drafts))

    first, second, third, fourth, fifth = (someone() for _ in range(5))
    until(lambda: followers(production) == 0)
    client = start()
    happens(first, second)
    client.hears(first)
    client.hears(second)
    client.stop()
    until(lambda: followers(production) == 0)
    happens(third)
    before, client = client, start()
    client.repeatable = before.repeatable
    client.hears(third)
    # The connection breaks, and something happens meanwhile.
    break_connections(production)
    happens(fourth)
    client.hears(fourth)
    until(lambda: followers(production) == 1)
    happens(fifth)
    client.hears(fifth)


def break_connections(serving: Serving) -> None:
    """Cut every connection of the server, without a word."""

    async def cut() -> None:
        for connection in list(serving.server.server_state.connections):
            connection.transport.abort()

    serving.run(cut())
