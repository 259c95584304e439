"""Webhooks over GraphQL, on a production server: who may do what, and what it answers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from standardwebhooks import Webhook

from core.entities import Role
from core.settings import Environment
from core.webhooks import WebhookEndpoint
from graph.engine import Transaction
from graph.session import EventDraft, Outcome
from tests.api.conftest import give_key, key_of
from tests.api.serving import Serving
from tests.webhooks.posting import draft
from tests.webhooks.receivers import Receiver, receiving, refusing, status

T = TypeVar("T")

FIELDS = """id url name state cursor owner ownerRole failures lastError previousSecretUntil
  filter { buyers vendors categories types minScore }"""
ERRORS = "errors { code field message }"
REGISTER = f"""mutation ($input: RegisterWebhookInput!) {{ registerWebhook(input: $input) {{
  {ERRORS} secret webhook {{ {FIELDS} }} }} }}"""
UPDATE = f"""mutation ($input: UpdateWebhookInput!) {{ updateWebhook(input: $input) {{
  {ERRORS} webhook {{ {FIELDS} }} }} }}"""
LIST = f"{{ webhooks {{ {FIELDS} }} }}"
ONE = f"""query ($id: ID!) {{ webhook(id: $id) {{ {FIELDS}
  deliveries(first: 50) {{ edges {{ node {{ id eventId seq cursor state attempt statusCode error
    milliseconds at }} }} pageInfo {{ hasNextPage }} }}
  deadLetters {{ edges {{ node {{ id eventId state }} }} }} }} }}"""
DEVELOPMENT_KEY = "0123456789abcdef" * 4


def by_id(name: str, fields: str, argument: str = "id") -> str:
    return f"mutation ($id: ID!) {{ {name}({argument}: $id) {{ {ERRORS} {fields} }} }}"


PAUSE = by_id("pauseWebhook", "webhook { state }")
RESUME = by_id("resumeWebhook", "webhook { state }")
ROTATE = by_id("rotateWebhookSecret", "secret webhook { previousSecretUntil }")
DELETE = by_id("deleteWebhook", "deletedId")
TEST = by_id("sendTestEvent", "delivery { eventId state statusCode error }")
REDELIVER = by_id("redeliver", "delivery { eventId state statusCode }", "deliveryId")
REPLAY = f"""mutation ($id: ID!, $after: Cursor!) {{ replayWebhook(id: $id, after: $after) {{
  {ERRORS} webhook {{ cursor }} }} }}"""


@pytest.fixture(scope="module")
def production(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A production server with a key a role, whose webhooks may go to this machine."""
    settings: dict[str, Any] = {
        "environment": Environment.PRODUCTION,
        "webhook_key": DEVELOPMENT_KEY,
        "webhook_allow_private": True,
    }
    with Serving(tmp_path_factory.mktemp("webhooks"), **settings) as serving:
        for role in Role:
            give_key(serving, role)
        yield serving


