"""What is given back to the system, and that what was given back works on."""

from __future__ import annotations

import subprocess
import sys

# In a process of its own: others' imports decide what is loaded in this one.
SCRIPT = """
import psutil
import sklearn.linear_model
import torch
from core.memory import give_back_libraries

def held():
    parts = psutil.Process().memory_maps(grouped=True)
    return sum(part.rss for part in parts if part.path.startswith("/"))

before = held()
give_back_libraries()
after = held()
product = torch.eye(3) @ torch.full((3, 3), 2.0)
fitted = sklearn.linear_model.LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
print(before, after, float(product.sum()), round(float(fitted.predict([[2.0]])[0]), 6))
"""


def test_libraries_take_less_and_work_on_once_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    before, after, product, predicted = map(float, done.stdout.split())
    assert (product, predicted) == (18.0, 5.0)
    if sys.platform == "linux":
        assert after < before / 3
    else:
        assert after == before
