"""docs/asyncapi.yaml says what really is sent."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from core.entities import MATCH_EVENTS, Event, EventType, MatchReason, Role
from core.webhooks import WebhookEndpoint
from webhooks.messages import EXPIRED, TEST, TYPE_NAMES, event_message, expired_message
from webhooks.messages import test_message as make_test_message
from webhooks.signing import Signer

FILE = Path(__file__).parents[2] / "docs" / "asyncapi.yaml"
DOCUMENT: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ENDPOINT = WebhookEndpoint(
    id="wh_1", url="https://example.com/", name="ünique", role=Role.PARTNER, subject="s",
    api_key_id="k", position=4, created_at=AT,
)  # fmt: skip
CREATED = Event(
    9, "g-9", EventType.MATCH_CREATED, AT, "b", "o", "v", ("c",),
    {"reason": "BUYER_ACTED", "heldBack": 2}, 0.5, 1, "walk",
)  # fmt: skip
UPDATED = Event(
    10, "g-10", EventType.MATCH_UPDATED, AT, "b", "o", None, (),
    {"reason": "SCORE_MOVED", "previousScore": 0.25}, 0.5, 1, "walk",
)  # fmt: skip
WITHDRAWN = Event(
    11, "g-11", EventType.MATCH_WITHDRAWN, AT, "b", "o", "v", ("c",), {"reason": "SOLD_OUT"},
    None, None, "walk",
)  # fmt: skip
BODIES = [
    event_message(CREATED, "c").body,
    event_message(UPDATED, "c").body,
    event_message(WITHDRAWN, "c").body,
    expired_message(ENDPOINT, 7, "c", AT).body,
    make_test_message(ENDPOINT, "test_1", AT).body,
]
KINDS = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float),
    "null": type(None),
}  # fmt: skip


def problems(value: Any, schema: dict[str, Any], at: str = "") -> list[str]:
    """What of a value a schema forbids; it knows the keywords that the file uses, and no other."""
    if "$ref" in schema:
        return problems(value, resolve(schema["$ref"]), at)
    found: list[str] = []
    for keyword, said in schema.items():
        match keyword:
            case "type":
                kinds = said if isinstance(said, list) else [said]
                if isinstance(value, bool) or not isinstance(value, tuple(_kinds(kinds))):
                    return [f"{at}: {value!r} is no {said}"]
            case "const" | "enum":
                if value not in (said if keyword == "enum" else [said]):
                    found.append(f"{at}: {value!r} is not {said}")
            case "pattern":
                if not re.search(said, value):
                    found.append(f"{at}: {value!r} is not like {said}")
            case "minimum" | "exclusiveMinimum" | "maximum":
                low = value < said or (keyword == "exclusiveMinimum" and value == said)
                if (value > said) if keyword == "maximum" else low:
                    found.append(f"{at}: {value} is beyond {keyword} {said}")
            case "items":
                for number, item in enumerate(value):
                    found += problems(item, said, f"{at}/{number}")
            case "required":
                found += [f"{at}: {name} is missing" for name in said if name not in value]
            case "properties":
                for name in said.keys() & value.keys():
                    found += problems(value[name], said[name], f"{at}/{name}")
            case "additionalProperties":
                assert said is False
                found += [f"{at}/{name} is extra" for name in value.keys() - schema["properties"]]
            case "description":
                pass
            case _:
                raise AssertionError(f"the check does not know the keyword {keyword}")
    return found


def _kinds(names: list[str]) -> list[type]:
    kinds: list[type] = []
    for name in names:
        kind = KINDS[name]
        kinds += kind if isinstance(kind, tuple) else (kind,)
    return kinds


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def payload_schema(kind: str) -> dict[str, Any]:
    (message,) = (one for one in DOCUMENT["components"]["messages"].values() if one["name"] == kind)
    schema: dict[str, Any] = message["payload"]
    return schema


@pytest.mark.parametrize("text", BODIES)
def test_every_body_is_as_the_file_says(text: str) -> None:
    body = json.loads(text)
    assert problems(body, payload_schema(body["type"])) == []


@pytest.mark.parametrize("text", BODIES)
def test_the_check_sees_what_is_wrong(text: str) -> None:
    body = json.loads(text)
    schema = payload_schema(body["type"])
    assert problems({**body, "more": 1}, schema)
    assert problems({**body, "type": "other"}, schema)
    assert problems({**body, "timestamp": "yesterday"}, schema)
    assert problems({**body, "data": {**body["data"], "buyerName": "Ann"}}, schema)
    for name in body["data"].keys() - {"heldBack", "previousScore"}:
        less = {key: value for key, value in body["data"].items() if key != name}
        assert problems({**body, "data": less}, schema), name
        assert problems({**body, "data": {**body["data"], name: True}}, schema), name


def test_every_type_and_every_reason_is_described() -> None:
    names = {one["name"] for one in DOCUMENT["components"]["messages"].values()}
    assert names == {*TYPE_NAMES.values(), EXPIRED, TEST}
    assert set(TYPE_NAMES) == set(MATCH_EVENTS)
    told = {
        reason
        for kind in TYPE_NAMES.values()
        for reason in resolve(payload_schema(kind)["$ref"])["properties"]["data"]["properties"][
            "reason"
        ]["enum"]
    }
    assert told == {reason.value for reason in MatchReason}


def test_the_channel_carries_every_message_and_every_reference_leads_somewhere() -> None:
    messages = DOCUMENT["channels"]["endpoint"]["messages"]
    assert messages.keys() == DOCUMENT["components"]["messages"].keys()
    references = re.findall(r"\$ref: '([^']+)'", FILE.read_text(encoding="utf-8"))
    assert len(references) > 20
    for reference in references:
        assert resolve(reference)


def test_the_headers_are_as_the_file_says() -> None:
    headers = Signer("k" * 32).headers(ENDPOINT, "g-9", BODIES[0], AT)
    assert problems(headers, resolve("#/components/schemas/headers")) == []


def test_the_guides_body_is_one_that_is_sent() -> None:
    guide = (FILE.parent / "webhooks.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```json\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    body = json.loads(text)
    assert problems(body, payload_schema(body["type"])) == []
