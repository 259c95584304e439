"""A real Neo4j for the tests: fetched by Maven once, started on ports the system gives, stopped.

``OFFERPATH_TEST_NEO4J_URI`` names a server that runs already instead, with its password in
``OFFERPATH_TEST_NEO4J_PASSWORD`` (user ``neo4j``). The tests empty that server's database. Tests
of a configuration start a server of their own all the same.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import neo4j
from neo4j.exceptions import Neo4jError, ServiceUnavailable

VERSION = "5.26.30"
ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".cache" / "neo4j"
START_SECONDS = 120.0
USER = "neo4j"
DEFAULTS = {
    "dbms.usage_report.enabled": "false",
    "server.memory.pagecache.size": "128m",
    "db.transaction.timeout": "120s",
}

_OPENS = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")


@dataclass(frozen=True)
class Neo4jServer:
    """Where a running server is reached; ``http`` is the address of its Browser, if known."""

    uri: str
    password: str
    http: str = ""
    user: str = USER
    database: str = "neo4j"


class ServerMissingError(Exception):
    """The machine has nothing that Neo4j could run on; the message says what to install."""


@contextmanager
def running_neo4j(home: Path, settings: Mapping[str, str] | None = None) -> Iterator[Neo4jServer]:
    """A running server with an empty database, its files under ``home``.

    With ``settings`` (of neo4j.conf, by name) it is one of the caller's own that has them.
    """
    named = os.environ.get("OFFERPATH_TEST_NEO4J_URI")
    if named and settings is None:
        yield Neo4jServer(named, os.environ.get("OFFERPATH_TEST_NEO4J_PASSWORD", ""))
    elif shutil.which("java") and (_is_fetched() or shutil.which("mvn")):
        with _java_server(home, settings or DEFAULTS) as server:
            yield server
    elif shutil.which("docker"):
        with _docker_server(settings or DEFAULTS) as server:
            yield server
    else:
        raise ServerMissingError(
            "The tests need a Neo4j server. Install Java 17 and Maven (Debian: apt install "
            "openjdk-17-jre-headless maven) or Docker, or name a running server in "
            "OFFERPATH_TEST_NEO4J_URI."
        )


def _is_fetched() -> bool:
    return (CACHE / VERSION).is_dir()


def _fetch_jars() -> Path:
    """The folder of the server's jars, filled once; runs at the same time wait for each other."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / VERSION
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.is_dir():
            return folder
        partial = CACHE / f"{VERSION}.part"
        shutil.rmtree(partial, ignore_errors=True)
        command = [
            "mvn", "-B", "-q", "-f", str(Path(__file__).with_name("neo4j.pom.xml")),
            "dependency:copy-dependencies", "-DincludeScope=runtime",
            f"-DoutputDirectory={partial}",
        ]  # fmt: skip
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
        if done.returncode != 0:
            raise ServerMissingError(f"Maven could not fetch Neo4j:\n{done.stdout}{done.stderr}")
        partial.rename(folder)
    return folder


@contextmanager
def _java_server(home: Path, settings: Mapping[str, str]) -> Iterator[Neo4jServer]:
    jars = _fetch_jars()
    bolt, http = _free_port(), _free_port()
    (home / "conf").mkdir(parents=True)
    listening = {
        "server.bolt.listen_address": f"127.0.0.1:{bolt}",
        "server.http.listen_address": f"127.0.0.1:{http}",
        "server.default_listen_address": "127.0.0.1",
    }
    lines = [f"{name}={value}\n" for name, value in {**settings, **listening}.items()]
    (home / "conf" / "neo4j.conf").write_text("".join(lines))
    command = [
        "java", "-Xmx1g", *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENS),
        "-cp", f"{jars}/*", "org.neo4j.server.CommunityEntryPoint",
        f"--home-dir={home}", f"--config-dir={home}/conf",
    ]  # fmt: skip
    log = home / "console.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        password = secrets.token_urlsafe(12)
        server = Neo4jServer(f"bolt://127.0.0.1:{bolt}", password, http=f"http://127.0.0.1:{http}")
        _set_first_password(server, lambda: process.poll() is not None, log)
        yield server
    finally:
        # Nothing of it is kept, so it need not end in order.
        process.kill()
        process.wait()


@contextmanager
def _docker_server(settings: Mapping[str, str]) -> Iterator[Neo4jServer]:
    bolt, http, password = _free_port(), _free_port(), secrets.token_urlsafe(12)
    server = Neo4jServer(f"bolt://127.0.0.1:{bolt}", password, http=f"http://127.0.0.1:{http}")
    variables = {f"NEO4J_{variable_of(name)}": value for name, value in settings.items()}
    variables["NEO4J_AUTH"] = f"{USER}/{password}"
    command = [
        "docker", "run", "--rm", "--detach",
        "--publish", f"127.0.0.1:{bolt}:7687", "--publish", f"127.0.0.1:{http}:7474",
        *(word for name, value in variables.items() for word in ("--env", f"{name}={value}")),
        f"neo4j:{VERSION}-community",
    ]  # fmt: skip
    started = subprocess.run(command, check=False, capture_output=True, text=True, timeout=600)
    if started.returncode != 0:
        raise ServerMissingError(
            f"Docker could not start Neo4j: {started.stderr.strip()} Install Java 17 and Maven, "
            "or name a running server in OFFERPATH_TEST_NEO4J_URI."
        )
    container = started.stdout.strip()
    try:
        _wait_until_ready(server, server.password)
        yield server
    finally:
        subprocess.run(["docker", "stop", container], check=False, timeout=120)


def variable_of(setting: str) -> str:
    """What the image calls a setting of neo4j.conf, behind NEO4J_."""
    return setting.replace("_", "__").replace(".", "_")


def _set_first_password(server: Neo4jServer, has_ended: Callable[[], bool], log: Path) -> None:
    try:
        _wait_until_ready(server, "neo4j", has_ended)
    except TimeoutError as error:
        raise ServerMissingError(f"Neo4j did not start:\n{log.read_text()[-4000:]}") from error
    with (
        neo4j.GraphDatabase.driver(server.uri, auth=(USER, "neo4j")) as driver,
        driver.session(database="system") as session,
    ):
        session.run(
            "ALTER CURRENT USER SET PASSWORD FROM 'neo4j' TO $password", password=server.password
        ).consume()


def _wait_until_ready(
    server: Neo4jServer, password: str, has_ended: Callable[[], bool] = lambda: False
) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and not has_ended():
        try:
            with (
                neo4j.GraphDatabase.driver(server.uri, auth=(USER, password)) as driver,
                driver.session(database="system") as session,
            ):
                session.run("SHOW DATABASES").consume()
                return
        except (ServiceUnavailable, OSError):
            time.sleep(0.3)
        except Neo4jError as error:
            # A new server wants its first password changed before anything else.
            if "CredentialsExpired" in str(error.code):
                return
            time.sleep(0.3)
    raise TimeoutError(server.uri)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
