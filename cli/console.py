"""The terminal: answers on stdout, everything else (progress, remarks, errors) on stderr."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any

from rich import progress as bars
from rich.console import Console
from rich.markup import escape

from core.errors import OfferpathError
from core.progress import Progress, Task

QUIET_SECONDS = 10.0


class ColorChoice(StrEnum):
    """When to colour: AUTO means on a terminal without NO_COLOR."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Terminal:
    """Where a command speaks.

    ``out`` carries the answer and nothing else, so that it can be piped; ``err`` the rest.
    """

    def __init__(self, color: ColorChoice = ColorChoice.AUTO) -> None:
        plain = color is ColorChoice.NEVER or (
            color is ColorChoice.AUTO and bool(os.environ.get("NO_COLOR"))
        )
        forced = True if color is ColorChoice.ALWAYS else None
        system: Any = None if plain else "auto"
        self.out = Console(color_system=system, force_terminal=forced, highlight=False)
        self.err = Console(color_system=system, force_terminal=forced, highlight=False, stderr=True)
        self.progress: Progress = (
            BarProgress(self.err) if self.err.is_terminal else LineProgress(self.err)
        )

    def answer_json(self, value: object) -> None:
        """Write one JSON document to stdout: dates as ISO 8601, enums and paths as text."""
        self.out.file.write(json.dumps(value, indent=2, default=_json_value) + "\n")
        self.out.file.flush()

    def answer_line(self, value: object) -> None:
        """Write one JSON document on one line of stdout, for answers without an end."""
        self.out.file.write(json.dumps(value, ensure_ascii=False, default=_json_value) + "\n")
        self.out.file.flush()

    def say(self, text: str) -> None:
        """Write a remark for people to stderr; Rich markup is understood."""
        self.err.print(text, soft_wrap=True)

    def fail(self, error: OfferpathError) -> None:
        """Write what is wrong, and below it the mend."""
        self.err.print(f"[bold red]{escape(error.message)}[/]", soft_wrap=True)
        if error.mend:
            self.err.print(f"[bold]Mend:[/] {escape(error.mend)}", soft_wrap=True)


class BarProgress:
    """Progress as bars that stay while any task is open; nests and may be used from threads."""

    def __init__(self, console: Console) -> None:
        self._bars = bars.Progress(
            bars.TextColumn("{task.description}"),
            bars.BarColumn(bar_width=None),
            bars.TaskProgressColumn(show_speed=True),
            bars.TimeElapsedColumn(),
            bars.TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._open = 0
        self._lock = threading.Lock()

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        """Show a bar of ``total`` steps, pulsing when the total is unknown."""
        with self._lock:
            if self._open == 0:
                self._bars.start()
            self._open += 1
        bar = self._bars.add_task(escape(label), total=total, note="")
        try:
            yield _Bar(self._bars, bar)
            self._bars.update(bar, total=total or 1, completed=total or 1)
        finally:
            self._bars.stop_task(bar)
            with self._lock:
                self._open -= 1
                if self._open == 0:
                    self._bars.stop()
                    for finished in self._bars.task_ids:
                        self._bars.remove_task(finished)


class _Bar:
    def __init__(self, owner: bars.Progress, bar: bars.TaskID) -> None:
        self._owner = owner
        self._bar = bar

    def advance(self, steps: int = 1) -> None:
        """Move the bar on."""
        self._owner.advance(self._bar, steps)

    def note(self, text: str) -> None:
        """Show a figure at the end of the bar."""
        self._owner.update(self._bar, note=escape(text))


class LineProgress:
    """Progress as lines of a log: at the end of a task, and now and then when it takes long."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:
        """Report the task's end, and every QUIET_SECONDS how far it is."""
        line = _Line(self._console, label, total)
        yield line
        line.finish()


class _Line:
    def __init__(self, console: Console, label: str, total: int | None) -> None:
        self._console = console
        self._label = label
        self._total = total
        self._done = 0
        self._note = ""
        self._started = self._spoken = time.monotonic()

    def advance(self, steps: int = 1) -> None:
        """Count the steps; speak when nothing was said for a while."""
        self._done += steps
        if time.monotonic() - self._spoken >= QUIET_SECONDS:
            self._spoken = time.monotonic()
            of = f" of {self._total:,}" if self._total else ""
            self._speak(f"{self._label}: {self._done:,}{of}{self._note}")

    def note(self, text: str) -> None:
        """Keep a figure for the next line."""
        self._note = f" ({text})" if text else ""

    def finish(self) -> None:
        """Say that the task is done and what it took."""
        self._speak(f"{self._label}: done in {time.monotonic() - self._started:.1f} s{self._note}")

    def _speak(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


def _json_value(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset, tuple)):
        return list(value)
    if hasattr(value, "item"):  # a numpy scalar
        return value.item()
    raise TypeError(f"{type(value).__name__} has no JSON form")
