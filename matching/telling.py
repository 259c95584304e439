"""From an effect on a score to a kind, a sentence and a path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from core.entities import EvidenceKind
from matching import sentences
from matching.answers import Explanation, ExplanationKind, PathElement, PathKind
from matching.columns import kilometres
from matching.paths import (
    BOUGHT,
    LISTS,
    Path,
    buyer_element,
    buyers_element,
    category_path,
    count_common,
    dealing_path,
    offer_element,
    peers_path,
    preference_path,
    shared_category,
    vendor_element,
    vendor_path,
)
from matching.state import MatcherState, Rows
from scoring import components
from scoring.corpus import KINDS, PURCHASED
from scoring.effects import Effect, Mask
from scoring.scorer import Reading
from scoring.states import BuyerState

Told = tuple[ExplanationKind, str, Path]


@dataclass(frozen=True)
class Teller:
    """Tells the effects on one buyer's scores."""

    state: MatcherState
    buyer_id: str
    buyer: BuyerState
    reading: Reading

    def tell(self, effect: Effect, offer: int) -> Explanation:
        """One piece of evidence or one feature, as an explanation of the offer (its row)."""
        if effect.mask is Mask.PIECE:
            kind, summary, path = self._piece(effect, offer)
        elif effect.mask is Mask.PREFERENCE:
            kind, summary, path = self._preference(effect, offer)
        elif effect.mask is Mask.BUYER_PLACE:
            kind, summary, path = self._place(effect, offer)
        elif effect.mask is Mask.OFFER_PRICE:
            kind, summary, path = self._price(offer)
        elif effect.mask is Mask.CONTEXT:
            kind, summary, path = self._context(effect, offer)
        else:
            kind, summary, path = self._vendor(offer)
        return Explanation(kind, summary, effect.contribution, path)

    def popular(self, everything: Effect, offer: int) -> Explanation:
        """What is left when nothing personal carries the score; ``everything`` is masked in it."""
        others = self._others_who_bought(offer)
        by_kind = everything.carrier == components.KIND_POPULARITY and self.buyer.kind >= 0
        kind = self.state.corpus.kinds[self.buyer.kind] if by_kind else None
        target = offer_element(self.state, offer)
        path = (buyers_element(len(others)), BOUGHT, target) if len(others) else (target,)
        summary = sentences.popular(len(others), kind)
        return Explanation(ExplanationKind.POPULAR, summary, everything.contribution, path)

    def _piece(self, effect: Effect, offer: int) -> Told:
        source = int(self.buyer.offers[effect.row])
        deed = KINDS[self.buyer.evidence_kinds[effect.row]]
        dealing = dealing_path(self.state, self.buyer_id, self.buyer, effect.row)
        if source == offer:
            return ExplanationKind.SIMILAR, sentences.again(deed), dealing
        told: Told | None = None
        if effect.carrier == components.WALK:
            told = self._peers(dealing, source, deed, offer)
        elif effect.carrier == components.CATEGORY:
            told = self._category(dealing, source, deed, offer)
        elif effect.carrier == components.VENDOR:
            told = self._same_vendor(dealing, source, deed, offer)
        elif effect.carrier == components.PRICE:
            told = self._price_like(dealing, source, deed, offer)
        if told is not None:
            return told
        path = (*dealing, offer_element(self.state, offer))
        return ExplanationKind.SIMILAR, sentences.similar(self._title(source), deed), path

    def _peers(self, dealing: Path, source: int, deed: EvidenceKind, offer: int) -> Told | None:
        count = count_common(self._buyers_of(source), self._buyers_of(offer), self._own_row)
        # Peers of the snapshot can be gone by now: then there is no such path to show.
        if count == 0:
            return None
        path = peers_path(self.state, dealing, count, offer)
        return ExplanationKind.PEERS, sentences.peers(self._title(source), count, deed), path

    def _category(self, dealing: Path, source: int, deed: EvidenceKind, offer: int) -> Told | None:
        shared = shared_category(self.state, source, offer)
        if shared is None:
            return None
        path = category_path(self.state, dealing, source, shared, offer)
        name = self.state.corpus.categories.names[shared]
        summary = sentences.category(name, self._title(source), deed)
        return ExplanationKind.CATEGORY, summary, path

    def _same_vendor(
        self, dealing: Path, source: int, deed: EvidenceKind, offer: int
    ) -> Told | None:
        vendor = int(self.state.corpus.offers.vendor[offer])
        if vendor < 0 or self.state.corpus.offers.vendor[source] != vendor:
            return None
        name = self.state.corpus.vendor_names[vendor]
        path = vendor_path(self.state, dealing, vendor, offer)
        return ExplanationKind.VENDOR, sentences.vendor(name, self._title(source), deed), path

    def _vendor(self, offer: int) -> Told:
        """The vendor as a feature: how many of its offers the buyer has dealt with."""
        offers = self.state.corpus.offers
        vendor = int(offers.vendor[offer])
        own = offers.vendor[self.buyer.offers] == vendor
        dealt = len(np.unique(self.buyer.offers[own & (self.buyer.weights > 0)]))
        end = (vendor_element(self.state, vendor), LISTS, offer_element(self.state, offer))
        name = self.state.corpus.vendor_names[vendor]
        summary = sentences.vendor_as_such(name, dealt)
        return ExplanationKind.VENDOR, summary, (buyer_element(self.buyer_id), *end)

    def _preference(self, effect: Effect, offer: int) -> Told:
        category = int(self.buyer.preference_categories[effect.row])
        name = self.state.corpus.categories.names[category]
        weight = float(self.buyer.preference_weights[effect.row])
        path = preference_path(self.state, self.buyer_id, category, offer)
        return ExplanationKind.CATEGORY, sentences.preference(name, weight), path

    def _context(self, effect: Effect, offer: int) -> Told:
        value = self.reading.context[effect.row]
        path = (
            buyer_element(self.buyer_id),
            PathElement(PathKind.CONTEXT, label=str(value)),
            offer_element(self.state, offer),
        )
        return ExplanationKind.CONTEXT, sentences.context(*value), path

    def _price(self, offer: int) -> Told:
        """The price as a feature, beside what the buyer usually chooses."""
        sums, code = self.reading.sums, int(self.state.corpus.offers.currency[offer])
        asked = float(self.state.corpus.offers.price[offer])
        usual = float(np.exp(sums.price[code] / sums.price_weight[code]))
        shown, ratio = self._money(asked, code), _ratio(asked, usual)
        path = (
            buyer_element(self.buyer_id),
            PathElement(PathKind.PRICE, label=shown),
            offer_element(self.state, offer),
        )
        summary = sentences.price(shown, self._money(usual, code), ratio)
        return ExplanationKind.PRICE, summary, path

    def _price_like(
        self, dealing: Path, source: int, deed: EvidenceKind, offer: int
    ) -> Told | None:
        offers = self.state.corpus.offers
        code = int(offers.currency[offer])
        asked, paid = float(offers.price[offer]), float(offers.price[source])
        if offers.currency[source] != code or not paid > 0:
            return None
        shown, ratio = self._money(asked, code), _ratio(asked, paid)
        path = (
            *dealing, PathElement(PathKind.PRICE, label=shown), offer_element(self.state, offer),
        )  # fmt: skip
        summary = sentences.price_like(
            shown, self._money(paid, code), ratio, self._title(source), deed
        )
        return ExplanationKind.PRICE, summary, path

    def _money(self, minor: float, code: int) -> str:
        return sentences.money(minor, self.state.corpus.currencies[code])

    def _place(self, effect: Effect, offer: int) -> Told:
        start, target = buyer_element(self.buyer_id), offer_element(self.state, offer)
        if effect.carrier == components.PLACE:
            end: Path = (target,)
            if self.state.corpus.offers.inherits_place[offer]:
                vendor = int(self.state.corpus.offers.vendor[offer])
                end = (vendor_element(self.state, vendor), LISTS, target)
            path = (start, self._distance(offer), *end)
            return ExplanationKind.PLACE, sentences.near(self._kilometres(offer)), path
        country = self.state.corpus.countries[self.buyer.country]
        there = self.state.buyer_table.country == self.buyer.country
        others = int(there[self._others_who_bought(offer)].sum())
        bought = (buyers_element(others), BOUGHT) if others else ()
        path = (start, PathElement(PathKind.PLACE, label=country), *bought, target)
        return ExplanationKind.PLACE, sentences.local(country), path

    def _distance(self, offer: int) -> PathElement:
        return PathElement(PathKind.PLACE, label=f"{self._kilometres(offer):,.0f} km")

    def _kilometres(self, offer: int) -> float:
        offers, here = self.state.corpus.offers, slice(offer, offer + 1)
        return float(
            kilometres(
                self.buyer.latitude, self.buyer.longitude,
                offers.latitude[here], offers.longitude[here],
            )[0]
        )  # fmt: skip

    def _others_who_bought(self, offer: int) -> Rows:
        rows = self._buyers_of(offer)
        others: Rows = rows[rows != self._own_row]
        return others

    def _buyers_of(self, offer: int) -> Rows:
        if offer not in self._bought_by:
            self._bought_by[offer] = self.state.buyers_who(offer, PURCHASED)
        return self._bought_by[offer]

    @cached_property
    def _own_row(self) -> int:
        return self.state.buyer_table.index.get(self.buyer_id, -1)

    @cached_property
    def _bought_by(self) -> dict[int, Rows]:
        """Buyers by offer row, as far as asked for: twenty matches share what explains them."""
        return {}

    def _title(self, offer: int) -> str:
        offers = self.state.corpus.offers
        return offers.titles[offer] or offers.ids[offer]


def _ratio(one: float, other: float) -> float:
    """How many times apart two positive prices are, at least 1."""
    return max(one / other, other / one)