class Listening:
    """A receiver on a loop and a thread of its own, beside the blocking client."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._context = receiving()
        self.receiver: Receiver = self.run(self._context.__aenter__())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def close(self) -> None:
        self.run(self._context.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


@pytest.fixture
def listening() -> Iterator[Listening]:
    listening = Listening()
    yield listening
    listening.close()


def register(
    serving: Serving, url: str, role: Role = Role.PARTNER, **input_: Any
) -> dict[str, Any]:
    made = serving.data(REGISTER, key_of(role), input={"url": url, "name": "n", **input_})
    answer: dict[str, Any] = made["registerWebhook"]
    return answer


def call(serving: Serving, query: str, role: Role = Role.PARTNER, **variables: Any) -> Any:
    (answer,) = serving.data(query, key_of(role), **variables).values()
    return answer


def ids_of_all(serving: Serving) -> list[str]:
    """Of all webhooks; what else is told of one changes while it is delivered to."""
    return [one["id"] for one in call(serving, "{ webhooks { id } }")]


def tell(serving: Serving, *drafts: EventDraft) -> list[str]:
    store = serving.services.store

    async def work(_tx: Transaction) -> Outcome:
        return Outcome((), drafts)

    last = serving.run(store.commit("tell", None, work)).seq
    return [f"{store.graph_id}-{last - len(drafts) + 1 + n}" for n in range(len(drafts))]


def test_from_registering_to_receiving(production: Serving, listening: Listening) -> None:
    receiver = listening.receiver
    made = register(production, receiver.url, filter={"vendors": ["v"], "types": ["MATCH_CREATED"]})
    assert made["errors"] == []
    webhook, secret = made["webhook"], made["secret"]
    assert webhook["state"] == "ACTIVE"
    assert (webhook["ownerRole"], webhook["owner"]) == ("PARTNER", "partner")
    assert webhook["filter"] == {
        "buyers": None, "vendors": ["v"], "categories": None, "types": ["MATCH_CREATED"],
        "minScore": 0.0,
    }  # fmt: skip
    told = tell(production, draft(1, vendor_id="v"), draft(2), draft(3, vendor_id="v"))
    requests = listening.run(receiver.wait_for(2))
    assert [one.id for one in requests] == [told[0], told[2]]
    for request in requests:
        Webhook(secret).verify(request.text, request.headers)
    # The cursor of a body is one that this API takes.
    after = requests[0].body["data"]["cursor"]
    polled = production.data(
        "query ($after: Cursor) { matchEvents(after: $after) { edges { node { id } } } }",
        key_of(Role.PARTNER),
        after=after,
    )
    assert [one["node"]["id"] for one in polled["matchEvents"]["edges"]] == told[1:]

    call(production, REPLAY, id=webhook["id"], after=after)
    assert [one.id for one in listening.run(receiver.wait_for(3))][2:] == [told[2]]
    found = wait_for_log(production, webhook["id"], 3)
    assert [one["eventId"] for one in found] == [told[2], told[2], told[0]]
    assert {(one["state"], one["statusCode"]) for one in found} == {("DELIVERED", 204)}
    assert call(production, DELETE, id=webhook["id"]) == {"errors": [], "deletedId": webhook["id"]}
    assert call(production, ONE, id=webhook["id"]) is None


def test_the_secret_is_shown_once(production: Serving, listening: Listening) -> None:
    made = register(production, listening.receiver.url)
    rotated = call(production, ROTATE, id=made["webhook"]["id"])
    assert rotated["errors"] == []
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != made["secret"]
    assert rotated["webhook"]["previousSecretUntil"] is not None
    answer = production.post(LIST, key_of(Role.ADMIN)).text
    assert made["webhook"]["id"] in answer
    for secret in (made["secret"], rotated["secret"]):
        assert secret.removeprefix("whsec_") not in answer
    for hidden in ("secret", "secretVersion", "apiKeyId"):
        assert production.codes(f"{{ webhooks {{ {hidden} }} }}", key_of(Role.ADMIN)) == [
            "GRAPHQL_VALIDATION_FAILED"
        ]


def test_a_test_event_and_a_dead_letter_answer_at_once(
    production: Serving, listening: Listening
) -> None:
    receiver = listening.receiver
    made = register(production, receiver.url)
    endpoint_id = made["webhook"]["id"]
    sent = call(production, TEST, id=endpoint_id)
    assert sent["errors"] == []
    assert sent["delivery"] == {
        "eventId": receiver.ids[-1], "state": "TEST", "statusCode": 204, "error": None,
    }  # fmt: skip
    assert receiver.requests[-1].body["type"] == "webhook.test"
    Webhook(made["secret"]).verify(receiver.requests[-1].text, receiver.requests[-1].headers)
    receiver.answer = status(500)
    failed = call(production, TEST, id=endpoint_id)
    assert (failed["delivery"]["state"], failed["delivery"]["statusCode"]) == ("TEST", 500)
    assert failed["delivery"]["error"] == "The endpoint answered 500."

    store = production.services.store
    (told,) = tell(production, draft(1))
    receiver.answer = refusing({told})
    for _ in range(200):
        if call(production, ONE, id=endpoint_id)["deadLetters"]["edges"]:
            break
        # What would take half a minute of waiting is made due at once.
        production.run(store.change_webhook(endpoint_id, _due_now))
        production.run(asyncio.sleep(0.1))
    (dead,) = call(production, ONE, id=endpoint_id)["deadLetters"]["edges"]
    assert (dead["node"]["eventId"], dead["node"]["state"]) == (told, "DEAD")
    receiver.answer = status(200)
    again = call(production, REDELIVER, id=dead["node"]["id"])
    assert again["delivery"] == {"eventId": told, "state": "DELIVERED", "statusCode": 200}
    assert call(production, ONE, id=endpoint_id)["deadLetters"]["edges"] == []
    twice = call(production, REDELIVER, id=dead["node"]["id"])
    assert [(one["code"], one["field"]) for one in twice["errors"]] == [
        ("CONFLICT", ["deliveryId"])
    ]


def test_pausing_and_resuming(production: Serving, listening: Listening) -> None:
    endpoint_id = register(production, listening.receiver.url)["webhook"]["id"]
    assert call(production, PAUSE, id=endpoint_id)["webhook"] == {"state": "PAUSED"}
    assert call(production, RESUME, id=endpoint_id)["webhook"] == {"state": "ACTIVE"}


@pytest.mark.parametrize(
    ("input_", "field"),
    [
        ({"url": "ftp://example.com/"}, ["input", "url"]),
        ({"url": "https://user:password@example.com/"}, ["input", "url"]),
        ({"name": " "}, ["input", "name"]),
        ({"name": "n" * 201}, ["input", "name"]),
        ({"filter": {"minScore": 2.0}}, ["input", "filter", "minScore"]),
        ({"filter": {"vendors": []}}, ["input", "filter", "vendors"]),
        ({"after": "forged"}, ["input", "after"]),
    ],
)
def test_an_unusable_webhook_is_not_made(
    production: Serving, input_: dict[str, Any], field: list[str]
) -> None:
    before = ids_of_all(production)
    made = register(production, **{"url": "https://127.0.0.1/", **input_})
    assert (made["webhook"], made["secret"]) == (None, None)
    assert [(one["code"], one["field"]) for one in made["errors"]] == [("BAD_INPUT", field)]
    assert ids_of_all(production) == before


def test_an_update_changes_what_is_given(production: Serving, listening: Listening) -> None:
    url = listening.receiver.url
    made = register(production, url, filter={"minScore": 0.5, "buyers": ["b"]})["webhook"]
    renamed = call(production, UPDATE, input={"id": made["id"], "name": "new"})["webhook"]
    assert renamed == {**made, "name": "new"}
    emptied = call(production, UPDATE, input={"id": made["id"], "filter": {}})["webhook"]
    assert emptied["filter"] == {
        "buyers": None, "vendors": None, "categories": None, "types": None, "minScore": 0.0,
    }  # fmt: skip
    refused = call(production, UPDATE, input={"id": made["id"], "url": "nonsense"})
    assert refused["webhook"] is None
    assert refused["errors"][0]["field"] == ["input", "url"]


@pytest.mark.parametrize("role", [Role.BUYER, Role.ANALYST])
def test_webhooks_are_not_for_all(production: Serving, role: Role) -> None:
    key = key_of(role)
    input_ = {"url": "https://127.0.0.1/", "name": "n"}
    assert production.codes(LIST, key) == ["FORBIDDEN"]
    assert production.codes(REGISTER, key, input=input_) == ["FORBIDDEN"]
    for query in (PAUSE, RESUME, ROTATE, DELETE, TEST, REDELIVER):
        assert production.codes(query, key, id="any") == ["FORBIDDEN"]
    assert production.codes(REPLAY, key, id="any", after="any") == ["FORBIDDEN"]
    assert production.codes(UPDATE, key, input={"id": "any"}) == ["FORBIDDEN"]
    assert production.codes(ONE, key, id="any") == ["FORBIDDEN"]


def test_what_is_somebody_elses_is_not_there(production: Serving, listening: Listening) -> None:
    url = listening.receiver.url
    mine = register(production, url, Role.PARTNER)["webhook"]["id"]
    other = Role.VENDOR
    assert mine not in {one["id"] for one in call(production, LIST, other)}
    assert call(production, ONE, other, id=mine) is None
    for query in (PAUSE, RESUME, ROTATE, DELETE, TEST):
        for unknown in (mine, "wh_none"):
            (refusal,) = call(production, query, other, id=unknown)["errors"]
            assert (refusal["code"], refusal["field"]) == ("NOT_FOUND", ["id"])
            assert refusal["message"] == f"You have no webhook {unknown!r}."
    (refusal,) = call(production, UPDATE, other, input={"id": mine, "name": "x"})["errors"]
    assert (refusal["code"], refusal["field"]) == ("NOT_FOUND", ["input", "id"])
    assert call(production, ONE, id=mine)["state"] == "ACTIVE"
    # An admin sees and changes all.
    assert mine in {one["id"] for one in call(production, LIST, Role.ADMIN)}
    assert call(production, PAUSE, Role.ADMIN, id=mine)["webhook"] == {"state": "PAUSED"}


def test_a_vendor_asks_for_its_own_offers_alone(production: Serving, listening: Listening) -> None:
    refused = register(
        production, listening.receiver.url, Role.VENDOR, filter={"vendors": ["another"]}
    )
    assert [(one["code"], one["field"]) for one in refused["errors"]] == [
        ("FORBIDDEN", ["input", "filter", "vendors"])
    ]
    made = register(production, listening.receiver.url, Role.VENDOR)
    assert made["errors"] == []
    own = made["webhook"]["owner"]
    told = tell(production, draft(1, vendor_id="another"), draft(2, vendor_id=own))
    assert [one.id for one in listening.run(listening.receiver.wait_for(1))] == told[1:]


def test_an_owner_has_twenty_at_most(production: Serving, listening: Listening) -> None:
    give_key(production, Role.PARTNER, "opk_another-partner")
    key = "opk_another-partner"
    made: list[dict[str, Any]] = []
    while len(made) < 25:
        input_ = {"url": listening.receiver.url, "name": f"n{len(made)}"}
        made.append(production.data(REGISTER, key, input=input_)["registerWebhook"])
        if made[-1]["errors"]:
            break
    assert made[-1]["errors"][0]["code"] == "CONFLICT"
    owned = call(production, LIST)
    assert len(owned) == 20
    for one in owned:
        call(production, DELETE, id=one["id"])


def test_deliveries_are_read_for_one_webhook_at_a_time(production: Serving) -> None:
    query = "{ webhooks { deliveries(first: 5) { edges { node { id } } } } }"
    assert production.codes(query, key_of(Role.PARTNER)) == ["TOO_COSTLY"]


def test_production_without_a_key_says_what_to_set(tmp_path: Path) -> None:
    with Serving(tmp_path, environment=Environment.PRODUCTION) as serving:
        give_key(serving, Role.PARTNER)
        made = register(serving, "https://example.com/")
    (refusal,) = made["errors"]
    assert (refusal["code"], refusal["field"]) == ("CONFLICT", [])
    assert "OFFERPATH_WEBHOOK_KEY is empty" in refusal["message"]
    assert "openssl rand" in refusal["message"]


def test_production_keeps_webhooks_out_of_the_network(tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "environment": Environment.PRODUCTION,
        "webhook_key": DEVELOPMENT_KEY,
    }
    with Serving(tmp_path, **settings) as serving:
        give_key(serving, Role.PARTNER)
        for url in ("https://127.0.0.1/", "https://localhost/", "https://no-such-host.invalid/"):
            made = register(serving, url)
            (refusal,) = made["errors"]
            assert (refusal["code"], refusal["field"]) == ("BAD_INPUT", ["input", "url"])
            assert refusal["message"].startswith("The url's host has no public address.")
        assert register(serving, "http://example.com/")["errors"][0]["field"] == ["input", "url"]


def _due_now(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return replace(endpoint, next_attempt_at=None)


def wait_for_log(serving: Serving, endpoint_id: str, count: int) -> list[dict[str, Any]]:
    for _ in range(100):
        edges = call(serving, ONE, id=endpoint_id)["deliveries"]["edges"]
        if len(edges) >= count:
            break
        serving.run(asyncio.sleep(0.1))
    return [edge["node"] for edge in edges]
