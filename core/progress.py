"""How long work tells of itself, without knowing who listens."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One stretch of work under way."""

    def advance(self, steps: int = 1) -> None:
        """Say that ``steps`` more are done."""

    def note(self, text: str) -> None:
        """Show a short figure beside the bar (a loss, a rate)."""


class Progress(Protocol):
    """Whoever shows progress: a bar on a terminal, a log, nobody."""

    def task(self, label: str, total: int | None = None) -> AbstractContextManager[Task]:
        """Open a task of ``total`` steps (None: unknown); used as a context manager."""


class _SilentTask:
    def advance(self, steps: int = 1) -> None:
        """Nobody listens."""

    def note(self, text: str) -> None:
        """Nobody listens."""


class SilentProgress:
    """Progress that nobody watches."""

    @contextmanager
    def task(self, label: str, total: int | None = None) -> Iterator[Task]:  # noqa: ARG002 - protocol
        """Open a task that reports to nobody."""
        yield _SilentTask()


SILENT: Progress = SilentProgress()
