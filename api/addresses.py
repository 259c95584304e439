"""How many lasting connections each address has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import HTTPConnection


class Addresses:
    """Counts WebSockets and event streams by the address they come from.

    Args:
        most: that one address may have at a time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._connections: Counter[str] = Counter()

    @contextmanager
    def place(self, connection: HTTPConnection) -> Iterator[bool]:
        """Hold a place for a connection; whether there was one."""
        address = connection.client.host if connection.client else ""
        if self._connections[address] >= self.most:
            yield False
            return
        self._connections[address] += 1
        try:
            yield True
        finally:
            self._connections[address] -= 1
            self._connections += Counter()  # forgets the addresses that have none left
