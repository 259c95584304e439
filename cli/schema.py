"""`offerpath schema`: the GraphQL schema as a file, and whether that file is current."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.session import session_of
from core.errors import OfferpathError


def run(
    context: typer.Context,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; fail when the file is not current.")
    ] = False,
    file: Annotated[Path, typer.Option(help="The schema's file.")] = Path("schema.graphql"),
) -> None:
    """Write the GraphQL schema to a file, or check that the file has not drifted.

    Example: offerpath schema --check
    """
    from api.schema_export import schema_text

    terminal = session_of(context).terminal
    text = schema_text()
    current = file.read_text(encoding="utf-8") if file.is_file() else ""
    if check and current != text:
        raise OfferpathError(
            f"{file} is not what the code says.", mend="Write it anew: make schema."
        )
    if not check and current != text:
        file.write_text(text, encoding="utf-8")
    terminal.say(f"{file} is current.")
