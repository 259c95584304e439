from __future__ import annotations

import asyncio
import json
import shutil
import socket
from pathlib import Path

import polars as pl
import pytest

from core.pseudonyms import pseudonym
from graph.embedded_engine import EmbeddedEngine
from graph.embedded_files import GraphLock
from graph.queries import Query
from tests.cli.conftest import Answer, Command


@pytest.fixture
def home(filled_home: Path, tmp_path: Path) -> Path:
    """A copy of the filled home, for the test alone."""
    return Path(shutil.copytree(filled_home, tmp_path / "home"))


def first_buyer(offerpath: Command, home: Path, folder: Path) -> str:
    return str(pl.read_parquet(folder / "purchases.parquet")["buyer_id"].mode().sort()[0])


def test_generate_tells_what_it_wrote(offerpath: Command, tmp_path: Path) -> None:
    options = ("--buyers", 10, "--offers", 30, "--vendors", 2, "--purchases", 50)
    answer = offerpath("generate", tmp_path / "data", *options, "--format", "csv", "--json")
    assert answer.code == 0
    assert answer.json["rows"]["purchases"] == 50
    assert (tmp_path / "data" / "purchases.csv").is_file()


def test_import_leaves_a_report_and_changes_nothing_the_second_time(
    offerpath: Command, marketplace: Path, tmp_path: Path
) -> None:
    first = offerpath("import", marketplace, "--json")
    assert first.code == 0
    assert first.json["outcome"] == "imported"
    assert first.json["tables"]["purchases"]["new"] == 600
    assert len(list((tmp_path / "home" / "reports").rglob("report.html"))) == 1
    assert offerpath("import", marketplace, "--json").json["outcome"] == "unchanged"


