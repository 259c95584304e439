"""From a mutation to a partner's endpoint, through everything that is between."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.api import market
from tests.api.serving import Serving
from tests.webhooks.receivers import Received
from tests.webhooks.test_api import REGISTER, Listening
from tests.webhooks.test_asyncapi import payload_schema, problems

NEW_ID = "the-new-one"
NEW = """mutation ($input: UpsertOfferInput!) {
  upsertOffer(input: $input) { status errors { message } } }"""
WITHDRAW = "mutation ($id: ID!) { deleteOffer(id: $id) { status errors { message } } }"


@pytest.fixture
def listening() -> Iterator[Listening]:
    listening = Listening()
    yield listening
    listening.close()


def test_a_new_offer_is_told_of_and_so_is_its_end(tmp_path: Path, listening: Listening) -> None:
    receiver = listening.receiver
    with Serving(tmp_path) as serving:
        market.fill(serving)
    with Serving(tmp_path) as serving:
        asked = {"vendors": [market.vendor(1)]}
        input_ = {"url": receiver.url, "name": "e2e", "filter": asked}
        made = serving.data(REGISTER, input=input_)["registerWebhook"]
        assert made["errors"] == []
        offer: dict[str, Any] = {
            "externalId": NEW_ID,
            "title": "Offer 7 of kitchen",
            "categoryIds": ["kitchen"],
            "vendorId": market.vendor(1),
            "price": {"amount": "1.50", "currency": "GBP"},
        }
        assert serving.data(NEW, input=offer)["upsertOffer"]["status"] == "CREATED"
        created = wait_for(listening, "match.created")
        Webhook(made["secret"]).verify(created.text, created.headers)
        assert created.body["data"]["reason"] == "OFFER_CHANGED"
        assert serving.data(WITHDRAW, id=NEW_ID)["deleteOffer"]["errors"] == []
        withdrawn = wait_for(listening, "match.withdrawn")
        assert withdrawn.body["data"]["reason"] == "OFFER_WITHDRAWN"
    seqs = [one.body["data"]["seq"] for one in receiver.requests]
    assert seqs == sorted(set(seqs))
    for request in receiver.requests:
        assert request.body["data"]["vendorId"] == market.vendor(1)
        assert problems(request.body, payload_schema(request.body["type"])) == []


def wait_for(listening: Listening, kind: str) -> Received:
    """The first message of that type about the new offer."""
    receiver, seen = listening.receiver, 0
    while True:
        for request in listening.run(receiver.wait_for(seen + 1))[seen:]:
            seen += 1
            if (request.body["type"], request.body["data"]["offerId"]) == (kind, NEW_ID):
                return request
