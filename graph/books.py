"""The service's own books: API keys and models."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core.entities import ApiKey, EventType
from core.errors import NotFoundError
from graph.engine import Transaction
from graph.queries import load_query
from graph.records import read_api_key
from graph.session import EventDraft, GraphSession, Outcome


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """What the graph knows of a published model."""

    id: str
    created_at: datetime
    metrics: dict[str, Any]
    artifact_sha256: str
    stage: str


class Books(GraphSession):
    """API keys and models."""

    async def create_api_key(self, key: ApiKey) -> None:
        """Keep a key; the same id again is overwritten."""

        async def work(tx: Transaction) -> None:
            parameters = {
                "id": key.id,
                "name": key.name,
                "role": key.role.value,
                "subject": key.subject,
                "hash": key.hash,
                "createdAt": key.created_at,
                "expiresAt": key.expires_at,
                "revokedAt": key.revoked_at,
            }
            await tx.run(load_query("write_api_key"), parameters)

        await self.engine.write(work)

    async def list_api_keys(self) -> list[ApiKey]:
        """Every key, oldest first, revoked and expired ones included."""
        keys = [read_api_key(row) for row in await self.engine.read(load_query("list_api_keys"))]
        return sorted(keys, key=lambda key: (key.created_at, key.id))

    async def find_api_key(self, hash: str) -> ApiKey | None:
        """The key with this sha-256 hex digest, revoked or expired or not."""
        rows = await self.engine.read(load_query("find_api_key"), {"hash": hash})
        return read_api_key(rows[0]) if rows else None

    async def revoke_api_key(self, key_id: str, at: datetime) -> None:
        """Revoke a key; it keeps the time at which it was revoked first.

        Raises:
            NotFoundError: when there is no such key.
        """

        async def work(tx: Transaction) -> bool:
            return bool(await tx.run(load_query("revoke_api_key"), {"id": key_id, "at": at}))

        if not await self.engine.write(work):
            raise NotFoundError(
                f"There is no API key {key_id!r}.", mend="offerpath keys list shows them."
            )

    async def record_model(
        self,
        model_id: str,
        created_at: datetime,
        metrics: Mapping[str, Any],
        artifact_sha256: str,
        stage: str = "SERVED",
    ) -> int:
        """Keep what is known of a model, with a MODEL_PUBLISHED event; returns the log's seq."""
        parameters = {
            "id": model_id,
            "createdAt": created_at,
            "metrics": json.dumps(dict(metrics), sort_keys=True),
            "artifactSha256": artifact_sha256,
            "stage": stage,
        }
        event = EventDraft(EventType.MODEL_PUBLISHED, payload={"modelId": model_id, "stage": stage})

        async def work(tx: Transaction) -> Outcome:
            await tx.run(load_query("write_model"), parameters)
            return Outcome((), (event,))

        return (await self.commit("record_model", parameters, work)).seq

    async def list_models(self) -> list[ModelRecord]:
        """Every model, oldest first."""
        records = [
            ModelRecord(
                id=row["id"],
                created_at=row["createdAt"],
                metrics=json.loads(row["metrics"] or "{}"),
                artifact_sha256=row["artifactSha256"],
                stage=row["stage"],
            )
            for row in await self.engine.read(load_query("list_models"))
        ]
        return sorted(records, key=lambda record: (record.created_at, record.id))
