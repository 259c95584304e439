"""The embedded graph's files: who has them, and what comes back after a crash."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import ladybug
import polars as pl
import pytest

from core.errors import GraphBusyError, GraphUnavailableError, SettingsError
from core.settings import load_settings
from graph import tables
from graph.embedded_database import EmbeddedDatabase
from graph.embedded_engine import EmbeddedEngine
from graph.open import open_engine
from graph.queries import Query, QueryFailedError
from graph.schema import schema_statements

ROOT = Path(__file__).parents[2]
WRITE = Query("write", "UNWIND $rows AS row MERGE (o:Offer {id: row.id})")
OFFERS = Query("offers", "MATCH (o:Offer) RETURN o.id AS id ORDER BY id", (), ("id",))
LINES = Query("lines", "MATCH ()-[r:PURCHASED]->() RETURN r.id AS id", (), ("id",))

WRITING_CHILD = """
    import asyncio, sys
    from pathlib import Path
    import polars as pl
    from graph import tables
    from graph.embedded_engine import EmbeddedEngine
    from graph.queries import Query

    WRITE = Query("write", "UNWIND $rows AS row MERGE (o:Offer {id: row.id})")

    async def main(path, run):
        engine = await EmbeddedEngine.open(Path(path))
        await engine.apply_schema()
        await engine.bulk_insert(tables.BUYER, pl.DataFrame({"id": ["b"]}))
        for i in range(100_000):
            key = f"{run}-{i:05}"
            rows = [{"id": f"{key}-w0"}, {"id": f"{key}-w1"}]
            await engine.write(lambda t: t.run(WRITE, {"rows": rows}))
            print("offer", key, flush=True)
            if i % 3 == 0:
                ids = [f"{key}-{j:03}" for j in range(200)]
                frame = pl.DataFrame({"from_id": "b", "to_id": f"{key}-w0", "id": ids})
                await engine.bulk_insert(tables.PURCHASED, frame)
                print("lines", key, flush=True)

    asyncio.run(main(sys.argv[1], sys.argv[2]))
