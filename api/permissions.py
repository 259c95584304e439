"""Who may see and do what.

Every field of the schema carries a ``Requires`` or stands on ``PUBLIC_FIELDS``; a test walks the
schema and fails for a field with neither.

| role | sees | does |
|---|---|---|
| buyer | the catalogue; itself, its purchases, preferences, matches | buys, interacts, prefers |
| vendor | the catalogue; the matches on its own offers | lists and withdraws its own offers |
| partner | the catalogue and match events | its own webhooks |
| analyst | everything but personal data | nothing |
| admin | everything | everything |

Who sees a match sees its match events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from strawberry.extensions import FieldExtension

from announcing.filters import MatchEventFilter
from api.context import ApiInfo
from core.entities import Principal, Role
from core.errors import ForbiddenError
from webhooks.registry import may_own

Rule = Callable[[Principal, Any], bool]

_OVERSEERS = frozenset({Role.ANALYST, Role.ADMIN})


def anyone(_principal: Principal, _source: Any) -> bool:
    """Every principal: the catalogue and what it leads to."""
    return True


def overseer(principal: Principal, _source: Any) -> bool:
    """Analysts and admins."""
    return principal.role in _OVERSEERS


def admin(principal: Principal, _source: Any) -> bool:
    """Admins alone."""
    return principal.role is Role.ADMIN


def buying(principal: Principal, _source: Any) -> bool:
    """Admins, and buyers for themselves (the resolver checks whose row it is)."""
    return principal.role in (Role.ADMIN, Role.BUYER)


def listing(principal: Principal, _source: Any) -> bool:
    """Admins, and vendors for their own offers (the resolver checks whose row it is)."""
    return principal.role in (Role.ADMIN, Role.VENDOR)


def webhook_owner(principal: Principal, _source: Any) -> bool:
    """Partners, vendors and admins (the registry knows whose webhook is whose)."""
    return may_own(principal)


def sees_buyer(principal: Principal, source: Any) -> bool:
    """The buyer itself, analysts and admins; ``source`` has the buyer's external_id."""
    return may_see_buyer(principal, source.external_id)


def names_buyer(principal: Principal, source: Any) -> bool:
    """The buyer itself and admins: a name is personal data."""
    return principal.role is Role.ADMIN or _is(principal, Role.BUYER, source.external_id)


def sees_offer_matches(principal: Principal, source: Any) -> bool:
    """The vendor that lists the offer, analysts and admins; ``source`` has its vendor_id."""
    return principal.role in _OVERSEERS or _is(principal, Role.VENDOR, source.vendor_id)


def may_see_buyer(principal: Principal, buyer_id: str | None) -> bool:
    """Whether a principal may see one buyer's evidence and matches; None: of no one."""
    return principal.role in _OVERSEERS or _is(principal, Role.BUYER, buyer_id)


def check_match_filter(principal: Principal, asked: MatchEventFilter) -> None:
    """Refuse a filter that names others: a buyer asks for its own events, a vendor for its own.

    Raises:
        ForbiddenError: naming the condition.
    """
    own = {principal.subject}
    if principal.role is Role.BUYER:
        check((asked.buyers or own) <= own, "follow other buyers", "filter", "buyers")
    elif principal.role is Role.VENDOR:
        check((asked.vendors or own) <= own, "follow other vendors", "filter", "vendors")


def check(allowed: bool, what: str, *field: str) -> None:
    """Go on, or refuse.

    Raises:
        ForbiddenError: when it is not allowed.
    """
    if not allowed:
        raise ForbiddenError(f"Your role may not {what}.", field=field)


class Requires(FieldExtension):
    """Lets a field be resolved only for principals that satisfy its rule."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def resolve(
        self, next_: Callable[..., Any], source: Any, info: ApiInfo, **arguments: Any
    ) -> Any:
        """Check, then resolve."""
        self._check(source, info)
        return next_(source, info, **arguments)

    async def resolve_async(
        self, next_: Callable[..., Any], source: Any, info: ApiInfo, **arguments: Any
    ) -> Any:
        """Check, then resolve."""
        self._check(source, info)
        return await next_(source, info, **arguments)

    def _check(self, source: Any, info: ApiInfo) -> None:
        principal = info.context.require_principal()
        if not self.rule(principal, source):
            raise ForbiddenError(f"Your role may not read {info.field_name} here.")


def _is(principal: Principal, role: Role, subject: str | None) -> bool:
    return principal.role is role and subject is not None and principal.subject == subject
