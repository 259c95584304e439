"""When a match is new: told once, in order, whatever is cut, taken up again, or gone and back."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from announcing.tops import VACANT, Places, TopTable, floor_of, in_order, is_tied, merged
from announcing.transitions import Look, Moment, OfferFacts, Rules, look_at
from core.entities import EventType, MatchChange, MatchReason, MatchState, MatchStatus, MatchTop

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
RULES = Rules(size=3)
CREATED, UPDATED, WITHDRAWN = (
    EventType.MATCH_CREATED,
    EventType.MATCH_UPDATED,
    EventType.MATCH_WITHDRAWN,
)


@dataclass
class Book:
    """One buyer's books: the store's promise, in memory."""

    rules: Rules = RULES
    top: MatchTop = field(default_factory=lambda: MatchTop("b", ()))
    states: dict[str, MatchState] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)
    told: list[MatchChange] = field(default_factory=list)

    def facts(self, key: str) -> OfferFacts:
        return OfferFacts("v", ("c",), self.terms.get(key, "as ever"))

    def look(
        self,
        places: Places,
        gone: dict[str, MatchReason] | None = None,
        *,
        at: datetime = NOW,
        digest: bool = False,
    ) -> Look:
        moment = Moment(at, "m", MatchReason.BUYER_ACTED, is_digest=digest)
        return look_at(self.top, places, self.states, gone or {}, self.facts, moment, self.rules)

    def write(self, look: Look, at: datetime = NOW) -> list[MatchChange]:
        for change in look.changes:
            self.states[change.offer_id] = self._after(change, at)
        self.top = look.top
        self.told += look.changes
        return list(look.changes)

    def see(
        self,
        places: Places,
        gone: dict[str, MatchReason] | None = None,
        *,
        at: datetime = NOW,
        digest: bool = False,
    ) -> list[tuple[EventType, str]]:
        changes = self.write(self.look(places, gone, at=at, digest=digest), at)
        return [(change.type, change.offer_id) for change in changes]

    def _after(self, change: MatchChange, at: datetime) -> MatchState:
        before = self.states.get(change.offer_id)
        if change.type is WITHDRAWN:
            assert before is not None
            return replace(before, status=MatchStatus.WITHDRAWN)
        assert change.score is not None
        told = at if change.type is CREATED or before is None else before.announced_at
        return MatchState(
            "b", change.offer_id, told, change.score, MatchStatus.ANNOUNCED, change.terms, "m"
        )


def of(*ids: str, best: float = 0.9) -> Places:
    return tuple((key, best - 0.01 * place) for place, key in enumerate(ids))


def test_what_enters_is_told_once_with_its_rank() -> None:
    book = Book()
    look = book.look(of("x", "y"))
    assert [(c.offer_id, c.rank, c.score, c.reason) for c in look.changes] == [
        ("x", 1, 0.9, MatchReason.BUYER_ACTED),
        ("y", 2, 0.89, MatchReason.BUYER_ACTED),
    ]
    book.write(look)
    assert book.see(of("x", "y")) == []
    assert book.see(of("z", "x", "y")) == [(CREATED, "z")]


def test_below_the_threshold_nothing_is_new() -> None:
    book = Book(replace(RULES, threshold=0.895))
    assert book.see(of("x", "y")) == [(CREATED, "x")]


def test_what_is_pushed_out_is_silent_and_silent_when_it_comes_back() -> None:
    book = Book()
    book.see(of("x", "y", "z"))
    assert book.see(of("new", "x", "y")) == [(CREATED, "new")]
    assert book.see(of("x", "y", "z")) == []


def test_after_the_window_what_enters_again_is_told_again() -> None:
    book = Book()
    book.see(of("x", "y", "z"))
    book.see(of("new", "x", "y"))
    almost, later = NOW + timedelta(days=30, seconds=-1), NOW + timedelta(days=30)
    assert book.look(of("x", "y", "z"), at=almost).changes == ()
    assert book.see(of("x", "y", "z"), at=later) == [(CREATED, "z")]
    # What never left is no news, however long ago it was told.
    assert book.see(of("x", "y", "z"), at=NOW + timedelta(days=300)) == []


def test_withdrawn_and_back_is_told_again() -> None:
    book = Book()
    book.see(of("x", "y"))
    assert book.see(of("y"), {"x": MatchReason.SOLD_OUT}) == [(WITHDRAWN, "x")]
    assert book.told[-1].reason is MatchReason.SOLD_OUT
    assert book.told[-1].score is None
    assert book.told[-1].rank is None
    assert book.see(of("y"), {"x": MatchReason.SOLD_OUT}) == []
    assert book.see(of("x", "y")) == [(CREATED, "x")]


def test_what_was_never_told_is_not_withdrawn() -> None:
    book = Book(top=MatchTop("b", of("x", "y")))
    assert book.see(of("y"), {"x": MatchReason.OFFER_WITHDRAWN}) == []


def test_a_standing_pair_is_told_of_when_its_score_or_its_terms_change() -> None:
    book = Book()
    book.see((("x", 0.5),))
    assert book.see((("x", 0.549),)) == []
    assert book.see((("x", 0.551),)) == [(UPDATED, "x")]
    moved = book.told[-1]
    assert (moved.reason, moved.previous_score) == (MatchReason.SCORE_MOVED, 0.5)
    book.terms["x"] = "dearer"
    assert book.see((("x", 0.551),)) == [(UPDATED, "x")]
    dearer = book.told[-1]
    assert (dearer.reason, dearer.previous_score) == (MatchReason.TERMS_CHANGED, None)
    assert book.see((("x", 0.551),)) == []


def test_small_steps_add_up() -> None:
    book = Book()
    book.see((("x", 0.5),))
    assert [book.see((("x", 0.5 + 0.02 * step),)) for step in (1, 2)] == [[], []]
    assert book.see((("x", 0.56),)) == [(UPDATED, "x")]


def test_a_pair_of_the_silent_first_look_has_nothing_to_update() -> None:
    book = Book(top=MatchTop("b", (("x", 0.5),)))
    book.terms["x"] = "dearer"
    assert book.see((("x", 0.9),)) == []


def test_a_digest_tells_a_few_and_counts_the_rest() -> None:
    book = Book(replace(RULES, size=6, per_day=2))
    look = book.look(of("a", "b", "c", "d", "e"), digest=True)
    assert [(c.offer_id, c.held_back) for c in look.changes] == [("a", 3), ("b", 3)]
    book.write(look)
    assert [key for key, _ in book.top.offers] == ["a", "b", VACANT, VACANT, VACANT]
    assert book.see(of("a", "b", "c", "d", "e"), digest=True) == []
    tomorrow = NOW + timedelta(days=1)
    assert book.see(of("a", "b", "c", "d", "e"), digest=True, at=tomorrow) == [
        (CREATED, "c"),
        (CREATED, "d"),
    ]
    # When the buyer itself does something, what was held back is told.
    assert book.see(of("a", "b", "c", "d", "e"), at=tomorrow) == [(CREATED, "e")]


def test_a_digest_tells_moved_scores_as_far_as_new_matches_leave_room() -> None:
    book = Book(replace(RULES, size=6, per_day=2))
    book.see((("x", 0.5), ("y", 0.4)))
    assert book.see((("new", 0.9), ("x", 0.8), ("y", 0.7)), digest=True) == [
        (CREATED, "new"),
        (UPDATED, "x"),
    ]
    assert book.see((("new", 0.9), ("x", 0.8), ("y", 0.7))) == [(UPDATED, "y")]


def test_terms_and_withdrawals_are_told_in_a_digest_too() -> None:
    book = Book(replace(RULES, per_day=0))
    book.see((("x", 0.5), ("y", 0.4)))
    book.terms["x"] = "dearer"
    told = book.see((("x", 0.5),), {"y": MatchReason.SOLD_OUT}, digest=True)
    assert told == [(WITHDRAWN, "y"), (UPDATED, "x")]


KEYS = st.sampled_from([f"o{n}" for n in range(8)])
SCORES = st.floats(0.01, 0.99)
STEPS = st.lists(
    st.tuples(
        st.dictionaries(KEYS, SCORES, max_size=6),  # what ranks
        st.sets(KEYS, max_size=2),  # what is gone
        st.booleans(),  # a digest
        st.integers(0, 20),  # days since the step before
        st.sampled_from(["as ever", "dearer"]),
    ),
    min_size=1,
    max_size=8,
)


@given(STEPS)
@settings(max_examples=200, deadline=None)
def test_a_look_that_is_taken_again_tells_nothing_more(
    steps: list[tuple[dict[str, float], set[str], bool, int, str]],
) -> None:
    book = Book(replace(RULES, per_day=1, threshold=0.1))
    at = NOW
    for ranked, missing, digest, days, terms in steps:
        at += timedelta(days=days)
        book.terms["o0"] = terms
        places = tuple(
            in_order((k, s) for k, s in ranked.items() if k not in missing and s >= 0.1)
        )[: RULES.size]
        gone = dict.fromkeys(missing, MatchReason.SOLD_OUT)
        book.see(places, gone, at=at, digest=digest)
        written = (book.top, dict(book.states))
        assert book.look(places, gone, at=at, digest=digest).changes == ()
        # Whoever takes the look again leaves the books as they are, but for what it holds back.
        assert (book.look(places, gone, at=at, digest=digest).top, book.states) == written
    _check_story(book.told)


def _check_story(told: list[MatchChange]) -> None:
    """A pair is created before it is updated or withdrawn, and not withdrawn twice."""
    standing: set[str] = set()
    for change in told:
        if change.type is CREATED:
            standing.add(change.offer_id)
            assert change.score is not None
            assert change.score >= 0.1
        else:
            assert change.offer_id in standing
        if change.type is WITHDRAWN:
            standing.remove(change.offer_id)


def test_a_place_that_falls_free_stays_vacant_and_the_floor_does_not_sink() -> None:
    top = of("x", "y", "z")
    left = merged(top, {}, {"z"}, size=3, threshold=0.0)
    assert left == (("x", 0.9), ("y", 0.89), (VACANT, top[-1][1]))
    assert floor_of(left, 3, 0.0) == top[-1][1]
    assert merged(left, {"low": top[-1][1] - 0.001}, (), size=3, threshold=0.0) == left
    assert merged(left, {"w": 0.895}, (), size=3, threshold=0.0) == (
        ("x", 0.9),
        ("w", 0.895),
        ("y", 0.89),
    )


def test_a_top_that_is_not_full_takes_whatever_reaches_the_threshold() -> None:
    assert merged((("x", 0.9),), {"low": 0.2}, {"x"}, size=3, threshold=0.1) == (("low", 0.2),)
    assert merged((("x", 0.9),), {"low": 0.05}, (), size=3, threshold=0.1) == (("x", 0.9),)


def test_an_offer_that_falls_below_the_last_place_leaves_it() -> None:
    top = of("x", "y", "z")
    assert merged(top, {"y": 0.1}, (), size=3, threshold=0.0) == (
        ("x", 0.9),
        ("z", top[2][1]),
        (VACANT, top[2][1]),
    )


# Few scores, so that many are equal.
TIED = st.sampled_from([0.25, 0.5, 0.75])


@pytest.mark.parametrize("scores", [SCORES, TIED])
@given(st.data())
@settings(max_examples=300, deadline=None)
def test_merging_is_ranking_as_far_as_it_knows(
    scores: st.SearchStrategy[float], data: st.DataObject
) -> None:
    """What merging says is in the top is in the true one; what it misses is below the floor."""
    ranked = data.draw(st.dictionaries(KEYS, scores, min_size=3, max_size=8))
    changed = data.draw(st.dictionaries(KEYS, scores, max_size=4))
    gone = data.draw(st.sets(KEYS, max_size=2))
    before = tuple(in_order(ranked.items()))
    top = before[:3]
    changed = {key: score for key, score in changed.items() if key not in gone}
    now = {k: s for k, s in (ranked | changed).items() if k not in gone}
    true = in_order(now.items())[:3]
    found = merged(top, changed, gone, size=3, threshold=0.0)
    assert len(found) == 3
    real = [place for place in found if place[0] != VACANT]
    assert set(real) <= set(true)
    floor = floor_of(top, 3, 0.0)
    assert [place for place in true if place[1] > floor] == [p for p in real if p[1] > floor]
    if not gone and not is_tied(top, changed, size=3, threshold=0.0):
        assert {key for key, score in true if score == floor} & changed.keys() <= dict(real).keys()
    assert floor_of(found, 3, 0.0) >= floor


def test_a_table_gives_back_what_was_put_into_it() -> None:
    table = TopTable(3, 0.0)
    tops = [
        MatchTop("full", (("x", 0.9), (VACANT, 0.8), ("y", 0.7)), "2026-01-15", 2),
        MatchTop("short", (("y", 0.6),)),
        MatchTop("none", ()),
    ]
    for top in tops:
        table.put(top)
    assert [table.top(top.buyer_id) for top in tops] == tops
    assert table.top("other") is None
    assert table.floors(["none", "full", "other"]).tolist() == [0.0, 0.7, float("inf")]
    assert table.holders(["x", "y", "z"]) == {"x": ["full"], "y": ["full", "short"]}
    assert table.longest == 3
    table.remove("full")
    assert table.holders(["x", "y"]) == {"y": ["short"]}
    assert table.buyer_ids == ["short", "none"]


def test_scores_of_another_model_are_held_against_nothing() -> None:
    table = TopTable(2, 0.0, [MatchTop("b", (("x", 0.9),)), MatchTop("c", ())])
    table.outdate()
    table.put(MatchTop("c", (("y", 0.5),)))
    assert (table.is_current("b"), table.is_current("c")) == (False, True)
    assert table.floors(["b", "c"]).tolist() == [float("inf"), 0.0]


@pytest.mark.parametrize("count", [1, 5_000])
def test_a_table_grows(count: int) -> None:
    table = TopTable(2, 0.0)
    for number in range(count):
        table.put(MatchTop(f"b{number}", ((f"o{number % 7}", 0.5),)))
    assert len(table) == count
    assert sum(map(len, table.holders([f"o{n}" for n in range(7)]).values())) == count
