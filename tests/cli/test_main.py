from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from cli import doctor
from cli.main import COMMANDS, app
from core.errors import DamagedError
from tests.cli.conftest import Command


@pytest.mark.parametrize("name", [*COMMANDS, "keys create", "keys list", "keys revoke"])
def test_every_command_has_help_with_an_example(name: str, offerpath: Command) -> None:
    answer = offerpath(*name.split(), "--help")
    assert answer.code == 0
    assert f"offerpath {name.split(maxsplit=1)[0]}" in answer.out.split("Example:")[1]


def test_help_needs_no_heavy_package() -> None:
    heavy = "('torch', 'matplotlib', 'strawberry', 'polars', 'numba', 'neo4j', 'ladybug')"
    code = f"import sys, cli.main; print([name for name in {heavy} if name in sys.modules])"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_commands_that_answer_with_data_speak_json() -> None:
    root = get_command(app)
    assert isinstance(root, typer.core.TyperGroup)
    for name in ("generate", "import", "export", "train", "evaluate", "match", "explain", "doctor"):
        options = {option for p in root.commands[name].params for option in p.opts}
        assert "--json" in options, name


def test_bad_input_exits_with_2_and_names_the_mend(offerpath: Command, tmp_path: Path) -> None:
    answer = offerpath("import", tmp_path / "nothing.csv")
    assert answer.code == 2
    assert answer.out == ""
    assert "nothing.csv" in answer.err and "Mend:" in answer.err
    assert "Traceback" not in answer.err


def test_an_unknown_option_exits_with_2(offerpath: Command) -> None:
    assert offerpath("match", "B1", "--frist", "2").code == 2


def test_a_malformed_setting_is_named(offerpath: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFERPATH_CACHE_URL", "memory://")
    monkeypatch.setenv("OFFERPATH_EVENT_RETENTION_DAYS", "soon")
    answer = offerpath("keys", "list")
    assert answer.code == 2
    assert "OFFERPATH_EVENT_RETENTION_DAYS" in answer.err


def test_a_failure_exits_with_1_and_an_internal_error_shows_no_traceback(
    offerpath: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def damaged(session: object) -> None:
        raise DamagedError("It is damaged.", mend="Make it again.")

    monkeypatch.setattr(doctor, "examine", damaged)
    answer = offerpath("doctor")
    assert (answer.code, answer.out) == (1, "")
    assert "It is damaged." in answer.err and "Make it again." in answer.err

    def broken(session: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(doctor, "examine", broken)
    answer = offerpath("doctor")
    assert answer.code == 1
    assert "Internal error: KeyError" in answer.err and "Traceback" not in answer.err
    answer = offerpath("--debug", "doctor")
    assert answer.code == 1 and "Traceback" in answer.err


@pytest.mark.parametrize(("choice", "coloured"), [("always", True), ("never", False)])
def test_colour_is_as_chosen(
    choice: str, coloured: bool, offerpath: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    answer = offerpath("--color", choice, "doctor")
    assert ("\x1b[" in answer.out) is coloured


def test_no_color_is_honoured(offerpath: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in offerpath("doctor").out
