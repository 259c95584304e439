"""`offerpath keys`: make, list and revoke the API's keys."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer
from rich.table import Table

from cli.session import now, run_with_graph, session_of
from core.api_keys import is_good, make_api_key
from core.entities import ApiKey, Role
from core.errors import GraphBusyError, NotFoundError

if TYPE_CHECKING:
    from core.settings import Settings
    from graph.store import GraphStore

T = TypeVar("T")

app = typer.Typer(help="Make, list and revoke the API's keys.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Answer as JSON.")]


@app.command("create")
def create(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    role: Annotated[Role, typer.Option(help="Who its holder is to the service.")],
    subject: Annotated[
        str | None, typer.Option(help="The buyer's or vendor's id, for those roles.")
    ] = None,
    days: Annotated[int | None, typer.Option(min=1, help="Ends after so many days.")] = None,
    json: Json = False,
) -> None:
    """Make a key; its secret is shown this once and kept only as a hash.

    Example: offerpath keys create "Partner shop" --role partner --days 365
    """
    session = session_of(context)
    created = now()
    ends = created + timedelta(days=days) if days else None
    secret, key = make_api_key(name, role, created, subject=subject, expires_at=ends)
    _run_with_keys(session.settings(), lambda store: store.create_api_key(key))
    if json:
        session.terminal.answer_json({**_public(key), "secret": secret})
        return
    session.terminal.out.print(secret, soft_wrap=True)
    session.terminal.say(
        f"Key {key.id} for {role.value} made. Keep the secret above: it is not shown again.\n"
        "Send it as the header  Authorization: Bearer SECRET"
    )


@app.command("list")
def list_(context: typer.Context, json: Json = False) -> None:
    """List the keys, without their secrets.

    Example: offerpath keys list
    """
    session = session_of(context)
    keys = _run_with_keys(session.settings(), lambda store: store.list_api_keys())
    if json:
        session.terminal.answer_json([_public(key) for key in keys])
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("Id", "Name", "Role", "Subject", "State"):
        table.add_column(heading)
    for key in keys:
        table.add_row(key.id, key.name, key.role.value, key.subject, _state(key, now()))
    session.terminal.out.print(table)


@app.command("revoke")
def revoke(
    context: typer.Context, key_id: Annotated[str, typer.Argument(metavar="ID")], json: Json = False
) -> None:
    """Revoke a key: it is refused from then on.

    Example: offerpath keys revoke 3f9c2a7d10b4e586
    """
    session = session_of(context)

    async def call(store: GraphStore) -> ApiKey:
        known = {key.id: key for key in await store.list_api_keys()}
        if key_id not in known:
            raise NotFoundError(f"There is no key {key_id!r}.", mend="See offerpath keys list.")
        await store.revoke_api_key(key_id, now())
        return next(key for key in await store.list_api_keys() if key.id == key_id)

    key = _run_with_keys(session.settings(), call)
    if json:
        session.terminal.answer_json(_public(key))
    else:
        session.terminal.say(f"Key {key.id} ({key.name}) is revoked.")


def _run_with_keys(settings: Settings, work: Callable[[GraphStore], Awaitable[T]]) -> T:
    """Run ``work`` on the open graph.

    Raises:
        GraphBusyError: when another process has it; when that is a server, the mend says how the
            server itself makes, lists and revokes keys.
    """
    try:
        return run_with_graph(settings, work)
    except GraphBusyError as busy:
        if busy.url is None:
            raise
        mend = (
            f"Send it the mutation createApiKey or revokeApiKey, or the query apiKeys, at "
            f"{busy.url} with an admin's credential; or stop that server first."
        )
        raise GraphBusyError(busy.message, mend=mend, url=busy.url) from busy


def _public(key: ApiKey) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "hash"}


def _state(key: ApiKey, at: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if not is_good(key, at):
        return "ended"
    return f"valid until {key.expires_at:%Y-%m-%d}" if key.expires_at else "valid"
