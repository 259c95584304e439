"""The compose file runs what the tests run, and holds no secret."""

from __future__ import annotations

import re
from xml.etree import ElementTree

from tests.servers.compose import compose, neo4j_settings
from tests.servers.neo4j import ROOT, VERSION, variable_of


def test_one_neo4j_version_everywhere() -> None:
    assert compose()["services"]["neo4j"]["image"] == f"neo4j:{VERSION}-community"
    project = ElementTree.parse(ROOT / "tests" / "servers" / "neo4j.pom.xml").getroot()
    space = {"m": "http://maven.apache.org/POM/4.0.0"}
    versions = {
        dependency.findtext("m:artifactId", "", space): dependency.findtext("m:version", "", space)
        for dependency in project.iterfind(".//m:dependency", space)
    }
    assert versions["neo4j"] == versions["neo4j-server"] == VERSION


def test_secrets_come_from_outside() -> None:
    for service in compose()["services"].values():
        for name, value in service["environment"].items():
            if re.search("AUTH|PASSWORD|KEY", name):
                assert re.fullmatch(r"(neo4j/)?\$\{OFFERPATH_\w+:[?-].*\}", value), name


def test_every_service_is_watched_and_listens_on_loopback_only() -> None:
    for service in compose()["services"].values():
        assert service["healthcheck"]["test"]
        assert all(port.startswith("127.0.0.1:") for port in service["ports"])
        mounts = {mount.partition(":")[0] for mount in service["volumes"]}
        assert mounts <= set(compose()["volumes"])


def test_settings_are_read_by_the_names_that_the_server_knows() -> None:
    settings = neo4j_settings()
    environment = compose()["services"]["neo4j"]["environment"]
    assert {f"NEO4J_{variable_of(name)}" for name in settings} == set(environment) - {"NEO4J_AUTH"}
    assert settings["db.transaction.timeout"] == "120s"
    assert settings["db.memory.transaction.max"] == "512m"
    assert settings["server.memory.heap.max_size"] == "1g"