def test_a_dry_run_makes_nothing_at_all(
    offerpath: Command, marketplace: Path, tmp_path: Path
) -> None:
    answer = offerpath("import", marketplace, "--dry-run", "--json")
    assert answer.json["outcome"] == "valid"
    made = [path for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert made == []


def test_reject_all_writes_nothing_and_exits_with_2(offerpath: Command, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "buyers.csv").write_text("id,country,latitude,longitude\na,GB,1,1\nb,GB,999,1\n")
    answer = offerpath("import", data, "--on-error", "reject-all", "--json")
    assert answer.code == 2
    assert answer.json["outcome"] == "rejected"
    rows = offerpath("export", tmp_path / "out", "--json").json["rows"]
    assert not rows.get("buyers")


def test_import_with_nothing_named_is_bad_input(offerpath: Command) -> None:
    assert offerpath("import").code == 2


def test_export_and_import_into_another_graph_is_the_same_graph(
    offerpath: Command, home: Path, tmp_path: Path
) -> None:
    rows = offerpath("export", tmp_path / "out", "--json").json["rows"]
    other = offerpath("--home", tmp_path / "other", "import", tmp_path / "out", "--json")
    assert other.code == 0
    again = offerpath("--home", tmp_path / "other", "export", tmp_path / "again", "--json")
    assert again.json["rows"] == rows
    for table in ("purchases", "offers", "preferences"):
        key = "id" if table != "preferences" else "buyer_id"
        frames = [
            pl.read_parquet(tmp_path / name / f"{table}.parquet").sort(pl.all().exclude(pl.List))
            for name in ("out", "again")
        ]
        assert frames[0].equals(frames[1]), (table, key)


def test_backup_and_restore(offerpath: Command, home: Path, tmp_path: Path) -> None:
    assert offerpath("backup", tmp_path / "backups", "--json").code == 0
    other = tmp_path / "other"
    assert offerpath("--home", other, "restore", tmp_path / "backups").code == 0
    refused = offerpath("--home", other, "restore", tmp_path / "backups")
    assert refused.code == 2 and "not empty" in refused.err


def test_match_and_explain_agree(offerpath: Command, home: Path, marketplace: Path) -> None:
    buyer = first_buyer(offerpath, home, marketplace)
    ranking = offerpath("match", buyer, "--first", 4, "--json").json
    assert ranking["buyer"] == buyer and ranking["model_version"] == "walk"
    assert [match["rank"] for match in ranking["matches"]] == [1, 2, 3, 4]
    best = ranking["matches"][0]
    pair = offerpath("explain", buyer, best["offer"]["id"], "--json").json
    wet = ("--context", "weather=rain", "--context", "weekday=friday")
    # Without a trained model nothing was learned of the weather.
    assert offerpath("match", buyer, "--first", 4, *wet, "--json").json == ranking
    assert offerpath("explain", buyer, best["offer"]["id"], *wet, "--json").json == pair
    assert (pair["score"], pair["position"], pair["stage"]) == (best["score"], 1, "NONE")
    assert pair["explanations"][0]["summary"] == best["explanations"][0]["summary"]


def test_match_shows_offers_reasons_and_fits_narrow_terminals(
    offerpath: Command, home: Path, marketplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    buyer = first_buyer(offerpath, home, marketplace)
    best = offerpath("match", buyer, "--first", 1, "--json").json["matches"][0]
    for columns in ("40", "120"):
        monkeypatch.setenv("COLUMNS", columns)
        shown = offerpath("match", buyer, "--first", 1).out
        assert best["offer"]["id"] in shown
        assert max(len(line) for line in shown.splitlines()) <= int(columns)


def test_match_filters(offerpath: Command, home: Path, marketplace: Path) -> None:
    buyer = first_buyer(offerpath, home, marketplace)
    answer = offerpath(
        "match", buyer, "--first", 100, "--max-price", "20", "--currency", "eur", "--json"
    )
    prices = [match["offer"]["price_minor"] for match in answer.json["matches"]]
    assert prices and max(prices) <= 2000
    only = offerpath("match", buyer, "--bought", "only", "--first", 100, "--json").json["matches"]
    bought = pl.read_parquet(marketplace / "purchases.parquet").filter(buyer_id=buyer)
    assert {match["offer"]["id"] for match in only} <= set(bought["offer_id"])


@pytest.mark.parametrize(
    "options",
    [("--max-price", "20"), ("--near", "here"), ("--bought", "some"), ("--max-price", "2,50",
      "--currency", "EUR"), ("--context", "rain"), ("--context", "Sky=grey")],
)  # fmt: skip
def test_match_refuses_what_it_cannot_read(
    options: tuple[str, ...], offerpath: Command, home: Path
) -> None:
    answer = offerpath("match", "B00001", *options)
    assert answer.code == 2 and "Mend:" in answer.err


def test_an_unknown_buyer_is_bad_input_and_some_are_named(offerpath: Command, home: Path) -> None:
    answer = offerpath("match", "nobody")
    assert answer.code == 2
    assert "'nobody'" in answer.err and "B00001" in answer.err


def test_a_buyer_is_found_by_the_id_behind_its_pseudonym(
    offerpath: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OFFERPATH_PSEUDONYM_KEY", "secret")
    data = tmp_path / "data"
    data.mkdir()
    hidden = pseudonym("anna", "secret")
    (data / "buyers.csv").write_text(f"id,country\n{hidden},DE\n")
    (data / "offers.csv").write_text("id,title\ntea,Tea\n")
    assert offerpath("import", data).code == 0
    assert offerpath("match", "anna", "--json").json["buyer"] == hidden


def created(offerpath: Command, *options: str) -> Answer:
    return offerpath("keys", "create", "a shop", *options, "--json")


def test_keys_are_made_listed_and_revoked_without_showing_secrets(offerpath: Command) -> None:
    key = created(offerpath, "--role", "partner", "--days", "3").json
    assert key["secret"].startswith("opk_")
    listed = offerpath("keys", "list", "--json")
    assert key["secret"] not in listed.out and "hash" not in listed.out
    assert [row["id"] for row in listed.json] == [key["id"]]
    assert offerpath("keys", "revoke", key["id"], "--json").json["revoked_at"] is not None
    assert "revoked" in offerpath("keys", "list").out
    assert offerpath("keys", "revoke", "none").code == 2


def test_a_buyers_key_needs_its_buyer(offerpath: Command) -> None:
    assert created(offerpath, "--role", "buyer").code == 2
    assert created(offerpath, "--role", "buyer", "--subject", "b1").json["subject"] == "b1"


def test_keys_of_a_served_graph_are_made_by_the_server(offerpath: Command, home: Path) -> None:
    url = "http://127.0.0.1:8123/graphql"
    held = GraphLock(home / "graph.lbug")
    try:
        alone = offerpath("keys", "list")
        assert alone.code == 2 and "apiKeys" not in alone.err
        held.announce(url)
        for words in (("create", "x", "--role", "admin"), ("list",), ("revoke", "x")):
            answer = offerpath("keys", *words)
            assert answer.code == 2
            for named in (url, "createApiKey", "revokeApiKey", "apiKeys", "admin's credential"):
                assert named in answer.err
    finally:
        held.release()


def test_doctor_finds_a_server_that_nobody_can_use(
    offerpath: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert findings(offerpath("doctor", "--json"))["credentials"]["health"] == "good"
    monkeypatch.setenv("OFFERPATH_ENVIRONMENT", "production")
    answer = offerpath("doctor", "--json")
    assert answer.code == 1
    found = findings(answer)["credentials"]
    assert found["health"] == "bad"
    assert "offerpath keys create NAME --role admin" in found["mend"]
    assert created(offerpath, "--role", "admin").code == 0
    assert findings(offerpath("doctor", "--json"))["credentials"]["health"] == "good"


def test_schema_is_written_and_drift_fails(offerpath: Command, tmp_path: Path) -> None:
    file = tmp_path / "schema.graphql"
    assert offerpath("schema", "--check", "--file", file).code == 1
    assert offerpath("schema", "--file", file).code == 0
    assert offerpath("schema", "--check", "--file", file).code == 0
    file.write_text(file.read_text() + "type Old { id: ID }\n")
    answer = offerpath("schema", "--check", "--file", file)
    assert answer.code == 1 and "make schema" in answer.err


def findings(answer: Answer) -> dict[str, dict[str, str]]:
    return {row["name"]: row for row in answer.json}


def test_doctor_finds_a_sound_set_up(offerpath: Command, home: Path) -> None:
    answer = offerpath("doctor", "--json")
    assert answer.code == 0
    assert {row["health"] for row in answer.json} <= {"good", "note"}
    assert findings(answer)["graph"]["health"] == "good"


def test_doctor_finds_what_was_written_past_offerpath(offerpath: Command, home: Path) -> None:
    line = Query(
        "line",
        "MATCH (b:Buyer {id: 'B00001'}), (o:Offer {id: 'O00001'}) "
        "CREATE (b)-[:PURCHASED {id: 'past', quantity: 1}]->(o)",
    )

    async def write_past() -> None:
        engine = await EmbeddedEngine.open(home / "graph.lbug")
        await engine.write(lambda transaction: transaction.run(line))
        await engine.close()

    assert findings(offerpath("doctor", "--json"))["drift"]["health"] == "good"
    asyncio.run(write_past())
    answer = offerpath("doctor", "--json")
    assert answer.code == 1
    assert "1 order lines" in findings(answer)["drift"]["text"]


def test_doctor_names_what_is_wrong_and_the_mend(
    offerpath: Command, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = home / "models" / "m1"
    model.mkdir(parents=True)
    (model / "manifest.json").write_text(json.dumps({"files": {"arrays.npz": "0"}}))
    (home / "models" / "current").write_text("m1")
    monkeypatch.setenv("OFFERPATH_HOST", "0.0.0.0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("OFFERPATH_PORT", str(taken.getsockname()[1]))
        monkeypatch.setenv("OFFERPATH_GRAPH_URI", "bolt://127.0.0.1:1")
        answer = offerpath("doctor", "--json")
    assert answer.code == 1
    found = findings(answer)
    for name in ("settings", "graph", "model"):
        assert found[name]["health"] == "bad" and found[name]["mend"], name


def test_a_taken_port_is_named_with_another(offerpath: Command, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        answer = offerpath("serve", "--port", port)
    assert answer.code == 2
    assert f"Port {port}" in answer.err and f"--port {port + 1}" in answer.err


def test_serving_openly_beyond_loopback_is_refused(offerpath: Command, home: Path) -> None:
    answer = offerpath("serve", "--host", "0.0.0.0", "--port", "0")
    assert answer.code == 2 and "OFFERPATH_ENVIRONMENT" in answer.err


def test_training_without_purchases_says_what_to_do(offerpath: Command) -> None:
    answer = offerpath("train", "--threads", "1")
    assert answer.code == 2 and "offerpath import" in answer.err
