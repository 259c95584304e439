"""Signed cursors: where a page ended, in a form that only this service can have written.

A cursor is base64url of 10 bytes of HMAC-SHA256 and a small JSON list. The key is derived from the
graph, so that cursors survive a restart and work on every process that serves the same graph.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

from core.errors import CursorInvalidError

_SIGNATURE_BYTES = 10
_LONGEST = 2_000
_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class KeyCursor:
    """A place in a list that pages by key: the list's name and the last id of the page."""

    listing: str
    key: str


@dataclass(frozen=True, slots=True)
class RankingCursor:
    """A place in a stored ranking: its id, how many places came before, the arguments' hash."""

    ranking_id: str
    position: int
    arguments_hash: str


class Cursors:
    """Writes and reads cursors under one key."""

    def __init__(self, secret: str) -> None:
        self._key = hashlib.sha256(b"offerpath cursor\0" + secret.encode()).digest()

    def key_cursor(self, listing: str, key: str) -> str:
        """The cursor after (or before) ``key`` of the list of that name."""
        return self._seal(["k", listing, key])

    def ranking_cursor(self, ranking_id: str, position: int, arguments_hash: str) -> str:
        """The cursor after the first ``position`` places of a stored ranking."""
        return self._seal(["r", ranking_id, position, arguments_hash])

    def event_cursor(self, seq: int) -> str:
        """The cursor after everything up to that seq of the event log."""
        return self._seal(["e", seq])

    def read_event(self, text: str, *, field: str = "after") -> int:
        """The seq of an event cursor.

        Raises:
            CursorInvalidError: when it was not written here or is no place in the event log.
        """
        match self._open(text, field):
            case ["e", int(seq)] if seq >= 0:
                return seq
        raise _invalid(field, "belongs to another list")

    def read_key(self, text: str, listing: str, *, field: str = "after") -> str:
        """The key of a cursor of that list.

        Raises:
            CursorInvalidError: when it was not written here or belongs to another list.
        """
        match self._open(text, field):
            case ["k", str(found), str(key)] if found == listing:
                return key
        raise _invalid(field, "belongs to another list")

    def read_ranking(self, text: str, *, field: str = "after") -> RankingCursor:
        """The place of a ranking's cursor.

        Raises:
            CursorInvalidError: when it was not written here or is no ranking's.
        """
        match self._open(text, field):
            case ["r", str(ranking_id), int(position), str(arguments_hash)] if position >= 0:
                return RankingCursor(ranking_id, position, arguments_hash)
        raise _invalid(field, "belongs to another list")

    def _seal(self, parts: list[str | int]) -> str:
        body = _encode(parts).encode()
        return urlsafe_b64encode(self._sign(body) + body).rstrip(b"=").decode("ascii")

    def _open(self, text: str, field: str) -> list[object]:
        if len(text) > _LONGEST:
            raise _invalid(field, "is too long")
        try:
            raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        except ValueError as error:
            raise _invalid(field, "cannot be read") from error
        signature, body = raw[:_SIGNATURE_BYTES], raw[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._sign(body)):
            raise _invalid(field, "was not given out by this service")
        parts = json.loads(body)
        assert isinstance(parts, list)
        return parts

    def _sign(self, body: bytes) -> bytes:
        return hmac.new(self._key, body, hashlib.sha256).digest()[:_SIGNATURE_BYTES]


def _invalid(field: str, reason: str) -> CursorInvalidError:
    return CursorInvalidError(
        f"The cursor {reason}.", mend="Start again without it.", field=(field,)
    )
