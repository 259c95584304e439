"""The house rules that a machine can check."""

from __future__ import annotations

import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from cli.main import app
from core.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
# Written apart, so that this file does not hold what it looks for.
# The image's own user is no machine's.
MACHINE_PATHS = re.compile("/" + r"(work|root|home/(?!offerpath/)\w+|opt/wheels)/")
LOCK_NAMES = re.compile(r"(^|/)(requirements/.*\.txt|.*lock.*|package-lock\.json|pom\.xml)$")
# What no file may hold, in pieces as well.
LEFT_OUT = re.compile(
    r"\b((pytest|mark)\.("
    + r"sk"
    + r"ip(if)?|x"
    + r"fail|import"
    + r"orskip)|TO"
    + r"DO|FIX"
    + r"ME)\b"
)
COMMAND_LINE = re.compile(
    r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*((?:offerpath|make) [^\n#|]*)", re.MULTILINE
)
CODE_BLOCK = re.compile(r"```[a-z]*\n(.*?)```|((?:^(?: {4}|\t).*\n?)+)", re.DOTALL | re.MULTILINE)


@cache
def tracked_files() -> tuple[Path, ...]:
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = (ROOT / name for name in listing.stdout.split("\0") if name)
    return tuple(path for path in paths if path.is_file())


def text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return ""


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def guides() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".md"]


def test_no_file_names_a_place_on_one_machine() -> None:
    named = [relative(path) for path in tracked_files() if MACHINE_PATHS.search(text_of(path))]
    assert named == []


def test_lock_files_carry_no_address() -> None:
    locks = [path for path in tracked_files() if LOCK_NAMES.search(relative(path))]
    assert any(path.name == "dev.txt" for path in locks)
    requirements = [path for path in locks if path.suffix == ".txt"]
    assert [relative(path) for path in requirements if "://" in text_of(path)] == []
    assert [relative(path) for path in locks if '"resolved"' in text_of(path)] == []


def test_every_pin_has_a_hash() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for block in re.split(r"\n(?=\S)", text_of(path)):
            if "==" in block.splitlines()[0]:
                assert "--hash=sha256:" in block, f"{path.name}: {block.splitlines()[0]}"


def test_no_test_is_left_out_and_no_work_is_noted_for_later() -> None:
    code = [path for path in tracked_files() if path.suffix in (".py", ".cypher")]
    assert code
    assert [relative(path) for path in code if LEFT_OUT.search(text_of(path))] == []


def test_links_between_guides_lead_somewhere() -> None:
    broken = []
    for guide in guides():
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text_of(guide)):
            if "://" not in target and not (guide.parent / target).exists():
                broken.append(f"{relative(guide)} -> {target}")
    assert broken == []


def test_every_setting_is_in_the_operations_guide() -> None:
    guide = text_of(ROOT / "docs" / "operations.md")
    missing = [name for name in Settings.model_fields if f"`OFFERPATH_{name.upper()}`" not in guide]
    assert missing == []


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z-]+):.*## ", text_of(ROOT / "Makefile"), re.MULTILINE))


def test_make_has_at_most_twelve_targets() -> None:
    assert {"help", "demo", "test", "check", "fix", "schema", "serve", "bench"} <= make_targets()
    assert len(make_targets()) <= 12


def command_lines(guide: Path) -> list[str]:
    blocks = (first or second for first, second in CODE_BLOCK.findall(text_of(guide)))
    return [line.strip() for block in blocks for line in COMMAND_LINE.findall(block)]


def check_offerpath(words: list[str]) -> str | None:
    """Why a command line of a guide is none; None when every part of it is known."""
    command = get_command(app)
    at = 1
    while isinstance(command, typer.core.TyperGroup) and at < len(words):
        if words[at].startswith("-"):
            known = {option for parameter in command.params for option in parameter.opts}
            if words[at].partition("=")[0] not in known:
                return f"no option {words[at]}"
            at += 1 if "=" in words[at] or words[at] in ("--debug", "--help") else 2
            continue
        found = command.commands.get(words[at])
        if found is None:
            return f"no command {words[at]}"
        command, at = found, at + 1
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    for word in words[at:]:
        if word.startswith("--") and word.partition("=")[0] not in known:
            return f"no option {word}"
    return None


def test_the_guides_name_only_commands_that_exist() -> None:
    wrong, seen = [], 0
    for guide in guides():
        for line in command_lines(guide):
            words = shlex.split(line.rstrip("\\ "))
            seen += 1
            if words[0] == "make":
                targets = [w for w in words[1:] if "=" not in w and not w.startswith("-")]
                problem = None if set(targets) <= make_targets() else f"no target {targets}"
            else:
                problem = check_offerpath(words)
            if problem:
                wrong.append(f"{relative(guide)}: {line}: {problem}")
    assert seen > 10
    assert wrong == []


@pytest.mark.parametrize("words", [["offerpath", "mach"], ["offerpath", "match", "--frist"]])
def test_the_check_of_commands_sees_a_wrong_one(words: list[str]) -> None:
    assert check_offerpath(words) is not None
