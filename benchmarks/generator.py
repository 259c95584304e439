"""How long a large synthetic marketplace takes, and how much memory.

Run: ``python benchmarks/generator.py [--purchases 1000000] [--buyers 2000] [--offers 1500]``.
Prints one JSON object: seconds (building and writing Parquet), peak resident memory in MB, rows
and the size of the files. Target: a million purchases in under a minute.
"""

from __future__ import annotations

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

from synthetic.generate import generate
from synthetic.spec import MarketplaceSpec


def main() -> None:
    """Generate once into a temporary folder and print the figures."""
    defaults = MarketplaceSpec()
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--purchases", type=int, default=1_000_000)
    parser.add_argument("--interactions", type=int, default=defaults.interactions)
    parser.add_argument("--buyers", type=int, default=defaults.buyers)
    parser.add_argument("--offers", type=int, default=defaults.offers)
    asked = parser.parse_args()
    spec = MarketplaceSpec(
        buyers=asked.buyers,
        offers=asked.offers,
        purchases=asked.purchases,
        interactions=asked.interactions,
    )
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        made = generate(spec, Path(folder))
        seconds = time.perf_counter() - start
        size = sum(path.stat().st_size for path in [*made.files.values(), made.truth])
    # ru_maxrss is in kilobytes on Linux.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {
        "seconds": round(seconds, 2),
        "peak_mb": round(peak),
        "files_mb": round(size / 1e6, 1),
        "rows": made.rows,
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
