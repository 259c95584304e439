"""The analysts' guide: every question runs on a real Neo4j, and its answer is true.

What the graph answers is computed a second time from the files it was filled from, by polars and
networkx.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Any

import neo4j
import networkx as nx
import polars as pl
import pytest
from neo4j.exceptions import ClientError, Neo4jError

from tests.e2e.guide import (
    GUIDE,
    AnalystsGraph,
    favourites,
    packed_favourites,
    questions,
)

# Starting and filling the server counts for the first test that asks for it.
pytestmark = pytest.mark.timeout(900)
BY_PLACE = dict(enumerate(questions(), start=1))


def answer(graph: AnalystsGraph, number: int) -> list[dict[str, Any]]:
    return graph.ask(BY_PLACE[number].text)


def bought(graph: AnalystsGraph) -> nx.Graph:
    """Buyers and offers, joined where an order line counts."""
    pairs = graph.lines.select("buyer_id", "offer_id").unique()
    return nx.Graph(pairs.rows())


def usual_buyer(graph: AnalystsGraph) -> str:
    """The buyer with the number of offers closest to 20."""
    market = bought(graph)
    buyers = graph.table("buyers")["id"].to_list()
    known = [str(buyer) for buyer in buyers if buyer in market]
    return min(known, key=lambda buyer: (abs(market.degree(buyer) - 20), buyer))


def ids(nodes: list[Any]) -> list[str]:
    return [node["id"] for node in nodes]


def test_the_favourites_are_the_guides_questions() -> None:
    texts = [question.text for question in questions()]
    assert len(texts) == 10
    assert favourites() == texts
    # Made anew by: cd docs/analysts && python -m zipfile -c offerpath.zip offerpath/
    assert packed_favourites() == texts
    for question in questions():
        assert question.text.splitlines()[0] == f"// {question.title}"


@pytest.mark.parametrize("number", BY_PLACE)
def test_every_question_has_an_answer(analysts_graph: AnalystsGraph, number: int) -> None:
    rows = answer(analysts_graph, number)
    assert 1 <= len(rows) <= 20
    drawn = [value for row in rows for value in row.values() if _is_drawn(value)]
    assert drawn or number == 9


def _is_drawn(value: Any) -> bool:
    if isinstance(value, list):
        return any(_is_drawn(part) for part in value)
    return isinstance(value, (neo4j.graph.Node, neo4j.graph.Relationship, neo4j.graph.Path))


def test_who_buys_the_same(analysts_graph: AnalystsGraph) -> None:
    market = bought(analysts_graph)
    me = usual_buyer(analysts_graph)
    shared = {
        other: len(set(market[me]) & set(market[other]))
        for other in analysts_graph.table("buyers")["id"]
        if other in market and other != me
    }
    nearest = sorted(shared, key=lambda other: (-shared[other], other))[:5]
    rows = answer(analysts_graph, 1)
    assert [row["other"]["id"] for row in rows] == nearest
    for row in rows:
        other = row["other"]["id"]
        assert row["me"]["id"] == me
        assert ids(row["sharedOffers"]) == sorted(set(market[me]) & set(market[other]))
        assert row["inCommon"] == shared[other]
        assert [line.nodes[1]["id"] for line in row["mine"]] == ids(row["sharedOffers"])


def test_bridges(analysts_graph: AnalystsGraph) -> None:
    lines = analysts_graph.lines.join(analysts_graph.categories, on="offer_id")
    pairs = lines.join(lines, on="order_id", suffix="_to").filter(
        pl.col("category_id") != pl.col("category_id_to")
    )
    counted = pairs.group_by("offer_id", "category_id", "category_id_to").agg(
        pl.col("order_id").n_unique().alias("orders")
    )
    most = counted.group_by("category_id").agg(pl.col("orders").max())
    expected = sorted(most["orders"].to_list(), reverse=True)[:8]
    rows = answer(analysts_graph, 2)
    assert [row["orders"] for row in rows] == expected
    for row in rows:
        assert isinstance(row["anExample"], neo4j.graph.Path)
        names = [node.get("name") for node in row["anExample"].nodes]
        assert (names[0], names[-1]) == (row["category"], row["boughtWith"])


def test_one_purchase_away(analysts_graph: AnalystsGraph) -> None:
    market = bought(analysts_graph)
    offers = analysts_graph.table("offers")["id"].to_list()
    offers = [offer for offer in offers if offer in market]
    best = min(offers, key=lambda offer: (-market.degree(offer), offer))
    near = {
        other: len(set(market[best]) & set(market[other])) / math.sqrt(market.degree(other))
        for other in offers
        if other != best
    }
    companions = sorted(near, key=lambda other: (-near[other], other))[:5]
    away = {
        buyer: sorted(set(market[buyer]) & set(companions))
        for buyer in {b for companion in companions for b in market[companion]}
        if best not in market[buyer]
    }
    first = sorted(away, key=lambda buyer: (-len(away[buyer]), buyer))[:10]
    rows = answer(analysts_graph, 3)
    assert [row["near"]["id"] for row in rows] == first
    assert [ids(row["companions"]) for row in rows] == [away[buyer] for buyer in first]
    assert {row["offer"]["id"] for row in rows} == {best}


def test_why_this_match(analysts_graph: AnalystsGraph) -> None:
    market = bought(analysts_graph)
    me = usual_buyer(analysts_graph)
    rows = answer(analysts_graph, 4)
    assert [row["rank"] for row in rows] == [1, 2, 3, 4, 5]
    scores = [row["score"] for row in rows]
    assert scores == sorted(scores, reverse=True)
    ways = 0
    for row in rows:
        start, offer = row["match"].nodes
        assert start["id"] == me
        assert row["why"] and row["kind"] and 0 < row["contribution"] <= 1
        assert row["peers"] == len(
            {peer for own in market[me] for peer in market[own]} & set(market[offer["id"]])
        )
        for way in row["sameCategory"]:
            ways += 1
            assert nx.shortest_path_length(market, me, way.nodes[1]["id"]) == 1
            assert ids(way.nodes)[-1] == offer["id"]
    assert ways > 0


def test_who_loses_buyers_to_whom(analysts_graph: AnalystsGraph) -> None:
    lines = analysts_graph.lines
    cut = lines["at"].max() - timedelta(days=90)  # type: ignore[operator]  # a column of times
    vendors = analysts_graph.table("offers").select(pl.col("id").alias("offer_id"), "vendor_id")
    known = lines.join(analysts_graph.categories, on="offer_id").join(vendors, on="offer_id")
    spans = known.group_by("buyer_id", "category_id", "vendor_id").agg(
        pl.col("at").min().alias("first"), pl.col("at").max().alias("last")
    )
    lost, won = spans.filter(pl.col("last") < cut), spans.filter(pl.col("first") >= cut)
    flows = (
        lost.join(won, on=("buyer_id", "category_id"), suffix="_to")
        .group_by("vendor_id", "vendor_id_to")
        .agg(pl.col("buyer_id").n_unique().alias("buyers"))
        .sort(pl.col("buyers"), "vendor_id", "vendor_id_to", descending=[True, False, False])
    )
    rows = answer(analysts_graph, 5)
    assert sorted(row["buyers"] for row in rows) == sorted(flows["buyers"].head(5))
    seen = {
        (path.nodes[0]["id"], path.nodes[-1]["id"]): row["buyers"]
        for row in rows
        for path in row["examples"]
    }
    truth = {(loser, winner): buyers for loser, winner, buyers in flows.rows()}
    assert seen == {pair: truth[pair] for pair in list(truth)[:5]}


def test_rising_offers(analysts_graph: AnalystsGraph) -> None:
    lines = analysts_graph.lines
    now = lines["at"].max()
    assert now is not None
    late = lines.filter(pl.col("at") > now - timedelta(days=28))  # type: ignore[operator]
    early = lines.filter(
        pl.col("at").is_between(now - timedelta(days=56), now - timedelta(days=28), "right")  # type: ignore[operator]
    )
    recent, before = (
        dict(part.group_by("offer_id").agg(pl.col("buyer_id").n_unique()).rows())
        for part in (late, early)
    )
    rising = [offer for offer in recent if recent[offer] > before.get(offer, 0)]
    rising.sort(key=lambda o: (-(recent[o] + 2.0) / (before.get(o, 0) + 2.0), -recent[o], o))
    rows = answer(analysts_graph, 6)
    assert [row["offer"]["id"] for row in rows] == rising[:12]
    assert [(row["recent"], row["before"]) for row in rows] == [
        (recent[offer], before.get(offer, 0)) for offer in rising[:12]
    ]


def test_category_baskets(analysts_graph: AnalystsGraph) -> None:
    baskets = (
        analysts_graph.lines.join(analysts_graph.categories, on="offer_id")
        .select("order_id", "category_id")
        .unique()
    )
    orders = baskets["order_id"].n_unique()
    single = dict(baskets.group_by("category_id").len().rows())
    pairs = (
        baskets.join(baskets, on="order_id", suffix="_to")
        .filter(pl.col("category_id") < pl.col("category_id_to"))
        .group_by("category_id", "category_id_to")
        .len()
        .filter(pl.col("len") >= 5)
    )
    lifts = {(a, b): n * orders / single[a] / single[b] for a, b, n in pairs.rows()}
    rows = answer(analysts_graph, 7)
    expected = sorted(lifts.values(), reverse=True)[:12]
    assert [row["lift"] for row in rows] == pytest.approx(expected, abs=0.0051)
    for row in rows:
        assert row["lift"] == pytest.approx(lifts[row["one"]["id"], row["two"]["id"]], abs=0.0051)


def test_unusual_variety(analysts_graph: AnalystsGraph) -> None:
    known = analysts_graph.lines.join(analysts_graph.categories, on="offer_id")
    share = pl.col("len") / pl.col("len").sum()
    bits = (
        known.group_by("buyer_id", "category_id")
        .len()
        .group_by("buyer_id")
        .agg(-(share * share.log(2)).sum().alias("bits"), pl.col("len").sum().alias("lines"))
        .filter(pl.col("lines") >= 10)
        .join(analysts_graph.table("buyers"), left_on="buyer_id", right_on="id")
    )
    usual, spread = pl.col("bits").mean().over("kind"), pl.col("bits").std().over("kind")
    scored = bits.with_columns(((pl.col("bits") - usual) / spread).fill_nan(0.0).alias("beyond"))
    first = scored.sort("beyond", descending=True, nulls_last=True).head(2)
    rows = answer(analysts_graph, 8)
    assert [row["name"] for row in rows] == first["name"].to_list()
    assert [row["bits"] for row in rows] == pytest.approx(first["bits"].to_list(), abs=0.0051)
    assert [row["lines"] for row in rows] == first["lines"].to_list()
    assert [len(row["ways"]) for row in rows] == [row["categories"] for row in rows]


def test_what_the_last_import_brought(analysts_graph: AnalystsGraph) -> None:
    counted = {row["what"]: row["rows"] for row in answer(analysts_graph, 9)}
    kinds = dict(analysts_graph.table("interactions").group_by("kind").len().rows())
    # A fact that has changed since is no longer the import's.
    assert counted.pop("PURCHASED") <= analysts_graph.table("purchases").height
    assert counted == {
        **{kind.upper(): count for kind, count in kinds.items()},
        "Buyer": analysts_graph.table("buyers").height,
        "Vendor": analysts_graph.table("vendors").height,
        "Category": analysts_graph.table("categories").height,
        "Offer": analysts_graph.table("offers").height,
        "PREFERS": analysts_graph.table("preferences").height,
    }


def test_how_matches_cover_vendors(analysts_graph: AnalystsGraph) -> None:
    shown = analysts_graph.ask(
        "MATCH (b:Buyer)-[:MATCHED]->(o:Offer) RETURN b.id AS buyer_id, o.id AS offer_id"
    )
    offers = analysts_graph.table("offers").filter(pl.col("status") == "ACTIVE")
    joined = offers.select(pl.col("id").alias("offer_id"), "vendor_id").join(
        pl.DataFrame(shown), on="offer_id", how="left"
    )
    matched = pl.col("buyer_id").is_not_null()
    truth = joined.group_by("vendor_id").agg(
        pl.col("offer_id").n_unique().alias("offers"),
        pl.col("offer_id").filter(matched).n_unique().alias("matched"),
        matched.sum().alias("matches"),
        pl.col("buyer_id").n_unique().alias("buyers") - pl.col("buyer_id").is_null().any(),
    )
    by_vendor = {row["vendor_id"]: row for row in truth.iter_rows(named=True)}
    rows = answer(analysts_graph, 10)
    assert len(rows) == len(by_vendor) == 8
    for row in rows:
        expected = by_vendor[row["mostMatched"][0].nodes[0]["id"]]
        figures = (row["offersListed"], row["offersMatched"], row["matches"], row["buyers"])
        assert figures == tuple(expected[k] for k in ("offers", "matched", "matches", "buyers"))


def test_the_roles_recipe_is_understood(analysts_graph: AnalystsGraph) -> None:
    """Community refuses roles for what they are; a statement it cannot read, it calls wrong."""
    section = GUIDE.read_text(encoding="utf-8").split("\n## Letting analysts read")[1]
    recipe = section.split("```cypher\n")[1].split("```")[0]
    statements = [text.strip() for text in recipe.split(";") if text.strip()]
    assert len(statements) == 7
    server = analysts_graph.server
    with (
        neo4j.GraphDatabase.driver(server.uri, auth=(server.user, server.password)) as driver,
        driver.session(database="system") as session,
    ):
        for text in [text for text in statements if "ROLE" in text or "TO analyst" in text]:
            with pytest.raises(ClientError) as refused:
                session.run(text).consume()
            assert str(refused.value.code).endswith("UnsupportedAdministrationCommand")
        with pytest.raises(Neo4jError, match="Invalid input"):
            session.run("GRANT MATCHES {*} ON GRAPH neo4j TO analyst").consume()
