"""A real server on a port of the system's choice, and a client that speaks to it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx

from api.app import Server
from api.context import Services
from core.settings import Settings

T = TypeVar("T")
START_SECONDS = 60


class Serving:
    """A server in a thread of its own, with its own event loop."""

    def __init__(self, home: Path, **settings: Any) -> None:
        self.settings = Settings(home=home, port=0, log_level="WARNING", **settings)
        self.server = Server(self.settings, on_started=lambda _url: self._started.set())
        self._started = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="served")
        self.client = httpx.Client(timeout=30)

    def __enter__(self) -> Serving:
        self._thread.start()
        assert self._started.wait(START_SECONDS), "the server did not start"
        return self

    def __exit__(self, *_error: object) -> None:
        self.client.close()
        self.server.should_exit = True
        self._thread.join(30)
        assert not self._thread.is_alive(), "the server did not stop"

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def socket_url(self) -> str:
        return self.url.replace("http://", "ws://")

    @property
    def services(self) -> Services:
        services = self.server.app.state.services
        assert isinstance(services, Services)
        return services

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the server's own loop."""
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def post(self, query: str, key: str | None = None, **variables: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        body = {"query": query, "variables": variables}
        return self.client.post(self.url, json=body, headers=headers)

    def data(self, query: str, key: str | None = None, **variables: Any) -> Any:
        """The data of an answer without errors."""
        answer = self.post(query, key, **variables).json()
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def codes(self, query: str, key: str | None = None, **variables: Any) -> list[str]:
        """The codes of an answer's top-level errors."""
        answer = self.post(query, key, **variables).json()
        return [error["extensions"]["code"] for error in answer.get("errors", [])]

    def _run(self) -> None:
        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            await self.server.serve()

        asyncio.run(serve())
