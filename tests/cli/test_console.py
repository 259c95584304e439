from __future__ import annotations

import io
import threading

from rich.console import Console

from cli.console import BarProgress, LineProgress
from core.progress import Task


def test_lines_tell_the_end_of_a_task_and_its_last_figure() -> None:
    text = io.StringIO()
    with LineProgress(Console(file=text)).task("Training", 3) as task:
        task.note("loss 0.5")
        task.advance(3)
    assert text.getvalue().startswith("Training: done in ")
    assert "(loss 0.5)" in text.getvalue()


def advance_often(task: Task) -> None:
    for _ in range(100):
        task.advance()


def test_bars_nest_and_advance_from_threads() -> None:
    text = io.StringIO()
    progress = BarProgress(Console(file=text, force_terminal=True, width=100))
    with progress.task("Outer [a]", 400) as outer, progress.task("Inner") as inner:
        threads = [threading.Thread(target=advance_often, args=(outer,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        inner.note("half")
    assert "Outer [a]" in text.getvalue()
    assert "100%" in text.getvalue()
    with progress.task("Again", 1):
        pass
    assert "Again" in text.getvalue()
