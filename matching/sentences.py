"""Explanations and why-nots in plain words, spoken to the buyer."""

from __future__ import annotations

from core.currencies import MINOR_DIGITS, from_minor
from core.entities import EvidenceKind
from matching.answers import Stage
from matching.paths import FEW

# Prices at most this many times apart are called fitting or close.
ALIKE = 1.5

DEEDS: dict[EvidenceKind, str] = {
    EvidenceKind.PURCHASED: "bought",
    EvidenceKind.VIEWED: "viewed",
    EvidenceKind.CLICKED: "clicked on",
    EvidenceKind.ADDED_TO_CART: "put in your cart",
    EvidenceKind.INQUIRED_ABOUT: "asked about",
    EvidenceKind.DISMISSED: "dismissed",
}


def peers(title: str, count: int, kind: EvidenceKind) -> str:
    """Others who bought the same bought this."""
    who = "A few buyers" if count < FEW else f"{count:,} buyers"
    if kind is EvidenceKind.PURCHASED:
        return f"{who} who bought {title} also bought this."
    return f"{who} who bought {title}, which you {DEEDS[kind]}, also bought this."


def again(kind: EvidenceKind) -> str:
    """The very offer that the buyer dealt with before."""
    if kind is EvidenceKind.ADDED_TO_CART:
        return "You put it in your cart before."
    return f"You {DEEDS[kind]} it before."


def similar(title: str, kind: EvidenceKind) -> str:
    """Close to something the buyer dealt with, by the model."""
    return f"Goes with {title}, which you {DEEDS[kind]}."


def category(name: str, title: str, kind: EvidenceKind) -> str:
    """Of the same category as something the buyer dealt with."""
    return f"From {name}, like {title}, which you {DEEDS[kind]}."


def preference(name: str, weight: float) -> str:
    """Of a category the buyer said it likes, or does not."""
    return f"You prefer {name}." if weight >= 0 else f"You would rather not have {name}."


def vendor(name: str, title: str, kind: EvidenceKind) -> str:
    """Of a vendor the buyer dealt with."""
    return f"From {name}, as is {title}, which you {DEEDS[kind]}."


def vendor_as_such(name: str, dealt: int) -> str:
    """Of a vendor the buyer deals with, or one that is near, which places its offers."""
    if dealt == 0:
        return f"From {name}, which is near you."
    offers = "one of its offers" if dealt == 1 else f"{dealt:,} of its offers"
    return f"From {name}: {offers} took your interest before."


def price(asked: str, usual: str, ratio: float) -> str:
    """Its price speaks for it; ``ratio`` of the two prices, at least 1, says how well it fits."""
    if ratio <= ALIKE:
        return f"Its price, {asked}, fits what you usually choose (about {usual})."
    return f"Its price, {asked}, speaks for it, though you usually choose about {usual}."


def price_like(asked: str, paid: str, ratio: float, title: str, kind: EvidenceKind) -> str:
    """Something the buyer dealt with brings what it usually chooses nearer to this price."""
    if ratio <= ALIKE:
        return f"Its price, {asked}, is close to that of {title} ({paid}), which you {DEEDS[kind]}."
    why = f"because of {title} ({paid}), which you {DEEDS[kind]}"
    return f"Its price, {asked}, suits you better {why}."


def near(kilometres: float) -> str:
    """Close by."""
    if kilometres < 1:
        return "Less than 1 km from you."
    return f"{kilometres:,.0f} km from you."


def local(place: str) -> str:
    """Bought more than elsewhere where the buyer is."""
    return f"Buyers in {place} take to this."


def context(name: str, value: str) -> str:
    """Taken more than otherwise under a circumstance of the request."""
    if name == "season":
        return f"Bought more than otherwise in {value}."
    if name == "weekday":
        return f"Bought more than otherwise on a {value.capitalize()}."
    return f"Bought more than otherwise when {name.replace('_', ' ')} is {value}."


def popular(count: int, kind: str | None) -> str:
    """Nothing personal: say so."""
    who = "a few buyers" if count < FEW else f"{count:,} buyers"
    if kind is not None:
        return f"Popular with buyers of your kind, {kind}: {who} bought this in all."
    if count == 0:
        return "Nothing you did leads here; it is simply on offer."
    return f"Popular: {who} bought this. Nothing you did leads here."


def money(minor: float, currency: str) -> str:
    """An amount for people: "GBP 2.55"; a currency that is not in the table has two decimals."""
    known = currency if currency in MINOR_DIGITS else "EUR"
    return f"{currency} {from_minor(round(minor), known)}"


CHANGES: dict[Stage, str] = {
    Stage.WITHDRAWN: "The offer was withdrawn; its vendor would have to offer it again.",
    Stage.NOT_VALID_NOW: "The offer is not valid at this moment; ask for another moment.",
    Stage.OUT_OF_STOCK: "The offer is sold out; it would have to be restocked.",
    Stage.ALREADY_BOUGHT: "It was bought already; ask with bought offers included.",
    Stage.DISMISSED: "The buyer dismissed it; ask with dismissed offers included.",
    Stage.EXCLUDED: "The request excludes it; leave it off the list.",
}

WISHES: dict[str, str] = {
    "categories": "It is in none of the categories asked for.",
    "vendors": "It is from none of the vendors asked for.",
    "price": "Its price is outside the range, unknown or in another currency.",
    "near": "It is farther away than asked, or its place is unknown.",
    "text": "Its title and description lack a word that was asked for.",
    "bought": "Only offers bought before were asked for.",
    "seen": "What the buyer has looked at was left out, or else asked for alone.",
}
