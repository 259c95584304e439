"""How long a server takes from its start to its first answer, and what a request then takes.

Run: ``python benchmarks/first_answer.py HOME [--runs 5]`` with the home of an imported and trained
graph (after ``make demo ARGS=--once DATA=../shared/data/online-retail``:
``.offerpath/demo/online-retail``). On Neo4j set OFFERPATH_GRAPH_URI and _PASSWORD as for serving.
Prints one JSON object; the query is 20 matches with three explanations and their paths. Target: the
first answer within 5 s.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

import httpx

QUERY = """query ($buyer: ID!) { buyer(by: {externalId: $buyer}) {
  matches(first: 20) { edges { node {
    score offer { title }
    explanations(first: 3) { kind summary contribution path { kind id label } }
  } } }
} }"""
FIRST_BUYER = "{ buyers(first: 1) { edges { node { externalId } } } }"
PATIENCE_SECONDS = 120.0
REQUESTS = 20


def main() -> None:
    """Start, ask, stop; several times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    runs = [_run(asked.home) for _ in range(asked.runs)]
    first, request = zip(*runs, strict=True)
    print(
        json.dumps(
            {
                "first_answer_seconds": [round(seconds, 2) for seconds in first],
                "first_answer_seconds_median": round(statistics.median(first), 2),
                "request_ms_median": round(1000 * statistics.median(request), 1),
            },
            indent=2,
        )
    )


def _run(home: Path) -> tuple[float, float]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    offerpath = str(Path(sys.executable).with_name("offerpath"))
    start = time.perf_counter()
    server = subprocess.Popen(
        [offerpath, "--home", str(home), "serve", "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE_SECONDS) as client:
            buyer = _first_buyer(client, start)
            _matches(client, buyer)
            first = time.perf_counter() - start
            return first, statistics.median(_matches(client, buyer) for _ in range(REQUESTS))
    finally:
        server.terminate()
        server.wait()


def _first_buyer(client: httpx.Client, start: float) -> str:
    while True:
        try:
            answer = client.post("/graphql", json={"query": FIRST_BUYER}).json()
            return str(answer["data"]["buyers"]["edges"][0]["node"]["externalId"])
        except httpx.TransportError:
            if time.perf_counter() - start > PATIENCE_SECONDS:
                raise
            time.sleep(0.02)


def _matches(client: httpx.Client, buyer: str) -> float:
    start = time.perf_counter()
    answer = client.post("/graphql", json={"query": QUERY, "variables": {"buyer": buyer}}).json()
    if len(answer["data"]["buyer"]["matches"]["edges"]) != 20:
        raise SystemExit(f"Not twenty matches: {answer}")
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
