"""The command line, run in this process on a small marketplace."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.main import run
from core.progress import SILENT
from synthetic.generate import generate
from synthetic.spec import MarketplaceSpec

SMALL = MarketplaceSpec(buyers=40, offers=40, vendors=4, purchases=600, interactions=600)


@dataclass(frozen=True)
class Answer:
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Stdout as one JSON document."""
        return json.loads(self.out)


Command = Callable[..., Answer]


@pytest.fixture
def offerpath(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> Command:
    """Runs `offerpath` with a home of the test's own."""
    for name in ("GRAPH_URI", "PORT", "HOST", "ENVIRONMENT", "PSEUDONYM_KEY"):
        monkeypatch.delenv(f"OFFERPATH_{name}", raising=False)
    monkeypatch.setenv("OFFERPATH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: object) -> Answer:
        capfd.readouterr()
        code = run([str(word) for word in words])
        captured = capfd.readouterr()
        return Answer(code, captured.out, captured.err)

    return command


@pytest.fixture(scope="session")
def marketplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the canonical files of a small marketplace."""
    folder = tmp_path_factory.mktemp("marketplace")
    generate(SMALL, folder, progress=SILENT)
    return folder


@pytest.fixture(scope="session")
def filled_home(marketplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home whose graph holds the marketplace; tests copy it or only read."""
    home = tmp_path_factory.mktemp("filled")
    assert run(["--home", str(home), "import", str(marketplace)]) == 0
    yield home
