"""The examinations of `offerpath doctor`, each a function from what it examines to findings."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
import tempfile
from dataclasses import dataclass
from enum import StrEnum
from importlib import metadata
from typing import TYPE_CHECKING

from cli.serve import require_port
from cli.session import Session, graph_is_there, now, open_graph
from core.api_keys import is_good
from core.errors import GraphBusyError, OfferpathError

if TYPE_CHECKING:
    from core.entities import ApiKey
    from core.settings import Settings
    from graph.store import GraphStore

LOOPBACK = ("127.0.0.1", "::1", "localhost")
SERVING = ("ladybug", "neo4j", "polars", "numba", "starlette", "strawberry-graphql", "uvicorn")


class Health(StrEnum):
    """GOOD: as it should be. NOTE: works, but worth knowing. BAD: does not work."""

    GOOD = "good"
    NOTE = "note"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one examination found; ``mend`` is empty when there is nothing to do."""

    name: str
    health: Health
    text: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class GraphState:
    """What the other examinations need to know of the open graph."""

    graph_id: str
    seq: int


def examine(session: Session) -> list[Finding]:
    """Run every examination; what one finds never keeps the others from running."""
    findings = [_python(), _packages(), _training()]
    try:
        settings = session.settings()
    except OfferpathError as error:
        return [*findings, _failure("settings", error)]
    findings += [_settings(settings), _home(settings), _kernels()]
    graph_findings, state = _graph(settings)
    findings += graph_findings
    findings += [_snapshot(settings, state), _model(settings, state), _port(settings)]
    return findings


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info[:2] == (3, 11):
        return Finding("python", Health.GOOD, f"Python {version}")
    return Finding("python", Health.BAD, f"Python {version}; 3.11 is needed.", "make demo")


def _packages() -> Finding:
    found, lacking = [], []
    for name in SERVING:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            lacking.append(name)
    if lacking:
        text = f"Missing: {', '.join(lacking)}."
        return Finding("packages", Health.BAD, text, "Install the pins: make demo")
    return Finding("packages", Health.GOOD, ", ".join(found))


def _training() -> Finding:
    lacking = [
        name for name in ("torch", "torch_geometric") if importlib.util.find_spec(name) is None
    ]
    if not lacking:
        return Finding("training", Health.GOOD, f"torch {metadata.version('torch')}")
    return Finding(
        "training",
        Health.NOTE,
        f"{' and '.join(lacking)} not installed: serving works, training does not.",
        "Install the train extra: make demo, or pip install -r requirements/train.txt",
    )


def _settings(settings: Settings) -> Finding:
    open_to_all = settings.environment.value == "development"
    if open_to_all and settings.host not in LOOPBACK:
        return Finding(
            "settings",
            Health.BAD,
            f"Development mode asks for no credentials, and the host is {settings.host}.",
            "Set OFFERPATH_ENVIRONMENT=production, or OFFERPATH_HOST=127.0.0.1",
        )
    remark = "open to everybody on this machine" if open_to_all else "credentials are asked for"
    return Finding("settings", Health.GOOD, f"{settings.environment.value}: {remark}")


def _home(settings: Settings) -> Finding:
    home = settings.home.absolute()
    try:
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as error:
        return Finding(
            "home", Health.BAD, f"{home} cannot be written: {error.strerror}.", "Set OFFERPATH_HOME"
        )
    return Finding("home", Health.GOOD, str(home))


def _kernels() -> Finding:
    from scoring.kernel_cache import keep_kernels_by_source

    folder = keep_kernels_by_source().parent
    if os.access(folder, os.W_OK):
        return Finding("kernels", Health.GOOD, f"compiled kernels are kept in {folder}")
    return Finding(
        "kernels",
        Health.NOTE,
        f"{folder} cannot be written: kernels are compiled anew at every start.",
        "Set NUMBA_CACHE_DIR to a folder that can be written",
    )


