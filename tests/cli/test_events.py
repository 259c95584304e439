"""`offerpath events tail`, on a graph of its own and beside the server that has it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from api.app import Server
from cli import event_lines
from cli.session import now, run_with_graph
from core.api_keys import make_api_key
from core.entities import EventType, MatchChange, MatchReason, Role
from core.settings import Settings, load_settings
from graph.store import GraphStore
from tests.cli.conftest import Answer, Command

CREATED = MatchChange(
    EventType.MATCH_CREATED, "buyer-1", "offer-1", "vendor-1", ("category-1",), 0.625, 1, "walk",
    MatchReason.OFFER_CHANGED, "terms", held_back=2,
)  # fmt: skip
GONE = MatchChange(
    EventType.MATCH_WITHDRAWN, "buyer-1", "offer-1", "vendor-1", (), None, None, "walk",
    MatchReason.SOLD_OUT, "terms",
)  # fmt: skip


async def write(store: GraphStore) -> None:
    """Three facts, then two match events: seqs 4 and 5."""
    await store.upsert_vendors([{"id": f"vendor-{n}"} for n in range(3)])
    lease = await store.take_lease("announcer", "test", 0)
    assert lease is not None
    await store.begin_announcing(lease, 3, [])
    await store.announce(lease, 3, 3, [CREATED, GONE], [], now=store.clock())


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """A home whose graph holds the five events."""
    found = load_settings(home=tmp_path / "home", port=0)
    run_with_graph(found, write)
    return found


def lines(answer: Answer) -> list[dict[str, Any]]:
    assert answer.code == 0, answer.err
    return [json.loads(line) for line in answer.out.splitlines()]


def test_match_events_are_printed_a_line_each(offerpath: Command, settings: Settings) -> None:
    first, second = lines(offerpath("events", "tail", "--json"))
    assert (first["seq"], first["type"], first["buyerId"]) == (4, "MATCH_CREATED", "buyer-1")
    assert (first["score"], first["rank"], first["reason"]) == (0.625, 1, "OFFER_CHANGED")
    assert (first["heldBack"], first["categoryIds"]) == (2, ["category-1"])
    assert (second["seq"], second["score"], second["reason"]) == (5, None, "SOLD_OUT")
    text = offerpath("events", "tail", "--after", "4").out
    assert text.split()[:1] == ["5"]
    assert "MATCH_WITHDRAWN" in text


def test_it_goes_on_behind_a_seq_or_a_cursor(offerpath: Command, settings: Settings) -> None:
    found = lines(offerpath("events", "tail", "--types", "all", "--json", "--after", 1))
    assert [line["seq"] for line in found] == [2, 3, 4, 5]
    assert found[0]["vendorId"] == "vendor-1"
    again = offerpath("events", "tail", "--json", "--after", found[2]["cursor"])
    assert [line["seq"] for line in lines(again)] == [5]
    some = offerpath("events", "tail", "--json", "--types", "vendor_upserted", "--limit", 2)
    assert [line["seq"] for line in lines(some)] == [1, 2]
    assert lines(offerpath("events", "tail", "--json", "--after", 5)) == []


def test_several_pages(
    offerpath: Command, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_lines, "PAGE", 2)
    found = lines(offerpath("events", "tail", "--json", "--types", "all"))
    assert [line["seq"] for line in found] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--after", "6"), "ends at 5"),
        (("--after", "no cursor"), "cursor"),
        (("--types", "nothing"), "NOTHING"),
    ],
)
def test_what_cannot_be_read_is_said(
    offerpath: Command, settings: Settings, words: tuple[str, ...], said: str
) -> None:
    answer = offerpath("events", "tail", *words)
    assert answer.code == 2
    assert said in answer.err


@contextmanager
def served(settings: Settings) -> Iterator[Server]:
    """A server in a thread, answering."""
    started = threading.Event()
    server = Server(settings, lambda _url: started.set())
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield server
    finally:
        server.should_exit = True
        thread.join(30)


def test_the_server_that_has_the_graph_is_asked(
    offerpath: Command, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    direct = lines(offerpath("events", "tail", "--json"))
    monkeypatch.setattr(event_lines, "PAGE_OF_SERVER", 1)
    with served(settings):
        asked = lines(offerpath("events", "tail", "--json", "--limit", 2))
        assert asked == direct
        (last,) = lines(
            offerpath("events", "tail", "--json", "--after", direct[0]["cursor"], "--limit", 1)
        )
        assert last == direct[1]
        types = ("--types", "match_withdrawn", "--after", "0", "--limit", 1)
        assert lines(offerpath("events", "tail", "--json", *types)) == direct[1:]
        follow = offerpath("events", "tail", "--json", "--follow", "--after", "0", "--limit", 2)
        assert lines(follow) == direct
        refused = offerpath("events", "tail", "--types", "all")
        assert refused.code == 2
        assert "match events alone" in refused.err
        refused = offerpath("events", "tail", "--after", "4")
        assert refused.code == 2
        assert "cursor" in refused.err


def test_a_server_in_production_wants_a_key(offerpath: Command, settings: Settings) -> None:
    direct = lines(offerpath("events", "tail", "--json"))
    secret, key = make_api_key("p", Role.PARTNER, now())
    run_with_graph(settings, lambda store: store.create_api_key(key))
    with served(settings.model_copy(update={"environment": "production"})):
        refused = offerpath("events", "tail")
        assert refused.code == 2
        assert "--key" in refused.err
        asked = lines(offerpath("events", "tail", "--json", "--limit", 2, "--key", secret))
        assert asked == direct
