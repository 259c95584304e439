"""The root of the `offerpath` command: global options, and failures turned into exit codes."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.logging import RichHandler
from typer import rich_utils

from cli import (
    backup,
    bench,
    demo,
    doctor,
    evaluate,
    events,
    explain,
    export,
    generate,
    graph,
    import_,
    keys,
    match,
    restore,
    schema,
    serve,
    train,
)
from cli.console import ColorChoice, Terminal
from cli.session import Session
from core.errors import OfferpathError

SUCCESS, FAILURE, BAD_INPUT, INTERRUPTED = 0, 1, 2, 130

app = typer.Typer(
    name="offerpath",
    help="Matches buyers with offers on a graph, and shows the path behind every match.",
    epilog="Exit codes: 0 success, 2 bad input, 1 failure. New here? Try: offerpath demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo.run,
    "generate": generate.run,
    "import": import_.run,
    "export": export.run,
    "train": train.run,
    "evaluate": evaluate.run,
    "match": match.run,
    "explain": explain.run,
    "serve": serve.run,
    "schema": schema.run,
    "doctor": doctor.run,
    "backup": backup.run,
    "restore": restore.run,
}
for name, command in COMMANDS.items():
    app.command(name=name)(command)
app.add_typer(bench.app, name="bench")
app.add_typer(events.app, name="events")
app.add_typer(graph.app, name="graph")
app.add_typer(keys.app, name="keys")


@app.callback()
def start(
    context: typer.Context,
    home: Annotated[
        Path | None,
        typer.Option(envvar="OFFERPATH_HOME", help="Folder of graph, models and reports."),
    ] = None,
    color: Annotated[ColorChoice, typer.Option(help="When to colour.")] = ColorChoice.AUTO,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an internal error.")
    ] = False,
) -> None:
    """Matches buyers with offers on a graph, and shows the path behind every match."""
    terminal = Terminal(color)
    logging.basicConfig(
        format="%(message)s",
        handlers=[RichHandler(console=terminal.err, show_path=False, show_time=False)],
        force=True,
    )
    logging.captureWarnings(True)
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # its font cache is no news
    logging.getLogger("py.warnings").setLevel(logging.WARNING if debug else logging.ERROR)
    context.obj = Session(terminal, home=home, debug=debug)


def run(arguments: Sequence[str]) -> int:
    """Run the command line and return its exit code; failures are told on stderr.

    Args:
        arguments: what stands after `offerpath` on the command line.
    """
    color = _color_of(arguments)
    if color is ColorChoice.NEVER:
        rich_utils.COLOR_SYSTEM = None
    try:
        app(args=list(arguments), prog_name="offerpath")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else FAILURE
    except OfferpathError as error:
        Terminal(color).fail(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:  # the edge: whatever is left is ours, and has no place on a screen
        return _tell_internal(error, Terminal(color), debug="--debug" in arguments)
    return SUCCESS


def main() -> None:
    """Entry point of the `offerpath` script."""
    sys.exit(run(sys.argv[1:]))


def _tell_internal(error: Exception, terminal: Terminal, *, debug: bool) -> int:
    if debug:
        traceback.print_exception(error, file=terminal.err.file)
    first = str(error).splitlines()[0] if str(error) else ""
    terminal.fail(
        OfferpathError(
            f"Internal error: {type(error).__name__}: {first[:200]}",
            mend="" if debug else "Run it again with offerpath --debug and report what it shows.",
        )
    )
    return FAILURE


def _color_of(arguments: Sequence[str]) -> ColorChoice:
    """The colour choice as typed, needed before and after the options are parsed."""
    for position, argument in enumerate(arguments):
        if argument.startswith("--color="):
            value = argument.partition("=")[2]
        elif argument == "--color":
            value = arguments[position + 1] if position + 1 < len(arguments) else ""
        else:
            continue
        return ColorChoice(value) if value in set(ColorChoice) else ColorChoice.AUTO
    return ColorChoice.AUTO
