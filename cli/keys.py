"""`offerpath keys`: make, list and revoke the API's keys."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.session import now, run_with_graph, session_of
from core.entities import ApiKey, Role
from core.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from graph.store import GraphStore

PREFIX = "opk_"

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
    if role in (Role.BUYER, Role.VENDOR) and subject is None:
        raise InputError(
            f"A {role.value}'s key needs the {role.value} it stands for.",
            mend=f"Add --subject with the {role.value}'s id.",
        )
    session = session_of(context)
    secret = PREFIX + secrets.token_urlsafe(32)
    created = now()
    key = ApiKey(
        id=secrets.token_hex(8),
        name=name,
        role=role,
        subject=subject or name,
        hash=hashlib.sha256(secret.encode()).hexdigest(),
        created_at=created,
        expires_at=created + timedelta(days=days) if days else None,
    )
    run_with_graph(session.settings(), lambda store: store.create_api_key(key))
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
    keys = run_with_graph(session.settings(), lambda store: store.list_api_keys())
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

    key = run_with_graph(session.settings(), call)
    if json:
        session.terminal.answer_json(_public(key))
    else:
        session.terminal.say(f"Key {key.id} ({key.name}) is revoked.")


def _public(key: ApiKey) -> dict[str, Any]:
    return {name: value for name, value in asdict(key).items() if name != "hash"}


def _state(key: ApiKey, at: datetime) -> str:
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is None:
        return "valid"
    return "ended" if key.expires_at <= at else f"valid until {key.expires_at:%Y-%m-%d}"
