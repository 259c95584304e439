"""Whether what is served is behind the best simple model anywhere.

Run: ``python benchmarks/never_behind.py FOLDER ... [--seeds 3] [--threads 2] [--out DIR]``.

Each FOLDER holds train.npz and test.npz; one that holds such folders stands for all of them, and
without any the sets of ``benchmarks/hard_sets.py`` are made. ``offerpath bench quality`` runs in a
process of its own for each folder and seed. Printed for each folder and metric: what is served and
the best of popularity, ItemKNN, RP3beta, EASE and the walk (means over seeds), the difference with
its standard error over seeds, and whether it is behind: by more than two standard errors. Exits
with 1 when it is behind anywhere.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from hard_sets import SETS, write_set

BASELINES = ("popularity", "item_knn", "rp3beta", "ease", "walk")
METRICS = ("recall@20", "ndcg@20")
COMMAND = "from cli.main import main; main()"


def main() -> None:
    """Measure every folder with every seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="*")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, help="keep the reports here; those there are reused")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as spare:
        out = asked.out or Path(spare) / "reports"
        out.mkdir(parents=True, exist_ok=True)
        behind = 0
        for folder in found_folders(asked.folders) or made_folders(Path(spare)):
            reports = [
                measured(folder, seed, asked.threads, out / f"{folder.name}-{seed}.json")
                for seed in range(asked.seeds)
            ]
            for metric in METRICS:
                row = compared(reports, metric)
                behind += bool(row["behind"])
                print(json.dumps({"set": folder.name, "metric": metric, **row}), flush=True)
    sys.exit(1 if behind else 0)


def found_folders(given: list[Path]) -> list[Path]:
    """The folders with matrices among those given and right below them."""
    below = [path for folder in given for path in (folder, *sorted(folder.iterdir()))]
    found = [path for path in below if (path / "train.npz").is_file()]
    if given and not found:
        sys.exit(f"No train.npz in {', '.join(map(str, given))} or right below.")
    return found


def made_folders(spare: Path) -> list[Path]:
    """The hard sets, made."""
    for name, spec in SETS.items():
        write_set(spare / name, spec, seed=0)
    return [spare / name for name in SETS]


def measured(folder: Path, seed: int, threads: int, report: Path) -> dict[str, Any]:
    """The report of one run of the command."""
    if not report.exists():
        words = ["bench", "quality", "--data", str(folder), "--seed", str(seed)]
        words += ["--threads", str(threads), "--no-cold", "--json", str(report)]
        subprocess.run([sys.executable, "-c", COMMAND, *words], check=True, stdout=sys.stderr)
    figures: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return figures


def compared(reports: list[dict[str, Any]], metric: str) -> dict[str, Any]:
    """The figures of one metric over the seeds, the best baseline being the best in the mean."""
    means = {
        name: np.array([report["models"][name][metric] for report in reports])
        for name in (*BASELINES, "offerpath")
        if isinstance(reports[0]["models"][name], dict)
    }
    ours = means.pop("offerpath")
    best = max(means, key=lambda name: means[name].mean())
    lead = ours - means[best]
    error = float(lead.std(ddof=1) / np.sqrt(len(lead))) if len(lead) > 1 else 0.0
    return {
        "served": sorted({report["settings"]["served"] for report in reports}),
        "offerpath": round(float(ours.mean()), 5),
        "best": best,
        "best_figure": round(float(means[best].mean()), 5),
        "lead": round(float(lead.mean()), 5),
        "standard_error": round(error, 5),
        "behind": bool(lead.mean() + 2 * error < 0),
        "train_seconds": round(
            float(np.mean([r["models"]["offerpath"]["train_seconds"] for r in reports])), 1
        ),
    }


if __name__ == "__main__":
    main()
