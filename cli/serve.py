"""`offerpath serve`: the GraphQL API."""

from __future__ import annotations

import errno
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer

from cli.console import Terminal
from cli.session import session_of
from core.errors import InputError

if TYPE_CHECKING:
    from core.settings import Settings


def run(
    context: typer.Context,
    host: Annotated[
        str | None, typer.Option(envvar="OFFERPATH_HOST", help="Where to listen.")
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, envvar="OFFERPATH_PORT", help="On which port.")
    ] = None,
) -> None:
    """Serve GraphQL over HTTP and WebSocket until it is stopped.

    Example: offerpath serve --port 8080
    """
    session = session_of(context)
    given = {"host": host, "port": port}
    settings = session.settings(**{k: v for k, v in given.items() if v is not None})
    serve(settings, session.terminal)


def serve(settings: Settings, terminal: Terminal) -> None:
    """Serve until SIGINT or SIGTERM, and say where.

    Raises:
        InputError: when the port is taken or may not be used.
        SettingsError: when the settings would open the API to strangers.
    """
    from api.app import check_exposure, run_server

    check_exposure(settings)
    require_port(settings.host, settings.port)
    with suppress(KeyboardInterrupt):
        run_server(settings, lambda url: terminal.say(f"Serving {url}  (Ctrl+C ends it)"))


def require_port(host: str, port: int) -> None:
    """Make sure that a server could listen there.

    Raises:
        InputError: when the port is taken or may not be used; the mend names another.
    """
    try:
        with socket.create_server((host, port)):
            return
    except OSError as error:
        reason = "is taken" if error.errno == errno.EADDRINUSE else f"cannot be used ({error})"
    raise InputError(
        f"Port {port} on {host} {reason}.",
        mend=f"Stop what listens there, or choose another: --port {port + 1} (OFFERPATH_PORT).",
    )
