"""What the matcher answers from: a snapshot as arrays, a scorer, and what has happened since.

Immutable: a change makes a new state that shares nearly everything with the old one, so a ranking
under way is never disturbed. Row numbers of buyers, offers, categories and vendors stay the same
from one state to the next until it is rebuilt; new ones follow behind.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import polars as pl
from numpy.typing import NDArray

from core.entities import BuyerProfile, EvidenceKind
from core.snapshot import GraphSnapshot
from scoring.artifact import Model
from scoring.corpus import KINDS, BuyerColumns, Corpus
from scoring.corpus_building import build_corpus
from scoring.scorer import Scorer, build_scorer
from scoring.states import LOOKS, BuyerState, state_from_profile, state_of

DISMISSED = KINDS.index(EvidenceKind.DISMISSED)
WALK_VERSION = "walk"
Rows = NDArray[np.int32]


class Inverted:
    """The snapshot's evidence by offer: which buyers have dealt with it, and how."""

    def __init__(self, buyers: BuyerColumns, offers: int) -> None:
        order = np.argsort(buyers.offer, kind="stable")
        owner = np.repeat(np.arange(len(buyers), dtype=np.int32), np.diff(buyers.ptr))
        self._kind, self._owner = buyers.evidence_kind[order], owner[order]
        self._ptr = np.zeros(offers + 1, dtype=np.int64)
        np.cumsum(np.bincount(buyers.offer, minlength=offers), out=self._ptr[1:])

    def buyers_who(self, offer: int, kind: int) -> Rows:
        """Rows of the buyers with evidence of this kind on this offer, ascending."""
        if offer >= len(self._ptr) - 1:
            return np.zeros(0, np.int32)
        pieces = slice(self._ptr[offer], self._ptr[offer + 1])
        rows: Rows = self._owner[pieces][self._kind[pieces] == kind]
        return rows


@dataclass(frozen=True)
class BuyerTable:
    """All buyers (B,), those of the snapshot first, as they are now.

    ``kind`` and ``country`` are codes of ``kind_index`` and ``country_index``, -1 unknown;
    ``present`` is False for the erased.
    """

    ids: list[str]
    index: dict[str, int]
    kind: NDArray[np.int32]
    country: NDArray[np.int32]
    kind_index: dict[str, int]
    country_index: dict[str, int]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]
    present: NDArray[np.bool_]


@dataclass(frozen=True)
class MatcherState:
    """See the module; ``changed`` buyers were read since the snapshot, ``erased`` ones are gone."""

    corpus: Corpus
    scorer: Scorer
    seq: int
    model: Model | None
    inverted: Inverted
    changed: Mapping[str, BuyerProfile] = field(default_factory=dict)
    changed_states: Mapping[str, BuyerState] = field(default_factory=dict)
    erased: frozenset[str] = frozenset()

    @property
    def model_version(self) -> str:
        """The version of the model that scores; "walk" without one."""
        return WALK_VERSION if self.model is None else self.model.version

    def buyer_state(self, buyer_id: str) -> BuyerState | None:
        """What scoring sees of a buyer now; None when there is no such buyer."""
        if buyer_id in self.erased:
            return None
        changed = self.changed_states.get(buyer_id)
        if changed is not None:
            return changed
        row = self.corpus.buyers.index.get(buyer_id)
        return None if row is None else state_of(self.corpus, row)

    def at(self, seq: int) -> MatcherState:
        """The same, known to be true at a later position of the log."""
        return self._with(seq=seq)

    def with_profiles(self, profiles: Mapping[str, BuyerProfile]) -> MatcherState:
        """The state in which these buyers are as just read from the graph."""
        states = {key: state_from_profile(self.corpus, p) for key, p in profiles.items()}
        return self._with(
            changed={**self.changed, **profiles},
            changed_states={**self.changed_states, **states},
            erased=self.erased - profiles.keys(),
        )

    def without_buyers(self, buyer_ids: set[str]) -> MatcherState:
        """The state in which these buyers are gone."""
        return self._with(
            changed={k: v for k, v in self.changed.items() if k not in buyer_ids},
            changed_states={k: v for k, v in self.changed_states.items() if k not in buyer_ids},
            erased=self.erased | buyer_ids,
        )

    def with_corpus(self, corpus: Corpus) -> MatcherState:
        """The state with offers, vendors or categories changed or added (see growth.py)."""
        state = self._with(corpus=corpus, scorer=self.scorer.with_corpus(corpus))
        # What hung on a category or an offer unknown until now is read into the rows again.
        return state.with_profiles(dict(self.changed)) if self.changed else state

    def scored_by(self, scorer: Scorer, model: Model | None) -> MatcherState:
        """The same graph scored by another model; ``scorer`` may be of an earlier corpus of it."""
        return self._with(model=model, scorer=scorer.with_corpus(self.corpus))

    def _with(self, **changes: object) -> MatcherState:
        return replace(self, **changes)  # type: ignore[arg-type]  # fields of this class

    @cached_property
    def buyer_table(self) -> BuyerTable:
        """All buyers as columns, with what has changed since the snapshot."""
        return _buyer_table(self)

    @cached_property
    def search_texts(self) -> pl.Series:
        """(N,) title and description of each offer, casefolded."""
        offers = self.corpus.offers
        pairs = zip(offers.titles, offers.descriptions, strict=True)
        return pl.Series([f"{t}\n{d}".casefold() for t, d in pairs], dtype=pl.String)

    @cached_property
    def offer_order(self) -> NDArray[np.int64]:
        """(N,) the place of each offer in the order of ids: what equal scores are ordered by."""
        return places_of(self.corpus.offers.ids)

    @cached_property
    def buyer_order(self) -> NDArray[np.int64]:
        """(B,) the place of each buyer in the order of ids."""
        return places_of(self.buyer_table.ids)

    def buyers_who(self, offer: int, kind: int) -> Rows:
        """Rows (of buyer_table) of those with evidence of this kind on this offer row, now."""
        before = self.inverted.buyers_who(offer, kind)
        rows, offers, kinds, outdated = self._changed_evidence
        if not outdated.any():
            return before
        now = rows[(offers == offer) & (kinds == kind)]
        merged: Rows = np.sort(np.concatenate([before[~outdated[before]], now]))
        return merged

    def buyers_with(self, offer: int, kind: int) -> NDArray[np.bool_]:
        """(B,) whether each buyer has evidence of this kind on this offer row, now."""
        mask = np.zeros(len(self.buyer_table.ids), dtype=bool)
        mask[self.buyers_who(offer, kind)] = True
        return mask

    def buyers_who_looked(self, offer: int) -> NDArray[np.bool_]:
        """(B,) whether each buyer viewed, clicked, carted or inquired about this offer row."""
        looked: NDArray[np.bool_] = np.any(
            [self.buyers_with(offer, kind) for kind in LOOKS], axis=0
        )
        return looked

    @cached_property
    def _changed_evidence(self) -> tuple[Rows, Rows, NDArray[np.int8], NDArray[np.bool_]]:
        """Changed buyers' pieces (row, offer, kind), and who (B,) is not as in the snapshot."""
        index = self.buyer_table.index
        outdated = ~self.buyer_table.present
        rows, offers, kinds = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], [_NO_KINDS]
        for key, state in self.changed_states.items():
            outdated[index[key]] = True
            rows.append(np.full(len(state.offers), index[key], np.int32))
            offers.append(state.offers)
            kinds.append(state.evidence_kinds)
        return np.concatenate(rows), np.concatenate(offers), np.concatenate(kinds), outdated


