"""The demo as a newcomer meets it: a process of its own, then a server to ask."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parents[2]
BUYERS = "30"
OFFERPATH = [sys.executable, "-c", "from cli.main import main; main()"]


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFERPATH_")}
    return {**kept, "OFFERPATH_HOME": str(home), "COLUMNS": "120", "PYTHONPATH": str(ROOT)}


def offerpath(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run(
        [*OFFERPATH, *words], env=environment(home), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A home in which the demo has run once, and what it printed."""
    home = tmp_path_factory.mktemp("home")
    return home, offerpath(home, "demo", "--once", "--buyers", BUYERS)


@pytest.fixture(scope="module")
def server(demo: tuple[Path, subprocess.CompletedProcess[str]]) -> Iterator[str]:
    """The URL at which the demo's graph is served."""
    home = demo[0] / "demo" / f"marketplace-{BUYERS}"
    process = subprocess.Popen(
        [*OFFERPATH, "serve", "--port", "0"],
        env=environment(home),
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"Serving (http://\S+)", line):
            yield found[1]
            break
    else:
        pytest.fail("".join(lines))
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)


def ask(url: str, query: str) -> Any:
    response = httpx.post(url, json={"query": query}, timeout=30)
    assert response.status_code == 200, response.text
    answer = response.json()
    assert "errors" not in answer, answer
    return answer["data"]


@pytest.mark.timeout(600)
def test_the_demo_shows_the_models_and_explained_matches(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    shown = demo[1].stdout
    for model in ("Popularity", "ItemKNN", "Walk", "GraphSAGE", "Offerpath"):
        assert re.search(rf"^{model} +0\.\d{{4}}", shown, re.MULTILINE), model
    assert re.search(r"What fits buyer B\d{5}, and why", shown)
    assert re.search(r"[+-]\d+% \S+", shown)
    assert "Traceback" not in demo[1].stderr and "Warning" not in demo[1].stderr


@pytest.mark.timeout(600)
def test_the_second_demo_finds_its_work_done(
    demo: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    home, first = demo
    again = offerpath(home, "demo", "--once", "--buyers", BUYERS)
    assert again.stdout == first.stdout
    for work in ("Training", "Writing", "Reading"):
        assert work in first.stderr and work not in again.stderr


@pytest.mark.timeout(600)
def test_the_first_query_of_the_readme_is_answered(server: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    query = re.findall(r"```graphql\n(.*?)```", readme, re.DOTALL)[0]
    edges = ask(server, query)["buyer"]["matches"]["edges"]
    assert edges
    assert all(edge["node"]["explanations"][0]["summary"] for edge in edges)


@pytest.mark.timeout(600)
def test_a_command_that_meets_the_server_names_it(
    server: str, demo: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    home = demo[0] / "demo" / f"marketplace-{BUYERS}"
    ran = subprocess.run(
        [*OFFERPATH, "match", "B00001"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert server in ran.stderr


def blocks(kind: str) -> list[str]:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{kind}\n(.*?)```", readme, re.DOTALL)


def test_the_readmes_own_data_become_a_graph(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text(blocks("csv")[0], encoding="utf-8")
    (tmp_path / "shop.toml").write_text(blocks("toml")[0], encoding="utf-8")
    words = ("import", str(tmp_path / "sales.csv"), "--mapping", str(tmp_path / "shop.toml"))
    tried = json.loads(offerpath(tmp_path / "home", *words, "--dry-run", "--json").stdout)
    done = json.loads(offerpath(tmp_path / "home", *words, "--json").stdout)
    assert (tried["outcome"], done["outcome"]) == ("valid", "imported")
    assert {name: table["new"] for name, table in done["tables"].items() if table["new"]} == {
        "buyers": 3,
        "offers": 2,
        "purchases": 4,
    }
    ranking = json.loads(offerpath(tmp_path / "home", "match", "ben", "--json").stdout)
    assert [match["offer"]["title"] for match in ranking["matches"]] == ["White cup"]
    assert ranking["matches"][0]["offer"]["price_minor"] == 550
