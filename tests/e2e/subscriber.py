"""A subscriber that notes each event it is told of; killed and started again, it goes on.

``python -m tests.e2e.subscriber FILE CURSOR URL...``: a JSON line an event is appended to FILE. It
begins a little before the end of what it noted, or behind CURSOR, and takes the next URL when one
fails.
"""

from __future__ import annotations

import json
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import Any, TextIO

from websockets import WebSocketException
from websockets.sync.client import ClientConnection, connect

QUERY = """subscription ($after: Cursor) { matchEvents(after: $after) { __typename
  ... on MatchEvent { id seq cursor } ... on CursorExpired { seq } } }"""


def main(path: Path, begin: str, urls: list[str]) -> None:
    """Follow until the process ends."""
    for url in cycle(urls):
        cursor = cut_to_whole_lines(path) or begin
        try:
            with path.open("a") as notes:
                follow(url.replace("http", "ws", 1), cursor, notes)
        except (OSError, WebSocketException):
            time.sleep(0.1)


def follow(url: str, cursor: str, notes: TextIO) -> None:
    """Note every event behind a cursor, until the connection ends."""
    with connect(url, subprotocols=["graphql-transport-ws"], open_timeout=5) as socket:  # type: ignore[list-item]
        socket.send('{"type": "connection_init"}')
        socket.recv()
        payload = {"query": QUERY, "variables": {"after": cursor}}
        socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        listen(socket, notes)


def listen(socket: ClientConnection, notes: TextIO) -> None:
    """Note what comes; what is no event is noted as it is, for the check to find."""
    for text in socket:
        message: dict[str, Any] = json.loads(text)
        if message["type"] == "ping":
            socket.send('{"type": "pong"}')
            continue
        told = message
        if message["type"] == "next" and message["payload"].get("data"):
            told = message["payload"]["data"]["matchEvents"]
        if told.get("__typename") != "Lagged":
            notes.write(json.dumps(told) + "\n")
            notes.flush()
        if message["type"] in ("error", "complete"):
            return


def cut_to_whole_lines(path: Path) -> str | None:
    """Leave out a line that a kill has cut short; the cursor to go on from, if there is one.

    It is that of the third last event, as of a reader that keeps its place every few events only.
    """
    whole, _, torn = path.read_text().rpartition("\n") if path.exists() else ("", "", "")
    if torn:
        path.write_text(f"{whole}\n" if whole else "")
    cursor: str | None = json.loads(whole.splitlines()[-3:][0]).get("cursor") if whole else None
    return cursor


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], sys.argv[3:])
