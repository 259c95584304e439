"""What owners do with their webhooks, apart from GraphQL; and the key that secrets come from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from announcing.filters import MatchEventFilter
from core.entities import Principal, Role
from core.errors import ConflictError, InputError, NotFoundError, SettingsError
from core.settings import load_settings
from core.webhooks import Delivery, DeliveryState, WebhookState
from tests.webhooks.posting import Post
from tests.webhooks.receivers import receiving
from webhooks.registry import WebhookRegistry
from webhooks.signing import KEY_FILE, Signer, read_signer

URL = "http://127.0.0.1:9/"


def test_a_key_is_made_once_in_development_and_nobody_else_reads_it(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home")
    secret = read_signer(settings).secret("wh", 1)
    assert secret == read_signer(settings).secret("wh", 1)
    path = tmp_path / "home" / KEY_FILE
    assert path.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in path.parent.iterdir()] == [KEY_FILE]
    named = load_settings(home=tmp_path / "other", webhook_key="k" * 32)
    assert read_signer(named).secret("wh", 1) == Signer("k" * 32).secret("wh", 1) != secret
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(
    ("environment", "key", "said"),
    [("production", "", "is empty"), ("production", "short", "5 characters"),
     ("development", "short", "5 characters")],
)  # fmt: skip
def test_without_a_good_key_nothing_is_signed(
    tmp_path: Path, environment: str, key: str, said: str
) -> None:
    with pytest.raises(SettingsError, match=said):
        read_signer(load_settings(home=tmp_path, environment=environment, webhook_key=key))


def test_every_endpoint_and_every_version_has_a_secret_of_its_own() -> None:
    signer = Signer("k" * 32)
    secrets = {signer.secret(one, version) for one in ("a", "b") for version in (1, 2)}
    assert len(secrets) == 4


async def test_a_token_registers_no_webhook(post: Post) -> None:
    token = Principal(Role.PARTNER, "a shop", expires_at=post.clock() + timedelta(hours=1))
    with pytest.raises(InputError, match="API key"):
        await post.registry.register(token, url=URL, name="n", filter=MatchEventFilter())
    production = load_settings(
        home=post.settings.home, environment="production", webhook_key="k" * 32
    )
    registry = WebhookRegistry(post.store, production, post.clock, post.network)
    with pytest.raises(InputError, match="API key"):
        await registry.register(
            Principal(Role.ADMIN, "a"), url=URL, name="n", filter=MatchEventFilter()
        )


async def test_an_admin_does_not_lend_its_key(post: Post) -> None:
    endpoint, _ = await post.register(URL)
    admin = await post.principal(Role.ADMIN, "the admin")
    await post.registry.pause(admin, endpoint.id)
    resumed = await post.registry.resume(admin, endpoint.id)
    assert resumed.api_key_id == endpoint.api_key_id
    renamed = await post.registry.update(admin, endpoint.id, name="new")
    assert (renamed.api_key_id, renamed.name) == (endpoint.api_key_id, "new")
    # Its owner comes with another key of the same subject.
    del post.keys[Role.PARTNER]
    again = await post.principal()
    rebound = await post.registry.resume(again, endpoint.id)
    assert rebound.api_key_id == again.key_id != endpoint.api_key_id


async def test_resuming_forgets_what_was_held_against_the_endpoint(post: Post) -> None:
    endpoint, _ = await post.register(URL)
    await post.store.change_webhook(
        endpoint.id,
        lambda one: replace(
            one,
            state=WebhookState.DISABLED,
            failures=7,
            failing_since=post.clock(),
            next_attempt_at=post.clock() + timedelta(hours=1),
            last_error="It hangs.",
            dead_seq=3,
            dead_count=2,
        ),
    )
    assert await post.registry.resume(await post.principal(), endpoint.id) == endpoint


async def test_a_position_behind_the_log_is_refused(post: Post) -> None:
    endpoint, _ = await post.register(URL)
    with pytest.raises(InputError):
        await post.registry.replay(await post.principal(), endpoint.id, 10)
    with pytest.raises(InputError):
        await post.register(URL, after=10)


async def test_a_filter_longer_than_a_row_is_refused(post: Post) -> None:
    asked = MatchEventFilter(buyers=frozenset(f"{number:0100}" for number in range(500)))
    with pytest.raises(InputError) as refused:
        await post.register(URL, asked=asked)
    assert refused.value.field == ("filter",)
    endpoint, _ = await post.register(URL)
    with pytest.raises(InputError):
        await post.registry.update(await post.principal(), endpoint.id, filter=asked)


async def test_what_cannot_be_sent_again_says_why(post: Post) -> None:
    async with receiving() as receiver:
        endpoint, _ = await post.register(receiver.url)
        (told,) = await post.tell_many(1)
        seq = await post.store.last_seq()
        partner = await post.principal()

        async def refusal(**changes: object) -> str:
            dead = Delivery(
                f"{endpoint.id}-1", endpoint.id, told, seq, 5, DeliveryState.DEAD, post.clock(), 1
            )
            await post.store.write_deliveries([replace(dead, **changes)])  # type: ignore[arg-type]
            with pytest.raises(ConflictError) as refused:
                await post.trials.redeliver(partner, dead.id)
            return refused.value.message

        assert "no dead letter" in await refusal(state=DeliveryState.FAILED)
        assert "no longer kept" in await refusal(event_id="another")
        assert "no longer kept" in await refusal(seq=0)
        assert "no longer kept" in await refusal(seq=seq + 5)
        with pytest.raises(NotFoundError):
            await post.trials.redeliver(partner, "none")
        with pytest.raises(NotFoundError):
            await post.trials.redeliver(await post.principal(Role.VENDOR, "v"), f"{endpoint.id}-1")
        assert receiver.requests == []
