"""`offerpath doctor`: what is wrong with the set-up, and the mend."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from cli.checks import Finding, Health, examine
from cli.session import session_of

MARKS = {
    Health.GOOD: "[green]good[/]",
    Health.NOTE: "[yellow]note[/]",
    Health.BAD: "[bold red]bad[/]",
}


def run(
    context: typer.Context,
    json: Annotated[bool, typer.Option("--json", help="Answer as JSON.")] = False,
) -> None:
    """Examine Python, packages, settings, graph, snapshot, model and port; name each mend.

    Exits with 1 when something is bad; notes are no failure.

    Example: offerpath doctor
    """
    session = session_of(context)
    findings = examine(session)
    if json:
        session.terminal.answer_json([asdict(finding) for finding in findings])
    else:
        session.terminal.out.print(_table(findings))
    if any(finding.health is Health.BAD for finding in findings):
        raise typer.Exit(1)


def _table(findings: list[Finding]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(style="bold", no_wrap=True)
    table.add_column()
    for finding in findings:
        text = escape(finding.text)
        if finding.mend:
            text += f"\n[bold]Mend:[/] {escape(finding.mend)}"
        table.add_row(MARKS[finding.health], finding.name, text)
    return table
