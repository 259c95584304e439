"""A real Neo4j for the tests: fetched by Maven once, started on ports the system gives, stopped.

``OFFERPATH_TEST_NEO4J_URI`` names a server that runs already instead, with its password in
``OFFERPATH_TEST_NEO4J_PASSWORD`` (user ``neo4j``). The tests empty that server's database.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
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

_OPENS = ("java.nio", "java.io", "sun.nio.ch", "java.util.concurrent")


@dataclass(frozen=True)
class Neo4jServer:
    """Where a running server is reached."""

    uri: str
    password: str
    user: str = USER
    database: str = "neo4j"


class ServerMissingError(Exception):
    """The machine has nothing that Neo4j could run on; the message says what to install."""


@contextmanager
def running_neo4j(home: Path) -> Iterator[Neo4jServer]:
    """A running server with an empty database, its files under ``home``."""
    named = os.environ.get("OFFERPATH_TEST_NEO4J_URI")
    if named:
        yield Neo4jServer(named, os.environ.get("OFFERPATH_TEST_NEO4J_PASSWORD", ""))
    elif shutil.which("java") and (_is_fetched() or shutil.which("mvn")):
        with _java_server(home) as server:
            yield server
    elif shutil.which("docker"):
        with _docker_server() as server:
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
def _java_server(home: Path) -> Iterator[Neo4jServer]:
    jars = _fetch_jars()
    bolt, http = _free_port(), _free_port()
    (home / "conf").mkdir(parents=True)
    (home / "conf" / "neo4j.conf").write_text(
        f"server.bolt.listen_address=127.0.0.1:{bolt}\n"
        f"server.http.listen_address=127.0.0.1:{http}\n"
        "server.default_listen_address=127.0.0.1\n"
        "dbms.usage_report.enabled=false\n"
        "server.memory.pagecache.size=128m\n"
        "db.transaction.timeout=120s\n"
    )
    command = [
        "java", "-Xmx1g", *(f"--add-opens=java.base/{name}=ALL-UNNAMED" for name in _OPENS),
        "-cp", f"{jars}/*", "org.neo4j.server.CommunityEntryPoint",
        f"--home-dir={home}", f"--config-dir={home}/conf",
    ]  # fmt: skip
    log = home / "console.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        server = Neo4jServer(f"bolt://127.0.0.1:{bolt}", secrets.token_urlsafe(12))
        _set_first_password(server, lambda: process.poll() is not None, log)
        yield server
    finally:
        # Nothing of it is kept, so it need not end in order.
        process.kill()
        process.wait()


@contextmanager
def _docker_server() -> Iterator[Neo4jServer]:
    server = Neo4jServer(f"bolt://127.0.0.1:{_free_port()}", secrets.token_urlsafe(12))
    port = server.uri.rpartition(":")[2]
    command = [
        "docker", "run", "--rm", "--detach", "--publish", f"127.0.0.1:{port}:7687",
        "--env", f"NEO4J_AUTH={USER}/{server.password}", f"neo4j:{VERSION}-community",
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