_NO_KINDS = np.zeros(0, np.int8)


def build_state(snapshot: GraphSnapshot, model: Model | None) -> MatcherState:
    """The state of a snapshot; without a model it scores by the walk."""
    corpus = build_corpus(snapshot)
    return MatcherState(
        corpus=corpus,
        scorer=build_scorer(corpus, model),
        seq=snapshot.seq,
        model=model,
        inverted=Inverted(corpus.buyers, len(corpus.offers)),
    )


def places_of(ids: list[str]) -> NDArray[np.int64]:
    """Ids (n,) -> the place (n,) of each when they are sorted by code points."""
    places = np.empty(len(ids), dtype=np.int64)
    # Polars orders text by its UTF-8 bytes, which is the order of code points.
    places[pl.Series(ids, dtype=pl.String).arg_sort().to_numpy()] = np.arange(len(ids))
    return places


def _buyer_table(state: MatcherState) -> BuyerTable:
    b = state.corpus.buyers
    fresh = [key for key in state.changed if key not in b.index]
    kind_index = {k: row for row, k in enumerate(state.corpus.kinds)}
    country_index = {c: row for row, c in enumerate(state.corpus.countries)}
    if not state.changed and not state.erased:
        return BuyerTable(
            b.ids, b.index, b.kind, b.country, kind_index, country_index,
            b.latitude, b.longitude, np.ones(len(b), dtype=bool),
        )  # fmt: skip
    index = {**b.index, **{key: len(b) + at for at, key in enumerate(fresh)}}
    kind, country = (np.pad(c, (0, len(fresh)), constant_values=-1) for c in (b.kind, b.country))
    latitude, longitude = (
        np.pad(c, (0, len(fresh)), constant_values=np.nan) for c in (b.latitude, b.longitude)
    )
    present = np.ones(len(index), dtype=bool)
    for key, profile in state.changed.items():
        row, buyer = index[key], profile.buyer
        kind[row] = _code(kind_index, buyer.kind)
        country[row] = _code(country_index, buyer.country)
        latitude[row] = np.nan if buyer.latitude is None else buyer.latitude
        longitude[row] = np.nan if buyer.longitude is None else buyer.longitude
    present[[index[key] for key in state.erased if key in index]] = False
    return BuyerTable(
        [*b.ids, *fresh], index, kind, country, kind_index, country_index,
        latitude, longitude, present,
    )  # fmt: skip


def _code(index: dict[str, int], value: str | None) -> int:
    return -1 if value is None else index.setdefault(value, len(index))