"""

# Its log may not grow while the disk is "full": a commit then leaves half a record behind.
FULL_DISK_CHILD = """
    import asyncio, os, resource, signal, sys
    from pathlib import Path
    from graph.embedded_engine import EmbeddedEngine
    from graph.queries import Query, QueryFailedError

    WRITE = Query("write", "UNWIND $rows AS row MERGE (o:Offer {id: row.id})")

    async def main(path):
        engine = await EmbeddedEngine.open(Path(path))
        await engine.apply_schema()

        async def write(*ids):
            await engine.write(lambda t: t.run(WRITE, {"rows": [{"id": each} for each in ids]}))

        await engine.checkpoint()
        await write("before")
        size = os.path.getsize(path + ".wal")
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 500, resource.RLIM_INFINITY))
        try:
            await write(*(f"refused-{i:05}" for i in range(2_000)))
            sys.exit("the disk was not full")
        except QueryFailedError:
            pass
        infinite = (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
        resource.setrlimit(resource.RLIMIT_FSIZE, infinite)
        await write("after")
        os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(main(sys.argv[1]))
"""


async def write(engine: EmbeddedEngine, *ids: str) -> None:
    await engine.write(lambda t: t.run(WRITE, {"rows": [{"id": each} for each in ids]}))


async def offers(engine: EmbeddedEngine) -> list[str]:
    return [row["id"] for row in await engine.read(OFFERS)]


def start_child(code: str, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(code), *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def read_lines(child: subprocess.Popen[str], count: int) -> list[str]:
    assert child.stdout is not None
    lines = [child.stdout.readline().strip() for _ in range(count)]
    assert all(lines), "the child ended early"
    return lines


def kill(child: subprocess.Popen[str]) -> list[str]:
    """Kill the child and return what it had printed by then."""
    assert child.stdout is not None
    child.send_signal(signal.SIGKILL)
    rest = child.stdout.read().splitlines()
    child.wait()
    child.stdout.close()
    return rest


async def test_a_second_open_is_refused_and_names_the_owner(
    embedded_engine: EmbeddedEngine, tmp_path: Path
) -> None:
    path = tmp_path / "graph.lbug"
    with pytest.raises(GraphBusyError, match=f"process {os.getpid()}"):
        await EmbeddedEngine.open(path)
    embedded_engine.announce("http://127.0.0.1:8000")
    (tmp_path / "link").symlink_to(path)
    with pytest.raises(GraphBusyError, match=r"http://127\.0\.0\.1:8000"):
        await EmbeddedEngine.open(tmp_path / "link")
    await write(embedded_engine, "a")
    assert await offers(embedded_engine) == ["a"]


async def test_a_closed_graph_can_be_opened_again(tmp_path: Path) -> None:
    for expected in (["a"], ["a", "b"]):
        engine = await EmbeddedEngine.open(tmp_path / "new" / "graph.lbug")
        await engine.apply_schema()
        await write(engine, expected[-1])
        assert await offers(engine) == expected
        assert engine.torn_log is None
        await engine.close()


async def test_what_a_killed_process_held_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "graph.lbug"
    child = start_child(WRITING_CHILD, str(path), "a")
    read_lines(child, 1)
    with pytest.raises(GraphBusyError, match=f"process {child.pid}"):
        await EmbeddedEngine.open(path)
    kill(child)
    assert str(child.pid) in (tmp_path / "graph.lbug.lock").read_text()
    engine = await EmbeddedEngine.open(path)
    assert "a-00000-w0" in await offers(engine)
    await engine.close()


async def test_killed_writers_lose_and_double_nothing(tmp_path: Path) -> None:
    path = tmp_path / "graph.lbug"
    acknowledged: set[str] = set()
    for run in range(5):
        child = start_child(WRITING_CHILD, str(path), str(run))
        acknowledged.update(read_lines(child, 4 + 5 * run))
        acknowledged.update(kill(child))
        engine = await EmbeddedEngine.open(path)
        found = await offers(engine)
        lines = [row["id"] for row in await engine.read(LINES)]
        await engine.close()
        assert len(found) == len(set(found))
        assert len(lines) == len(set(lines))
        halves = {each.removesuffix("-w0").removesuffix("-w1") for each in found}
        assert {f"{key}-{half}" for key in halves for half in ("w0", "w1")} == set(found)
        batches = {each.rpartition("-")[0] for each in lines}
        assert len(lines) == 200 * len(batches)
        for line in acknowledged:
            kind, _, key = line.partition(" ")
            assert key in (halves if kind == "offer" else batches)


def copy_while_open(path: Path, folder: Path) -> Path:
    """The files as a crash would leave them at this moment."""
    folder.mkdir()
    for source in (path, path.with_name(f"{path.name}.wal")):
        shutil.copy(source, folder / source.name)
    return folder / path.name


@pytest.mark.parametrize("tear", ["cut", "zeros", "noise"])
async def test_a_torn_log_is_kept_aside_and_the_rest_comes_back(
    embedded_engine: EmbeddedEngine,
    tmp_path: Path,
    tear: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await embedded_engine.checkpoint()
    for number in range(20):
        await write(embedded_engine, f"{number:02}")
    path = copy_while_open(tmp_path / "graph.lbug", tmp_path / "crashed")
    log = path.with_name("graph.lbug.wal")
    whole = log.read_bytes()
    torn = {"cut": whole[:-7], "zeros": whole + bytes(64), "noise": whole[:-32] + b"\xa5" * 32}
    log.write_bytes(torn[tear])

    engine = await EmbeddedEngine.open(path)
    assert engine.torn_log == log.with_name("graph.lbug.wal.torn-1")
    assert engine.torn_log.read_bytes() == torn[tear]
    assert "torn" in caplog.text
    kept = await offers(engine)
    assert kept == [f"{number:02}" for number in range(20 if tear == "zeros" else 19)]
    await write(engine, "after")
    await engine.close()

    engine = await EmbeddedEngine.open(path)
    assert engine.torn_log is None
    assert await offers(engine) == [*kept, "after"]
    await engine.close()


async def test_a_file_that_is_no_graph_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "graph.lbug"
    path.write_bytes(b"something else entirely" * 1000)
    with pytest.raises(GraphUnavailableError, match=r"graph\.lbug cannot be opened"):
        await EmbeddedEngine.open(path)
    assert path.read_bytes() == b"something else entirely" * 1000
    # The lock went with the failure.
    path.unlink()
    await (await EmbeddedEngine.open(path)).close()


async def test_a_copy_that_fails_doubles_nothing(
    embedded_engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(embedded_engine, "a", "b")  # in the log, not in the file
    nothing_known = pl.DataFrame(schema={"id": pl.String})
    with monkeypatch.context() as patch:
        patch.setattr(EmbeddedDatabase, "_identities", lambda *_: nothing_known)
        with pytest.raises(QueryFailedError, match="COPY into Offer"):
            await embedded_engine.bulk_insert(tables.OFFER, pl.DataFrame({"id": ["c", "a", "d"]}))
    assert await offers(embedded_engine) == ["a", "b"]
    assert await embedded_engine.bulk_insert(tables.OFFER, pl.DataFrame({"id": ["c", "a"]})) == 1
    await write(embedded_engine, "d")
    await embedded_engine.checkpoint()
    assert await offers(embedded_engine) == ["a", "b", "c", "d"]


async def test_columns_that_an_older_graph_lacks_are_added(tmp_path: Path) -> None:
    path = tmp_path / "graph.lbug"
    with ladybug.Database(path) as database, ladybug.Connection(database) as connection:
        connection.execute("CREATE NODE TABLE Offer(title STRING, id STRING PRIMARY KEY)")
        connection.execute("CREATE (:Offer {id: 'old', title: 't'})")
    engine = await EmbeddedEngine.open(path)
    await engine.apply_schema()
    # Columns stand in another order than in graph.tables.
    rows = pl.DataFrame({"id": ["new"], "title": ["u"], "priceMinor": [5], "batchId": ["x"]})
    assert await engine.bulk_insert(tables.OFFER, rows) == 1
    query = Query(
        "all",
        "MATCH (o:Offer) RETURN o.id AS id, o.title AS title, o.priceMinor AS price, "
        "o.batchId AS batch ORDER BY id",
    )
    read = [tuple(row.values()) for row in await engine.read(query)]
    await engine.close()
    assert read == [("new", "u", 5, "x"), ("old", "t", None, None)]


def rows_of(connection: ladybug.Connection, statement: str) -> list[tuple[Any, ...]]:
    result = connection.execute(statement)
    assert isinstance(result, ladybug.QueryResult)
    return [tuple(row) for row in result.get_all()]


def test_the_schema_file_declares_the_tables(tmp_path: Path) -> None:
    declared = {}
    with (
        ladybug.Database(tmp_path / "graph.lbug") as database,
        ladybug.Connection(database) as connection,
    ):
        for statement in schema_statements("embedded"):
            connection.execute(statement)
        for (name,) in rows_of(connection, "CALL show_tables() RETURN name"):
            declared[name] = rows_of(connection, f"CALL table_info('{name}') RETURN name, type")
        for table in tables.RELATIONSHIP_TABLES:
            ends = rows_of(connection, f"CALL show_connection('{table.name}') RETURN *")
            assert [end[:2] for end in ends] == [(table.from_label, table.to_label)]
    expected = {
        table.name: [(name, kind.value) for name, kind in table.columns]
        for table in tables.TABLES.values()
    }
    assert declared == expected


async def test_the_uri_chooses_the_engine(tmp_path: Path) -> None:
    engine = await open_engine(load_settings(home=tmp_path / "home"))
    assert engine.name == "embedded"
    assert (tmp_path / "home" / "graph.lbug").exists()
    await engine.close()
    engine = await open_engine(load_settings(graph_uri=f"embedded:{tmp_path}/other.lbug"))
    assert (tmp_path / "other.lbug").exists()
    await engine.close()


@pytest.mark.parametrize("uri", ["embedded:", "neo4j://", "http://host", "graph.lbug"])
async def test_a_uri_of_no_engine_is_refused(uri: str) -> None:
    with pytest.raises(SettingsError, match="OFFERPATH_GRAPH_URI"):
        await open_engine(load_settings(graph_uri=uri))


async def test_a_server_that_is_not_there_is_named_without_secrets() -> None:
    with pytest.raises(GraphUnavailableError, match=r"neo4j://127\.0\.0\.1:1 ") as caught:
        await open_engine(load_settings(graph_uri="neo4j://127.0.0.1:1", graph_password="hidden"))
    assert "hidden" not in str(caught.value)
    assert "OFFERPATH_GRAPH_URI" in caught.value.mend
    with pytest.raises(SettingsError) as refused:
        await open_engine(load_settings(graph_uri="mysql://me:hidden@host"))
    assert "hidden" not in str(refused.value)


async def test_what_is_written_after_the_disk_was_full_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "graph.lbug"
    with start_child(FULL_DISK_CHILD, str(path)) as child:
        assert child.wait(60) == -signal.SIGKILL
    engine = await EmbeddedEngine.open(path)
    assert await offers(engine) == ["after", "before"]
    await engine.close()
