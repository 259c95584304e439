"""The books of webhooks: endpoints and what was delivered to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from core.entities import Lease, Role
from core.errors import NotFoundError
from core.webhooks import (
    Delivery,
    DeliveryState,
    WebhookEndpoint,
    WebhookProgress,
    WebhookState,
)
from graph.engine import Transaction
from graph.leases import check_lease
from graph.queries import load_query
from graph.session import GraphSession, run_ids, run_rows

Row = Mapping[str, Any]


class WebhookBooks(GraphSession):
    """Endpoints and their deliveries."""

    async def create_webhook(self, endpoint: WebhookEndpoint) -> None:
        """Keep a new endpoint; the same id again is overwritten."""

        async def work(tx: Transaction) -> None:
            await run_rows(tx, "write_webhooks", [_endpoint_row(endpoint)])

        await self.engine.write(work)

    async def list_webhooks(self) -> list[WebhookEndpoint]:
        """Every endpoint, oldest first, paused and disabled ones included."""
        rows = await self.engine.read(load_query("list_webhooks"))
        return sorted(map(_read_endpoint, rows), key=lambda one: (one.created_at, one.id))

    async def get_webhook(self, endpoint_id: str) -> WebhookEndpoint | None:
        """The endpoint with this id."""
        rows = await self.engine.read(load_query("get_webhooks"), {"ids": [endpoint_id]})
        return _read_endpoint(rows[0]) if rows else None

    async def change_webhook(
        self, endpoint_id: str, change: Callable[[WebhookEndpoint], WebhookEndpoint]
    ) -> WebhookEndpoint:
        """Write what ``change`` makes of the endpoint as it is; returns that.

        Nobody else writes the endpoint between. ``change`` may run again, and may raise.

        Raises:
            NotFoundError: when there is no such endpoint.
        """

        async def work(tx: Transaction) -> WebhookEndpoint:
            current = await _lock(tx, [endpoint_id])
            if endpoint_id not in current:
                raise NotFoundError(
                    f"There is no webhook {endpoint_id[:80]!r}.",
                    mend="webhooks lists them.",
                    field=("id",),
                )
            changed = change(current[endpoint_id])
            await run_rows(tx, "write_webhooks", [_endpoint_row(changed)])
            return changed

        return await self.engine.write(work)

    async def delete_webhook(self, endpoint_id: str) -> None:
        """Remove an endpoint with its delivery log; doing it again changes nothing."""

        async def work(tx: Transaction) -> None:
            await _lock(tx, [endpoint_id])
            await tx.run(load_query("drop_webhook"), {"id": endpoint_id})
            await tx.run(load_query("drop_webhook_deliveries"), {"id": endpoint_id})

        await self.engine.write(work)

    async def keep_webhook_progress(
        self, lease: Lease, progress: Sequence[WebhookProgress]
    ) -> dict[str, WebhookEndpoint]:
        """Write how far sending has come, at most one progress an endpoint, in one transaction.

        An endpoint that was moved meanwhile keeps its place; of one that is gone nothing is kept.
        Returns the endpoints as the books have them now, by id.

        Raises:
            LeaseLostError: when another process has taken the lease; nothing is written.
        """
        ids = sorted({one.before.id for one in progress})

        async def work(tx: Transaction) -> dict[str, WebhookEndpoint]:
            await check_lease(tx, lease)
            kept = await _lock(tx, ids)
            deliveries: list[Delivery] = []
            for one in progress:
                if one.before.id in kept:
                    kept[one.before.id] = one.merged_into(kept[one.before.id])
                    deliveries += one.deliveries
            await run_rows(tx, "write_webhooks", [_endpoint_row(one) for one in kept.values()])
            await run_rows(tx, "write_deliveries", [_delivery_row(one) for one in deliveries])
            return kept

        return await self.engine.write(work)

    async def write_deliveries(self, deliveries: Sequence[Delivery]) -> None:
        """Keep attempts, or change those with the same ids."""

        async def work(tx: Transaction) -> None:
            await run_rows(tx, "write_deliveries", [_delivery_row(one) for one in deliveries])

        await self.engine.write(work)

    async def get_delivery(self, delivery_id: str) -> Delivery | None:
        """The attempt with this id."""
        rows = await self.engine.read(load_query("get_deliveries"), {"ids": [delivery_id]})
        return _read_delivery(rows[0]) if rows else None

    async def page_deliveries(
        self,
        endpoint_id: str,
        states: Collection[DeliveryState],
        *,
        after: str | None = None,
        before: str | None = None,
        limit: int = 20,
        backwards: bool = False,
    ) -> list[Delivery]:
        """An endpoint's attempts of these states, newest first.

        Args:
            endpoint_id: whose they are.
            states: those of interest.
            after: an id; only older attempts.
            before: an id; only newer attempts.
            limit: how many at most.
            backwards: count from the oldest; the order stays.
        """
        parameters = {
            "endpointId": endpoint_id,
            "states": [state.value for state in states],
            "above": before or "",
            "bounded": after is not None,
            "below": after or "",
            "limit": limit,
        }
        name = "page_deliveries_backwards" if backwards else "page_deliveries"
        found = [
            _read_delivery(row) for row in await self.engine.read(load_query(name), parameters)
        ]
        return found[::-1] if backwards else found

    async def purge_deliveries(
        self, endpoint_id: str, states: Collection[DeliveryState], *, before: datetime, keep: int
    ) -> None:
        """Remove attempts of these states: what is old, and all but the newest ``keep``.

        The age counts for every endpoint, the number for this one.
        """
        of = {"endpointId": endpoint_id, "states": [state.value for state in states]}
        aged = {"states": of["states"], "before": before}

        async def work(tx: Transaction) -> None:
            await tx.run(load_query("drop_deliveries_before"), aged)
            last = await tx.run(load_query("oldest_kept_delivery"), {**of, "keep": keep})
            if last:
                await tx.run(load_query("drop_deliveries_to"), {**of, "to": last[0]["id"]})

        await self.engine.write(work)


async def _lock(tx: Transaction, ids: Sequence[str]) -> dict[str, WebhookEndpoint]:
    """Lock these endpoints until the commit, and read them then; those found, by id."""
    await run_ids(tx, "lock_webhooks", ids)
    rows = await run_ids(tx, "get_webhooks", ids)
    return {row["id"]: _read_endpoint(row) for row in rows}


def _endpoint_row(endpoint: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": endpoint.id,
        "url": endpoint.url,
        "name": endpoint.name,
        "role": endpoint.role.value,
        "subject": endpoint.subject,
        "apiKeyId": endpoint.api_key_id,
        "filter": json.dumps(dict(endpoint.filter), sort_keys=True),
        "position": endpoint.position,
        "state": endpoint.state.value,
        "secretVersion": endpoint.secret_version,
        "previousUntil": endpoint.previous_until,
        "failures": endpoint.failures,
        "failingSince": endpoint.failing_since,
        "nextAttemptAt": endpoint.next_attempt_at,
        "createdAt": endpoint.created_at,
        "lastError": endpoint.last_error,
        "deadSeq": endpoint.dead_seq,
        "deadCount": endpoint.dead_count,
    }


def _read_endpoint(row: Row) -> WebhookEndpoint:
    return WebhookEndpoint(
        id=row["id"],
        url=row["url"],
        name=row["name"],
        role=Role(row["role"]),
        subject=row["subject"],
        api_key_id=row["apiKeyId"],
        filter=json.loads(row["filter"]),
        position=int(row["position"]),
        state=WebhookState(row["state"]),
        secret_version=int(row["secretVersion"]),
        previous_until=row["previousUntil"],
        failures=int(row["failures"]),
        failing_since=row["failingSince"],
        next_attempt_at=row["nextAttemptAt"],
        created_at=row["createdAt"],
        last_error=row["lastError"],
        dead_seq=row["deadSeq"],
        dead_count=int(row["deadCount"]),
    )


def _delivery_row(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "endpointId": delivery.endpoint_id,
        "eventId": delivery.event_id,
        "seq": delivery.seq,
        "attempt": delivery.attempt,
        "state": delivery.state.value,
        "statusCode": delivery.status_code,
        "error": delivery.error,
        "milliseconds": delivery.milliseconds,
        "at": delivery.at,
    }


def _read_delivery(row: Row) -> Delivery:
    return Delivery(
        id=row["id"],
        endpoint_id=row["endpointId"],
        event_id=row["eventId"],
        seq=int(row["seq"]),
        attempt=int(row["attempt"]),
        state=DeliveryState(row["state"]),
        at=row["at"],
        milliseconds=int(row["milliseconds"]),
        status_code=row["statusCode"],
        error=row["error"],
    )