def _graph(settings: Settings) -> tuple[list[Finding], GraphState | None]:
    uri = settings.resolved_graph_uri
    if not graph_is_there(settings):
        text, mend = f"{uri} is not there yet.", "Fill it: offerpath demo, or offerpath import DIR"
        return [Finding("graph", Health.NOTE, text, mend), _credentials(settings, [])], None
    try:
        return asyncio.run(_open_graph(settings))
    except GraphBusyError as error:
        return [Finding("graph", Health.NOTE, error.message, error.mend)], None
    except OfferpathError as error:
        return [_failure("graph", error)], None


async def _open_graph(settings: Settings) -> tuple[list[Finding], GraphState]:
    async with open_graph(settings) as store:
        state = GraphState(store.graph_id, await store.last_seq())
        text = f"{settings.resolved_graph_uri}: opened, log at {state.seq}"
        return [
            Finding("graph", Health.GOOD, text),
            _credentials(settings, await store.list_api_keys()),
            await _imports(store),
            await _drift(store),
        ], state


def _credentials(settings: Settings, keys: list[ApiKey]) -> Finding:
    from api.authentication import find_lockout

    lockout = find_lockout(settings, keys, now())
    if lockout is not None:
        return _failure("credentials", lockout)
    good = sum(is_good(key, now()) for key in keys)
    tokens = "taken" if settings.jwt_key.get_secret_value() else "not taken"
    return Finding("credentials", Health.GOOD, f"{good} good API keys; tokens are {tokens}")


async def _imports(store: GraphStore) -> Finding:
    from graph.imports import ImportState

    imports = await store.list_imports()
    pending = [record for record in imports if record.state is ImportState.PENDING]
    if not pending:
        return Finding("imports", Health.GOOD, f"{len(imports)} finished, none half-way")
    names = ", ".join(f"{record.id} ({record.mapping_name})" for record in pending)
    return Finding(
        "imports",
        Health.NOTE,
        f"Half-way, and seen by nobody: {names}.",
        "Run the import again: it is finished. Or take it back: offerpath import --discard ID",
    )


async def _drift(store: GraphStore) -> Finding:
    from graph.drift import count_drift

    found = await count_drift(store.engine)
    if not found:
        return Finding("drift", Health.GOOD, "nothing was written past Offerpath")
    return Finding(
        "drift",
        Health.BAD,
        "Written past Offerpath: " + ", ".join(f"{n:,} {what}" for what, n in found.items()),
        "Remove them where they were made, and write through offerpath import or the API",
    )


def _snapshot(settings: Settings, state: GraphState | None) -> Finding:
    from core.snapshot import load_snapshot

    try:
        snapshot = load_snapshot(settings.snapshots_dir)
    except OfferpathError as error:
        return _failure("snapshot", error)
    if snapshot is None:
        return Finding("snapshot", Health.NOTE, "None yet; the first start builds it.")
    if state is not None and snapshot.graph_id != state.graph_id:
        return Finding("snapshot", Health.NOTE, "Of another graph; the next start builds it anew.")
    return Finding("snapshot", Health.GOOD, f"checksums hold, log position {snapshot.seq}")


def _model(settings: Settings, state: GraphState | None) -> Finding:
    from scoring.artifact import load_model

    try:
        model = load_model(settings.models_dir)
    except OfferpathError as error:
        return _failure("model", error)
    if model is None:
        return Finding(
            "model", Health.NOTE, "None yet: the walk answers.", "Train one: offerpath train"
        )
    data = model.manifest.get("data", {})
    if state is not None and data.get("graph_id") not in (None, state.graph_id):
        return Finding(
            "model",
            Health.NOTE,
            f"{model.version} was trained on another graph.",
            "Train on this one: offerpath train",
        )
    return Finding("model", Health.GOOD, f"{model.version}, checksums hold")


def _port(settings: Settings) -> Finding:
    try:
        require_port(settings.host, settings.port)
    except OfferpathError as error:
        return Finding("port", Health.NOTE, error.message, error.mend)
    return Finding("port", Health.GOOD, f"{settings.host}:{settings.port} is free")


def _failure(name: str, error: OfferpathError) -> Finding:
    return Finding(name, Health.BAD, error.message, error.mend)
